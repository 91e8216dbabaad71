"""Derivatives are made while shards still arrive: sound clips in, files and frames out."""

from __future__ import annotations

import asyncio
import os
import shutil
from collections import deque
from dataclasses import dataclass
from pathlib import Path

from kdl import events
from kdl.archive.barrier import sync_filesystem
from kdl.errors import MachineError, UsageError, WorkerLost
from kdl.jobs.planning import derived_folder
from kdl.jobs.run import Run
from kdl.ledger.clips import ClipRow, Scope
from kdl.ledger.derivatives import (
    NEVER,
    DerivativeRow,
    Judged,
    clips_to_derive,
    count_derivatives,
    done_derivatives,
    drop_derivatives,
    drop_failed,
    record_derivatives,
    stray_derivatives,
)
from kdl.media.pool import WorkerPool
from kdl.media.recipe import Recipe, derived_path
from kdl.media.render import OutputResult, RenderOutput, RenderTask, render
from kdl.settings import MirrorPaths
from kdl.values import Finding

_PAGE = 1000
_TIMEOUT = 600.0
"""Seconds for the derivatives of one clip."""
_LAST_GASP = 20.0
"""What the worker's own limit adds to it, for ffmpeg to be ended and its words kept."""
_BATCH = 32


@dataclass(frozen=True, slots=True)
class Target:
    """A recipe and the folder its derivatives lie in."""

    recipe: Recipe
    folder: Path


def open_targets(paths: MirrorPaths, recipes: list[Recipe], derived: Path | None) -> list[Target]:
    """Make the folders of the recipes; with ``--derived`` on another disk and linked from the mirror.

    Raises UsageError where a folder is in use for something else, MachineError where it can not be made.
    """
    return [Target(recipe, _open_folder(paths, recipe.name, derived)) for recipe in recipes]


def _open_folder(paths: MirrorPaths, name: str, derived: Path | None) -> Path:
    link = paths.derived / name
    folder = derived_folder(paths, derived.absolute() if derived else None, name)
    try:
        paths.derived.mkdir(parents=True, exist_ok=True)
        if derived is not None and Path(os.path.realpath(link)) != Path(os.path.realpath(folder)):
            if link.is_dir() and not link.is_symlink() and any(link.iterdir()):
                raise UsageError(
                    "this mirror has derivatives of the recipe in its own folder already",
                    subject=str(link),
                    fix=f"mv {link} {folder} and run the same again, or leave --derived out",
                )
            if folder.is_dir() and any(folder.iterdir()) and not _only_temps(folder):
                raise UsageError(
                    "this folder holds something else",
                    subject=str(folder),
                    fix="give --derived another folder",
                )
            folder.mkdir(parents=True, exist_ok=True)
            if link.is_symlink():
                link.unlink()
            elif link.is_dir():
                link.rmdir()
            link.symlink_to(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".tmp-*"):
            shutil.rmtree(leftover, ignore_errors=True)
    except OSError as error:
        raise MachineError(
            f"the folder for derivatives can not be used ({error.strerror})", subject=str(folder)
        ) from error
    return folder


def _only_temps(folder: Path) -> bool:
    return all(entry.name.startswith(".tmp-") for entry in folder.iterdir())


class DeriveStage:
    """Makes the derivatives of every sound clip of the scope; the ledger is its queue."""

    def __init__(
        self, run: Run, pool: WorkerPool, scope: Scope, targets: list[Target], *, workers: int
    ) -> None:
        self._run = run
        self._pool = pool
        self._scope = scope
        self._targets = targets
        self._width = workers + 1
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
            _remove(target.folder / path)
        lost = [
            (clip_id, name)
            for clip_id, path in done_derivatives(self._run.ledger.reader(), name)
            if not os.path.exists(f"{target.folder}/{path}")  # noqa: PTH110 - for every derivative there is
        ]
        if lost:
            self._run.ledger.write(lambda c: drop_derivatives(c, lost)).result()

    async def work(self) -> None:
        """Run until closed and done. Raises DiskFull and ToolMissing."""
        if not self._targets:
            return
        try:
            while True:
                await self._fill()
                while self._queue and len(self._flying) < self._width:
                    row, have = self._queue.popleft()
                    self._flying[asyncio.create_task(self._render(row, have))] = row.id
                if self._flying:
                    done, _ = await asyncio.wait(
                        self._flying, timeout=0.5, return_when=asyncio.FIRST_COMPLETED
                    )
                    for task in done:
                        self._unsaved += task.result()
                        del self._flying[task]
                    if len(self._unsaved) >= _BATCH or not self._queue:
                        await self._save()
                elif self._closing and self._swept:
                    break
                elif self._closing:
                    # Once more from the beginning: a clock that was set back may have hidden a clip.
                    self._after, self._swept = NEVER, True
                else:
                    await self._wake.wait()
                self._wake.clear()
                if self._closing:
                    self._wake.set()
        finally:
            for task in self._flying:
                task.cancel()
            await asyncio.gather(*self._flying, return_exceptions=True)
            await self._save()
            for target in self._targets:
                shutil.rmtree(target.folder / f".tmp-{self._run.id}", ignore_errors=True)

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
                target.folder / f".tmp-{self._run.id}",
            )
            for target in self._targets
            if target.recipe.name not in have
        )
        clip = self._run.paths.base.absolute() / row.path
        task = RenderTask(clip, row.facts, outputs, _TIMEOUT)
        try:
            results = (await self._pool.run(render, task, timeout=_TIMEOUT + _LAST_GASP)).outputs
        except WorkerLost as lost:
            results = tuple(
                OutputResult(output.recipe.name, False, output.final_path, error=lost.message)
                for output in outputs
            )
        return [self._row(row, output, result) for output, result in zip(outputs, results, strict=True)]

    def _row(self, row: ClipRow, output: RenderOutput, result: OutputResult) -> DerivativeRow:
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
        )

    async def _save(self) -> None:
        """Behind a barrier: what the ledger calls done is on disk."""
        if not self._unsaved:
            return
        rows, self._unsaved = self._unsaved, []
        if any(row.state == "done" for row in rows):
            for folder in {target.folder for target in self._targets}:
                await asyncio.to_thread(sync_filesystem, folder)
        await self._run.ledger.do(lambda c: record_derivatives(c, rows))
        for row in rows:
            if row.state == "done":
                self._done += 1
                continue
            self._failed += 1
        self._tell()

    def _tell(self) -> None:
        self._run.emit(
            events.StageProgress("derive", self._done, self._failed, len(self._queue) + len(self._flying))
        )


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


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
