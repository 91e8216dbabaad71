"""Where a run is in its own code: what each of its tasks and threads waits for."""

from __future__ import annotations

import asyncio
import sys
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from types import FrameType

_NETWORK = ("kdl.fetch.http", "kdl.fetch.stream", "kdl.fetch.transfer", "kdl.fetch.ranges")
_FOR_THE_READER = "_Pieces._next"
"""Of those, a connection that waits until its reader has taken what came."""
_WATCHERS = ("kdl.jobs.watchdog", "kdl.jobs.whereabouts", "kdl.jobs.statusfile", "kdl.ledger.ledger")


@dataclass(frozen=True, slots=True)
class Place:
    """The innermost piece of our code that somebody is in."""

    who: str
    """A task's or a thread's name; empty for one that has none of its own."""
    module: str
    function: str

    @property
    def network(self) -> bool:
        """Whether it waits for a server."""
        return self.module in _NETWORK and self.function != _FOR_THE_READER

    def __str__(self) -> str:
        where = f"{self.module.removeprefix('kdl.')}.{self.function}"
        return f"{self.who} in {where}" if self.who else where


def task_places(loop: asyncio.AbstractEventLoop) -> list[Place]:
    """Of every task of the loop that is in our code. May be called from another thread."""
    found = []
    for task in asyncio.all_tasks(loop):
        place = _innermost(_awaited(task.get_coro()), _own(task.get_name(), "Task-"))
        if place is not None:
            found.append(place)
    return sorted(found, key=str)


def thread_places() -> list[Place]:
    """Of every thread that is in our code, but for those that only watch."""
    frames = sys._current_frames()
    found = []
    for thread in threading.enumerate():
        stack = [*_outwards(frames.get(thread.ident or 0))]
        place = _innermost(reversed(stack), _own(thread.name, "Thread-"))
        if place is not None and place.module not in _WATCHERS:
            found.append(place)
    return sorted(found, key=str)


def _own(name: str, given: str) -> str:
    return "" if name.startswith(given) else name


def _awaited(awaitable: object) -> Iterator[FrameType]:
    """The frames of a chain of coroutines, outermost first, as far as it can be followed."""
    while awaitable is not None:
        frame = getattr(awaitable, "cr_frame", None) or getattr(awaitable, "ag_frame", None)
        if frame is not None:
            yield frame
        awaitable = getattr(awaitable, "cr_await", None) or getattr(awaitable, "ag_await", None)


def _outwards(frame: FrameType | None) -> Iterator[FrameType]:
    while frame is not None:
        yield frame
        frame = frame.f_back


def _innermost(frames: Iterable[FrameType], who: str) -> Place | None:
    """From frames, outermost first."""
    found = None
    for frame in frames:
        module = str(frame.f_globals.get("__name__", ""))
        if module.startswith("kdl."):
            found = Place(who, module, frame.f_code.co_qualname)
    return found
