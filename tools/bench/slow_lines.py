"""nginx behind slow lines: every connection is held to a rate for as long as it lives, and has a delay."""

from __future__ import annotations

import asyncio
import contextlib
import threading
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self
from urllib.parse import urlsplit

from tests.replica.nginx import serve

_PIECE = 16 * 1024
"""Bytes relayed at a time: little enough for the rate to be smooth."""


class SlowLines:
    """Serves ``directory`` from a thread while the ``with`` block lasts.

    ``rate`` is in bytes a second and connection, with nothing saved up while it idles; ``delay`` in
    seconds, from a request's arrival to the server's seeing it.
    """

    def __init__(self, directory: Path, rate: int, *, delay: float = 0.03) -> None:
        self._directory = directory
        self._rate = rate
        self._delay = delay
        self._stack = ExitStack()
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._relays: set[asyncio.Task[None]] = set()
        self.url = ""
        """Its base, with a slash at the end."""

    def __enter__(self) -> Self:
        server = self._stack.enter_context(serve(self._directory))
        self._port = urlsplit(server.url).port
        self._thread.start()
        listening = asyncio.run_coroutine_threadsafe(self._listen(), self._loop)
        self.url = f"http://127.0.0.1:{listening.result()}/"
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        asyncio.run_coroutine_threadsafe(self._end(), self._loop).result()
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()
        self._stack.close()

    async def _listen(self) -> int:
        self._server = await asyncio.start_server(self._connected, "127.0.0.1", 0, limit=_PIECE)
        return int(self._server.sockets[0].getsockname()[1])

    async def _end(self) -> None:
        self._server.close()
        for relay in self._relays:
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    async def _connected(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay = asyncio.current_task()
        assert relay is not None
        self._relays.add(relay)
        near = await asyncio.open_connection("127.0.0.1", self._port, limit=_PIECE)
        up = asyncio.create_task(self._up(reader, near[1]))
        try:
            with contextlib.suppress(ConnectionError, asyncio.CancelledError):
                await self._down(near[0], writer)
        finally:
            up.cancel()
            near[1].close()
            writer.close()
            self._relays.discard(relay)

    async def _up(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(_PIECE):
                await asyncio.sleep(self._delay)
                writer.write(data)
                await writer.drain()

    async def _down(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.transport.set_write_buffer_limits(high=_PIECE)
        now = asyncio.get_running_loop().time
        free = now()
        while data := await reader.read(_PIECE):
            writer.write(data)
            await writer.drain()
            free = max(free, now() - 2 * _PIECE / self._rate) + len(data) / self._rate
            if (wait := free - now()) > 0:
                await asyncio.sleep(wait)
