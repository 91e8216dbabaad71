"""One errand on its way: sent, watched, stopped, and cleared away."""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from pathlib import Path
from typing import Any

from kdl.cluster.beacon import TaskFolder
from kdl.cluster.sight import Mark
from kdl.cluster.site import Desk
from kdl.cluster.station import Errand, Report, attend
from kdl.events import Listener

SILENT_S = 45.0
"""An errand that was taken and of which nothing is heard for so long is lost."""
_BEAT_S = 5.0
_STOP_S = 2.0
"""What an errand that was told to stop may take beyond its grace."""


class Flight:
    """An errand's folder, and its future at the executor. Belongs to one event loop but for :meth:`look`."""

    def __init__(self, folder: Path, mark: Mark, *, grace_s: float, aside: bool, emit: Listener) -> None:
        """Makes the folder. Raises DiskFull and MachineError."""
        self._folder = TaskFolder(folder)
        self._mark = mark
        self._grace_s = grace_s
        self._aside = aside
        self._emit = emit
        self._lock = threading.Lock()
        self._beaten = time.monotonic()
        self._ended = False
        self._given_up = asyncio.Event()
        self._alone = False
        """Nobody is at it any more."""
        self.path = folder
        self.desk: Desk | None = None
        """Where it was handed in."""
        self.item = -1
        """The call that a worker has, or had at last, in hand."""
        self.worker = ""
        """Who took it; empty while nobody has."""

    async def go(self, desk: Desk, calls: tuple[tuple[bytes, float], ...]) -> Report | None:
        """Send it and wait for what comes back; None if it was lost or given up.

        Raises what the executor raises, asyncio.CancelledError included: then the errand was told to stop,
        and has ended, or had its time to. The folder is gone afterwards.
        """
        errand = Errand(self.path, self._mark, calls, self._grace_s, self._aside)
        try:
            sent = asyncio.wrap_future(desk.executor.submit(attend, errand))
            self.desk = desk
            giving_up = asyncio.ensure_future(self._given_up.wait())
            either: set[asyncio.Future[Any]] = {sent, giving_up}
            try:
                await asyncio.wait(either, return_when=asyncio.FIRST_COMPLETED)
            finally:
                giving_up.cancel()
                if not sent.done():
                    await asyncio.shield(self._stop(sent))
            if self._given_up.is_set():
                return None
            return None if sent.cancelled() else sent.result()
        finally:
            await asyncio.shield(asyncio.to_thread(self._clear))

    def give_up(self, *, alone: bool = False) -> None:
        """Nobody wants it any more, or its worker is silent; ``alone`` where that one is known to be gone."""
        self._alone = alone
        self._given_up.set()

    def look(self) -> bool:
        """Hear what it tells and let it know that we live; whether it is silent for too long."""
        with self._lock:
            if self._ended:
                return False
            seen = self._folder.look()
            self.item, self.worker = seen.item, seen.worker
            for event in seen.events:
                self._emit(event)
            now = time.monotonic()
            if now - self._beaten >= _BEAT_S:
                self._beaten = now
                with contextlib.suppress(OSError):  # it hears of us the next time
                    self._folder.beat()
            return seen.age is not None and seen.age > SILENT_S

    async def _stop(self, sent: asyncio.Future[Report]) -> None:
        with contextlib.suppress(OSError):  # without the mark, it finds that its folder has gone
            await asyncio.to_thread(self._folder.stop)
        await asyncio.to_thread(self.look)
        if self.worker and not self._alone:
            await asyncio.wait({sent}, timeout=self._grace_s + _STOP_S)
        sent.cancel()
        if not sent.cancelled():
            sent.exception()  # nobody is left to ask

    def _clear(self) -> None:
        self.look()
        with self._lock:
            self._ended = True
            self._folder.remove()
