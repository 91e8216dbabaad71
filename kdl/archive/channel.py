"""A bounded channel of bytes from the event loop to one thread."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections import deque
from types import TracebackType


class ChannelClosed(Exception):
    """The reader is done or gave up: nothing more is taken."""


class Channel:
    """Carries chunks of bytes from coroutines to one blocking reader, in order, in bounded memory.

    The loop's side is an async context manager that ends the stream: :meth:`finish` on a clean exit,
    :meth:`fail` with the exception (cancellation included) on any other. The thread's side is a plain
    context manager that calls :meth:`close`. Used so, neither side can wait for a dead one::

        async with channel:                      with channel:
            async for chunk in body:                 while chunk := channel.read(size):
                await channel.put(chunk)                 ...
    """

    def __init__(self, limit_bytes: int) -> None:
        """``limit_bytes`` may wait unread, and as many may be in the reader's hands.

        One chunk larger than that is let through alone.
        """
        self._limit = limit_bytes
        self._arrived = threading.Condition()
        self._chunks: deque[bytes] = deque()
        self._held = 0
        self._finished = False
        self._failure: BaseException | None = None
        self._closed = False
        self._putters: list[asyncio.Future[None]] = []
        self._taken: deque[bytes] = deque()
        """The reader's own: one look at what waits serves many reads."""

    # The loop's side

    async def put(self, chunk: bytes) -> None:
        """Hand over ``chunk``, waiting until there is room.

        Raises ChannelClosed once the reader has closed or the stream was ended; a cancelled put has
        handed over nothing.
        """
        while chunk:
            with self._arrived:
                if self._closed or self._finished or self._failure is not None:
                    raise ChannelClosed
                if not self._held or self._held + len(chunk) <= self._limit:
                    self._chunks.append(chunk)
                    self._held += len(chunk)
                    self._arrived.notify()
                    return
                room = asyncio.get_running_loop().create_future()
                self._putters.append(room)
            await room

    async def finish(self) -> None:
        """The stream ends here, whole: the reader gets what waits, then ``b""``."""
        with self._arrived:
            self._finished = True
            self._arrived.notify()
        self._wake_putters()

    def fail(self, exc: BaseException) -> None:
        """The stream broke: what waits is dropped and the reader's next read raises ``exc``.

        May be called from any thread, and does nothing after :meth:`finish`, :meth:`close` or an
        earlier failure.
        """
        with self._arrived:
            if self._finished or self._closed or self._failure is not None:
                return
            self._failure = exc
            self._drop()
            self._arrived.notify()
        self._wake_putters()

    async def __aenter__(self) -> Channel:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if exc is None:
            await self.finish()
        else:
            self.fail(exc)

    # The thread's side

    def read(self, n: int) -> bytes:
        """Up to ``n`` bytes of what has arrived, waiting for the first; ``b""`` at the end.

        Raises the exception given to :meth:`fail`, and ChannelClosed after :meth:`close`.
        """
        if not self._taken or self._failure is not None or self._closed:
            self._take_all()
        if not self._taken:
            return b""
        chunk = self._taken.popleft()
        if len(chunk) > n:
            self._taken.appendleft(chunk[n:])
            chunk = chunk[:n]
        return chunk

    def close(self) -> None:
        """The reader is done or gave up: pending and later puts raise ChannelClosed."""
        with self._arrived:
            self._closed = True
            self._drop()
            self._arrived.notify_all()
        self._wake_putters()

    def __enter__(self) -> Channel:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def _take_all(self) -> None:
        """Take what waits, pieces as they are; nothing only at the end."""
        with self._arrived:
            while not (self._chunks or self._finished or self._closed or self._failure is not None):
                self._arrived.wait()
            if self._failure is not None:
                raise self._failure
            if self._closed:
                raise ChannelClosed
            self._taken, self._chunks = self._chunks, self._taken
            self._held = 0
        self._wake_putters()

    def _drop(self) -> None:
        self._chunks.clear()
        self._held = 0

    def _wake_putters(self) -> None:
        with self._arrived:
            waiting, self._putters = self._putters, []
        for room in waiting:
            # The loop may have ended, and its coroutines with it.
            with contextlib.suppress(RuntimeError):
                room.get_loop().call_soon_threadsafe(_resolve, room)


def _resolve(room: asyncio.Future[None]) -> None:
    if not room.done():
        room.set_result(None)
