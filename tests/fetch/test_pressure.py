"""Slots for jobs: halved by refusals, added to by calm, never below one."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack

import pytest

from kdl.errors import TransientError
from kdl.events import Event, JobsChanged
from kdl.fetch.pressure import Pressure

BUSY = TransientError("HTTP 503 Slow Down", status=503)


class Clock:
    now = 100.0

    def __call__(self) -> float:
        return self.now


class Bench:
    """Eight slots on a clock of their own; the calm is as long as the loop needs to turn round."""

    def __init__(self, calm_s: float) -> None:
        self.clock = Clock()
        self.told: list[Event] = []
        self.pressure = Pressure(8, emit=self.told.append, calm_s=calm_s, clock=self.clock)

    def refuse(self, *, later: float = 10.0, status: int = 503) -> bool:
        self.clock.now += later
        return self.pressure.failed(TransientError("no room", status=status))

    def limits(self) -> list[int]:
        return [event.jobs for event in self.told if isinstance(event, JobsChanged)]


@pytest.fixture
async def bench() -> AsyncIterator[Bench]:
    """One in whose time no calm comes."""
    made = Bench(calm_s=3600.0)
    yield made
    made.pressure.close()


async def test_each_blow_halves_and_one_job_is_left(bench: Bench) -> None:
    for _ in range(6):
        assert bench.refuse()
    assert bench.limits() == [4, 2, 1]
    assert bench.told[0] == JobsChanged(4, 8, "no room")


async def test_refusals_of_one_moment_are_one_blow(bench: Bench) -> None:
    for later in (10.0, 0.1, 0.5, 0.0):
        assert bench.refuse(later=later)
    assert bench.limits() == [4]


async def test_other_failures_do_not_count(bench: Bench) -> None:
    assert not any(bench.refuse(status=status) for status in (500, 502, 404, 408))
    assert bench.refuse(status=429)
    assert bench.limits() == [4]


async def test_calm_brings_all_back_one_by_one() -> None:
    bench = Bench(calm_s=0.01)
    bench.refuse()
    bench.refuse()
    for _ in range(6_000):
        if bench.pressure.limit == 8:
            break
        await asyncio.sleep(0.01)
    assert bench.limits() == [4, 2, 3, 4, 5, 6, 7, 8]
    await asyncio.sleep(0.05)
    assert bench.pressure.limit == 8
    bench.pressure.close()


async def test_slots_are_given_in_order_and_lowered_as_they_come_back(bench: Bench) -> None:
    held = {}
    for number in range(8):
        held[number] = AsyncExitStack()
        await held[number].enter_async_context(bench.pressure.slot(str(number)))
    came: list[str] = []

    async def want(name: str) -> None:
        async with bench.pressure.slot(name):
            came.append(name)
            await asyncio.sleep(3600)

    wanting = [asyncio.create_task(want(name)) for name in "abc"]
    bench.refuse()
    for number in range(4):
        await held[number].aclose()
        await asyncio.sleep(0)
        assert came == []
    await held[4].aclose()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert came == ["a"]
    wanting[1].cancel()
    await asyncio.wait([wanting[1]])
    await held[5].aclose()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert came == ["a", "c"]
    for task in wanting:
        task.cancel()
    await asyncio.wait(wanting)
    for number in (6, 7):
        await held[number].aclose()


async def test_who_steps_aside_lets_another_go_first_and_comes_back(bench: Bench) -> None:
    for _ in range(3):
        bench.refuse()
    assert bench.pressure.limit == 1
    order: list[str] = []

    async def other() -> None:
        async with bench.pressure.slot("other"):
            order.append("other")

    async with bench.pressure.slot("one"):
        waiting = asyncio.create_task(other())
        await asyncio.sleep(0)
        assert order == []
        await bench.pressure.step_aside("one")
        order.append("one again")
    await waiting
    assert order == ["other", "one again"]


async def test_who_holds_no_slot_has_none_to_give(bench: Bench) -> None:
    await bench.pressure.step_aside("a list")
    async with bench.pressure.slot("one"):
        await bench.pressure.step_aside("a list")


async def test_cancelled_while_aside_the_slot_is_not_lost(bench: Bench) -> None:
    for _ in range(3):
        bench.refuse()

    async def aside() -> None:
        async with bench.pressure.slot("one"):
            await asyncio.sleep(0)
            await bench.pressure.step_aside("one")

    first = asyncio.create_task(aside())
    await asyncio.sleep(0)
    async with bench.pressure.slot("two"):
        await asyncio.sleep(0)
        first.cancel()
        await asyncio.wait([first])
    async with asyncio.timeout(60), bench.pressure.slot("three"):
        pass
