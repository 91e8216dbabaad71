"""One limit on the rate of all transfers together."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

_BURST_S = 0.1


class RateLimit:
    """A token bucket that is paid after the bytes came, shared by any number of transfers.

    Each payment reserves its place on one time line, so waiters are served in the order they came and
    none starves. Who is cancelled while waiting has still received the bytes: nothing is given back.
    """

    def __init__(self, bytes_per_s: float | None, *, clock: Callable[[], float] | None = None) -> None:
        """``None`` for no limit. ``clock`` gives seconds and must not go backwards."""
        self._rate = bytes_per_s
        self._clock = clock
        self._paid_until: float | None = None

    def reserve(self, count: int) -> float:
        """Account for ``count`` bytes; the seconds to wait before the next are asked for."""
        if not self._rate:
            return 0.0
        now = (self._clock or asyncio.get_running_loop().time)()
        begin = now - _BURST_S
        if self._paid_until is not None:
            begin = max(self._paid_until, begin)
        self._paid_until = begin + count / self._rate
        return max(0.0, self._paid_until - now)

    async def pay(self, count: int) -> None:
        """Wait until ``count`` bytes more are within the limit."""
        delay = self.reserve(count)
        if delay > 0:
            await asyncio.sleep(delay)
