"""The HTTP source: single requests with aiohttp, strict about what may be joined to what."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterator
from contextlib import aclosing, asynccontextmanager, contextmanager, suppress
from types import TracebackType

import aiohttp
from yarl import URL

from kdl import __version__
from kdl.errors import RetryCause, SourceChanged, TransientError
from kdl.fetch.answers import client_error, content_range, read_stat, status_error
from kdl.fetch.pages import s3_code
from kdl.fetch.source import Opened, RemoteStat
from kdl.fetch.surroundings import Surroundings
from kdl.settings import CONNECT_S, KIB, STALL_S

_READ_BUFFER = 128 * KIB
"""aiohttp stops reading at twice this, so little is lost when a run is killed."""
_IDLE_S = 15.0
"""An idle connection is kept so long, less than servers keep theirs."""
_ERROR_BODY = 4 * KIB
_ERROR_BODY_S = 5.0
_HEAD_REFUSED = (403, 405, 501)
_HEADERS = {"Accept-Encoding": "identity", "User-Agent": f"kdl/{__version__}"}


class HttpSource:
    """A :class:`~kdl.fetch.source.Source` over HTTP and HTTPS, as an async context manager.

    One session whose connections are reused. Proxies come from the environment. How many requests run
    at a time is the caller's affair.
    """

    def __init__(self, *, stall_s: float = STALL_S, connect_s: float = CONNECT_S) -> None:
        """``stall_s``: seconds without a byte that are borne; ``connect_s``: for a connection to stand."""
        self._stall_s = stall_s
        self._connect_s = connect_s
        self._opened_session: aiohttp.ClientSession | None = None
        self._surroundings = Surroundings()

    async def __aenter__(self) -> HttpSource:
        self._opened_session = aiohttp.ClientSession(
            # No limit on connections: waiting for a free one would count as waiting for the server.
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=_IDLE_S),
            timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_s, sock_read=self._stall_s),
            headers=_HEADERS,
            auto_decompress=False,
            cookie_jar=aiohttp.DummyCookieJar(),
            read_bufsize=_READ_BUFFER,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._opened_session is not None:
            await self._opened_session.close()

    async def stat(self, url: str) -> RemoteStat:
        """HEAD, or a GET of the first byte where HEAD is refused."""
        async with self._request("HEAD", url, {}) as response:
            if response.status == 200:
                return read_stat(url, response.headers, response.content_length)
            if response.status not in _HEAD_REFUSED:
                raise status_error(url, response.status, response.headers)
        async with self._request("GET", url, {"Range": "bytes=0-0"}) as response:
            told = content_range(response.headers)
            if response.status == 206 and told is not None:
                return read_stat(url, response.headers, told[2])
            if response.status == 416 and told == (None, None, 0):
                return read_stat(url, response.headers, 0)
            if response.status == 200:
                return read_stat(url, response.headers, response.content_length)
            raise await _refusal(url, response)

    @asynccontextmanager
    async def open(
        self,
        url: str,
        offset: int = 0,
        validator: str | None = None,
        *,
        known_etag: str | None = None,
        last: int | None = None,
    ) -> AsyncIterator[Opened]:
        """GET; see :meth:`kdl.fetch.source.Source.open`. ``last`` ends the range asked for, inclusive."""
        headers: dict[str, str] = {}
        if offset or last is not None:
            headers["Range"] = f"bytes={offset}-{'' if last is None else last}"
            if validator is not None:
                headers["If-Range"] = validator
        if known_etag is not None:
            headers["If-None-Match"] = known_etag
        async with self._request("GET", url, headers) as response:
            stat, begin = await _judge(url, response, offset, last, conditional=known_etag is not None)
            if offset and validator is not None:
                _hold_to(validator, stat, response.status)
            bodiless = response.status in (304, 416)
            async with aclosing(_nothing() if bodiless else self._body(url, response)) as chunks:
                yield Opened(stat, begin, response.status, chunks)

    @asynccontextmanager
    async def _request(
        self, method: str, url: str, headers: dict[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        with self._in_words(url):
            response = await self._answer(method, url, headers)
        try:
            yield response
        finally:
            # Closes the connection unless the body was read to its end.
            response.release()

    async def _answer(self, method: str, url: str, headers: dict[str, str]) -> aiohttp.ClientResponse:
        """The answer once its headers are whole, after redirects; a header now and then is no progress."""
        assert self._opened_session is not None, "used outside its async with"
        allowed = self._connect_s + self._stall_s
        try:
            target = URL(url, encoded=True)
            way = self._surroundings.way_to(target)
            if not target.user:  # a login in the URL goes before
                headers = {**headers, **way.headers}
            async with asyncio.timeout(allowed) as limit:
                return await self._opened_session.request(
                    method, target, headers=headers, allow_redirects=True, proxy=way.proxy
                )
        except TimeoutError as error:
            if not limit.expired():
                raise
            words = f"stalled: the headers did not end within {allowed:g} s"
            raise TransientError(words, subject=url, cause=RetryCause.STALL) from error

    async def _body(self, url: str, response: aiohttp.ClientResponse) -> AsyncGenerator[bytes]:
        content, watch = response.content, _Watch(self._stall_s, response.close)
        if response.connection is not None and response.connection.protocol is not None:
            response.connection.protocol.read_timeout = None
        with self._in_words(url), watch:
            try:
                while True:
                    watch.begin()
                    # Pieces as they came: readany() joins, and so copies, all of them.
                    piece, of_http = await content.readchunk()
                    watch.end()
                    if piece:
                        yield piece
                    elif not of_http:  # the end of a chunk of HTTP's is not the body's
                        return
            except (aiohttp.ClientError, OSError) as error:
                # What came before the break is still there, though no method gives it any more.
                for piece in tuple(getattr(content, "_buffer", ())):
                    yield piece
                if watch.fired:
                    raise TimeoutError from error
                raise

    @contextmanager
    def _in_words(self, url: str) -> Iterator[None]:
        try:
            yield
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            raise client_error(url, error, self._stall_s) from error


class _Watch:
    """Calls ``give_up`` once somebody has waited ``seconds`` between a :meth:`begin` and its :meth:`end`.

    aiohttp's own limit on reading serves for the headers. For a body it sets a timer anew for all that
    comes, a twentieth of what a fast transfer computes, and takes a trailer's byte for one of the body.
    """

    def __init__(self, seconds: float, give_up: Callable[[], object]) -> None:
        self.fired = False
        self._seconds = seconds
        self._give_up = give_up
        self._loop = asyncio.get_running_loop()
        self._since: float | None = None

    def begin(self) -> None:
        self._since = self._loop.time()

    def end(self) -> None:
        self._since = None

    def __enter__(self) -> None:
        self._timer = self._loop.call_later(self._seconds, self._look)

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def _look(self) -> None:
        left = self._seconds if self._since is None else self._since + self._seconds - self._loop.time()
        if left > 0:
            self._timer = self._loop.call_later(left, self._look)
        else:
            self.fired = True
            self._give_up()


async def _judge(
    url: str, response: aiohttp.ClientResponse, offset: int, last: int | None, *, conditional: bool
) -> tuple[RemoteStat, int]:
    """What is being read and from which byte on; raises what the answer's status means otherwise."""
    status, headers = response.status, response.headers
    if status == 200:
        return read_stat(url, headers, response.content_length), 0
    if status == 206:
        return read_stat(url, headers, _checked_range(url, response, offset, last)), offset
    if status == 304 and conditional:
        return read_stat(url, headers, None), offset
    if status == 416 and offset:
        told = content_range(headers)
        if told is None or told[2] != offset:
            raise SourceChanged(f"it has no byte {offset} any more", subject=url, status=status)
        return read_stat(url, headers, offset), offset
    raise await _refusal(url, response)


