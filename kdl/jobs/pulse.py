"""A run's signs of life: what moves, and who waits on purpose."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from kdl import events

_MOVES = (
    events.PhaseStarted,
    events.Planned,
    events.TransferStarted,
    events.TransferProgress,
    events.SwarmProgress,
    events.TransferEnded,
    events.FindingRaised,
)
_REPEATED = (events.CountsChanged, events.StageProgress)
"""Told now and then whether or not something changed."""


class Pulse:
    """Counts what moves. Every method may be called from any thread."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self.beats = 0
        """Grows with everything that moves."""
        self._clock = clock
        self._last: dict[object, events.Event] = {}
        self._until = 0.0
        self._limits: dict[object, float] = {}
        self._excuses: list[Callable[[], bool]] = []

    def beat(self) -> None:
        """Something moved."""
        self.beats += 1

    def hear(self, event: events.Event) -> None:
        """Take an event for what it tells of progress."""
        if isinstance(event, _MOVES):
            self.beat()
        elif isinstance(event, _REPEATED):
            key = event.stage if isinstance(event, events.StageProgress) else ""
            if self._last.get(key) != event:
                self._last[key] = event
                self.beat()
        elif isinstance(event, events.RetryScheduled):
            self._until = max(self._until, self._clock() + event.delay)

    @contextmanager
    def bounded(self, seconds: float) -> Iterator[None]:
        """What goes on inside has a time limit of its own, and may stand still until then."""
        token = object()
        self._limits[token] = self._clock() + seconds
        try:
            yield
        finally:
            del self._limits[token]

    def excuse(self, waits: Callable[[], bool]) -> None:
        """While ``waits()`` is true, somebody waits on purpose."""
        self._excuses.append(waits)

    @property
    def waiting(self) -> bool:
        """Whether standing still is meant at this moment."""
        now = self._clock()
        limits = list(self._limits.values())
        return now < max([self._until, *limits]) or any(waits() for waits in self._excuses)
