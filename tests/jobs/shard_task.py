"""A shard to be given to worker processes, as a cluster's workers get it."""

from __future__ import annotations

import pickle
from dataclasses import replace
from pathlib import Path
from typing import Any

from kdl.cluster.beacon import Beacon, TaskFolder
from kdl.dataset.inside import ShardNames
from kdl.dataset.manifest import load_manifest
from kdl.fetch.origins import Origins
from kdl.fetch.retry import RetryPolicy
from kdl.jobs.shardpass import ShardTask
from kdl.jobs.staging import Assignment, Fetching, Staged, Wants, mirror_shard, turns_of
from kdl.media.worker import Worker
from kdl.values import Shard
from tests.e2e.unruly import BASE, Dataset, shard_name

STALL_S = 2.0


class Task:
    """The shard of a small dataset, to be given to workers."""

    def __init__(self, data: Dataset, folder: Path) -> None:
        manifest = load_manifest(str(data.manifest))
        bases = {host.name: host.base for host in manifest.hosts}
        self.folder = folder
        self.shard = ShardTask(
            Shard(f"{BASE}{shard_name(0)}", shard_name(0), "train", 0),
            kind="shard",
            shown=f"train/{shard_name(0)}",
            spool=folder / "spool",
            archive=None,
            tmp=folder / "tmp",
            cap=1 << 30,
        )
        fetching = Fetching(Origins(bases, [data.origin.base]), RetryPolicy(), STALL_S, 1, None)
        names = ShardNames(manifest.split("train"), manifest.labels, None)
        self.assignment = Assignment(self.shard, names, Wants(), fetching)
        self.tries = 0

    def enter(self) -> TaskFolder:
        self.tries += 1
        self.shard.tmp.mkdir(exist_ok=True)
        turns_of(self.shard).touch()
        return TaskFolder(self.folder / f"tasks/{self.tries}")

    def mirror(self, worker: Worker, wants: Wants | None = None, **other: Any) -> Staged:
        return self.carry(worker, self.enter(), wants or Wants(), **other)

    def carry(self, worker: Worker, task: TaskFolder, wants: Wants, **other: Any) -> Staged:
        assignment = replace(self.assignment, wants=wants, **other)
        call = pickle.dumps((mirror_shard, (assignment, _Lit(task.path))))
        staged = worker.call(call, 60).value()
        assert isinstance(staged, Staged)
        return staged

    def spooled(self) -> int:
        return sum(path.stat().st_size for path in self.folder.glob("spool/*"))


class _Lit(Beacon):
    """A beacon that can be sent: a runner makes it where the task runs."""

    def __reduce__(self) -> tuple[Any, ...]:
        return _Lit, (self._folder,)
