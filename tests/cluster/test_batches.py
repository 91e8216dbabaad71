"""How many calls go together."""

from __future__ import annotations

import asyncio
from types import SimpleNamespace

import pytest

from kdl.cluster import batches
from kdl.cluster.batches import Call, Queue


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    now = [50.0]
    monkeypatch.setattr(batches, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


def calls(count: int, clock: list[float], kind: str = "f") -> list[Call]:
    loop = asyncio.get_running_loop()
    return [
        Call(kind, str(number).encode(), 1.0, loop.create_future(), since=clock[0]) for number in range(count)
    ]


def names(batch: list[Call]) -> list[int]:
    return [int(call.payload) for call in batch]


def filled(*lists: list[Call]) -> Queue:
    queue = Queue()
    for each in lists:
        for call in each:
            queue.put(call)
    return queue


async def test_calls_of_unknown_length_go_alone(clock: list[float]) -> None:
    queue = filled(calls(5, clock))
    assert names(queue.take(2)) == [0]
    assert names(queue.take(2)) == [1]


@pytest.mark.parametrize(("seconds", "full"), [(10.0, 1), (0.5, 4), (0.1, 20), (0.001, 32), (0.0, 32)])
async def test_a_batch_is_some_seconds_of_work(seconds: float, full: int) -> None:
    queue = Queue()
    queue.learn("f", seconds)
    assert queue.full("f") == full
    assert queue.full("g") == 1


async def test_the_last_calls_are_shared_out(clock: list[float]) -> None:
    queue = filled(calls(6, clock))
    queue.learn("f", 0.1)
    clock[0] += 1
    assert [names(queue.take(free)) for free in (3, 2, 1)] == [[0, 1], [2, 3], [4, 5]]


async def test_a_few_wait_a_moment_for_company(clock: list[float]) -> None:
    queue = filled(calls(3, clock))
    queue.learn("f", 0.1)
    assert queue.take(1) == []
    clock[0] += batches.LINGER_S
    assert names(queue.take(1)) == [0, 1, 2]


async def test_each_kind_has_its_own_batches_and_the_oldest_goes_first(clock: list[float]) -> None:
    slow, quick = calls(2, clock, "slow"), calls(20, clock, "quick")
    for call in quick:
        call.since -= 1
    queue = filled(slow, quick)
    queue.learn("quick", 0.1)
    queue.learn("slow", 5)
    assert [call.kind for call in queue.take(1)] == ["quick"] * 20
    assert [call.kind for call in queue.take(1)] == ["slow"]


async def test_what_nobody_wants_is_left_out(clock: list[float]) -> None:
    all_calls = calls(3, clock)
    queue = filled(all_calls)
    all_calls[0].future.cancel()
    assert names(queue.take(1)) == [1]


async def test_a_suspect_goes_alone_and_the_others_without_it(clock: list[float]) -> None:
    sent = calls(6, clock)
    queue = filled(calls(2, clock))
    queue.learn("f", 0.1)
    sent[2].losses = 1
    queue.put_back(sent)
    clock[0] += 1
    assert names(queue.take(1)) == [0, 1]
    assert names(queue.take(1)) == [2]
    assert names(queue.take(1)) == [3, 4, 5, 0, 1]
    assert queue.take(1) == []


async def test_draining_leaves_nothing(clock: list[float]) -> None:
    queue = filled(calls(3, clock))
    assert len(queue) == 3
    assert names(queue.drain()) == [0, 1, 2]
    assert len(queue) == 0
