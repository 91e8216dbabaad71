"""Bad clips out of their shard: by its seek index, or read again up to the last of them."""

from __future__ import annotations

import hashlib
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kdl import events
from kdl.archive.members import Member, Placement, Skip
from kdl.archive.seekindex import Held
from kdl.archive.stream import Damage
from kdl.archive.stretches import Stretch, cut
from kdl.diskerrors import disk_errors
from kdl.errors import FetchError, SourceChanged, TransientError
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.spool import drop_spools
from kdl.fetch.transfer import Fetcher
from kdl.jobs.progress import Progress
from kdl.jobs.repair_options import Way
from kdl.jobs.repair_plan import ShardPlan
from kdl.jobs.repair_put import Found, Outcome, digest_wanted, temp_of
from kdl.jobs.run import Run
from kdl.jobs.shardpass import ShardTask
from kdl.jobs.shards import bring_shard
from kdl.ledger.clips import ClipRow
from kdl.urls import url_name
from kdl.values import ClipFile, Shard

_NOT_THERE = "its shard does not hold it any more"


class _AllHere(Exception):
    """Ends the reading of a shard: the last clip that is wanted has passed."""


@dataclass(frozen=True, slots=True)
class Reader:
    """What every shard of a repair is read with."""

    run: Run
    fetcher: Fetcher
    policy: RetryPolicy
    threads: ThreadPoolExecutor
    cap: int
    """Bytes; a larger member is no clip."""
    outcome: Outcome

    async def read(self, plan: ShardPlan, last_seq: int | None) -> list[Found]:
        """The clips of the plan, as far as the shard has their bytes; what is wrong is told."""
        began = time.monotonic()
        progress = Progress(self.run.emit, plan.name)
        found: list[Found] | None = None
        try:
            if plan.way is Way.INDEX:
                try:
                    found = await self._by_index(plan, progress)
                except (Damage, FetchError) as trouble:
                    if isinstance(trouble, TransientError) and not isinstance(trouble, SourceChanged):
                        self.run.fail(trouble)
                        self.outcome.say(plan.rows, trouble.message, again=True)
                        found = []
                    else:
                        self.run.note(f"{plan.name}: its index is of no use ({trouble}): read from its begin")
                        plan = plan.streamed(last_seq, str(trouble))
            if plan.way is Way.FILE and plan.bundle is None:
                self.outcome.say(plan.rows, plan.note)
                found = []
            if found is None:
                found = await self._stream(plan, progress)
        finally:
            self.run.emit(
                events.TransferEnded(
                    plan.name,
                    "shard",
                    plan.shard.split,
                    "done" if found else "failed",
                    progress.received,
                    progress.fetched,
                    len(found or ()),
                    round(time.monotonic() - began, 3),
                )
            )
        return found

    async def _by_index(self, plan: ShardPlan, progress: Progress) -> list[Found]:
        """Stretch by stretch. Raises FetchError, and Damage where the index does not fit the bytes."""
        assert plan.stat is not None
        progress.start(plan.shard.split, plan.bytes)
        wanted: dict[Held, ClipRow] = {held: row for row, places in plan.members for held in places}
        found: dict[int, Found] = {}
        for stretch in plan.stretches():
            data = await self._bytes(plan, stretch.begin, stretch.end, progress)
            items = await self.run.in_thread(self._cut, plan, stretch, data, wanted)
            if items is None:
                data += await self._bytes(plan, stretch.end, stretch.limit, progress)
                items = await self.run.in_thread(self._cut, plan, stretch, data, wanted)
            for item in items or ():
                found.setdefault(item.row.id, item)
        progress.tell()
        lacking = [row for row in plan.rows if row.id not in found]
        if lacking:
            self.outcome.say(lacking, "its shard holds no such bytes under its name")
        return list(found.values())

    async def _bytes(self, plan: ShardPlan, begin: int, end: int, progress: Progress) -> bytes:
        assert plan.stat is not None
        return await self.fetcher.part(
            plan.shard.url, plan.stat, begin, end, name=plan.name, on_bytes=progress.add
        )

    def _cut(
        self, plan: ShardPlan, stretch: Stretch, data: bytes, wanted: dict[Held, ClipRow]
    ) -> list[Found] | None:
        """The clips of a stretch in files of their own; None where more bytes are needed first."""
        assert plan.index is not None
        found = []
        for held, piece in cut(plan.index, stretch, data):
            if piece is None:
                if stretch.end + len(data) - stretch.size < stretch.limit:
                    return None
                raise Damage(f"{held.member!r} is not where its index says")
            row, sha256 = wanted[held], hashlib.sha256(piece).hexdigest()
            if digest_wanted(row) in (None, sha256):
                temp = temp_of(self.run, row)
                with disk_errors(temp):
                    temp.write_bytes(piece)
                found.append(Found(row, temp, sha256, Way.INDEX))
        return found

    async def _stream(self, plan: ShardPlan, progress: Progress) -> list[Found]:
        """The shard from its begin to the last wanted clip, or to its end; of a bundle those clips alone."""
        run, shard = self.run, plan.shard
        shown = Shard(shard.url, shard.name, shard.split, 0, size=plan.size, bundle=plan.bundle)
        spool = None if plan.bundle else run.paths.spool
        task = ShardTask(shown, "shard", plan.name, spool, None, run.tmp, self.cap, plan.stat)
        sinks: list[_Wanted] = []

        def sink() -> _Wanted:
            sinks.append(_Wanted(run, plan.rows, plan.way))
            return sinks[-1]

        reason, error = "", None
        lost: dict[str, FetchError] = {}
        try:
            result = await bring_shard(task, self.fetcher, self.policy, self.threads, sink, progress.hear)
        except _AllHere:
            pass
        else:
            progress.fetched = max(progress.fetched, result.fetched)
            reason, error = result.reason, result.error
            lost = {url_name(each.subject): each for each in result.lost}
        if plan.bundle is not None:
            await self.fetcher.release(shard.url, plan.bundle)
        if shard.state == "done":  # else the spool is that of a run which has still to read it whole
            await run.in_thread(drop_spools, run.paths.spool, [(plan.name, shard.url)])
        found = {item.row.id: item for each in sinks for item in each.found.values()}
        others = {clip_id: other for each in sinks for clip_id, other in each.others.items()}
        lacking = [row for row in plan.rows if row.id not in found]
        if lacking and error is not None:
            run.fail(error)
        for row in lacking:
            gone = lost.get(row.name or "")
            if gone is not None:
                run.fail(gone)
            why = others.get(row.id) or reason or (gone.message if gone else _NOT_THERE)
            self.outcome.say([row], why, again=error is not None or gone is not None)
        return list(found.values())


