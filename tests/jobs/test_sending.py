"""Shards that no worker brings: given up, or not sent at all."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from kdl.dataset.manifest import load_manifest
from kdl.dataset.plan import Selection
from kdl.errors import FetchError, WorkerLost
from kdl.events import Bus, Event, RetryScheduled
from kdl.fetch.origins import Origins
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.transfer import Fetcher
from kdl.jobs.run import open_run
from kdl.jobs.sending import SendingBringer
from kdl.jobs.shardpass import ShardTask
from kdl.jobs.shards import ShardResult
from kdl.jobs.staging import Fetching
from kdl.values import Shard
from tests.e2e.unruly import BASE, DEAD, Dataset, Origin, host, plain_shards, shard_name


class Doomed:
    """A cluster whose workers die of whatever they get."""

    def __init__(self) -> None:
        self.sent = 0

    async def run_long(self, fn: Any, task: Any, *, emit: Any) -> Any:
        self.sent += 1
        assert task.shard.tmp.is_dir()
        assert task.again == (self.sent > 1)
        raise WorkerLost("the worker was lost")


@pytest.fixture
def data(tmp_path: Path) -> Dataset:
    with Origin() as origin:
        return host(origin, tmp_path, plain_shards(1))


@pytest.fixture
def told() -> list[Event]:
    return []


@pytest.fixture
async def fetcher(told: list[Event], monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Fetcher]:
    for name in ("http_proxy", "HTTP_PROXY"):
        monkeypatch.delenv(name, raising=False)
    origins = Origins({"bucket": BASE}, [DEAD])
    async with Fetcher(origins, emit=told.append, retry=RetryPolicy(tries=1)) as fetcher:
        yield fetcher


async def bring(data: Dataset, fetcher: Fetcher, cluster: Doomed, told: list[Event]) -> ShardResult:
    manifest = load_manifest(str(data.manifest))
    shard = Shard(f"{BASE}{shard_name(0)}", shard_name(0), "train", 0)
    with open_run("fetch", data.manifest.stem, str(data.manifest), data.root, Bus(), create=True) as run:
        task = ShardTask(shard, "shard", f"train/{shard.name}", run.paths.spool, None, run.tmp, 1 << 30)
        fetching = Fetching(Origins({"bucket": BASE}), RetryPolicy(), 5.0, 1, None)
        bringer = SendingBringer(run, cluster, fetcher, fetching, manifest, Selection(("train",)))
        async with fetcher.pressure.slot(task.shown):
            result = await bringer.bring(task, 1, pytest.fail, told.append, lambda: None)
        assert list(run.tmp.iterdir()) == []
    return result


async def test_a_shard_that_workers_die_of_is_given_up(
    data: Dataset, fetcher: Fetcher, told: list[Event]
) -> None:
    cluster = Doomed()
    result = await bring(data, fetcher, cluster, told)
    assert cluster.sent == 3
    assert result.state == "failed"
    assert isinstance(result.error, WorkerLost)
    assert result.error.fix
    retries = [event for event in told if isinstance(event, RetryScheduled)]
    assert [(each.cause, each.attempt, each.of) for each in retries] == [("worker", 1, 3), ("worker", 2, 3)]


async def test_a_shard_of_a_dead_origin_is_not_sent(
    data: Dataset, fetcher: Fetcher, told: list[Event]
) -> None:
    with pytest.raises(FetchError):
        await fetcher.stat(f"{BASE}{shard_name(0)}")
    cluster = Doomed()
    result = await bring(data, fetcher, cluster, told)
    assert cluster.sent == 0
    assert result.state == "failed"
    assert isinstance(result.error, FetchError)
    assert result.error.refused
