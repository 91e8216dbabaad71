"""A shard mirrored by a cluster's worker: fetched, unpacked into a folder of its own, judged, put on disk.

The worker knows nothing of the ledger. What it hands back are plain values and the folder, in which
:mod:`kdl.jobs.sending` finds every clip and gives it its place. So whatever becomes of a worker, or of two
that have the same shard because one was taken for lost, the mirror sees one of them at the most.
"""

from __future__ import annotations

import asyncio
import contextlib
import secrets
import shutil
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

from kdl import events
from kdl.archive.members import Member, Placement, Skip
from kdl.archive.sniff import HEAD, Kind, sniff
from kdl.archive.staged import Entry, Journal, Skipped, entries
from kdl.archive.syncing import Barrier
from kdl.cluster.beacon import Beacon
from kdl.dataset.inside import ShardNames
from kdl.diskerrors import disk_errors
from kdl.errors import WorkerLost
from kdl.fetch.limits import RateLimit
from kdl.fetch.origins import Origins
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.spool import spools_of
from kdl.fetch.timetable import Timetable
from kdl.fetch.transfer import Fetcher
from kdl.heap import prepare_heap
from kdl.jobs.shardpass import ShardTask
from kdl.jobs.shards import ShardResult, bring_shard
from kdl.jobs.turns import FarPressure
from kdl.loop import run_loop
from kdl.values import ClipFile, ClipKey

_LOOK_S = 0.25


@dataclass(frozen=True, slots=True)
class Fetching:
    """All that a worker's fetcher is made of. Proxies and logins are those of the worker's surroundings."""

    origins: Origins
    retry: RetryPolicy
    stall_s: float
    connections_per_file: int
    rate: float | Timetable | None
    """Bytes a second for one shard."""


@dataclass(frozen=True, slots=True)
class Wants:
    """Which clips of a shard to put on disk: all that may be wanted, and rather one too many."""

    classes: frozenset[str] | None = None
    """Of a clip whose class the archive tells; None for all."""
    keys: Path | None = None
    """A file of the other clips that may be, one a line as :func:`key_line` has it; None for all."""
    here: Mapping[ClipKey, tuple[str, str]] = field(default_factory=dict)
    """Clips that the shard has given before: where each lies, and its sha256. The same again is not kept."""


@dataclass(frozen=True, slots=True)
class Assignment:
    """A shard, as it is given to a worker."""

    shard: ShardTask
    """Its ``tmp`` is the folder in which every try makes one of its own."""
    names: ShardNames
    wants: Wants
    fetching: Fetching
    again: bool = False
    """A worker was lost over it."""


@dataclass(frozen=True, slots=True)
class Staged:
    """What a worker brought: in ``folder``, a journal for each pass and the clips, all of it on disk."""

    folder: Path
    passes: int
    result: ShardResult

    def journal(self, number: int) -> Path:
        return journal_of(self.folder, number)


def journal_of(folder: Path, number: int) -> Path:
    """The journal of the pass ``number``, counted from 1."""
    return folder / f"{number}.jsonl"


def turns_of(task: ShardTask) -> Path:
    """The file by which a shard's turn comes; see :mod:`kdl.jobs.turns`."""
    return task.tmp / "turns"


def key_line(key: ClipKey) -> str:
    """A clip of a known split in a list of wanted ones."""
    return f"{key.youtube_id} {key.start} {key.end}"


def mirror_shard(task: Assignment, beacon: Beacon) -> Staged:
    """Bring a shard in, in a worker's process. What is wrong with the shard or the network is in the result.

    Raises DiskFull and MachineError, and WorkerLost where it was told to stop: nothing is left then but the
    spool, from which the next try goes on.
    """
    prepare_heap()
    return run_loop(_mirror(task, beacon))


async def _mirror(task: Assignment, beacon: Beacon) -> Staged:
    working = asyncio.create_task(_stage(task, _teller(beacon)))
    while not working.done():
        await asyncio.wait([working], timeout=_LOOK_S)
        if not working.done() and await asyncio.to_thread(beacon.stopped):
            working.cancel()
            await asyncio.wait([working])
            break
    if working.cancelled():  # nobody else cancels it
        raise WorkerLost("it was told to stop", subject=task.shard.shown)
    return working.result()


def _teller(beacon: Beacon) -> events.Listener:
    def tell(event: events.Event) -> None:
        with contextlib.suppress(OSError):  # what can not be told now is not worth the shard
            beacon.tell(event)

    return tell


