"""How many objects a host bears at a time: fewer where it answers 429 or 503, more again after calm."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from http import HTTPStatus

from kdl.errors import FetchError
from kdl.events import Event, JobsChanged

CALM_S = 30.0
"""So long without a refusal, and one job more is tried."""
_CALM_CAP = 16
"""The calm asked for is at the most so many times as long, where one job more was too many."""
_ONE_BLOW_S = 2.0
"""Refusals so close together are one: jobs that were under way before the number was lowered."""
_BUSY = (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE)


class Pressure:
    """Slots for the jobs of a run. A refusal halves their number, each stretch of calm adds one.

    A job whose object was refused steps aside: it gives its slot up and waits for the next free one, so
    that those which the host does serve go on alone. For one event loop.
    """

    def __init__(
        self,
        jobs: int,
        *,
        emit: Callable[[Event], None],
        calm_s: float = CALM_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begins with ``jobs`` slots, which is also the most."""
        self.limit = jobs
        """Slots at this moment; at least 1."""
        self._jobs = jobs
        self._emit = emit
        self._calm_s = calm_s
        self._clock = clock
        self._calms = 1
        """Calms that one job more has to wait for."""
        self._lowered_at = -_ONE_BLOW_S
        self._raised_at: float | None = None
        self._holders: set[str] = set()
        self._waiting: deque[tuple[str, asyncio.Future[None]]] = deque()
        self._growing: asyncio.TimerHandle | None = None

    @asynccontextmanager
    async def slot(self, name: str) -> AsyncIterator[None]:
        """Hold a slot for the object ``name``, waiting for it in the order of asking."""
        await self._enter(name)
        try:
            yield
        finally:
            self._leave(name)

    async def step_aside(self, name: str) -> None:
        """Let others go first: wait for another slot. Nothing for an object that holds none."""
        if name in self._holders:
            self._leave(name)
            await self._enter(name)

    def failed(self, error: FetchError) -> bool:
        """Take note of a request that failed; whether it was a refusal for want of room."""
        if error.status not in _BUSY:
            return False
        now = self._clock()
        if now - self._lowered_at >= _ONE_BLOW_S and self.limit > 1:
            hasty = self._raised_at is not None and now - self._raised_at < self._calm_s
            self._calms = min(self._calms * 2, _CALM_CAP) if hasty else 1
            self._lowered_at = now
            self._set(max(1, self.limit // 2), error.message)
        self._await_calm()
        return True

    def close(self) -> None:
        """The run is over: nothing changes any more."""
        if self._growing is not None:
            self._growing.cancel()

    def _await_calm(self) -> None:
        """One job more after the calm, counted from now."""
        self.close()
        if self.limit < self._jobs:
            loop = asyncio.get_running_loop()
            self._growing = loop.call_later(self._calm_s * self._calms, self._grow)

    def _grow(self) -> None:
        self._raised_at = self._clock()
        calm = self._calm_s * self._calms
        self._set(self.limit + 1, f"{calm:g} s without a refusal")
        self._await_calm()

    def _set(self, limit: int, reason: str) -> None:
        self.limit = limit
        self._emit(JobsChanged(limit, self._jobs, reason))
        self._admit()

    async def _enter(self, name: str) -> None:
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append((name, turn))
        self._admit()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self._leave(name)
            raise

    def _leave(self, name: str) -> None:
        self._holders.discard(name)
        self._admit()

    def _admit(self) -> None:
        while self._waiting and len(self._holders) < self.limit:
            name, turn = self._waiting.popleft()
            if not turn.done():
                self._holders.add(name)
                turn.set_result(None)
