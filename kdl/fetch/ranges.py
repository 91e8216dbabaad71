"""A large object over several connections: ranges fetched side by side, handed on in order.

A few MiB are on their way or waiting for the reader at any time, whatever the object's size. Who does not
read stops the fetching.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from itertools import count

from kdl.errors import FetchError, PermanentError, RetryCause, SourceChanged, TransientError
from kdl.fetch.source import Opened, RemoteStat, Source, same_object
from kdl.settings import MIB

WINDOW = 16 * MIB
"""Bytes of one object that are in memory at the most, up to eight connections."""
SMALL = MIB // 4
"""Bytes of the first pieces."""
_LAST = MIB // 2
"""Bytes of the last pieces, or a connection's share of what is left where that is more."""
_LARGE = MIB
"""A full piece is no smaller: it would cost more in round trips than it gains."""
_AHEAD = 2
"""Pieces in the window for each connection: one that arrives, and one that waits for its turn."""

_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)
_NO_RANGES = (HTTPStatus.OK, HTTPStatus.PARTIAL_CONTENT)
"""The status of an answer that was wrong for the range asked for."""


def piece_size(connections: int) -> int:
    """Bytes of a full piece: large for the sake of round trips, and so that the window holds them."""
    return max(_LARGE, WINDOW // (_AHEAD * connections))


def pieces(begin: int, size: int, connections: int) -> Iterator[tuple[int, int]]:
    """The ranges, as first byte and the byte after the last, of an object of ``size`` bytes from ``begin``.

    They begin small, as nginx holds the second answer on a connection to half the rate, and double with
    each round; towards the end they get smaller again, so that all connections are busy to the last.
    """
    for number in count():
        left = size - begin
        if left <= 0:
            return
        ramp = SMALL << min(number // connections, 16)
        taper = max(_LAST, left // connections)
        end = begin + min(piece_size(connections), ramp, taper, left)
        yield begin, end
        begin = end


class RangedSource:
    """A :class:`~kdl.fetch.source.Source` that reads each object over up to ``connections`` at a time.

    The first request asks for the first piece; its answer tells size and validator. An object that fits
    in it, a server that knows no ranges and an object that nothing vouches for are read over the one
    connection. The first error of a piece is raised once all bytes before it were handed on; from an
    origin that was found short of connections, or wrong about ranges, the object is then read over fewer.
    """

    def __init__(self, source: Source, connections: int, pay: Callable[[int], Awaitable[None]]) -> None:
        """``pay`` is awaited with the number of bytes that came, before more are asked for."""
        self._source = source
        self._connections = connections
        self._pay = pay
        self._widths: dict[str, int] = {}
        """Connections by URL, where they are fewer."""

    async def stat(self, url: str) -> RemoteStat:
        """As the source tells it."""
        return await self._source.stat(url)

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
        """See :meth:`kdl.fetch.source.Source.open`. A range that ends is read over one connection."""
        async with AsyncExitStack() as stack:
            if last is not None:
                yield await stack.enter_async_context(
                    self._source.open(url, offset, validator, known_etag=known_etag, last=last)
                )
                return
            first = await self._open_part(stack, url, offset, validator, known_etag)
            if first is None:
                first = await stack.enter_async_context(
                    self._source.open(url, offset, validator, known_etag=known_etag)
                )
            if first.status == HTTPStatus.PARTIAL_CONTENT and self._splits(first):
                stream = _Pieces(self, url, first, self._width(url))
                chunks = await stack.enter_async_context(stream.running())
            else:
                chunks = await stack.enter_async_context(aclosing(self._paid(first)))
            yield replace(first, chunks=chunks)

    async def _open_part(
        self,
        stack: AsyncExitStack,
        url: str,
        offset: int,
        validator: str | None,
        known_etag: str | None,
    ) -> Opened | None:
        """The first piece, or whatever else the server answered; None to ask without an end."""
        if self._width(url) == 1:
            return None
        last = offset + SMALL - 1
        try:
            first = await stack.enter_async_context(
                self._source.open(url, offset, validator, known_etag=known_etag, last=last)
            )
        except PermanentError as error:
            if error.status != HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE:
                raise
            return None  # an empty object has no ranges
        except TransientError as error:
            self.learn(url, error)
            raise
        joinable = first.stat.size is not None and first.stat.validator is not None
        if first.status == HTTPStatus.PARTIAL_CONTENT and not joinable:
            self._widths[url] = 1
            await stack.aclose()
            return None
        return first

    def _width(self, url: str) -> int:
        return self._widths.get(url, self._connections)

    def _splits(self, first: Opened) -> bool:
        """Whether there is more than the first piece to read."""
        several = self._width(first.stat.url) > 1
        return several and first.stat.size is not None and first.stat.size > first.offset + SMALL

    async def _paid(self, opened: Opened) -> AsyncGenerator[bytes]:
        async for chunk in opened.chunks:
            yield chunk
            await self._pay(len(chunk))

    def learn(self, url: str, error: Exception) -> None:
        """How many connections the object is asked for over next, after this failure."""
        if not isinstance(error, FetchError) or isinstance(error, SourceChanged):
            return
        if error.status in _BUSY:
            self._widths[url] = max(1, self._width(url) // 2)
        elif error.status in _NO_RANGES:
            self._widths[url] = 1

    async def fill(self, piece: _Piece, opened: Opened) -> None:
        """Read ``opened`` into ``piece``. Raises what reading raises, TransientError for a wrong length."""
        async for chunk in opened.chunks:
            piece.take(chunk)
            if piece.came > piece.size:
                raise TransientError(
                    "more bytes came than were asked for", subject=opened.stat.url, status=206
                )
            await self._pay(len(chunk))
        if piece.came < piece.size:
            raise TransientError(
                f"a part of {piece.size} bytes ended after {piece.came}",
                subject=opened.stat.url,
                cause=RetryCause.TRUNCATED,
            )

    async def bring(self, piece: _Piece, known: RemoteStat) -> None:
        """Fetch one piece of the object that ``known`` tells of. Raises TransientError, SourceChanged …"""
        url = known.url
        async with self._source.open(url, piece.begin, known.validator, last=piece.end - 1) as opened:
            if not same_object(known, opened.stat):
                raise SourceChanged("the object at the server is another one now", subject=url)
            if opened.status != HTTPStatus.PARTIAL_CONTENT:
                raise TransientError("the server gives no ranges any more", subject=url, status=opened.status)
            await self.fill(piece, opened)


@dataclass(slots=True)
class _Piece:
    """A range of an object, while it arrives and until it was read."""

    begin: int
    end: int
    """The byte after its last."""
    came: int = 0
    ended: bool = False
    error: Exception | None = None
    _chunks: deque[bytes] = field(default_factory=deque)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def size(self) -> int:
        return self.end - self.begin

    def take(self, chunk: bytes) -> None:
        self.came += len(chunk)
        self._chunks.append(chunk)
        self._news.set()

    def end_with(self, error: Exception | None) -> None:
        self.error, self.ended = error, True
        self._news.set()

    async def read(self) -> AsyncGenerator[bytes]:
        """Its bytes as they come; raises its error behind them."""
        while True:
            while self._chunks:
                yield self._chunks.popleft()
            if self.ended:
                break
            self._news.clear()
            await self._news.wait()
        if self.error is not None:
            raise self.error


class _Pieces:
    """One object being read: its connections' tasks, and the pieces in order."""

    def __init__(self, source: RangedSource, url: str, first: Opened, width: int) -> None:
        """``first`` is open and gives the first of the pieces."""
        assert first.stat.size is not None
        self._source = source
        self._url = url
        self._first = first
        self._size = first.stat.size
        self._plan = pieces(first.offset, self._size, width)
        self._width = width
        self._broken = False
        self._room = asyncio.Semaphore(width * _AHEAD - 1)
        self._pieces: asyncio.Queue[_Piece] = asyncio.Queue()

    @asynccontextmanager
    async def running(self) -> AsyncIterator[AsyncIterator[bytes]]:
        """The bytes in order, while the connections work."""
        head = _Piece(*next(self._plan))
        self._pieces.put_nowait(head)
        tasks = [
            asyncio.create_task(self._work(head if number == 0 else None)) for number in range(self._width)
        ]
        try:
            async with aclosing(self._read()) as chunks:
                yield chunks
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _read(self) -> AsyncGenerator[bytes]:
        done = self._first.offset
        while done < self._size:
            piece = await self._pieces.get()
            async with aclosing(piece.read()) as chunks:
                async for chunk in chunks:
                    yield chunk
            self._room.release()
            done = piece.end

    async def _work(self, piece: _Piece | None) -> None:
        """One connection: piece after piece until all are planned, or one has failed."""
        if piece is not None:
            await self._settle(piece, self._source.fill(piece, self._first))
        while (following := await self._next()) is not None:
            await self._settle(following, self._source.bring(following, self._first.stat))

    async def _next(self) -> _Piece | None:
        await self._room.acquire()
        planned = None if self._broken else next(self._plan, None)
        if planned is None:
            self._room.release()  # for the others, who then see the same
            return None
        piece = _Piece(*planned)
        self._pieces.put_nowait(piece)
        return piece

    async def _settle(self, piece: _Piece, bringing: Awaitable[None]) -> None:
        try:
            await bringing
        except Exception as error:  # noqa: BLE001 - it belongs to the reader
            self._broken = True
            self._source.learn(self._url, error)
            piece.end_with(error)
        else:
            piece.end_with(None)
