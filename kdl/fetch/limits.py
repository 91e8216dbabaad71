"""One limit on the rate of all transfers together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import datetime, time

from kdl.fetch.timetable import Timetable

_BURST_S = 0.1
_SLICE_S = 1.0
"""Who waits under a timetable looks at the clock on the wall so often."""


def _time_of_day() -> time:
    return datetime.now().time()  # the local time, as people write timetables


class RateLimit:
    """A bucket that is paid after the bytes came, shared by any number of transfers.

    Each payment takes its place in one line of bytes, which moves on at the rate of the moment: waiters
    are served in the order they came, none starves, and a new rate holds for those who wait already. Who
    is cancelled while waiting has still received the bytes: nothing is given back.
    """

    def __init__(
        self,
        limit: float | Timetable | None,
        *,
        clock: Callable[[], float] | None = None,
        time_of_day: Callable[[], time] = _time_of_day,
    ) -> None:
        """``limit`` is in bytes a second, ``None`` for none. ``clock`` gives seconds and never goes back."""
        self._limit = limit
        self._clock = clock
        self._time_of_day = time_of_day
        self._asked = 0.0
        """Bytes that ever came."""
        self._granted = 0.0
        """Bytes of those that the rate had room for until ``_at``."""
        self._at: float | None = None
        self.waiting = 0
        """Transfers that are held back at this moment."""

    def reserve(self, count: int) -> float:
        """Account for ``count`` bytes; the seconds to wait, at this moment's rate, before the next."""
        return self._delay(self._take(count))

    async def pay(self, count: int) -> None:
        """Wait until ``count`` bytes more are within the limit."""
        if self._limit is None:
            return
        place = self._take(count)
        longest = _SLICE_S if isinstance(self._limit, Timetable) else float("inf")
        self.waiting += 1
        try:
            delay = self._delay(place)
            while delay > 0:
                await asyncio.sleep(min(delay, longest))
                delay = self._delay(place)
        finally:
            self.waiting -= 1

    def _take(self, count: int) -> float:
        """The place of ``count`` bytes in the line: where it ends with them."""
        self._move_on()
        self._asked += count
        return self._asked

    def _delay(self, place: float) -> float:
        rate = self._move_on()
        return 0.0 if rate is None else max(0.0, (place - self._granted) / rate - _BURST_S)

    def _move_on(self) -> float | None:
        """Bring the line up to now; the rate of the moment."""
        now = (self._clock or asyncio.get_running_loop().time)()
        rate = self._limit
        if isinstance(rate, Timetable):
            rate = rate.rate_at(self._time_of_day())
        passed = 0.0 if self._at is None else now - self._at
        room = self._asked if rate is None else self._granted + rate * passed
        self._granted, self._at = min(self._asked, room), now
        return rate
