"""Looking at all clips that are due: files in threads, videos in the workers."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from array import array
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field

from kdl.check.inspect import CheckResult
from kdl.check.judge import Expectation
from kdl.errors import MachineError
from kdl.jobs.inspection import Inspector
from kdl.jobs.restore import home_of
from kdl.jobs.run import Run
from kdl.jobs.verify_combined import Combined
from kdl.jobs.verify_derived import DerivedCheck
from kdl.jobs.verify_look import Look, Mark, look, sound_by_stat
from kdl.jobs.verify_pace import Pace
from kdl.jobs.verify_tally import Tally
from kdl.ledger.checked import (
    Bad,
    Known,
    known_files,
    record_back,
    record_bad,
    record_could_not,
    record_moved,
    record_sound,
    record_touched,
    was_verdict,
)
from kdl.ledger.clips import LEVELS, NO_TIME, clips_where, record_check
from kdl.values import SOUND, Level, Verdict

_BATCH = {Level.STAT: 1000, Level.HASH: 32, Level.PROBE: 8, Level.DECODE: 4}
"""Clips that a thread looks at before it takes the next ones: about a twentieth of a second's work."""
_RECORD_S = 1.0
"""Seconds after which the ledger is told all the same."""


@dataclass(slots=True)
class _Found:
    """What a batch of looks came to, on its way into the ledger."""

    at: float = field(default_factory=time.time)
    by_stat: list[Known] = field(default_factory=list)
    looks: list[Look] = field(default_factory=list)


class VerifyStage:
    """Looks at each clip once, tells the ledger in batches, and the tally."""

    def __init__(
        self,
        run: Run,
        level: Level,
        tally: Tally,
        combined: Combined,
        derived: DerivedCheck,
        inspector: Inspector | None,
        *,
        pace: Pace,
        tolerance: float,
        deadline: float | None,
    ) -> None:
        """``inspector`` for levels that probe; ``deadline`` is in seconds of ``time.monotonic``."""
        self._run = run
        self._level = level
        self._tally = tally
        self._combined = combined
        self._derived = derived
        self._inspector = inspector
        self._pace = pace
        self._tolerance = tolerance
        self._deadline = deadline
        self._prefix = f"{run.paths.base}/"

    async def work(self, ids: array[int], width: int) -> None:
        """Look at these clips, ``width`` batches at a time; what is done is recorded, however it ends."""
        self._tally.due = len(ids)
        self._tally.tell()
        size = _BATCH[self._level]
        batches = (ids[at : at + size] for at in range(0, len(ids), size))

        async def take() -> None:
            for batch in batches:
                if self._deadline is not None and time.monotonic() >= self._deadline:
                    return
                self._tally.taken += len(batch)
                await self._batch(batch)

        async with asyncio.TaskGroup() as group:
            for _ in range(width):
                group.create_task(take())
        self._tally.tell()

    async def _batch(self, ids: array[int]) -> None:
        to_probe = await self._run.in_thread(self._look_at, ids)
        if to_probe:
            await asyncio.gather(*map(self._probe, to_probe))
        await self._derived.check(ids)

    # In a thread

    def _look_at(self, ids: array[int]) -> list[Known]:
        """Those whose bytes are their own and that are to be probed; all else is recorded."""
        found, to_probe = _Found(), []
        try:
            for known in known_files(self._run.ledger.reader(), ids):
                self._run.checkpoint()
                if self._level is Level.STAT and self._plain(known) and sound_by_stat(self._prefix, known):
                    found.by_stat.append(known)
                    continue
                seen = look(self._run.paths.base, known, self._level, self._pace.passed)
                found.looks.append(seen)
                if seen.mark is Mark.SAME and self._is_probed(seen.known):
                    to_probe.append(seen.known)
                if time.time() - found.at > _RECORD_S:
                    self._record(found)
                    found = _Found()
        finally:
            # A run that is to end records what it has seen.
            self._record(found)
        return to_probe

    @staticmethod
    def _plain(known: Known) -> bool:
        """Nothing is held against it: size and time are enough to clear it."""
        return known.verdict != Verdict.MISSING and known.result != "could_not"

    def _record(self, found: _Found) -> None:
        if not found.by_stat and not found.looks:
            return
        emptied = [seen for seen in found.looks if _nobody_wants(seen)]
        looks = [seen for seen in found.looks if not _nobody_wants(seen)]

        def op(connection: sqlite3.Connection) -> None:
            for seen in emptied:
                record_moved(connection, seen.known.id, None)
            _record_looks(connection, looks, found.at)
            for corrupt in (False, True):
                ids = [known.id for known in found.by_stat if (known.verdict == Verdict.CORRUPT) is corrupt]
                record_sound(connection, ids, Level.STAT, found.at, corrupt=corrupt)

        self._run.ledger.write(op).result()
        self._combined.add((Mark.SAME, known.path) for known in found.by_stat)
        self._combined.add((seen.mark, seen.known.path) for seen in looks)
        verdicts = Counter(known.verdict for known in found.by_stat)
        verdicts.update(_verdict_after(seen) for seen in looks if self._is_final(seen))
        self._tally.add(
            verdicts=verdicts,
            could_not=sum(seen.mark is Mark.UNKNOWN for seen in looks),
            touched=sum(seen.mark is Mark.SAME and seen.mtime_ns is not None for seen in looks),
        )

    def _is_final(self, seen: Look) -> bool:
        """Whether the verdict is known: the clip was looked at, and no probe follows."""
        return not self._is_probed(seen.known) if seen.mark is Mark.SAME else seen.mark is not Mark.UNKNOWN

    def _is_probed(self, known: Known) -> bool:
        """Whether clips are probed, and this one, too: not what a deeper probe has condemned."""
        if self._inspector is None:
            return False
        return known.verdict != Verdict.CORRUPT or _deeper(known, self._level) is self._level

    # In the loop

    async def _probe(self, known: Known) -> None:
        assert self._inspector is not None
        try:
            result = await self._inspector.look(
                self._run.paths.base / known.path, known.path, Expectation(_nominal(known), self._tolerance)
            )
        except MachineError as error:
            if error.kind != MachineError.kind:  # no prober, no room: nothing can be judged
                raise
            level, said = self._level, error.message
            await self._run.ledger.do(lambda c: record_could_not(c, known.id, level, "not_checked", said))
            self._combined.add([(Mark.UNKNOWN, known.path)])
            self._tally.add(verdicts=Counter(), could_not=1)
            return
        await self._run.in_thread(self._judge, known, result)

    def _judge(self, known: Known, result: CheckResult) -> None:
        """Record what the bytes are; a corrupt clip is left where it lies, a sound one leaves quarantine."""
        verdict = result.judgement.verdict
        path = known.path
        if verdict in SOUND and path.startswith(".kdl/"):
            row = next(clips_where(self._run.ledger.reader(), "id = ?", (known.id,)))
            path = home_of(row, verdict)
            (self._run.paths.base / path).parent.mkdir(parents=True, exist_ok=True)
            (self._run.paths.base / known.path).replace(self._run.paths.base / path)
        level = self._level
        at = time.time()

        def op(connection: sqlite3.Connection) -> None:
            record_check(
                connection,
                known.id,
                known.sha256,
                result.judgement,
                result.facts,
                _deeper(known, level),
                path,
            )
            corrupt = verdict is Verdict.CORRUPT and bool(known.listed)
            record_sound(connection, [known.id], level, at, corrupt=corrupt)

        self._run.ledger.write(op).result()
        self._tally.add(verdicts=Counter([str(verdict if known.listed else Verdict.UNLISTED)]))


