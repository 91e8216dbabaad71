"""The HTTP source: single requests with aiohttp, strict about what may be joined to what."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager, suppress
from types import TracebackType
from urllib.parse import quote

import aiohttp
from yarl import URL

from kdl import __version__
from kdl.errors import FetchError, PermanentError, RetryCause, SourceChanged, TransientError
from kdl.fetch.answers import content_range, read_stat, status_error
from kdl.fetch.bodies import body_of, hold_to, in_words, placed
from kdl.fetch.indexpage import Entry, read_index
from kdl.fetch.listed import Listed
from kdl.fetch.pages import s3_code
from kdl.fetch.source import Opened, RemoteFile, RemoteStat, nothing
from kdl.fetch.surroundings import Surroundings
from kdl.settings import CONNECT_S, KIB, MIB, STALL_S

_READ_BUFFER = 128 * KIB
"""aiohttp stops reading at twice this, so little is lost when a run is killed."""
_IDLE_S = 15.0
"""An idle connection is kept so long, less than servers keep theirs."""
_ERROR_BODY = 4 * KIB
_ERROR_BODY_S = 5.0
_PAGE_CAP = 256 * MIB
"""Bytes of a listing's page: those of a million names."""
_PAGES_AT_A_TIME = 8
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
        self._indexes: dict[str, list[Entry]] = {}
        """Pages of listings that have not come to their end, so that another try goes on with the others."""

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
                hold_to(validator, stat, response.status)
            bodiless = response.status in (304, 416)
            async with aclosing(nothing() if bodiless else body_of(url, response, self._stall_s)) as chunks:
                yield Opened(stat, begin, response.status, chunks)

    async def listing(self, url: str) -> list[RemoteFile]:
        """See :meth:`kdl.fetch.source.Lister.listing`: of a server that lists its folders by pages."""
        listed, folders = Listed(url), [""]
        while folders:
            batch, folders = folders[-_PAGES_AT_A_TIME:], folders[:-_PAGES_AT_A_TIME]
            asked = (self._index(url + quote(os.fsencode(path))) for path in batch)
            pages = await asyncio.gather(*asked, return_exceptions=True)
            for path, page in zip(batch, pages, strict=True):
                if isinstance(page, BaseException):
                    raise page
                for entry in page:
                    name = path + entry.name
                    if not entry.is_folder:
                        listed.add(name, entry.size)
                    elif listed.enter(f"{name}/"):
                        folders.append(f"{name}/")
        self._indexes.clear()
        return listed.sorted()

    async def _index(self, url: str) -> list[Entry]:
        """The entries of one folder. Raises FetchError."""
        if url not in self._indexes:
            self._indexes[url] = await self._ask_index(url)
        return self._indexes[url]

    async def _ask_index(self, url: str) -> list[Entry]:
        async with self._request("GET", url, {"Accept": "application/json, text/html;q=0.9"}) as response:
            if response.status != 200:
                raise _without_index(await _refusal(url, response))
            asked = URL(url, encoded=True)
            if (response.url.origin(), response.url.path) != (asked.origin(), asked.path):
                raise PermanentError(f"leads to another place: {response.url}", subject=url)
            body = bytearray()
            async with aclosing(body_of(url, response, self._stall_s)) as chunks:
                async for chunk in chunks:
                    body += chunk
                    if len(body) > _PAGE_CAP:
                        raise _without_index(PermanentError("a page without end", subject=url))
        entries = await asyncio.to_thread(read_index, url, bytes(body))
        if entries is None:
            raise _without_index(PermanentError("a page came that lists no files", subject=url))
        return entries

    @asynccontextmanager
    async def _request(
        self, method: str, url: str, headers: dict[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        with in_words(url, self._stall_s):
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


async def _judge(
    url: str, response: aiohttp.ClientResponse, offset: int, last: int | None, *, conditional: bool
) -> tuple[RemoteStat, int]:
    """What is being read and from which byte on; raises what the answer's status means otherwise."""
    found = placed(url, response, offset, last)
    if found is not None:
        return found
    status, headers = response.status, response.headers
    if status == 304 and conditional:
        return read_stat(url, headers, None), offset
    if status == 416 and offset:
        told = content_range(headers)
        if told is None or told[2] != offset:
            raise SourceChanged(f"it has no byte {offset} any more", subject=url, status=status)
        return read_stat(url, headers, offset), offset
    raise await _refusal(url, response)


async def _refusal(url: str, response: aiohttp.ClientResponse) -> FetchError:
    """The error an answer means, with S3's word for it if the body holds one."""
    body = b""
    with suppress(aiohttp.ClientError, OSError, TimeoutError):
        async with asyncio.timeout(_ERROR_BODY_S):
            while len(body) < _ERROR_BODY and (chunk := await response.content.readany()):
                body += chunk
    return status_error(url, response.status, response.headers, s3_code(body))


def _without_index(error: FetchError) -> FetchError:
    """The same error, with the way out for who wanted a folder."""
    if isinstance(error, PermanentError):
        error.fix = "a server that lists no folders needs a list of the files' URLs in place of the folder's"
    return error
