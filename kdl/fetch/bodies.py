"""Reading an answer over HTTP: which part of which version it is, and its bytes while they come."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import contextmanager

import aiohttp

from kdl.errors import SourceChanged, TransientError
from kdl.fetch.answers import client_error, content_range, read_stat
from kdl.fetch.source import RemoteStat


@contextmanager
def in_words(url: str, stall_s: float) -> Iterator[None]:
    """Raise what aiohttp has against a request as kdl's errors."""
    try:
        yield
    except (aiohttp.ClientError, OSError, TimeoutError) as error:
        raise client_error(url, error, stall_s) from error


def placed(
    url: str, response: aiohttp.ClientResponse, offset: int, last: int | None
) -> tuple[RemoteStat, int] | None:
    """What a 200 or 206 gives and from which byte on; None for another status.

    Raises TransientError for another part than the one asked for.
    """
    status, headers = response.status, response.headers
    if status == 200:
        return read_stat(url, headers, response.content_length), 0
    if status == 206:
        return read_stat(url, headers, _checked_range(url, response, offset, last)), offset
    return None


async def body_of(url: str, response: aiohttp.ClientResponse, stall_s: float) -> AsyncGenerator[bytes]:
    """The body in pieces as they came. Raises TransientError; what came before a break is given first."""
    content, watch = response.content, _Watch(stall_s, response.close)
    if response.connection is not None and response.connection.protocol is not None:
        response.connection.protocol.read_timeout = None
    with in_words(url, stall_s), watch:
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


def hold_to(validator: str, stat: RemoteStat, status: int) -> None:
    """Raise SourceChanged if the answer is about another version than the one ``validator`` names."""
    tag = stat.etag if validator.startswith('"') else stat.last_modified
    # A 200 to If-Range says "changed" by itself, unless its tag says that only ranges are not served.
    if tag != validator and (tag is not None or status == 200):
        raise SourceChanged("the object at the server is another one now", subject=stat.url, status=status)


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
