"""Turns at a host without room, taken where the slots are and not where the object is."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from kdl.errors import MachineError, TransientError
from kdl.events import Event, JobsChanged, Noted, RetryScheduled
from kdl.fetch.pressure import Pressure
from kdl.jobs.turns import FarPressure, Turns

REFUSED = RetryScheduled("far", "HTTP 503", 0.0, 1, 6, "http_503")
BROKEN = RetryScheduled("far", "reset", 0.0, 1, 6, "reset")


class Both:
    """Both sides of one shard; what the far one tells is heard by the near one when the test says so."""

    def __init__(self, folder: Path) -> None:
        self.told: list[Event] = []
        self.log: list[Event] = []
        self.near = Pressure(2, emit=self.told.append, calm_s=3600)
        self.turns = Turns(folder / "turns", "far", self.near, self.told.append)
        self.far = FarPressure(folder / "turns", self.log.append)

    def refuse(self, event: RetryScheduled = REFUSED) -> None:
        """What a route does with an answer that it tries again."""
        if event is REFUSED:
            assert self.far.failed(TransientError("HTTP 503", status=503))
        self.far.hear(event)

    def hear(self) -> None:
        while self.log:
            self.turns.hear(self.log.pop(0))


async def test_who_was_refused_waits_until_others_have_had_their_turn(tmp_path: Path) -> None:
    both = Both(tmp_path)
    async with both.near.slot("far"), both.turns:
        other = asyncio.Event()

        async def neighbour() -> None:
            async with both.near.slot("near"):
                await other.wait()

        beside = asyncio.create_task(neighbour())
        await asyncio.sleep(0)
        both.refuse()
        waiting = asyncio.create_task(both.far.step_aside("far"))
        await asyncio.sleep(0.1)
        assert not waiting.done()  # the coordinator has not heard yet
        both.hear()
        await asyncio.sleep(0.5)
        assert both.near.limit == 1
        assert not waiting.done()  # the only slot is the neighbour's
        other.set()
        await asyncio.wait_for(asyncio.gather(beside, waiting), 30)
    assert [event for event in both.told if isinstance(event, RetryScheduled)] == [REFUSED]
    assert [event.jobs for event in both.told if isinstance(event, JobsChanged)] == [1]
    both.near.close()


async def test_what_is_no_refusal_costs_no_turn(tmp_path: Path) -> None:
    both = Both(tmp_path)
    async with both.near.slot("far"), both.turns:
        both.refuse(BROKEN)
        both.far.hear(Noted("on it goes"))
        both.hear()
        await asyncio.wait_for(both.far.step_aside("far"), 30)
        # Refused for good at one origin and gone on to the next: no other try was told.
        assert both.far.failed(TransientError("HTTP 429", status=429))
        await asyncio.wait_for(both.far.step_aside("far"), 30)
    assert both.near.limit == 2


async def test_each_refusal_waits_for_a_turn_of_its_own(tmp_path: Path) -> None:
    both = Both(tmp_path)
    async with both.near.slot("far"), both.turns:
        for _ in range(12):
            both.refuse()
            both.hear()
            await asyncio.wait_for(both.far.step_aside("far"), 30)
    assert (tmp_path / "turns").read_text().strip() == "12"
    both.near.close()


async def test_a_run_that_has_ended_gives_no_turn(tmp_path: Path) -> None:
    both = Both(tmp_path)
    async with both.near.slot("far"), both.turns:
        both.refuse()
    (tmp_path / "turns").unlink()
    with pytest.raises(MachineError):
        await both.far.step_aside("far")