def _nobody_wants(seen: Look) -> bool:
    """Emptying the quarantine loses nothing that anybody wants back."""
    return seen.mark is Mark.GONE and seen.known.verdict == Verdict.CORRUPT


def _deeper(known: Known, level: Level) -> Level:
    before = Level(known.check_level) if known.check_level else level
    return max(before, level, key=LEVELS.index)


def _nominal(known: Known) -> float | None:
    return None if known.time_start == NO_TIME else float(known.time_end - known.time_start)


def _verdict_after(seen: Look) -> str:
    """The clip's verdict once the look is recorded."""
    if seen.mark is not Mark.SAME:
        return str(Verdict.MISSING)
    if seen.known.verdict == Verdict.MISSING:
        return str(was_verdict(seen.known))
    return seen.known.verdict


def _record_looks(connection: sqlite3.Connection, looks: Iterable[Look], at: float) -> None:
    for seen in looks:
        known = seen.known
        if seen.moved:
            record_moved(connection, known.id, known.path)
        if seen.mark is Mark.UNKNOWN:
            record_could_not(connection, known.id, seen.level, seen.kind, seen.detail)
        elif seen.mark is Mark.SAME:
            verdict = _verdict_after(seen)
            if known.verdict == Verdict.MISSING:
                record_back(connection, known.id, verdict, seen.mtime_ns or known.mtime_ns or 0)
            elif seen.mtime_ns is not None:
                record_touched(connection, known.id, seen.mtime_ns)
            record_sound(connection, [known.id], seen.level, at, corrupt=verdict == Verdict.CORRUPT)
        else:
            record_bad(
                connection,
                Bad(known.id, known.verdict, seen.level, seen.kind, seen.cause, seen.detail, seen.sha256),
            )
