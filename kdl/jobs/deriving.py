"""Derivatives are made while shards still arrive: sound clips in, files and frames out."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from kdl import events
from kdl.errors import WorkerLost
from kdl.jobs.derivedfolders import bring_home, open_folder, remove
from kdl.jobs.executors import TaskRunner
from kdl.jobs.rendering import Rendered, render_hashed, render_hashed_durably
from kdl.jobs.run import Run
from kdl.ledger.clips import ClipRow, Scope
from kdl.ledger.derivatives import (
    NEVER,
    DerivativeRow,
    Judged,
    clips_to_derive,
    count_derivatives,
    displaced_by,
    done_derivatives,
    drop_derivatives,
    drop_failed,
    record_derivatives,
    stray_derivatives,
)
from kdl.media.denseflow import require_denseflow
from kdl.media.hwaccel import Hwaccel
from kdl.media.opencv import require_opencv
from kdl.media.recipe import Recipe, derived_path
from kdl.media.task import OutputResult, RenderOutput, RenderTask
from kdl.settings import MirrorPaths
from kdl.values import Finding

_PAGE = 1000
_LAST_GASP = 20.0
"""What the worker's own limit adds to the recipes', for ffmpeg to be ended and its words kept."""
_BATCH = 32
_SAVE_S = 1.5
"""Seconds that the end of a run waits for its last derivatives to be on disk."""


@dataclass(frozen=True, slots=True)
class Target:
    """A recipe and the folder its derivatives lie in."""

    recipe: Recipe
    folder: Path


def open_targets(paths: MirrorPaths, recipes: list[Recipe], derived: Path | None) -> list[Target]:
    """Make the folders of the recipes; with ``--derived`` on another disk and linked from the mirror.

    Raises UsageError where a folder is in use for something else, MachineError where it can not be made,
    ToolMissing for an extra that a recipe needs.
    """
    for recipe in recipes:
        if recipe.kind == "flow" and recipe.engine == "denseflow":
            require_denseflow()
        elif recipe.kind == "flow":
            require_opencv(recipe.algorithm)
    return [Target(recipe, open_folder(paths, recipe.name, derived)) for recipe in recipes]


class DeriveStage:
    """Makes the derivatives of every sound clip of the scope; the ledger is its queue."""

    def __init__(
        self,
        run: Run,
        runner: TaskRunner,
        scope: Scope,
        targets: list[Target],
        *,
        hwaccel: Hwaccel = "none",
    ) -> None:
        self._run = run
        self._runner = runner
        self._work = render_hashed_durably if runner.remote else render_hashed
        self._scope = scope
        self._targets = targets
        self._hwaccel = hwaccel
        self._wake = asyncio.Event()
        self._closing = False
        self._queue: deque[tuple[ClipRow, frozenset[str]]] = deque()
        self._flying: dict[asyncio.Task[list[DerivativeRow]], int] = {}
        self._unsaved: list[DerivativeRow] = []
        self._done = 0
        self._failed = 0
        self._after: Judged = NEVER
        self._swept = False
        """The last walk over all sound clips has begun."""

    def wake(self) -> None:
        self._wake.set()

    def close(self) -> None:
        """No more sound clips will come: :meth:`work` ends when all is made."""
        self._closing = True
        self._wake.set()

    async def prepare(self, *, retry_failed: bool) -> None:
        """Forget derivatives that are no longer on disk and, if asked, earlier failures."""
        for target in self._targets:
            await asyncio.to_thread(self._forget_lost, target)
            if retry_failed:
                await self._run.ledger.do(lambda c, name=target.recipe.name: drop_failed(c, name))  # type: ignore[misc]

    def _forget_lost(self, target: Target) -> None:
        name = target.recipe.name
        strays = stray_derivatives(self._run.ledger.reader(), name)
        for _, path in strays:  # a trainer that reads folders must not meet them
            remove(target.folder / path)
        lost = [
            (clip_id, name)
            for clip_id, path in done_derivatives(self._run.ledger.reader(), name)
            if not os.path.exists(f"{target.folder}/{path}")  # noqa: PTH110 - for every derivative there is
        ]
        if lost:
            self._run.ledger.write(lambda c: drop_derivatives(c, lost)).result()
        bring_home(self._run, target.recipe, target.folder)

    async def work(self) -> None:
        """Run until closed and done. Raises DiskFull and ToolMissing."""
        if not self._targets:
            return
        try:
            while True:
                await self._fill()
                while self._queue and len(self._flying) <= self._runner.room(self._work):
                    row, have = self._queue.popleft()
                    self._flying[asyncio.create_task(self._render(row, have))] = row.id
                if self._flying:
                    done, _ = await asyncio.wait(
                        self._flying, timeout=0.5, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done:
                        self._unsaved += task.result()
                        self._run.pulse.beat()
                        del self._flying[task]
                    if len(self._unsaved) >= _BATCH or not self._queue:
                        await self._save()
                elif self._closing and self._swept:
                    break
                elif self._closing:
                    # Once more from the beginning: a clock that was set back may have hidden a clip, and
                    # the choice among copies may have given one another class.
                    self._after, self._swept = NEVER, True
                    for target in self._targets:
                        await self._run.in_thread(bring_home, self._run, target.recipe, target.folder)
                else:
                    await self._wake.wait()
                self._wake.clear()
                if self._closing:
                    self._wake.set()
        finally:
            for task in self._flying:
                task.cancel()
            await asyncio.gather(*self._flying, return_exceptions=True)
            await self._save_in_time()

    async def _fill(self) -> None:
        if self._queue:
            return
        await self._save()
        recipes = [(t.recipe.name, t.recipe.fingerprint) for t in self._targets]
        busy = set(self._flying.values())
        while not self._queue:
            rows, mark = await asyncio.to_thread(self._next_sound, recipes)
            self._queue.extend(item for item in rows if item[0].id not in busy)
            if mark is None:
                return
            self._after = mark
        self._tell()

    def _next_sound(
        self, recipes: list[tuple[str, str]]
    ) -> tuple[list[tuple[ClipRow, frozenset[str]]], Judged | None]:
        return clips_to_derive(self._run.ledger.reader(), self._scope, recipes, self._after, _PAGE)

    async def _render(self, row: ClipRow, have: frozenset[str]) -> list[DerivativeRow]:
        assert row.path is not None
        outputs = tuple(
            RenderOutput(
                target.recipe,
                target.folder
                / derived_path(target.recipe, row.key.split, row.class_dir or None, row.name or ""),
                self._scratch(target, row),
            )
            for target in self._targets
            if target.recipe.name not in have
        )
        clip = self._run.paths.base.absolute() / row.path
        limit = max((output.recipe.time_limit for output in outputs), default=0.0)
        task = RenderTask(clip, row.facts, outputs, limit, self._hwaccel)
        try:
            with self._run.pulse.bounded(2 * (limit + _LAST_GASP)):
                results = await self._make(task)
        except WorkerLost as lost:
            results = tuple(
                Rendered(OutputResult(output.recipe.name, False, output.final_path, error=lost.message))
                for output in outputs
            )
        if self._runner.remote:  # a worker that was lost may have left something
            for output in outputs:
                await asyncio.to_thread(shutil.rmtree, output.tmp_dir, ignore_errors=True)
        return [self._row(row, output, result) for output, result in zip(outputs, results, strict=True)]

    def _scratch(self, target: Target, row: ClipRow) -> Path:
        """Where the derivative is made; workers that may be lost have a folder for each clip."""
        folder = self._run.temp_in(target.folder)
        return folder / str(row.id) if self._runner.remote else folder

    async def _make(self, task: RenderTask) -> tuple[Rendered, ...]:
        """A worker that was killed, as for want of memory, says nothing about the clip: another one tries
        once more. Raises WorkerLost where that is lost as well, or the time was up."""
        limit = task.timeout + _LAST_GASP
        try:
            return await self._runner.run(self._work, task, timeout=limit)
        except WorkerLost as lost:
            if lost.timed_out:
                raise
            return await self._runner.run(self._work, task, timeout=limit)

    def _row(self, row: ClipRow, output: RenderOutput, made: Rendered) -> DerivativeRow:
        result = made.output
        folder = next(t.folder for t in self._targets if t.recipe.name == output.recipe.name)
        return DerivativeRow(
            row.id,
            output.recipe.name,
            output.recipe.fingerprint,
            row.sha256 or "",
            "done" if result.ok else "failed",
            str(result.path.relative_to(folder)),
            result.bytes,
            result.frames,
            result.error or result.complaint or None,
            made.sha256,
        )

    async def _save_in_time(self) -> None:
        """The same for a run that is to end: what a slow disk does not take by then is made again."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_SAVE_S):
                await self._save()

    async def _save(self) -> None:
        """Behind a barrier: what the ledger calls done is on disk."""
        if not self._unsaved:
            return
        rows, self._unsaved = self._unsaved, []
        if any(row.state == "done" for row in rows):
            for folder in {target.folder for target in self._targets}:
                await self._run.on_disk(folder)
        await asyncio.to_thread(self._remove_displaced, rows)
        await self._run.ledger.do(lambda c: record_derivatives(c, rows))
        for row in rows:
            if row.state == "done":
                self._done += 1
                continue
            self._failed += 1
        self._tell()

    def _remove_displaced(self, rows: list[DerivativeRow]) -> None:
        """What was made of a clip when it had another class would be known to nobody."""
        folders = {target.recipe.name: target.folder for target in self._targets}
        for recipe, path in displaced_by(self._run.ledger.reader(), rows):
            remove(folders[recipe] / path)

    def _tell(self) -> None:
        self._run.emit(
            events.StageProgress("derive", self._done, self._failed, len(self._queue) + len(self._flying))
        )


def derive_findings(run: Run, scope: Scope, recipes: list[Recipe]) -> dict[str, dict[str, int]]:
    """Counts by recipe; a finding for each derivative that could not be made."""
    counts = {}
    where, parameters = scope.where("clips.")
    for recipe in recipes:
        name = recipe.name
        counts[name] = count_derivatives(run.ledger.reader(), scope, name)
        for row in run.ledger.rows(
            f"""SELECT clips.path, d.error FROM derivatives AS d JOIN clips ON clips.id = d.clip_id
                WHERE d.recipe = ? AND d.state = 'failed' AND {where} ORDER BY clips.path""",
            (name, *parameters),
        ):
            run.find(
                Finding(
                    "derive_failed",
                    f"{row[0]} ({name})",
                    row[1] or "no reason given",
                    run.command("derive", "--recipe", name, "--retry-failed"),
                ),
                1,
            )
    return counts
