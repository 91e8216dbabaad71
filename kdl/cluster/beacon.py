"""What a running task and its coordinator tell each other: a folder on the file system that both see.

An executor can neither ask a running task how it is getting on nor stop it. So each task has a folder,
``.kdl/tasks/<id>/``, made and removed by the coordinator:

=========== ============ ====================================================================
file        written by   holds
=========== ============ ====================================================================
``order``   coordinator  ``go`` or ``stop``, and a count that grows while the coordinator lives
``entered`` worker       who took the task; made once, so that a task that is sent twice is not done twice
``alive``   worker       a count that grows while the worker lives, and the item it has in hand
``log``     worker       events, a JSON object a line
=========== ============ ====================================================================

All of them are opened anew for each look and each word: that is what makes NFS ask its server. Ages are
counted by the clock of who looks, from when a count changed: the hosts' clocks need not agree.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import time
from dataclasses import dataclass
from pathlib import Path

from kdl import events
from kdl.diskerrors import disk_errors

ORPHAN_S = 60.0
"""A task whose coordinator gives no sign of life for so long stops."""
_LOOK_S = 0.25
"""How often a task looks for the stop mark, however often it is asked."""
_ORDER, _ENTERED, _ALIVE, _LOG = "order", "entered", "alive", "log"
_WIDTH = 32
"""Bytes of ``order`` and ``alive``: overwritten in place, so that no reader meets half of one."""


class Beacon:
    """The task's side. Thread-safe; made anew from its folder wherever a part of the task runs."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()
        self._beats = 0
        self._item = -1
        self._order = b""
        self._changed = time.monotonic()
        self._looked: float | None = None
        self._stopped = False

    def enter(self, who: str) -> bool:
        """Take the task for ``who``; False if another has taken it, or nobody wants it any more."""
        try:
            with (self._folder / _ENTERED).open("x", encoding="utf-8") as file:
                file.write(who)
        except (FileExistsError, FileNotFoundError):
            return False
        return True

    def tell(self, event: events.Event) -> None:
        """Let the coordinator hear an event. Raises OSError where the log takes no more."""
        line = json.dumps(events.to_dict(event)).encode() + b"\n"
        with self._lock:
            _write(self._folder / _LOG, os.O_APPEND, line)

    def beat(self, item: int | None = None) -> None:
        """A sign of life; ``item`` is the part of the task that is in hand from now on."""
        with self._lock:
            self._beats += 1
            self._item = self._item if item is None else item
            _overwrite(self._folder / _ALIVE, f"{self._beats} {self._item}")

    def stopped(self) -> bool:
        """Whether the task is to end: it was told to, or nobody is left who waits for it."""
        with self._lock:
            now = time.monotonic()
            since = _LOOK_S if self._looked is None else now - self._looked
            if self._stopped or since < _LOOK_S:
                return self._stopped
            # Time in which this process itself was stopped is no silence of the coordinator's.
            self._changed += max(0.0, since - ORPHAN_S / 4)
            self._looked = now
            try:
                order = (self._folder / _ORDER).read_bytes()
            except FileNotFoundError:
                self._stopped = True
                return True
            except OSError:  # the file system does not answer at the moment
                order = self._order
            if order != self._order:
                self._order, self._changed = order, now
            self._stopped = order.startswith(b"stop") or now - self._changed > ORPHAN_S
            return self._stopped


@dataclass(frozen=True, slots=True)
class Look:
    """What a task has told since the last look."""

    events: tuple[events.Event, ...]
    age: float | None
    """Seconds since its last sign of life; None while no worker has taken it."""
    item: int
    """The part that it has in hand; -1 before the first."""
    worker: str
    """Who took it; empty while nobody has."""


class TaskFolder:
    """The coordinator's side of one task. For one thread at a time."""

    def __init__(self, folder: Path) -> None:
        """Makes the folder. Raises DiskFull and MachineError."""
        self.path = folder
        self._beats = 0
        self._read = 0
        self._alive = b""
        self._seen = time.monotonic()
        self._worker = ""
        self._order = "go"
        with disk_errors(folder):
            folder.mkdir(parents=True)
            for name in (_ORDER, _ALIVE, _LOG):  # a worker makes none of them: what is removed stays so
                (folder / name).touch()
            self.beat()

    def look(self) -> Look:
        """New events, and how the worker is. What can not be read now is read at the next look."""
        told = self._new_events()
        alive = _read(self.path / _ALIVE)
        if not self._worker:
            self._worker = _read(self.path / _ENTERED).decode("utf-8", "replace")
        now = time.monotonic()
        if told or alive != self._alive or not self._worker:
            self._alive, self._seen = alive or self._alive, now
        words = self._alive.split()
        item = int(words[1]) if len(words) == 2 else -1
        return Look(tuple(told), now - self._seen if self._worker else None, item, self._worker)

    def beat(self) -> None:
        """The coordinator lives. Raises OSError."""
        self._beats += 1
        _overwrite(self.path / _ORDER, f"{self._order} {self._beats}")

    def stop(self) -> None:
        """Put the stop mark. Raises OSError."""
        self._order = "stop"
        self.beat()

    def remove(self) -> None:
        """The task is over, or nobody wants it: a worker that is still at it finds nothing and stops."""
        shutil.rmtree(self.path, ignore_errors=True)

    def _new_events(self) -> list[events.Event]:
        try:
            with (self.path / _LOG).open("rb") as log:
                log.seek(self._read)
                whole, end, _ = log.read().rpartition(b"\n")
        except OSError:
            return []
        self._read += len(whole) + len(end)
        return [events.from_dict(json.loads(line)) for line in whole.splitlines()]


def _overwrite(path: Path, text: str) -> None:
    _write(path, 0, text.encode().ljust(_WIDTH))


def _write(path: Path, flags: int, data: bytes) -> None:
    """Into a file that is there: at its end with O_APPEND, else over its beginning."""
    descriptor = os.open(path, os.O_WRONLY | flags)
    try:
        os.write(descriptor, data)
    finally:
        os.close(descriptor)


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""
