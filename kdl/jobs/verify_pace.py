"""What reading threads do after each piece: see whether the run is to end, count, and wait for the rate."""

from __future__ import annotations

import asyncio

from kdl.fetch.limits import RateLimit
from kdl.fetch.timetable import Timetable
from kdl.jobs.run import Run, Stopped
from kdl.jobs.verify_tally import Tally

_LOOK_S = 0.2
"""Who waits for the rate looks so often whether the run is to end."""


class Pace:
    """Belongs to the loop it is made in; :meth:`passed` is for threads."""

    def __init__(self, run: Run, tally: Tally, limit: int | Timetable | None) -> None:
        """``limit`` is in bytes a second, for all threads together."""
        self._run = run
        self._tally = tally
        self._rate = RateLimit(limit) if limit is not None else None
        self._loop = asyncio.get_running_loop()
        if self._rate is not None:
            rate = self._rate
            run.pulse.excuse(lambda: rate.waiting > 0)

    def passed(self, count: int) -> None:
        """So many bytes were read. Raises Stopped once the run is to end."""
        self._run.checkpoint()
        self._tally.passed(count)
        if self._rate is None:
            return
        paid = asyncio.run_coroutine_threadsafe(self._rate.pay(count), self._loop)
        try:
            while True:
                try:
                    paid.result(_LOOK_S)
                    return
                except TimeoutError:
                    self._run.checkpoint()
        except Stopped:
            paid.cancel()
            raise
