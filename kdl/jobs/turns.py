"""Taking turns at a host that has no room, where the shards are fetched on other machines.

A job whose object was refused (429, 503) steps aside and waits for a free slot of the run's
:class:`~kdl.fetch.pressure.Pressure`. On a cluster the slots are the coordinator's and the object is a
worker's: both count the refusals after which it is tried again, which the worker tells, and the coordinator
writes into a small file how many of them have had their turn since.
"""

from __future__ import annotations

import asyncio
import os
from pathlib import Path
from typing import TypeGuard

from kdl import events
from kdl.diskerrors import disk_errors
from kdl.errors import RetryCause, TransientError
from kdl.fetch.pressure import Pressure

_BUSY = {RetryCause.HTTP_429.value: 429, RetryCause.HTTP_503.value: 503}
_LOOK_S = 0.25
_PATIENCE_S = 600.0
"""A worker waits no longer for its turn: what it told may not have been heard."""
_WIDTH = 8


def _refused(event: events.Event) -> TypeGuard[events.RetryScheduled]:
    return isinstance(event, events.RetryScheduled) and event.cause in _BUSY


class Turns:
    """The coordinator's side, for one try at one shard. An async context manager and a listener."""

    def __init__(self, path: Path, name: str, pressure: Pressure, emit: events.Listener) -> None:
        """``path`` is the file, ``name`` that of the shard, which holds a slot."""
        self._path = path
        self._name = name
        self._pressure = pressure
        self._emit = emit
        self._refusals = 0
        self._waiting: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Turns:
        await asyncio.to_thread(self._write, 0)
        return self

    async def __aexit__(self, *_: object) -> None:
        for task in self._waiting:
            task.cancel()
        await asyncio.gather(*self._waiting, return_exceptions=True)

    def hear(self, event: events.Event) -> None:
        """Take note of a refusal; every event goes on."""
        if _refused(event):
            self._refusals += 1
            self._pressure.failed(TransientError(event.reason, status=_BUSY[event.cause]))
            task = asyncio.create_task(self._step_aside(self._refusals))
            self._waiting.add(task)
            task.add_done_callback(self._waiting.discard)
        self._emit(event)

    async def _step_aside(self, refusals: int) -> None:
        await self._pressure.step_aside(self._name)
        await asyncio.to_thread(self._write, refusals)

    def _write(self, count: int) -> None:
        # Over what is there: a name that is new is seen late by those who have looked for it in vain.
        with disk_errors(self._path):
            file = os.open(self._path, os.O_WRONLY | os.O_CREAT, 0o644)
            try:
                os.write(file, str(count).encode().ljust(_WIDTH))
            finally:
                os.close(file)


class FarPressure(Pressure):
    """The worker's side: one slot, given back and asked for where the coordinator is."""

    def __init__(self, path: Path, emit: events.Listener) -> None:
        super().__init__(1, emit=emit)
        self._path = path
        self._refusals = 0
        self._served = 0
        self._tell = emit

    def hear(self, event: events.Event) -> None:
        """Count a refusal; every event goes on."""
        self._refusals += _refused(event)
        self._tell(event)

    async def step_aside(self, name: str) -> None:
        """Wait until the coordinator has let others go first."""
        if self._served == self._refusals:  # refused for good, and at the next origin now: nobody was told
            return
        self._served = self._refusals
        until = asyncio.get_running_loop().time() + _PATIENCE_S
        while await asyncio.to_thread(self._read) < self._served:
            if asyncio.get_running_loop().time() > until:
                return
            await asyncio.sleep(_LOOK_S)

    def _read(self) -> int:
        with disk_errors(self._path):
            return int(self._path.read_bytes() or b"0")
