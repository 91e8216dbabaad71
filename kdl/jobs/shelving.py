"""All the shards of a run: so many at a time, each recorded when it is proved."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections.abc import Iterator, Mapping
from http import HTTPStatus
from pathlib import Path

from kdl import events
from kdl.archive.members import Reading, Skip
from kdl.dataset.plan import Need, PlannedShard, shards_at_once
from kdl.errors import FetchError, MachineError
from kdl.fetch.pressure import Pressure
from kdl.fetch.source import RemoteStat
from kdl.fetch.spool import drop_spools
from kdl.jobs.indexing import keep_index
from kdl.jobs.options import MirrorOptions
from kdl.jobs.planning import shown_name
from kdl.jobs.replace import replace_at_once
from kdl.jobs.run import Run
from kdl.jobs.sending import Bringer
from kdl.jobs.shardpass import ShardTask
from kdl.jobs.shards import ShardResult, settled_proof
from kdl.jobs.shelf import ShardShelf, Shelf
from kdl.jobs.timeline import Timeline
from kdl.ledger.arrivals import settle_shard
from kdl.ledger.objects import find_object, set_object
from kdl.values import Finding, Shard

_NO_CLIPS = frozenset({Skip.NOT_A_CLIP, Skip.APPLE_DOUBLE, Skip.NAME})
_THEY_ARE_NONE = "nothing to do: they are no clips"
_SOME_MAY_BE = (
    "clips among them are not had: tell the host; where they are too large, raise max_member in the manifest"
)
_NOT_THERE = (HTTPStatus.FORBIDDEN, HTTPStatus.NOT_FOUND, HTTPStatus.GONE)


class ShardStage:
    """Brings the planned shards in, ``jobs`` at a time."""

    def __init__(
        self,
        run: Run,
        bringer: Bringer,
        pressure: Pressure,
        shelf: Shelf,
        options: MirrorOptions,
        stats: Mapping[str, RemoteStat | FetchError],
        timeline: Timeline,
    ) -> None:
        self._run = run
        self._bringer = bringer
        self._pressure = pressure
        self._shelf = shelf
        self._options = options
        self._stats = stats
        self._timeline = timeline
        self._room = asyncio.Semaphore(shards_at_once(options.jobs))
        self._spools = True
        self.done = 0
        self.failed = 0
        self.written = 0
        """Bytes of clips put on disk."""

    async def work(self, planned: tuple[PlannedShard, ...]) -> None:
        """Bring in every shard that needs it. Raises MachineError; other troubles are findings."""
        for item in planned:
            if item.need is Need.BROKEN:
                self.failed += 1
                self._find_broken(item.shard, "unchanged since it was found broken")
        finished = [(shown_name(i.shard), i.shard.url) for i in planned if i.need is not Need.FETCH]
        await asyncio.to_thread(drop_spools, self._run.paths.spool, finished)
        self._spools = await asyncio.to_thread(self._may_have_spools)
        wanted = [item.shard for item in planned if item.need is Need.FETCH]
        for shard in wanted:
            told = self._stats.get(shard.url)
            size = told.size if isinstance(told, RemoteStat) else None
            self._timeline.queue(shown_name(shard), shard.split, size)
        waiting = iter(wanted)
        async with asyncio.TaskGroup() as group:
            for _ in range(self._options.jobs):
                group.create_task(self._lane(waiting, group), name="idle")

    def _may_have_spools(self) -> bool:
        """This run makes some, or an earlier one left some."""
        options, folder = self._options, self._run.paths.spool
        return options.spool or options.keep_archives or (folder.is_dir() and any(folder.iterdir()))

    def _spooled(self, told: RemoteStat | FetchError | None) -> bool:
        """A torrent's files are on the disk, and stay until they are released."""
        held = isinstance(told, RemoteStat) and told.pieces
        return self._options.keep_archives or (self._options.spool and not held)

    def _kept(self, shard: Shard) -> Path | None:
        """Where its archive is kept for good. A bundle is none: what is made of its clips varies."""
        keeps = self._options.keep_archives and shard.bundle is None
        return self._run.paths.base / "archives" / shard.split / shard.name if keeps else None

    async def _lane(self, waiting: Iterator[Shard], group: asyncio.TaskGroup) -> None:
        """One job of several: a shard at a time, as long as the host bears so many jobs.

        The next one is asked for as soon as a shard has come: while it goes to the disk and into the
        ledger the line is not idle.
        """
        for shard in waiting:
            shown = shown_name(shard)
            await self._room.acquire()
            async with self._pressure.slot(shown):
                arrived = asyncio.Event()
                group.create_task(self._bring(shard, arrived), name=shown)
                await arrived.wait()

    async def _bring(self, shard: Shard, arrived: asyncio.Event) -> None:
        run, options, hear = self._run, self._options, self._timeline.hear
        began = time.monotonic()
        shown = shown_name(shard)
        self._timeline.begin(shown)
        row = find_object(run.ledger.reader(), shard.url, shard.split)
        assert row is not None, "every shard of a link list is registered"
        marked = run.ledger.write(lambda c: set_object(c, row.id, "partial"))
        told = self._stats.get(shard.url)
        task = ShardTask(
            shard=shard,
            kind="shard",
            shown=shown,
            spool=run.paths.spool if self._spooled(told) else None,
            archive=self._kept(shard),
            tmp=run.tmp,
            cap=self._shelf.manifest.max_member,
            expect=told if isinstance(told, RemoteStat) else None,
        )
        shelves: list[ShardShelf] = []

        def shelf() -> ShardShelf:
            self._shelf.release(row.id)
            shelves.append(ShardShelf(self._shelf, shard, row.id))
            return shelves[-1]

        state, clips, result = "cancelled", 0, None
        try:
            if isinstance(told, FetchError) and told.status in _NOT_THERE:
                result = ShardResult("failed", None, told.message, told)
            else:
                result = await self._bringer.bring(task, row.id, shelf, hear, arrived.set)
            arrived.set()
            await asyncio.wrap_future(marked)
            state = result.state
            self._tell_reading(shown, result)
            clips = shelves[-1].clips if shelves else 0
            await self._record(row.id, shard, result, clips)
            if result.state == "done":
                await self._bringer.release(shard)
            if result.state == "done" and result.last is not None and options.keep_index and not shard.bundle:
                await keep_index(run, shard, result.last.stat, task.archive, shelves[-1].is_clip)
            if result.state != "failed" and self._spools:
                await asyncio.to_thread(drop_spools, run.paths.spool, [(shown, shard.url)])
        except MachineError:
            state = "failed"
            raise
        finally:
            arrived.set()
            self._room.release()
            self.written += sum(each.written for each in shelves)
            self._shelf.release(row.id)
            last = result.last if result else None
            hear(
                events.TransferEnded(
                    shown,
                    "shard",
                    shard.split,
                    state,
                    last.received if last else 0,
                    result.fetched if result else 0,
                    clips,
                    round(time.monotonic() - began, 3),
                    result.reason if result else "",
                )
            )
        if shelves:
            self._tell_oddities(shard, shelves[-1], last.reading if last else None)

    async def _record(self, object_id: int, shard: Shard, result: ShardResult, clips: int) -> None:
        """The ledger says done only behind the barrier that puts the clips on disk."""
        run, last = self._run, result.last
        if result.state == "done" and last is not None and result.lost:
            await self._record_but(object_id, result)
            return
        if result.state == "done" and last is not None:
            await run.on_disk(run.paths.videos)

            def settle(connection: sqlite3.Connection) -> None:
                settle_shard(connection, object_id)
                set_object(
                    connection,
                    object_id,
                    "done",
                    size=last.received,
                    etag=last.stat.etag,
                    sha256=last.sha256,
                    proof=settled_proof(last),
                    clips=clips,
                )

            await run.ledger.do(settle)
            self.done += 1
            if self._options.checks:
                await replace_at_once(run, shard_id=object_id)
            return
        self.failed += 1
        await run.ledger.do(
            lambda c: set_object(
                c,
                object_id,
                result.state,
                size=last.stat.size if last else None,
                etag=last.stat.etag if last else None,
                sha256=last.sha256 if last else None,
                proof=settled_proof(last) if last and result.state == "broken" else None,
                error=result.reason,
            )
        )
        if result.error is not None:
            run.fail(result.error)
        else:
            self._find_broken(shard, result.reason)

    async def _record_but(self, object_id: int, result: ShardResult) -> None:
        """All of a bundle but some clips has come: these are asked for again by the next run."""
        run = self._run
        await run.on_disk(run.paths.videos)
        reason = f"{len(result.lost)} of its clips could not be had"

        def settle(connection: sqlite3.Connection) -> None:
            settle_shard(connection, object_id)
            set_object(connection, object_id, "failed", error=reason)

        await run.ledger.do(settle)
        self.failed += 1
        for error in result.lost:
            run.fail(error)

    def _tell_reading(self, shown: str, result: ShardResult) -> None:
        """What the last reading came to, before it is on record."""
        last = result.last
        if last is None or result.state == "failed":
            return
        clips = f"{last.reading.clips} clips"
        self._timeline.reach(shown, "unpacked", clips, received=last.received)
        if result.state == "done":
            self._timeline.reach(shown, "proved", settled_proof(last).value)

    def _find_broken(self, shard: Shard, reason: str) -> None:
        self._run.find(
            Finding(
                "shard_broken",
                shown_name(shard),
                f"broken at the source: {reason}",
                "what could be read is kept as provisional; tell the host, or try another --origin",
            ),
            1,
        )

    def _tell_oddities(self, shard: Shard, shelf: ShardShelf, reading: Reading | None) -> None:
        """What was passed over, and where archive and annotation disagree: told, not counted."""
        name = shown_name(shard)
        if reading is not None and reading.note:
            self._run.note(f"{name}: {reading.note}")
        if shelf.skipped and shard.bundle is None:
            what = ", ".join(f"{count} x {reason}" for reason, count in shelf.skipped.most_common())
            detail = f"{what}; such as {', '.join(shelf.skipped_names)}"
            fix = _THEY_ARE_NONE if _NO_CLIPS.issuperset(shelf.skipped) else _SOME_MAY_BE
            self._run.find(Finding("members_skipped", name, detail, fix))
        if shelf.conflicts:
            detail = f"{len(shelf.conflicts)} clips: {'; '.join(shelf.conflicts[:3])}"
            self._run.find(Finding("class_conflict", name, detail, "the archive's word was taken"))
        if shelf.ambiguous:
            count = len(shelf.ambiguous)
            what = f"{count} names lack times, and the annotation has several rows of each one's id"
            detail = f"{what}; such as {'; '.join(shelf.ambiguous[:3])}"
            fix = "nothing is guessed: they lie under unlisted/; rename one with its times and kdl adopt it"
            self._run.find(Finding("ambiguous_name", name, detail, fix))
