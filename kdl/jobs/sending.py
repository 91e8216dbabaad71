"""Shards sent to a cluster's workers, and what those staged put in its place. The ledger is written here."""

from __future__ import annotations

import asyncio
import contextlib
import shutil
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Protocol, TypeVar

from kdl import events
from kdl.archive.staged import Entry, Skipped, entries, member_of, put
from kdl.cluster.beacon import Beacon
from kdl.dataset.inside import ShardNames
from kdl.dataset.plan import Selection, keeps_strays
from kdl.dataset.specs import Manifest, SplitSpec
from kdl.diskerrors import disk_errors
from kdl.errors import FetchError, RetryCause, WorkerLost
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.transfer import Fetcher
from kdl.jobs.run import Run
from kdl.jobs.shardpass import ShardTask, Sink
from kdl.jobs.shards import ShardResult, bring_shard
from kdl.jobs.staging import Assignment, Fetching, Staged, Wants, key_line, mirror_shard, turns_of
from kdl.jobs.turns import Turns
from kdl.ledger.clips import clips_where
from kdl.values import ClipKey, Shard

T = TypeVar("T")
R = TypeVar("R")

_LOSSES = 3
"""So many workers are lost over one shard before it is given up."""


class Bringer(Protocol):
    """Brings one shard in; see :func:`kdl.jobs.shards.bring_shard` for what it returns and raises."""

    async def bring(
        self,
        task: ShardTask,
        object_id: int,
        sink: Callable[[], Sink],
        emit: events.Listener,
        arrived: Callable[[], object],
    ) -> ShardResult:
        """``sink`` makes a receiver for each pass; ``arrived`` is called when the line is free again."""
        ...

    async def release(self, shard: Shard) -> None:
        """The shard is on record: what its source holds of it may go."""
        ...


class LocalBringer:
    """Shards are unpacked here, straight into their places."""

    def __init__(self, fetcher: Fetcher, policy: RetryPolicy, threads: ThreadPoolExecutor) -> None:
        self._fetcher = fetcher
        self._policy = policy
        self._threads = threads

    async def bring(
        self,
        task: ShardTask,
        object_id: int,
        sink: Callable[[], Sink],
        emit: events.Listener,
        arrived: Callable[[], object],
    ) -> ShardResult:
        result = await bring_shard(task, self._fetcher, self._policy, self._threads, sink, emit)
        arrived()
        return result

    async def release(self, shard: Shard) -> None:
        if shard.bundle is not None:
            await self._fetcher.release(shard.url, shard.bundle)


class LongRunner(Protocol):
    """What sending needs of a cluster's runner."""

    async def run_long(self, fn: Callable[[T, Beacon], R], task: T, *, emit: events.Listener) -> R: ...


