"""Derivatives are looked at together with their clips."""

from __future__ import annotations

import errno
import sqlite3
from array import array
from dataclasses import dataclass
from pathlib import Path
from typing import cast

from kdl.check.hashes import sha256_tree
from kdl.check.judge import Expectation
from kdl.errors import MachineError, MediaError
from kdl.jobs.inspection import Inspector
from kdl.jobs.run import Run
from kdl.jobs.verify_pace import Pace
from kdl.jobs.verify_tally import Tally
from kdl.ledger.derivatives import Made, learn_digests, made_of, record_damaged
from kdl.media.recipe import Storage
from kdl.media.store import stored
from kdl.values import SOUND, Finding, Level

_ABSENT = (errno.ENOENT, errno.ENOTDIR)


@dataclass(frozen=True, slots=True)
class _Sight:
    """What was found of a derivative: ``fault`` or ``hindrance``, or neither."""

    made: Made
    fault: str = ""
    hindrance: str = ""
    sha256: str | None = None


class DerivedCheck:
    """Looks at what recipes made of clips: there, of its size, with its frames, and of its digest."""

    def __init__(
        self,
        run: Run,
        level: Level,
        tally: Tally,
        pace: Pace,
        inspector: Inspector | None,
        absent: frozenset[str],
    ) -> None:
        """``absent``: recipes whose folder is not there; nothing is said of what they made."""
        self._run = run
        self._level = level
        self._tally = tally
        self._pace = pace
        self._inspector = inspector
        self._absent = absent

    async def check(self, clips: array[int]) -> None:
        """Look at the derivatives of these clips; what is damaged is made anew by the next derive."""
        sights = await self._run.in_thread(self._look_at, clips)
        for sight in sights:
            if self._inspector is not None and _is_video(sight.made) and not sight.fault:
                await self._probe(self._inspector, sight.made)

    # In a thread

    def _look_at(self, clips: array[int]) -> list[_Sight]:
        made = [m for m in made_of(self._run.ledger.reader(), clips) if m.recipe not in self._absent]
        sights: list[_Sight] = []
        try:
            for each in made:
                self._run.checkpoint()
                sights.append(self._look(each))
        finally:
            self._record(sights)
        return [sight for sight in sights if not sight.hindrance]

    def _look(self, made: Made) -> _Sight:
        path = self._run.paths.derived / made.recipe / made.path
        try:
            fault = _fault(path, made, deep=self._level is not Level.STAT)
            if fault or self._level is Level.STAT:
                return _Sight(made, fault)
            digest = sha256_tree(str(path), passed=self._pace.passed)
        except OSError as error:
            if error.errno in _ABSENT:
                return _Sight(made, "it has gone")
            return _Sight(made, hindrance=error.strerror or str(error))
        other = made.sha256 is not None and digest != made.sha256
        return _Sight(made, "its bytes are not those that were made" if other else "", sha256=digest)

    def _record(self, sights: list[_Sight]) -> None:
        damaged = [(sight.made, sight.fault) for sight in sights if sight.fault]
        learnt = [
            (sight.made, sight.sha256)
            for sight in sights
            if sight.sha256 is not None and sight.made.sha256 is None and not sight.fault
        ]

        def op(connection: sqlite3.Connection) -> None:
            record_damaged(connection, damaged)
            learn_digests(connection, learnt)

        if damaged or learnt:
            self._run.ledger.write(op).result()
        hindered = [sight for sight in sights if sight.hindrance]
        for sight in hindered:
            where = f"derived/{sight.made.recipe}/{sight.made.path}"
            fix = "look at its permissions and at the disk; then run the same again"
            self._run.find(Finding("not_checked", where, sight.hindrance, fix), MachineError.exit_code)
        self._tally.derivatives["checked"] += len(sights) - len(hindered)
        self._tally.derivatives["damaged"] += len(damaged)
        self._tally.derivatives["could_not_check"] += len(hindered)

    # In the loop

    async def _probe(self, inspector: Inspector, made: Made) -> None:
        """A video's frames, counted. What hinders the look is told."""
        name = f"derived/{made.recipe}/{made.path}"
        try:
            found = await inspector.look(self._run.paths.base / name, name, Expectation(None))
        except MachineError as error:
            if error.kind != MachineError.kind:
                raise
            self._run.fail(error)
            self._tally.derivatives["could_not_check"] += 1
            return
        fault = ""
        if found.judgement.verdict not in SOUND:
            fault = found.judgement.detail or str(found.judgement.cause)
        elif made.frames is not None and found.facts.frames != made.frames:
            fault = f"it holds {found.facts.frames} frames, {made.frames} were made"
        if fault:
            await self._run.ledger.do(lambda c: record_damaged(c, [(made, fault)]))
            self._tally.derivatives["damaged"] += 1


def _is_video(made: Made) -> bool:
    return Path(made.path).suffix in (".mp4", ".mkv", ".webm", ".mov")


def _fault(path: Path, made: Made, *, deep: bool) -> str:
    """What is wrong with a derivative, by its size and the files in it. Raises OSError."""
    if path.is_dir():
        sizes = stored(path, "folder")
        return _lacking(sizes, made, sum(sizes.values()))
    size = path.stat().st_size
    if size != made.bytes:
        return f"{size:,} of its {made.bytes:,} bytes are there"
    storage = path.suffix[1:]
    if deep and storage in ("zip", "tar"):
        try:
            return _lacking(stored(path, cast(Storage, storage)), made, made.bytes)
        except MediaError as error:
            return error.message
    return ""


def _lacking(sizes: dict[str, int], made: Made, total: int) -> str:
    # Flow counts pairs of pictures.
    if made.frames is not None and len(sizes) not in (made.frames, 2 * made.frames):
        return f"{len(sizes)} pictures are there, {made.frames} were made"
    if total != made.bytes:
        return f"{total:,} of its {made.bytes:,} bytes are there"
    return ""


def absent_recipes(run: Run) -> frozenset[str]:
    """Recipes that made something, and whose folder is not there: its disk may not be mounted."""
    rows = run.ledger.rows("SELECT DISTINCT recipe FROM derivatives WHERE state = 'done'")
    names = frozenset(row[0] for row in rows if not (run.paths.derived / row[0]).is_dir())
    for name in sorted(names):
        where = f"derived/{name}"
        said = "the folder is not there, and nothing is said of what it held"
        folder = run.paths.derived / name
        if folder.is_symlink():
            said = f"a link to {folder.readlink()}, where there is nothing"
        fix = f"mount its disk; or make all of it anew: {run.command('derive', '--recipe', name)}"
        run.find(Finding("not_checked", where, said, fix), MachineError.exit_code)
    return names
