"""Checking overlaps fetching: clips are judged as their shards bring them."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from kdl import events
from kdl.check.inspect import CheckResult
from kdl.check.judge import Expectation
from kdl.errors import MachineError
from kdl.jobs.inspection import Inspector
from kdl.jobs.replace import replace_at_once
from kdl.jobs.restore import home_of
from kdl.jobs.run import Run
from kdl.ledger.clips import ClipRow, Scope, fresh_clips, record_check, shallow_clips
from kdl.values import SOUND, Level, Verdict

_PAGE = 500


class CheckStage:
    """Judges every clip of the scope that no check has seen; the ledger is its queue."""

    def __init__(
        self,
        run: Run,
        inspector: Inspector,
        scope: Scope,
        level: Level,
        *,
        tolerance: float,
        on_sound: Callable[[], None],
    ) -> None:
        self._run = run
        self._inspector = inspector
        self._scope = scope
        self._level = level
        self._tolerance = tolerance
        self._on_sound = on_sound
        self._wake = asyncio.Event()
        self._closing = False
        self._queue: deque[ClipRow] = deque()
        self._shallow: Iterator[ClipRow] = iter(())
        self._flying: dict[asyncio.Task[tuple[ClipRow, CheckResult]], int] = {}
        self._could_not: set[int] = set()
        self._done = 0
        self._failed = 0
        self._began = time.time()

    def wake(self) -> None:
        """There may be clips to check."""
        self._wake.set()

    def close(self) -> None:
        """No more will come: :meth:`work` ends when all is judged."""
        self._closing = True
        self._wake.set()

    async def work(self) -> None:
        """Run until closed and done. Raises MachineError where no clip can be checked at all."""
        self._shallow = self._shallow_clips()
        try:
            while True:
                await self._fill()
                while self._queue and len(self._flying) < 3 * self._inspector.room:
                    row = self._queue.popleft()
                    self._flying[asyncio.create_task(self._look(row))] = row.id
                if self._flying:
                    done, _ = await asyncio.wait(
                        self._flying, timeout=0.25, return_when=asyncio.FIRST_COMPLETED
                    )
                    await self._take(done)
                elif self._closing:
                    break
                else:
                    await self._wake.wait()
                self._wake.clear()
                if self._closing:
                    self._wake.set()
        finally:
            for task in self._flying:
                task.cancel()
            await asyncio.gather(*self._flying, return_exceptions=True)

    async def _fill(self) -> None:
        if self._queue:
            return
        self._queue.extend(await asyncio.to_thread(self._next_page))

    def _next_page(self) -> list[ClipRow]:
        busy = {*self._flying.values(), *self._could_not}
        fresh = fresh_clips(self._run.ledger.reader(), self._scope, _PAGE + len(busy))
        page = [row for row in fresh if row.id not in busy]
        page += islice(self._shallow, max(_PAGE - len(page), 0))
        return page

    def _shallow_clips(self) -> Iterator[ClipRow]:
        # A generator, so that its first question, too, is asked in a thread and by a reader of its own.
        yield from shallow_clips(self._run.ledger.reader(), self._scope, self._level)

    async def _look(self, row: ClipRow) -> tuple[ClipRow, CheckResult]:
        assert row.path is not None
        expectation = Expectation(row.key.nominal, self._tolerance)
        return row, await self._inspector.look(self._run.paths.base / row.path, row.path, expectation)

    async def _take(self, done: set[asyncio.Task[tuple[ClipRow, CheckResult]]]) -> None:
        judged = []
        for task in done:
            clip_id = self._flying[task]
            try:
                row, result = task.result()
                if not self._outdated(result):
                    judged.append((row, result))
            except MachineError as error:
                if error.kind != MachineError.kind:  # no prober, no room: nothing can be judged
                    raise
                self._could_not.add(clip_id)
                self._run.fail(error)
        if judged:
            corrupt = await self._run.in_thread(self._record, judged)
            if corrupt:
                await replace_at_once(self._run, ids=corrupt)
            if self._inspector.disagreed and self._began:
                await self._forget_opinions()
            self._on_sound()
        for task in done:
            del self._flying[task]
        self._done += len(judged)
        self._run.emit(
            events.StageProgress("check", self._done, self._failed, len(self._queue) + len(self._flying))
        )

    def _outdated(self, result: CheckResult) -> bool:
        """PyAV's word alone, given before it was found to be wrong: the clip is judged again."""
        alone = result.task.prober == "auto" and not result.asked_ffprobe
        return self._inspector.disagreed and alone and result.judgement.verdict in SOUND

    def _record(self, judged: list[tuple[ClipRow, CheckResult]]) -> list[int]:
        """Put each clip where its verdict belongs, then tell the ledger; the ids of the corrupt ones.

        A clip that its shard brought anew meanwhile stays as it is: it is checked again.
        """
        moved = []
        for row, result in judged:
            bad = result.judgement.verdict is Verdict.CORRUPT
            home = home_of(row, Verdict.CORRUPT if bad and row.listed else Verdict.OK)
            if self._move(row, home):
                moved.append((row, result, home))

        def op(connection: sqlite3.Connection) -> list[tuple[ClipRow, CheckResult]]:
            return [
                (row, result)
                for row, result, home in moved
                if record_check(
                    connection, row.id, row.sha256, result.judgement, result.facts, self._level, home
                )
            ]

        recorded = self._run.ledger.write(op).result()
        corrupt = [
            row.id for row, result in recorded if row.listed and result.judgement.verdict is Verdict.CORRUPT
        ]
        self._failed += len(corrupt)
        return corrupt

    def _move(self, row: ClipRow, home: str) -> bool:
        """Bring the clip's file to ``home``; False if it is not the file that was checked."""
        base = self._run.paths.base
        source, target = base / str(row.path), base / home
        if not _is_still(source, row):
            return False
        if home == row.path:
            return True
        target.parent.mkdir(parents=True, exist_ok=True)
        source.replace(target)
        if _is_still(target, row):
            return True
        target.replace(source)  # it was exchanged between the look and the move
        return False

    async def _forget_opinions(self) -> None:
        """PyAV was wrong once: what it alone judged in this run is judged again by ffprobe."""
        since, self._began = self._began, 0.0
        where, parameters = self._scope.where()
        await self._run.ledger.do(
            lambda c: c.execute(
                f"""UPDATE clips SET verdict = 'unchecked', check_level = NULL
                    WHERE verdict IN ('ok', 'short') AND origin <> 'replacement' AND checked_at >= ?
                    AND {where}""",
                (since, *parameters),
            )
        )


def _is_still(path: Path, row: ClipRow) -> bool:
    try:
        stat = path.stat()
    except FileNotFoundError:
        return False
    return (stat.st_size, stat.st_mtime_ns) == (row.size, row.mtime_ns)
