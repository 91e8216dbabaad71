"""What a repair will cost: of each shard, which way and how many bytes."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, replace
from itertools import compress
from operator import not_
from typing import Any

from kdl.archive.seekindex import Held, SeekIndex, index_path, load_index
from kdl.archive.stretches import Stretch, stretches
from kdl.errors import FetchError
from kdl.fetch.members import find_members
from kdl.fetch.source import RemoteStat
from kdl.fetch.transfer import Fetcher
from kdl.jobs.indexing import SMALL
from kdl.jobs.repair_options import Way
from kdl.jobs.repair_put import digest_wanted
from kdl.ledger.clips import ClipRow, Scope
from kdl.ledger.ledger import Ledger
from kdl.ledger.objects import ObjectRow, object_by_id
from kdl.ledger.repairs import Batch, bad_batches, bad_clips
from kdl.settings import MirrorPaths
from kdl.urls import is_bundle
from kdl.values import Stretch as Lines
from kdl.values import Verdict

_ASKED = 16
"""Shards that the host is asked about at a time."""
NO_LIST = "the list that named it is not here, or names it no more; kdl mirror reads it anew"
_MOST = 0.8
"""If so much of a shard is wanted, it is read in one go."""


@dataclass(frozen=True, slots=True)
class ShardPlan:
    """What is to be read of one shard."""

    shard: ObjectRow
    way: Way
    """``index``, ``file`` or ``stream``."""
    rows: tuple[ClipRow, ...]
    """The clips that it may give."""
    hopeless: tuple[ClipRow, ...]
    """Those of which it holds only the bad bytes."""
    size: int | None
    """Bytes of the shard."""
    bytes: int | None
    """To be read, about; None where nobody tells."""
    note: str = ""
    """Why not a better way."""
    stat: RemoteStat | None = None
    index: SeekIndex | None = None
    members: tuple[tuple[ClipRow, tuple[Held, ...]], ...] = ()
    """By the index: where in the shard each clip is, once for each copy in it."""
    bundle: Lines | None = None
    """Of loose clips, those of the plan; None where no list tells of them."""

    @property
    def name(self) -> str:
        return f"{self.shard.split}/{self.shard.name}"

    def stretches(self) -> list[Stretch]:
        """What to read by the index."""
        assert self.index is not None
        return stretches(self.index, dict.fromkeys(held for _, places in self.members for held in places))

    def streamed(self, last_seq: int | None, note: str) -> ShardPlan:
        """The same by reading the shard from its begin, up to the last of the clips if that is known."""
        return replace(
            self,
            way=Way.STREAM,
            bytes=_until(self.shard, self.size, last_seq),
            note=note,
            index=None,
            members=(),
        )

    def as_dict(self) -> dict[str, Any]:
        return {
            "name": self.shard.name,
            "url": self.shard.url,
            "split": self.shard.split,
            "way": self.way.value,
            "clips": len(self.rows),
            "size": self.size,
            "bytes": self.bytes,
            "note": self.note,
        }


def plan_shard(
    shard: ObjectRow,
    rows: list[ClipRow],
    last_seq: int | None,
    told: RemoteStat | FetchError,
    paths: MirrorPaths,
) -> ShardPlan:
    """How to have these clips from their shard, of which a server has ``told``. Reads the index."""
    stat = told if isinstance(told, RemoteStat) else None
    size = stat.size if stat is not None else shard.size
    may = [_may_give(shard, stat, row) for row in rows]
    hopeful, hopeless = tuple(compress(rows, may)), tuple(compress(rows, map(not_, may)))
    blank = ShardPlan(shard, Way.STREAM, hopeful, hopeless, size, 0, stat=stat)
    if not hopeful:
        return blank
    if isinstance(told, FetchError):
        return blank.streamed(last_seq, told.message)
    index = load_index(index_path(paths.index, shard.split, shard.name))
    if index is None:
        small = size is not None and size <= SMALL
        return blank.streamed(last_seq, "" if small else "no seek index was kept of it")
    if not index.fits(shard.url, told.size, told.strong_etag):
        return blank.streamed(last_seq, "the host has another version than the one that was indexed")
    by_name: dict[str, list[Held]] = {}
    for held in index.clips:
        by_name.setdefault(held.name, []).append(held)
    members = tuple((row, _places(row, by_name)) for row in hopeful)
    indexed = replace(blank, way=Way.INDEX, index=index, members=members)
    cost = worth_it(index, indexed.stretches())
    if cost is None:
        return blank.streamed(last_seq, "most of it is wanted")
    return replace(indexed, bytes=cost)


def plan_bundle(shard: ObjectRow, rows: list[ClipRow], paths: MirrorPaths) -> ShardPlan:
    """How to have these clips of a bundle. Reads the split's list of loose clips, and asks nobody.

    Of a clip that is corrupt at its host, as the list's digest tells, only the bad bytes are to be had.
    """
    names = frozenset(row.name for row in rows if row.name)
    found = find_members(paths.listings / f"{shard.split}.tsv", shard.url, names)
    if found is None:
        return ShardPlan(shard, Way.FILE, tuple(rows), (), None, None, NO_LIST)
    stretch, members = found
    listed = {member.base_name: member for member in members}

    def is_bad_there(row: ClipRow) -> bool:
        member = listed.get(row.name or "")
        return digest_wanted(row) is None and member is not None and member.sha256 == row.sha256

    bad = [is_bad_there(row) for row in rows]
    hopeful, hopeless = tuple(compress(rows, map(not_, bad))), tuple(compress(rows, bad))
    sizes = [listed[row.name].size for row in hopeful if row.name in listed]
    size = None if None in sizes else sum(size or 0 for size in sizes)
    return ShardPlan(shard, Way.FILE, hopeful, hopeless, size, size, bundle=stretch)


def worth_it(index: SeekIndex, parts: list[Stretch]) -> int | None:
    """Bytes that reading by the index costs; None where the shard is rather read from its begin."""
    cost = sum(part.size for part in parts)
    return cost if cost <= _MOST * index.size and all(part.bounded for part in parts) else None


def _may_give(shard: ObjectRow, stat: RemoteStat | None, row: ClipRow) -> bool:
    """A shard that was proved whole has of a corrupt clip only what is here, unless it is another one now."""
    if digest_wanted(row) is not None:
        return row.origin not in ("replacement", "youtube")
    changed = stat is not None and (stat.size, stat.etag) != (shard.size, shard.etag)
    return shard.state != "done" or changed or (row.verdict is Verdict.MISSING and row.replaced_cause is None)


def _places(row: ClipRow, by_name: Mapping[str, list[Held]]) -> tuple[Held, ...]:
    """Where in the shard the clip may be: nearly always in one place."""
    found = by_name.get(row.name or "", [])
    if digest_wanted(row) is not None and row.size is not None:
        found = [held for held in found if held.size == row.size]
    return tuple(found)


def _until(shard: ObjectRow, size: int | None, last_seq: int | None) -> int | None:
    """Bytes up to the end of the clip at this position, if all clips of the shard are of a size."""
    if size is None or last_seq is None or not shard.clips:
        return size
    return min(size, size * (last_seq + 1) // shard.clips)


class Planner:
    """Reads from a ledger what is bad, and works out how to have it."""

    def __init__(self, ledger: Ledger, paths: MirrorPaths, scope: Scope) -> None:
        self._ledger = ledger
        self._paths = paths
        self._scope = scope

    def batches(self) -> list[Batch]:
        """What is bad now, by shard."""
        return bad_batches(self._ledger.reader(), self._scope)

    def rows(self, batch: Batch) -> list[ClipRow]:
        """The clips of a batch that are bad now."""
        return bad_clips(self._ledger.reader(), self._scope, batch)

    def plan(self, batch: Batch, told: RemoteStat | FetchError) -> ShardPlan:
        """How to have the batch's clips from their shard, of which a server has ``told``.

        Of a bundle its list tells.
        """
        shard, rows = self._shard(batch), self.rows(batch)
        if is_bundle(shard.url):
            return plan_bundle(shard, rows, self._paths)
        return plan_shard(shard, rows, batch.last_seq, told, self._paths)

    async def plans(self, fetcher: Fetcher, batches: list[Batch]) -> AsyncIterator[tuple[Batch, ShardPlan]]:
        """The plan of each batch that has a shard; the host is asked about several at a time."""
        held = [batch for batch in batches if batch.shard_id is not None]
        for at in range(0, len(held), _ASKED):
            page = held[at : at + _ASKED]
            urls = [(await asyncio.to_thread(self._shard, batch)).url for batch in page]
            told = await asyncio.gather(*(_ask(fetcher, url) for url in urls))
            for batch, answer in zip(page, told, strict=True):
                yield batch, await asyncio.to_thread(self.plan, batch, answer)

    def _shard(self, batch: Batch) -> ObjectRow:
        assert batch.shard_id is not None
        return object_by_id(self._ledger.reader(), batch.shard_id)


async def _ask(fetcher: Fetcher, url: str) -> RemoteStat | FetchError:
    if is_bundle(url):
        return RemoteStat(url)
    try:
        return await fetcher.stat(url)
    except FetchError as error:
        return error
