"""The runner over an executor of the standard library, with real processes."""

from __future__ import annotations

import asyncio
import contextlib
import multiprocessing
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Executor, ProcessPoolExecutor
from pathlib import Path

import pytest
from cluster_tasks import (
    crash,
    double,
    fail,
    fail_at_length,
    mark_and_sleep,
    sleep_for,
    tell_and_return,
    tell_and_wait,
    wait_long,
)

from kdl.cluster.runner import ClusterRunner
from kdl.cluster.sight import marked
from kdl.cluster.site import Desk
from kdl.cluster.station import Errand, attend
from kdl.errors import ClusterError, MediaError, WorkerLost
from kdl.events import Event, Noted, TransferProgress


class Pool:
    """A site of processes; so much of one as the standard library tells."""

    def __init__(self, executor: Executor, slots: int) -> None:
        self.desk = Desk(executor)
        self.slots = slots
        self.closed = False

    @contextlib.contextmanager
    def spread(self) -> Iterator[Desk]:
        yield self.desk

    def stranded(self, desk: Desk, taken_by: str) -> bool:
        return False

    def avoid(self, worker: str) -> None:
        raise AssertionError(worker)

    def means_lost(self, error: BaseException) -> bool:
        return False

    async def refresh(self) -> None:
        pass

    async def close(self) -> None:
        self.closed = True


@pytest.fixture(scope="module")
def processes() -> Iterator[Executor]:
    with ProcessPoolExecutor(2, mp_context=multiprocessing.get_context("spawn")) as executor:
        yield executor


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
async def runner(processes: Executor, told: list[Event], tmp_path: Path) -> AsyncIterator[ClusterRunner]:
    tasks = tmp_path / ".kdl" / "tasks"
    with marked([tasks], "k400") as marks:
        site = Pool(processes, 2)
        runner = ClusterRunner(site, tasks, marks[0], emit=told.append, at_end=lambda: None)
        yield runner
        await runner.close(5)
        await runner.close(5)
        assert site.closed
    assert list(tasks.iterdir()) == []


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - processes set no events
            await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


async def test_results_and_errors_travel(runner: ClusterRunner) -> None:
    doubled = await asyncio.gather(*(runner.run(double, n, timeout=60) for n in range(100)))
    assert doubled == list(range(0, 200, 2))
    with pytest.raises(MediaError, match="no good") as caught:
        await runner.run(fail, timeout=60)
    assert (caught.value.subject, caught.value.fix) == ("a.mp4", "try another")


async def test_there_is_room_for_more_calls_when_they_are_known_to_be_short(runner: ClusterRunner) -> None:
    assert runner.room(double) == 3
    await asyncio.gather(*(runner.run(double, n, timeout=60) for n in range(40)))
    assert runner.room(double) > 3
    assert runner.room(fail) == 3


async def test_a_crash_and_a_time_limit_cost_their_own_task_alone(
    runner: ClusterRunner, told: list[Event]
) -> None:
    await asyncio.gather(*(runner.run(double, n, timeout=60) for n in range(4)))
    tasks = [asyncio.ensure_future(runner.run(double, n, timeout=60)) for n in range(20)]
    crashed = asyncio.ensure_future(runner.run(crash, timeout=60))
    slow = asyncio.ensure_future(runner.run(sleep_for, 60.0, timeout=0.5))
    assert await asyncio.gather(*tasks) == list(range(0, 40, 2))
    with pytest.raises(WorkerLost, match="SIGSEGV") as lost:
        await crashed
    assert not lost.value.timed_out
    with pytest.raises(WorkerLost, match=r"within 0\.5 s") as late:
        await slow
    assert late.value.timed_out
    assert ["SIGSEGV" in event.text for event in told if isinstance(event, Noted)] == [True]


async def test_cancelling_a_call_ends_its_process(runner: ClusterRunner, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    call = asyncio.ensure_future(runner.run(mark_and_sleep, mark, 60.0, timeout=120))
    await until(mark.exists)
    pid, holder = map(int, mark.read_text().split())
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: not alive(pid))
    assert alive(holder)
    assert await runner.run(double, 4, timeout=60) == 8


