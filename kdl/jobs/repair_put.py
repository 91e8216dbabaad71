"""Puts good bytes in a bad clip's place: judged first, on the disk before the ledger is told."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from kdl.check.inspect import CheckResult
from kdl.check.judge import Expectation
from kdl.diskerrors import disk_errors
from kdl.errors import MachineError
from kdl.jobs.inspection import Inspector
from kdl.jobs.repair_options import Way
from kdl.jobs.restore import home_of
from kdl.jobs.run import Run
from kdl.ledger.clips import ClipRow
from kdl.ledger.repairs import is_on_record, record_repaired
from kdl.settings import MirrorPaths
from kdl.values import SOUND, Facts, Judgement, Level, Verdict


@dataclass(frozen=True, slots=True)
class Found:
    """Bytes that may be a bad clip's, whole in a file of the run's temporary folder."""

    row: ClipRow
    temp: Path
    sha256: str
    way: Way
    came_from: str | None = None
    """The file of this mirror, relative to it, that they are a second name or a copy of."""


class Outcome:
    """What a repair has come to so far."""

    def __init__(self) -> None:
        self.mended: Counter[Way] = Counter()
        self.why_not: defaultdict[int, list[str]] = defaultdict(list)
        """By clip: what each way that was tried came to."""
        self.retry: set[int] = set()
        """Clips that another try may mend."""

    def say(self, rows: Sequence[ClipRow], reason: str, *, again: bool = False) -> None:
        """These clips were not had in some way. ``again``: another try may help."""
        for row in rows:
            self.why_not[row.id].append(reason)
            if again:
                self.retry.add(row.id)


def digest_wanted(row: ClipRow) -> str | None:
    """The digest of a bad clip's good bytes; None where only bad ones are on record."""
    return row.sha256 if row.verdict is Verdict.MISSING else None


def temp_of(run: Run, row: ClipRow) -> Path:
    """Where the bytes of a clip are gathered; one of each clip is under way at a time."""
    return run.tmp / f"repair-{row.id}"


def aside_of(paths: MirrorPaths, row: ClipRow) -> Path:
    """Where a clip's bad file waits until a good one has its place."""
    return paths.quarantine / "bad" / row.key.split / (row.name or str(row.id))


def set_aside(paths: MirrorPaths, row: ClipRow) -> None:
    """Take the bad file of a missing clip out of the way of those who read clips."""
    if row.verdict is not Verdict.MISSING or row.path is None:
        return
    aside = aside_of(paths, row)
    with disk_errors(aside), contextlib.suppress(FileNotFoundError, NotADirectoryError):
        aside.parent.mkdir(parents=True, exist_ok=True)
        (paths.base / row.path).replace(aside)


def link_or_copy(source: Path, temp: Path) -> None:
    """Give a file of the same file system a second name; a copy where there are no hard links."""
    temp.unlink(missing_ok=True)
    try:
        os.link(source, temp)
    except OSError:
        shutil.copyfile(source, temp)


class Placer:
    """Judges what was found and puts what is good in its place."""

    def __init__(self, run: Run, inspector: Inspector, tolerance: float, outcome: Outcome) -> None:
        """``tolerance``: seconds that a clip may be shorter than its name says."""
        self._run = run
        self._inspector = inspector
        self._tolerance = tolerance
        self._outcome = outcome

    async def put(self, found: Sequence[Found]) -> set[int]:
        """Put what is good in its place; the ids of the clips that are mended.

        Whatever a kill leaves undone is done by the next repair: a clip is missing in the ledger until it
        lies in its place, and its bad file goes last. Raises MachineError and DiskFull.
        """
        judged: list[tuple[Found, CheckResult]] = []

        async def look(item: Found) -> None:
            expectation = Expectation(item.row.key.nominal, self._tolerance)
            try:
                result = await self._inspector.look(item.temp, item.row.name or "", expectation)
            except MachineError as error:
                if error.kind != MachineError.kind:  # no prober, no room: nothing can be judged
                    raise
                self._run.fail(error)
                self._outcome.say([item.row], "it could not be checked", again=True)
                return
            judged.append((item, result))

        await self._inspector.each(found, look)
        good = [pair for pair in judged if self._accepts(*pair)]
        if not good:
            return set()
        placed = await self._run.in_thread(self._place, good)
        await self._run.on_disk(self._run.paths.base)
        await self._run.ledger.do(lambda connection: _record(connection, placed))
        await self._run.in_thread(self._let_go, placed)
        for each in placed:
            self._outcome.mended[each.found.way] += each.mended
        return {each.found.row.id for each in placed if each.mended}

    def _accepts(self, item: Found, result: CheckResult) -> bool:
        wanted, verdict = digest_wanted(item.row), result.judgement.verdict
        if wanted is not None:
            reason = "" if item.sha256 == wanted else "other bytes than those on record"
        elif item.sha256 == item.row.sha256:
            reason = "the same bad bytes"
        else:
            reason = "" if verdict in SOUND else f"it is corrupt there too ({result.judgement.cause})"
        if reason:
            self._outcome.say([item.row], f"{WORDS[item.way]}: {reason}")
            item.temp.unlink(missing_ok=True)
        return not reason

    def _place(self, good: list[tuple[Found, CheckResult]]) -> list[_Placed]:
        placed = []
        for item, result in good:
            verdict = result.judgement.verdict
            corrupt = verdict is Verdict.CORRUPT and item.row.listed
            home = home_of(item.row, Verdict.CORRUPT if corrupt else Verdict.OK)
            target = self._run.paths.base / home
            with disk_errors(target):
                set_aside(self._run.paths, item.row)
                target.parent.mkdir(parents=True, exist_ok=True)
                item.temp.replace(target)
                stat = target.stat()
            if corrupt:
                self._outcome.say([item.row], f"its own bytes are corrupt ({result.judgement.cause})")
            facts = replace(result.facts, size=stat.st_size)
            placed.append(_Placed(item, home, stat.st_mtime_ns, result.judgement, facts, not corrupt))
        return placed

    def _let_go(self, placed: list[_Placed]) -> None:
        """The ledger knows: what was bad may go, and so may a name that the clip never had."""
        base, reader = self._run.paths.base, self._run.ledger.reader()
        for each in placed:
            row, other = each.found.row, each.found.came_from
            stray = other is not None and other != each.home and not is_on_record(reader, other)
            gone = [aside_of(self._run.paths, row)]
            gone += [base / row.path] if row.path is not None and row.path != each.home else []
            gone += [base / other] if stray and other is not None else []
            for path in gone:
                with disk_errors(path), contextlib.suppress(FileNotFoundError, NotADirectoryError):
                    path.unlink()


@dataclass(frozen=True, slots=True)
class _Placed:
    """A clip that lies in its place again."""

    found: Found
    home: str
    mtime_ns: int
    judgement: Judgement
    facts: Facts
    mended: bool
    """False where the clip's own bytes turned out to be corrupt."""


def _record(connection: sqlite3.Connection, placed: list[_Placed]) -> None:
    for each in placed:
        record_repaired(
            connection,
            each.found.row,
            path=each.home,
            name=each.found.row.name or Path(each.home).name,
            mtime_ns=each.mtime_ns,
            sha256=each.found.sha256,
            judgement=each.judgement,
            facts=each.facts,
            level=Level.PROBE,
        )


WORDS = {
    Way.HERE: "elsewhere in this mirror",
    Way.REPLACEMENT: "the replacement archive",
    Way.FOLDER: "--from",
    Way.INDEX: "its shard",
    Way.FILE: "its file at the host",
    Way.STREAM: "its shard",
}
"""How each way is called in a finding."""