class SendingBringer:
    """Shards are fetched and unpacked by a cluster's workers, each into a folder of its own.

    A shard whose worker is lost is given to another one, which goes on from the spool.
    """

    def __init__(
        self,
        run: Run,
        runner: LongRunner,
        fetcher: Fetcher,
        fetching: Fetching,
        manifest: Manifest,
        selection: Selection,
    ) -> None:
        """``fetcher`` is the run's own: it knows which origins are dead, and how many jobs the host bears."""
        self._run = run
        self._runner = runner
        self._fetcher = fetcher
        self._fetching = fetching
        self._manifest = manifest
        self._selection = selection
        self._lists: dict[str, asyncio.Task[Path | None]] = {}

    async def bring(
        self,
        task: ShardTask,
        object_id: int,
        sink: Callable[[], Sink],
        emit: events.Listener,
        arrived: Callable[[], object],
    ) -> ShardResult:
        refusal = self._fetcher.refusal(task.shard.url)
        if refusal is not None:
            return ShardResult("failed", None, refusal.message, refusal)
        task = replace(task, tmp=self._run.tmp / f"shard-{object_id}")
        try:
            staged = await self._send(await self._assign(task, object_id), emit)
            if isinstance(staged, ShardResult):
                return staged
            if isinstance(staged.result.error, FetchError) and staged.result.error.refused:
                with contextlib.suppress(FetchError):  # a dead origin, or is it the worker's network alone?
                    await self._fetcher.stat(task.shard.url)
            arrived()
            await self._run.in_thread(unstage, self._run, staged, sink)
            return staged.result
        finally:
            await asyncio.to_thread(shutil.rmtree, task.tmp, ignore_errors=True)

    async def _send(self, assignment: Assignment, emit: events.Listener) -> Staged | ShardResult:
        """Give it to one worker after the other until one brings it."""
        shard, lost = assignment.shard, 0
        while True:
            with disk_errors(shard.tmp):
                await asyncio.to_thread(shard.tmp.mkdir, parents=True, exist_ok=True)
            try:
                async with Turns(turns_of(shard), shard.shown, self._fetcher.pressure, emit) as turns:
                    # What workers tell is heard in a thread; the stories of shards belong to the loop.
                    hear = partial(_soon, asyncio.get_running_loop(), turns.hear)
                    assignment = replace(assignment, again=lost > 0)
                    return await self._runner.run_long(mirror_shard, assignment, emit=hear)
            except WorkerLost as error:
                lost += 1
                if lost == _LOSSES:
                    return ShardResult("failed", None, error.message, _given_up(shard, error))
                cause = RetryCause.WORKER.value
                emit(events.RetryScheduled(shard.shown, error.message, 0.0, lost, _LOSSES, cause))
            await asyncio.to_thread(shutil.rmtree, shard.tmp, ignore_errors=True)

    async def release(self, shard: Shard) -> None:
        """Workers' sources hold nothing: what holds something is fetched here."""

    async def _assign(self, task: ShardTask, object_id: int) -> Assignment:
        spec = self._manifest.split(task.shard.split)
        names = ShardNames(
            replace(spec, never_hosted=frozenset()), self._manifest.labels, task.shard.class_hint
        )
        if spec.name not in self._lists:
            self._lists[spec.name] = asyncio.create_task(asyncio.to_thread(self._list, spec))
        classes = self._selection.classes
        wants = Wants(
            None if classes is None else frozenset(classes),
            await asyncio.shield(self._lists[spec.name]),
            await asyncio.to_thread(self._here, object_id, names),
        )
        return Assignment(task, names, wants, self._fetching)

    def _list(self, spec: SplitSpec) -> Path | None:
        """The file of the clips that may be wanted; None where that may be any."""
        listed = spec.annotation is not None and not keeps_strays(self._manifest, self._selection, spec.name)
        if self._selection.classes is None and not listed:
            return None
        path = self._run.tmp / f"wanted-{spec.name}"
        condition = "split = ?"
        parameters: tuple[str, ...] = (spec.name,)
        if listed:
            condition += " AND listed = 1"
        if self._selection.classes is not None:
            condition += f" AND label IN ({', '.join('?' * len(self._selection.classes))})"
            parameters += self._selection.classes
        rows = clips_where(self._run.ledger.reader(), condition, parameters)
        with disk_errors(path), path.open("w", encoding="utf-8") as file:
            for row in rows:
                file.write(f"{key_line(row.key)}\n")
                if spec.untimed:
                    file.write(f"{key_line(replace(row.key, start=None, end=None))}\n")
        return path

    def _here(self, object_id: int, names: ShardNames) -> dict[ClipKey, tuple[str, str]]:
        """What the shard has given before, by the keys that the names in it tell."""
        base = self._run.paths.base
        rows = clips_where(
            self._run.ledger.reader(),
            "shard_id = ? AND origin = 'shard' AND path IS NOT NULL AND verdict <> 'missing'",
            (object_id,),
        )
        return {
            names.key(row.name or "") or row.key: (str(base / row.path), row.sha256)
            for row in rows
            if row.path and row.sha256
        }


def _soon(loop: asyncio.AbstractEventLoop, listener: events.Listener, event: events.Event) -> None:
    loop.call_soon_threadsafe(listener, event)


def _given_up(task: ShardTask, error: WorkerLost) -> WorkerLost:
    return WorkerLost(
        f"{_LOSSES} workers were lost over it, the last one: {error.message}",
        subject=task.shard.url,
        fix="look into the workers' own logs, for a shortage of memory first; the next run tries again",
    )


def unstage(run: Run, staged: Staged, sink: Callable[[], Sink]) -> None:
    """Hand what a worker brought to a sink for each pass, as if it were read now. Runs in a thread.

    Raises DiskFull and MachineError, and Stopped once the run is to end.
    """
    for number in range(1, staged.passes + 1):
        shelf = sink()
        try:
            for entry in entries(staged.journal(number)):
                run.checkpoint()
                _hand_over(entry, shelf)
        finally:
            shelf.finish()


def _hand_over(entry: Entry, shelf: Sink) -> None:
    if isinstance(entry, Skipped):
        shelf.skip(entry.member, entry.reason)
        return
    if entry.written and entry.path is not None and not Path(entry.path).exists():
        return  # a later pass has given it again
    clip = put(entry, shelf.place(member_of(entry)))
    if clip is not None:
        shelf.clip(clip)