async def test_closing_ends_what_runs_and_what_waits(
    processes: Executor, told: list[Event], tmp_path: Path
) -> None:
    with marked([tmp_path], "k400") as marks:
        ended: list[bool] = []
        site = Pool(processes, 1)
        runner = ClusterRunner(
            site, tmp_path, marks[0], emit=told.append, at_end=lambda: ended.append(site.closed)
        )
        marks_of = [tmp_path / str(number) for number in range(4)]
        calls = [asyncio.ensure_future(runner.run(mark_and_sleep, m, 60.0, timeout=120)) for m in marks_of]
        await until(marks_of[0].exists)
        await runner.close(1)
        results = await asyncio.gather(*calls, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert ended == [True]
    assert not any(alive(int(mark.read_text().split()[0])) for mark in marks_of if mark.exists())
    with pytest.raises(asyncio.CancelledError):
        await runner.run(double, 1, timeout=1)


async def test_a_long_task_tells_of_itself(runner: ClusterRunner) -> None:
    heard: list[Event] = []
    assert await runner.run_long(tell_and_return, 50, emit=heard.append) == 50
    assert heard == [Noted(str(number)) for number in range(50)]
    with pytest.raises(MediaError, match="no good") as caught:
        await runner.run_long(fail_at_length, 7, emit=heard.append)
    assert caught.value.subject == "7.mp4"


async def test_a_long_task_is_heard_while_it_goes_on_and_told_to_stop(
    runner: ClusterRunner, tmp_path: Path
) -> None:
    heard: list[Event] = []
    task = asyncio.ensure_future(runner.run_long(tell_and_wait, tmp_path / "mark", emit=heard.append))
    await until(lambda: sum(isinstance(event, TransferProgress) for event in heard) > 3)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (tmp_path / "mark.ended").exists()


async def test_a_long_task_that_does_not_heed_the_mark_is_ended(
    runner: ClusterRunner, tmp_path: Path
) -> None:
    task = asyncio.ensure_future(runner.run_long(wait_long, tmp_path / "mark", emit=lambda event: None))
    await until((tmp_path / "mark").exists)
    pid = int((tmp_path / "mark").read_text().split()[0])
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await until(lambda: not alive(pid))


async def test_a_long_task_whose_process_is_killed_is_lost(runner: ClusterRunner, tmp_path: Path) -> None:
    task = asyncio.ensure_future(runner.run_long(wait_long, tmp_path / "mark", emit=lambda event: None))
    await until((tmp_path / "mark").exists)
    os.kill(int((tmp_path / "mark").read_text().split()[0]), signal.SIGKILL)
    with pytest.raises(WorkerLost, match="SIGKILL"):
        await task


async def test_a_broken_executor_is_said(told: list[Event], tmp_path: Path) -> None:
    with marked([tmp_path], "k400") as marks, ProcessPoolExecutor(1) as executor:
        executor.shutdown()
        runner = ClusterRunner(Pool(executor, 1), tmp_path, marks[0], emit=told.append, at_end=lambda: None)
        calls = [asyncio.ensure_future(runner.run(double, n, timeout=60)) for n in range(3)]
        results = await asyncio.gather(*calls, return_exceptions=True)
        assert all(isinstance(result, ClusterError) for result in results)
        with pytest.raises(ClusterError):
            await runner.run(double, 1, timeout=60)
        await runner.close(1)


async def test_an_errand_is_done_once(runner: ClusterRunner, processes: Executor, tmp_path: Path) -> None:
    """A scheduler sends it again when it takes a worker for dead."""
    from kdl.cluster.beacon import TaskFolder

    with marked([tmp_path / "more"], "k400") as marks:
        folder = TaskFolder(tmp_path / "more" / "1")
        errand = Errand(folder.path, marks[0], (), 0.0)
        first, second = attend(errand), attend(errand)
    assert (first.taken, second.taken) == (True, False)
    assert "does not see" not in first.unseen
    assert attend(errand).unseen.startswith("sees another folder at")
