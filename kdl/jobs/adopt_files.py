"""Taking clips in: each is judged first, then put in its place, put on disk, and recorded."""

from __future__ import annotations

import asyncio
import errno
import os
import sqlite3
import time
from collections import Counter, deque
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from kdl import events
from kdl.check.hashes import sha256_file
from kdl.check.judge import Expectation
from kdl.diskerrors import disk_error
from kdl.errors import DiskFull, MachineError
from kdl.jobs.adopt_names import Named
from kdl.jobs.adopt_place import InTheWay, Placer
from kdl.jobs.adopt_release import Journal
from kdl.jobs.inspection import Inspector
from kdl.jobs.restore import place_of
from kdl.jobs.run import Run
from kdl.ledger.adopted import TakenClip, attribute, doubt_taken, record_taken
from kdl.ledger.clips import ClipRow, clip_row, find_clip
from kdl.values import SOUND, Cause, Facts, Finding, Judgement, Level, Verdict

BATCH = 256
"""Clips that are put on disk together."""
_NOTHING_TO_DO = "nothing to do: the one that is here is sound, and this file stays where it is"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A file that may be taken in."""

    path: Path
    named: Named
    origin: str
    """``file``: the user's; ``own``: lies in the mirror; ``archive``: came out of one, a file of ours."""
    shown: str
    """How the user knows it."""
    sha256: str | None = None
    """Where it is known already."""
    shard_id: int | None = None
    seq: int | None = None


@dataclass(frozen=True, slots=True)
class _Attribution:
    """A clip that is here already, and that an archive holds as well."""

    named: Named
    shard_id: int
    seq: int


