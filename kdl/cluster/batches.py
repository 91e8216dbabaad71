"""Short calls are sent in batches: so many that the scheduler's own cost is nothing beside them, so few
that all workers are busy and a batch is soon back."""

from __future__ import annotations

import asyncio
import math
import time
from collections import deque
from dataclasses import dataclass, field
from typing import Any

from kdl.media.worker import Outcome

_BATCH_S = 2.0
"""Seconds of work that a batch should be."""
_MOST = 32
"""Calls in a batch at the most."""
LINGER_S = 0.02
"""What a call waits for company at the most."""
_WEIGHT = 0.2
"""Of the newest call in the mean of what a call takes."""


@dataclass(slots=True, eq=False)
class Call:
    """A call that waits for a worker, or is in one's hands."""

    kind: str
    """Its function: calls of one take about the same time."""
    payload: bytes
    timeout: float
    future: asyncio.Future[Outcome[Any]]
    losses: int = 0
    """Workers that were lost with this call in hand."""
    since: float = field(default_factory=time.monotonic)

    @property
    def wanted(self) -> bool:
        return not self.future.done()


class Queue:
    """Calls that wait, and how many of them go together."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Call]] = {}
        self._pace: dict[str, float] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def put(self, call: Call) -> None:
        self._waiting.setdefault(call.kind, deque()).append(call)

    def put_back(self, calls: list[Call]) -> None:
        """They were sent in vain, and go first."""
        for call in reversed(calls):
            self._waiting.setdefault(call.kind, deque()).appendleft(call)

    def drain(self) -> list[Call]:
        """All that wait; none is left."""
        calls = [call for waiting in self._waiting.values() for call in waiting]
        self._waiting.clear()
        return calls

    def learn(self, kind: str, seconds: float) -> None:
        """A call of this kind took so long."""
        known = self._pace.get(kind, seconds)
        self._pace[kind] = known + _WEIGHT * (seconds - known)

    def full(self, kind: str) -> int:
        """Calls of a whole batch; one until something is known of how long they take."""
        pace = self._pace.get(kind)
        return 1 if pace is None else max(1, min(_MOST, int(_BATCH_S / max(pace, 1e-6))))

    def take(self, free: int) -> list[Call]:
        """The calls to be sent next where ``free`` more batches are welcome; none if it is worth to wait.

        A call over which a worker was lost goes alone: if it is the culprit, only it is lost again.
        """
        waiting = self._oldest()
        if waiting is None:
            return []
        if waiting[0].losses:
            return [waiting.popleft()]
        full = self.full(waiting[0].kind)
        ripe = time.monotonic() - waiting[0].since >= LINGER_S
        if len(waiting) < full and not ripe:
            return []
        batch: list[Call] = []
        for _ in range(min(full, math.ceil(len(waiting) / max(free, 1)))):
            if waiting[0].losses:
                break
            batch.append(waiting.popleft())
        return batch

    def _oldest(self) -> deque[Call] | None:
        """The calls of the kind that has waited longest, without those that nobody wants any more."""
        for kind, waiting in list(self._waiting.items()):
            while waiting and not waiting[0].wanted:
                waiting.popleft()
            if not waiting:
                del self._waiting[kind]
        return min(self._waiting.values(), key=lambda waiting: waiting[0].since, default=None)