class _Wanted:
    """Takes the wanted clips of a shard and ends its reading behind the last; a :class:`Sink`."""

    def __init__(self, run: Run, rows: tuple[ClipRow, ...], way: Way) -> None:
        self._run = run
        self._way = way
        self._rows = {row.name: row for row in rows}
        self.found: dict[int, Found] = {}
        self.others: dict[int, str] = {}

    def is_clip(self, base_name: str) -> bool:
        return base_name in self._rows

    def place(self, member: Member) -> Placement:
        row = self._rows[member.name]
        wanted = digest_wanted(row) is not None
        if row.id in self.found or (wanted and row.size is not None and row.size != member.size):
            if row.id not in self.found:
                self.others[row.id] = f"its shard holds {member.size} other bytes by now"
            return Placement(None)
        return Placement(temp_of(self._run, row))

    def clip(self, file: ClipFile) -> None:
        if file.sha256 is None:
            return
        row = self._rows[file.name]
        if digest_wanted(row) in (None, file.sha256):
            self.found[row.id] = Found(row, temp_of(self._run, row), file.sha256, self._way)
        else:
            self.others[row.id] = "its shard holds other bytes by now"
        if self._way is Way.STREAM and len(self.found) == len(self._rows):  # a bundle holds no others
            raise _AllHere

    def skip(self, member: str, reason: Skip) -> None:
        pass

    def finish(self) -> None:
        pass