async def _stage(task: Assignment, emit: events.Listener) -> Staged:
    folder = task.shard.tmp / secrets.token_hex(8)
    how, threads, barrier, passes = task.fetching, ThreadPoolExecutor(2), Barrier(), 0

    def sink() -> StagingSink:
        nonlocal passes
        passes += 1
        return StagingSink(folder, passes, task.names, task.wants)

    try:
        with disk_errors(folder):
            await asyncio.to_thread(folder.mkdir, parents=True)
        if task.again:
            await asyncio.to_thread(_drop_unprovable, task.shard)
        pressure = FarPressure(turns_of(task.shard), emit)
        async with Fetcher(
            how.origins,
            emit=pressure.hear,
            pressure=pressure,
            retry=how.retry,
            rate=RateLimit(how.rate),
            stall_s=how.stall_s,
            connections_per_file=how.connections_per_file,
        ) as fetcher:
            shard = replace(task.shard, tmp=folder)
            result = await bring_shard(shard, fetcher, how.retry, threads, sink, emit)
        await barrier.sync(folder)
    except BaseException:
        shutil.rmtree(folder, ignore_errors=True)
        raise
    finally:
        barrier.close()
        threads.shutdown(wait=True)
    return Staged(folder, passes, result)


def _drop_unprovable(task: ShardTask) -> None:
    """Drop a spool that a lost machine may have left with holes, where nothing would tell of them.

    What such a machine had not sent to the file server yet reads as zeros. A compressed archive's own
    checksums find that; a plain tar has none of its data.
    """
    found = spools_of(task.spool, task.shown, task.shard.url) if task.spool else ()
    for path in found:
        with disk_errors(path):
            with path.open("rb") as file:
                plain = sniff(file.read(HEAD)) not in (Kind.GZIP, Kind.XZ, Kind.BZ2, Kind.ZIP)
            if plain:
                path.unlink(missing_ok=True)


class StagingSink:
    """Puts the clips of one pass into its folder, and all that it met into its journal.

    A clip that an earlier pass has left there, and that comes the same again, is taken over from it: a
    file belongs to the last pass that gave it. Runs in the unpacking thread.
    """

    def __init__(self, folder: Path, number: int, names: ShardNames, wants: Wants) -> None:
        self._folder = folder / str(number)
        self._journal = Journal(journal_of(folder, number))
        self._earlier: Iterator[Entry] = entries(journal_of(folder, number - 1))
        self._before = folder / str(number - 1)
        self._next: ClipFile | None = None
        self._names = names
        self._wants = wants
        self._here = dict(wants.here)
        self._keys = None if wants.keys is None else _keys(wants.keys)

    def is_clip(self, base_name: str) -> bool:
        return self._names.key(base_name) is not None

    def place(self, member: Member) -> Placement:
        key = self._names.key(member.name)
        assert key is not None, "is_clip said yes"
        if not self._wanted(key, member):
            return Placement(None)
        own = self._folder / str(member.seq)
        if key in self._here:
            path, sha256 = self._here.pop(key)  # another member of this name is another copy
            return Placement(Path(path), sha256, own)
        before = self._given_before(member.seq)
        return Placement(own) if before is None else Placement(self._before / own.name, before, own)

    def _wanted(self, key: ClipKey, member: Member) -> bool:
        told = self._names.label(member.member)
        if self._wants.classes is not None and told is not None:
            return told in self._wants.classes
        return self._keys is None or key_line(key) in self._keys

    def _given_before(self, seq: int) -> str | None:
        """The sha256 of the clip that the pass before staged at this position."""
        while self._next is None or self._next.seq < seq:
            entry = next(self._earlier, None)
            if entry is None:
                return None
            if isinstance(entry, ClipFile):
                self._next = entry
        return self._next.sha256 if self._next.seq == seq and self._next.written else None

    def clip(self, file: ClipFile) -> None:
        if file.path is not None and not file.written and Path(file.path).parent == self._before:
            own = self._folder / str(file.seq)
            with disk_errors(own):
                self._folder.mkdir(exist_ok=True)
                Path(file.path).replace(own)
            file = replace(file, path=str(own), written=True)
        self._journal.add(file)

    def skip(self, member: str, reason: Skip) -> None:
        self._journal.add(Skipped(member, reason))

    def finish(self) -> None:
        self._journal.close()


@lru_cache(maxsize=2)
def _keys(path: Path) -> frozenset[str]:
    with disk_errors(path):
        return frozenset(path.read_text(encoding="utf-8").splitlines())
