"""The cluster's runner over a real scheduler, whose workers die, come late, or are another's."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest

from kdl import __version__
from kdl.cluster.daskopen import join
from kdl.cluster.dasksite import DaskSite
from kdl.cluster.runner import ClusterRunner
from kdl.cluster.sight import Question, marked
from kdl.errors import ClusterError, WorkerLost
from kdl.events import Event, Noted
from tests.cluster.cluster_tasks import (
    crash,
    double,
    kill_the_clusters_worker,
    mark_and_sleep,
    sleep_for,
    tell_and_wait,
    wait_long,
)
from tests.e2e.cluster import Cluster, running_cluster
from tests.e2e.test_cluster_derive import older_kdl


@contextlib.asynccontextmanager
async def running(
    cluster: Cluster, folder: Path, told: list[Event]
) -> AsyncIterator[tuple[ClusterRunner, DaskSite]]:
    with marked([folder / "tasks"], "k400") as marks:
        address = cluster.executor.replace("dask", "tcp")
        site = join(address, Question(__version__, marks), told.append)
        await site.open()
        runner = ClusterRunner(site, folder / "tasks", marks[0], emit=told.append, at_end=lambda: None)
        try:
            yield runner, site
        finally:
            await runner.close(2)
    assert list((folder / "tasks").iterdir()) == []


async def until(condition: Callable[[], bool], seconds: float = 60) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - processes set no events
            await asyncio.sleep(0.02)


def notes(told: list[Event]) -> list[str]:
    return [event.text for event in told if isinstance(event, Noted)]


async def test_only_the_culprit_fails_where_workers_die_and_who_comes_later_helps(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.ensure("one", "two")
    told: list[Event] = []
    async with running(cluster, tmp_path, told) as (runner, site):
        assert site.slots == 2
        await asyncio.gather(*(runner.run(double, n, timeout=60) for n in range(8)))
        crashed = asyncio.ensure_future(runner.run(crash, timeout=60))
        culprit = asyncio.ensure_future(runner.run(kill_the_clusters_worker, timeout=60))
        others = [asyncio.ensure_future(runner.run(double, n, timeout=60)) for n in range(100)]
        with pytest.raises(WorkerLost, match="2 of the cluster's workers were lost over it"):
            await culprit
        await asyncio.to_thread(cluster.add, "older", PYTHONPATH=str(older_kdl(tmp_path)))
        await asyncio.to_thread(cluster.add, "three")
        assert await asyncio.gather(*others) == list(range(0, 200, 2))
        with pytest.raises(WorkerLost, match="SIGSEGV"):
            await crashed
        await until(lambda: any("it gets no work" in text for text in notes(told)))
        assert site.slots == 1
    refused = [text for text in notes(told) if "it gets no work" in text]
    assert len(refused) == 1
    assert "has kdl 0.0.1" in refused[0]
    assert sum("was lost; what it had in hand runs elsewhere" in text for text in notes(told)) >= 2


async def test_long_tasks_go_to_different_workers_and_leave_room_for_short_ones(
    cluster: Cluster, tmp_path: Path
) -> None:
    cluster.ensure("one", "two")
    told: list[Event] = []
    async with running(cluster, tmp_path, told) as (runner, _):
        marks = [tmp_path / "a", tmp_path / "b"]
        tasks = [asyncio.ensure_future(runner.run_long(tell_and_wait, m, emit=told.append)) for m in marks]
        await until(lambda: all(mark.exists() for mark in marks))
        holders = {int(mark.read_text().split()[1]) for mark in marks}
        assert holders == {node.pid for node in cluster.nodes.values()}
        assert await runner.run(double, 4, timeout=60) == 8
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        assert all(mark.with_suffix(".ended").exists() for mark in marks)


async def test_a_long_task_whose_worker_dies_is_lost(cluster: Cluster, tmp_path: Path) -> None:
    cluster.ensure("one", "two")
    told: list[Event] = []
    async with running(cluster, tmp_path, told) as (runner, _):
        task = asyncio.ensure_future(runner.run_long(wait_long, tmp_path / "mark", emit=told.append))
        await until((tmp_path / "mark").exists)
        holder = int((tmp_path / "mark").read_text().split()[1])
        next(node for node in cluster.nodes.values() if node.pid == holder).kill()
        with pytest.raises(WorkerLost, match="was lost"):
            await task
        assert await runner.run(double, 4, timeout=60) == 8


@pytest.mark.long
async def test_a_worker_that_hangs_gets_nothing_more_and_what_it_had_runs_elsewhere(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in (
        "kdl.cluster.flight.SILENT_S",
        "kdl.cluster.dasksite.SILENT_S",
        "kdl.cluster.dasksite._ANSWER_S",
    ):
        monkeypatch.setattr(name, 8.0)
    cluster.ensure("one", "two")
    told: list[Event] = []
    async with running(cluster, tmp_path, told) as (runner, site):
        hung = cluster.nodes["two"]
        call = asyncio.ensure_future(runner.run(mark_and_sleep, tmp_path / "mark", 0.1, timeout=90))
        os.kill(hung.pid, signal.SIGSTOP)
        calls = [asyncio.ensure_future(runner.run(double, n, timeout=60)) for n in range(50)]
        try:
            assert await asyncio.gather(*calls) == list(range(0, 100, 2))
            assert await call
            await until(lambda: any("it gets no work" in text for text in notes(told)))
            assert site.slots == 1
        finally:
            os.kill(hung.pid, signal.SIGCONT)


@pytest.fixture
def own_cluster(tmp_path: Path) -> Iterator[Cluster]:
    """One for a test that leaves none behind."""
    (tmp_path / "cluster").mkdir()
    with running_cluster(tmp_path / "cluster", ["one"]) as cluster:
        yield cluster


async def test_a_scheduler_that_goes_is_said(tmp_path: Path, own_cluster: Cluster) -> None:
    told: list[Event] = []
    async with running(own_cluster, tmp_path, told) as (runner, _):
        begun = asyncio.ensure_future(runner.run(mark_and_sleep, tmp_path / "mark", 60.0, timeout=90))
        await until((tmp_path / "mark").exists)
        waiting = asyncio.ensure_future(runner.run(sleep_for, 60.0, timeout=90))
        own_cluster.scheduler.kill()
        results = await asyncio.gather(begun, waiting, return_exceptions=True)
    assert all(isinstance(result, ClusterError) for result in results)
    assert "the scheduler is gone" in str(results[0])
