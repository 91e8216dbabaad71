"""Some classes out of shards that mix them all: by seek indexes, without the rest of the shards.

An index tells which clips a shard holds, where, and with which digests; only an index that has the digests
of the wanted clips is used, since of a part of an archive nothing else proves that it came as it was.
"""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path

from kdl import events
from kdl.archive.members import Member
from kdl.archive.seekindex import Held, SeekIndex, index_path, load_index, read_indexes, save_index
from kdl.archive.staged import put
from kdl.archive.stream import Damage
from kdl.archive.stretches import Stretch, cut, stretches
from kdl.dataset.inside import ShardNames
from kdl.dataset.plan import Need, Plan, PlannedShard, Selection
from kdl.dataset.specs import Manifest
from kdl.diskerrors import disk_errors
from kdl.errors import ArchiveError, FetchError, SourceChanged, TransientError, UsageError
from kdl.fetch.source import RemoteStat
from kdl.fetch.transfer import Fetcher
from kdl.jobs.clipkeys import key_of
from kdl.jobs.planning import shown_name
from kdl.jobs.progress import Progress
from kdl.jobs.repair_plan import worth_it
from kdl.jobs.run import Run
from kdl.jobs.shelf import ShardShelf, Shelf
from kdl.ledger.arrivals import settle_shard
from kdl.ledger.clips import find_clip
from kdl.ledger.ledger import Ledger
from kdl.ledger.objects import find_object, set_object
from kdl.settings import MirrorPaths, human_size
from kdl.values import ClipFile, Shard, Verdict


@dataclass(frozen=True, slots=True)
class Subset:
    """The wanted clips of one shard."""

    shard: Shard
    stat: RemoteStat
    index: SeekIndex
    wanted: tuple[tuple[int, Held], ...]
    """With their positions among the shard's clips."""
    parts: tuple[Stretch, ...]
    cost: int
    """Bytes to be read."""


def take_indexes(run: Run, file: Path, plan: Plan, stats: Mapping[str, RemoteStat | FetchError]) -> None:
    """Keep those indexes of ``file`` that are of the planned shards as the host has them. In a thread.

    Raises UsageError for what is no file of indexes.
    """
    shards = {item.shard.url: item.shard for item in plan.shards}
    taken = others = 0
    try:
        for index in read_indexes(file):
            run.checkpoint()
            shard, stat = shards.get(index.url), stats.get(index.url)
            if shard is None or not isinstance(stat, RemoteStat):
                continue
            if index.fits(shard.url, stat.size, stat.strong_etag):
                save_index(index, index_path(run.paths.index, shard.split, shard.name))
                taken += 1
            else:
                others += 1
    except (OSError, ArchiveError) as error:
        fix = "kdl export DATASET --format index --out FILE writes one"
        raise UsageError(str(error), subject=f"--index {file}", fix=fix) from error
    run.note(
        f"{file.name}: indexes of {taken} shards, and of {others} as the host does not have them any more"
    )


def plan_subsets(
    ledger: Ledger,
    paths: MirrorPaths,
    manifest: Manifest,
    selection: Selection,
    plan: Plan,
    stats: Mapping[str, RemoteStat | FetchError],
) -> tuple[Plan, list[Subset]]:
    """The plan with those shards taken out that need not be read whole, and these. Reads indexes.

    All of a shard's clips are of the class that its name tells, where it tells one: it is read whole.
    """
    if selection.classes is None:
        return plan, []
    subsets: list[Subset] = []
    planned: list[PlannedShard] = []
    for item in plan.shards:
        subset = _subset(ledger, paths, manifest, selection, item, stats.get(item.shard.url))
        if subset is not None:
            subsets.append(subset)
            note = f"{len(subset.wanted)} clips by its index: {human_size(subset.cost)}"
            item = replace(item, need=Need.INDEX, note=note)
        planned.append(item)
    extra = plan.extra_bytes + sum(subset.cost for subset in subsets)
    return replace(plan, shards=tuple(planned), extra_bytes=extra), subsets


def _subset(
    ledger: Ledger,
    paths: MirrorPaths,
    manifest: Manifest,
    selection: Selection,
    item: PlannedShard,
    stat: RemoteStat | FetchError | None,
) -> Subset | None:
    shard = item.shard
    if item.need is not Need.FETCH or shard.class_hint is not None or not isinstance(stat, RemoteStat):
        return None
    index = load_index(index_path(paths.index, shard.split, shard.name))
    if index is None or not index.fits(shard.url, stat.size, stat.strong_etag):
        return None
    wanted = tuple(_wanted(ledger, manifest, selection, shard, index))
    if any(held.sha256 is None or held.size > manifest.max_member for _, held in wanted):
        return None
    parts = stretches(index, (held for _, held in wanted))
    cost = worth_it(index, parts)
    return None if cost is None else Subset(shard, stat, index, wanted, tuple(parts), cost)