class Intaker:
    """Takes candidates in, batch by batch."""

    def __init__(
        self, run: Run, inspector: Inspector, placer: Placer, journal: Journal, tolerance: float
    ) -> None:
        """``tolerance`` in seconds: what a clip may lack of what its name says."""
        self._run = run
        self._inspector = inspector
        self._placer = placer
        self._journal = journal
        self._tolerance = tolerance
        self._gate = asyncio.Semaphore(max(2, inspector.room * 3))
        self._began = time.time()
        self.counts: Counter[str] = Counter()
        """``adopted``, ``already_here``, ``corrupt``, ``duplicate``, ``in_the_way``, ``could_not``."""
        self.left_behind = 0
        """Files whose bytes the mirror has not: an archive that they came out of is still needed."""
        self.bytes = 0
        self.by_split: Counter[str] = Counter()

    async def take_all(self, batches: AsyncIterator[list[Candidate]]) -> None:
        """Take every batch in. Raises DiskFull and MachineError; other troubles are findings."""
        waiting: deque[Candidate] = deque()
        async for batch in batches:
            waiting.extend(batch)
            while waiting:
                await self._take(self._distinct(waiting))

    @staticmethod
    def _distinct(waiting: deque[Candidate]) -> list[Candidate]:
        """The next ones of different clips: of two files of one clip the ledger decides."""
        batch: dict[object, Candidate] = {}
        for _ in range(min(len(waiting), BATCH)):
            candidate = waiting.popleft()
            if candidate.named.key in batch:
                waiting.append(candidate)
            else:
                batch[candidate.named.key] = candidate
        return list(batch.values())

    async def _take(self, batch: Sequence[Candidate]) -> None:
        looked = await asyncio.gather(*(self._consider(candidate) for candidate in batch))
        taken = [item for item in looked if isinstance(item, TakenClip)]
        also = [item for item in looked if isinstance(item, _Attribution)]
        if taken:
            await self._run.on_disk(self._run.paths.base)

        def record(connection: sqlite3.Connection) -> None:
            record_taken(connection, taken)
            for item in also:
                attribute(connection, item.shard_id, [(item.seq, item.named.key)])

        if taken or also:
            await self._run.ledger.do(record)
        for clip in taken:
            good = clip.judgement.verdict in SOUND
            self.counts["adopted" if good else "corrupt"] += 1
            self.by_split[clip.key.split] += good
            self.bytes += clip.size if good else 0
        bad = self.counts["corrupt"] + self.counts["could_not"] + self.counts["in_the_way"]
        self._run.emit(events.StageProgress("adopt", self.counts.total() - bad, bad, 0))

    async def _consider(self, candidate: Candidate) -> TakenClip | _Attribution | None:
        async with self._gate:
            self._run.checkpoint()
            try:
                return await self._decide(candidate)
            except InTheWay:
                self._tell_in_the_way(candidate)
            except MachineError as error:
                if error.kind != MachineError.kind:  # no prober, no room: nothing can be judged
                    raise
                self._tell_could_not(candidate, error.message)
            except OSError as error:
                if isinstance(known := disk_error(error), DiskFull) or error.errno == errno.EROFS:
                    raise
                self._tell_could_not(candidate, known.message)
        return None

    async def _decide(self, candidate: Candidate) -> TakenClip | _Attribution | None:
        named = candidate.named
        stat = await asyncio.to_thread(candidate.path.stat)
        known = self._known(named)
        row = known if known is not None and self._is_here(known) else None
        if row is not None and self._is_it(candidate, row, stat):
            return self._already(candidate, row, stat)
        if stat.st_size == 0 and candidate.origin == "file":
            self._leave_corrupt(candidate, str(Cause.ZERO_BYTES))
            return None
        sha256 = candidate.sha256
        if sha256 is None:
            sha256 = await self._run.in_thread(self._digest, candidate.path)
        if known is not None and self._is_spoilt(candidate, known, sha256):
            self._tell_spoilt(candidate)
            return None
        if row is not None and sha256 == row.sha256 and candidate.origin != "own":
            return self._already(candidate, row, stat)
        if row is not None and (row.verdict is not Verdict.CORRUPT and row.cause is None):
            return self._further_copy(candidate)
        expectation = Expectation(named.key.nominal, self._tolerance)
        found = await self._inspector.look(candidate.path, candidate.shown, expectation)
        if found.judgement.verdict is Verdict.CORRUPT and (candidate.origin == "file" or row is not None):
            self._leave_corrupt(candidate, found.judgement.detail or str(found.judgement.cause))
            self._drop(candidate)
            return None
        return await self._run.in_thread(self._put, candidate, stat, sha256, found.judgement, found.facts)

    def _known(self, named: Named) -> ClipRow | None:
        """The clip as the ledger has it now."""
        found = find_clip(self._run.ledger.reader(), named.key)
        return None if found is None else clip_row(found)

    def _is_here(self, row: ClipRow) -> bool:
        if row.path is None or row.verdict is Verdict.MISSING:
            return False
        return (self._run.paths.base / row.path).is_file()

    def _is_spoilt(self, candidate: Candidate, row: ClipRow, sha256: str) -> bool:
        """Whether it lies in its place in the mirror, and its bytes were found to be other ones."""
        own = candidate.origin == "own" and row.path is not None
        in_place = own and candidate.path == self._run.paths.base / str(row.path)
        return in_place and row.verdict is Verdict.MISSING and row.sha256 not in (None, sha256)

    def _is_it(self, candidate: Candidate, row: ClipRow, stat: os.stat_result) -> bool:
        """Whether the file is the very one that is on record: by place, or by a link to it."""
        recorded = self._run.paths.base / str(row.path)
        if candidate.path == recorded:  # whether its bytes are still those, verify tells
            return True
        untouched = (stat.st_size, stat.st_mtime_ns) == (row.size, row.mtime_ns)
        return untouched and candidate.path.samefile(recorded)

    def _already(self, candidate: Candidate, row: ClipRow, stat: os.stat_result) -> _Attribution | None:
        """The same bytes are here: nothing is adopted twice."""
        self.counts["already_here"] += 1
        if candidate.origin == "file" and row.verdict in SOUND:
            self._journal.add(candidate.path, stat, candidate.named.key, row.sha256)
        return self._attribution(candidate)

    def _further_copy(self, candidate: Candidate) -> _Attribution | None:
        """Other bytes of a clip that is here and sound, which stays."""
        self.counts["duplicate"] += 1
        self.left_behind += 1
        self._find(candidate, "adopt_duplicate", "another copy of it is here and sound", _NOTHING_TO_DO)
        return self._attribution(candidate)

    def _attribution(self, candidate: Candidate) -> _Attribution | None:
        """What remains of a candidate that is not needed: that its shard holds the clip as well."""
        self._drop(candidate)
        if candidate.shard_id is None or candidate.seq is None:
            return None
        return _Attribution(candidate.named, candidate.shard_id, candidate.seq)

    def _digest(self, path: Path) -> str:
        return sha256_file(str(path), passed=lambda _: self._run.checkpoint())

    def _put(
        self, candidate: Candidate, before: os.stat_result, sha256: str, judgement: Judgement, facts: Facts
    ) -> TakenClip | None:
        """Put a judged file in its place; None, and told, where it changed under our hands."""
        named = candidate.named
        corrupt = judgement.verdict is Verdict.CORRUPT and named.listed
        path = place_of(named.key.split, named.class_dir, named.name, named.listed, corrupt)
        home = self._run.paths.base / path
        self._make_way(candidate, path, sha256)
        if candidate.origin == "file":
            self._placer.bring(candidate.path, home, sha256)
        else:
            self._placer.move(candidate.path, home, sha256)
        stat = home.stat()
        if candidate.origin == "file" and not _is_as_before(candidate.path, before, stat.st_size):
            home.unlink()
            self._tell_could_not(candidate, "it changed while it was read")
            return None
        if candidate.origin == "file":
            self._journal.add(candidate.path, before, named.key, sha256)
        if named.misplaced:
            fix = f"nothing to do: it is taken in as {path}"
            self._find(candidate, "adopt_misplaced", named.misplaced, fix)
        if corrupt:
            why = judgement.detail or str(judgement.cause)
            self._tell_corrupt(candidate, f"{why}; it is kept in the quarantine")
        return TakenClip(
            key=named.key,
            label=named.label,
            listed=named.listed,
            name=named.name,
            class_dir=named.class_dir,
            path=path,
            size=stat.st_size,
            mtime_ns=stat.st_mtime_ns,
            sha256=sha256,
            judgement=judgement,
            facts=facts,
            level=Level.PROBE,
            shard_id=candidate.shard_id,
            seq=candidate.seq,
        )

    def _make_way(self, candidate: Candidate, path: str, sha256: str) -> None:
        """What lies in the clip's place and is known not to be it, or not to be sound, goes aside."""
        row, home = self._known(candidate.named), self._run.paths.base / path
        bad = row is not None and row.path == path and row.verdict in (Verdict.MISSING, Verdict.CORRUPT)
        if bad and home != candidate.path and home.is_file() and self._digest(home) != sha256:
            aside = self._run.paths.quarantine / "changed" / candidate.named.key.split / home.name
            aside.parent.mkdir(parents=True, exist_ok=True)
            home.replace(aside)

    @staticmethod
    def _drop(candidate: Candidate) -> None:
        """What came out of an archive and is not wanted; the user's files stay, and the mirror's."""
        if candidate.origin == "archive":
            candidate.path.unlink(missing_ok=True)

    async def finish(self) -> None:
        """All are taken in: what rests on a reader that was found wrong meanwhile is judged again."""
        if self._inspector.disagreed:
            await self._run.ledger.do(partial(doubt_taken, since=self._began))

    # -- telling

    def _find(self, candidate: Candidate, kind: str, detail: str, fix: str, code: int = 0) -> None:
        self._run.find(Finding(kind, candidate.shown, detail, fix), code)

    def _leave_corrupt(self, candidate: Candidate, why: str) -> None:
        self.counts["corrupt"] += 1
        self.left_behind += 1
        self._tell_corrupt(candidate, f"{why}; it stays where it is, and is not used")

    def _tell_corrupt(self, candidate: Candidate, detail: str) -> None:
        command = self._run.command("mirror", "--split", candidate.named.key.split)
        self._find(candidate, "adopt_corrupt", detail, f"{command} fetches a good one, if there is one", 1)

    def _tell_could_not(self, candidate: Candidate, why: str) -> None:
        self.counts["could_not"] += 1
        self.left_behind += 1
        self._find(candidate, "adopt_unreadable", why, "see to it; then run the same again", 1)

    def _tell_spoilt(self, candidate: Candidate) -> None:
        self.counts["could_not"] += 1
        detail = "its bytes are not those recorded; it stays where it is until a good one is here"
        self._find(candidate, "clip_changed", detail, self._run.command("mirror"), 1)

    def _tell_in_the_way(self, candidate: Candidate) -> None:
        self.counts["in_the_way"] += 1
        self.left_behind += 1
        named = candidate.named
        place = place_of(named.key.split, named.class_dir, named.name, named.listed, False)
        detail = f"a file that the ledger does not know has its place, {place}"
        self._find(
            candidate, "adopt_in_the_way", detail, f"{self._run.command('adopt')} takes that one in first", 1
        )


def _is_as_before(path: Path, before: os.stat_result, size: int) -> bool:
    """Whether a file was not written to since, and ``size`` bytes of it were taken."""
    now = path.stat()
    return (now.st_size, now.st_mtime_ns, size) == (before.st_size, before.st_mtime_ns, now.st_size)
