"""The rate limit, on a clock of its own."""

from __future__ import annotations

import asyncio

import pytest

from kdl.fetch.limits import RateLimit


class Clock:
    def __init__(self) -> None:
        self.now = 50.0

    def __call__(self) -> float:
        return self.now


def test_one_reader_gets_the_rate() -> None:
    clock = Clock()
    limit = RateLimit(1000.0, clock=clock)
    for _ in range(100):
        clock.now += limit.reserve(250)
    assert clock.now - 50.0 == pytest.approx(25.0, abs=0.11)


def test_many_readers_share_it_in_turn() -> None:
    limit = RateLimit(1000.0, clock=Clock())
    waits = [limit.reserve(500) for _ in range(4)]
    assert waits == pytest.approx([0.4, 0.9, 1.4, 1.9])


def test_idle_time_is_not_saved_up() -> None:
    clock = Clock()
    limit = RateLimit(1000.0, clock=clock)
    limit.reserve(100)
    clock.now += 3600.0
    assert limit.reserve(5000) == pytest.approx(4.9)


async def test_no_limit_does_not_wait() -> None:
    limit = RateLimit(None)
    assert limit.reserve(1 << 40) == 0.0
    await limit.pay(1 << 40)


async def test_who_is_cancelled_does_not_block_the_others() -> None:
    limit = RateLimit(1_000_000.0)
    waiting = asyncio.create_task(limit.pay(400_000))
    await asyncio.sleep(0)
    waiting.cancel()
    await asyncio.wait([waiting])
    assert waiting.cancelled()
    # Its bytes had come all the same: the next one waits for them too, and no longer than that.
    assert 0.2 < limit.reserve(10_000) < 0.42