def _checked_range(url: str, response: aiohttp.ClientResponse, offset: int, until: int | None) -> int | None:
    """The object's size as a 206 tells it; TransientError if the part is not the one asked for."""
    told = content_range(response.headers)
    if told is None or told[0] is None or told[1] is None:
        raise TransientError("a part came without a Content-Range to place it", subject=url, status=206)
    first, last, size = told[0], told[1], told[2]
    length = response.content_length
    fits = first == offset and last >= first and (size is None or last < size)
    fits = fits and (until is None or last <= until)
    if not fits or (length is not None and length != last - first + 1):
        shown = response.headers["Content-Range"]
        raise TransientError(f"asked for bytes from {offset} on, got {shown}", subject=url, status=206)
    return size


def _hold_to(validator: str, stat: RemoteStat, status: int) -> None:
    """Raise SourceChanged if the answer is about another version than the one ``validator`` names."""
    tag = stat.etag if validator.startswith('"') else stat.last_modified
    # A 200 to If-Range says "changed" by itself, unless its tag says that only ranges are not served.
    if tag != validator and (tag is not None or status == 200):
        raise SourceChanged("the object at the server is another one now", subject=stat.url, status=status)


async def _refusal(url: str, response: aiohttp.ClientResponse) -> Exception:
    """The error an answer means, with S3's word for it if the body holds one."""
    body = b""
    with suppress(aiohttp.ClientError, OSError, TimeoutError):
        async with asyncio.timeout(_ERROR_BODY_S):
            while len(body) < _ERROR_BODY and (chunk := await response.content.readany()):
                body += chunk
    return status_error(url, response.status, response.headers, s3_code(body))


async def _nothing() -> AsyncGenerator[bytes]:
    return
    yield b""