def _wanted(
    ledger: Ledger, manifest: Manifest, selection: Selection, shard: Shard, index: SeekIndex
) -> Iterator[tuple[int, Held]]:
    names = ShardNames(manifest.split(shard.split), manifest.labels, shard.class_hint)
    reader = ledger.reader()
    for seq, held in enumerate(index.clips):
        key = key_of(reader, names.spec, held.name)
        row = None if key is None else find_clip(reader, key)
        label = names.label(held.member) or (row["label"] if row is not None else None)
        here = row is not None and row["path"] is not None and row["verdict"] != Verdict.MISSING
        if key is not None and not here and selection.wants_class(label):
            yield seq, held


class SubsetStage:
    """Brings the wanted clips of shards in."""

    def __init__(self, run: Run, fetcher: Fetcher, shelf: Shelf, jobs: int) -> None:
        self._run = run
        self._fetcher = fetcher
        self._shelf = shelf
        self._jobs = jobs
        self.written = 0
        """Bytes of clips put on disk."""

    async def work(self, subsets: list[Subset]) -> set[str]:
        """Bring all in; the URLs of shards that have to be read whole after all. Raises MachineError."""
        waiting, whole = iter(subsets), set[str]()

        async def lane() -> None:
            for subset in waiting:
                async with self._fetcher.pressure.slot(shown_name(subset.shard)):
                    if not await self._bring(subset):
                        whole.add(subset.shard.url)

        async with asyncio.TaskGroup() as group:
            for _ in range(self._jobs):
                group.create_task(lane(), name="idle")
        return whole

    async def _bring(self, subset: Subset) -> bool:
        """Whether the shard need not be read whole."""
        run, shard = self._run, subset.shard
        if not subset.parts:
            return True
        row = find_object(run.ledger.reader(), shard.url, shard.split)
        assert row is not None, "every shard of a link list is registered"
        began, shown = time.monotonic(), shown_name(shard)
        progress = Progress(run.emit, shown)
        progress.start(shard.split, subset.cost)
        sink = ShardShelf(self._shelf, shard, row.id)
        state, well = "failed", True
        try:
            for part in subset.parts:
                await self._bring_part(subset, part, sink, progress)
            state = "done"
        except (Damage, FetchError) as error:
            well = isinstance(error, TransientError) and not isinstance(error, SourceChanged)
            if well and isinstance(error, FetchError):
                run.fail(error)
            else:
                run.note(f"{shown}: its index is of no use ({error}): it is read whole")
        finally:
            await run.in_thread(sink.finish)
            self._shelf.release(row.id)
            self.written += sink.written
            took = round(time.monotonic() - began, 3)
            run.emit(
                events.TransferEnded(
                    shown, "shard", shard.split, state, progress.received, progress.fetched, sink.clips, took
                )
            )
        if row.state == "done":
            await run.on_disk(run.paths.videos)
            await run.ledger.do(lambda c: settle_shard(c, row.id))
        elif well:
            await run.ledger.do(lambda c: set_object(c, row.id, "partial"))
        return well

    async def _bring_part(self, subset: Subset, part: Stretch, sink: ShardShelf, progress: Progress) -> None:
        async def bytes_of(begin: int, end: int) -> bytes:
            return await self._fetcher.part(
                subset.shard.url,
                subset.stat,
                begin,
                end,
                name=shown_name(subset.shard),
                on_bytes=progress.add,
            )

        data = await bytes_of(part.begin, part.end)
        if not await self._run.in_thread(self._place, subset, part, data, sink):
            data += await bytes_of(part.end, part.limit)
            if not await self._run.in_thread(self._place, subset, part, data, sink):
                raise Damage("a clip is not where its index says")
        progress.tell()

    def _place(self, subset: Subset, part: Stretch, data: bytes, sink: ShardShelf) -> bool:
        """Put the part's clips in their places; False, and nothing is put, where the bytes do not suffice."""
        places = {held: seq for seq, held in subset.wanted}
        pieces = list(cut(subset.index, part, data))
        if any(piece is None for _, piece in pieces):
            return False
        for held, piece in pieces:
            assert piece is not None
            if hashlib.sha256(piece).hexdigest() != held.sha256:
                raise Damage(f"{held.member!r} has other bytes than its index says")
            seq = places[held]
            folder = next(reversed(held.member.split("/")[:-1]), "")
            placement = sink.place(Member(held.member, held.name, folder, seq, held.size))
            temp = self._run.tmp / f"subset-{subset.shard.split}-{subset.shard.index}-{seq}"
            with disk_errors(temp):
                temp.write_bytes(piece)
                mtime_ns = temp.stat().st_mtime_ns
            clip = ClipFile(
                held.member, held.name, folder, seq, held.size, str(temp), held.sha256, mtime_ns, True
            )
            placed = put(clip, placement)
            assert placed is not None, "the clip is there"
            sink.clip(placed)
            temp.unlink(missing_ok=True)
        return True
