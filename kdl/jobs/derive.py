"""``kdl derive``: derivatives of the clips that are here, without the network."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdl import events
from kdl.dataset.manifest import load_manifest
from kdl.errors import UsageError
from kdl.jobs.deriving import DeriveStage, derive_findings, open_targets
from kdl.jobs.ending import recorded
from kdl.jobs.executors import ExecutorChoice, open_runner, resolve_executor
from kdl.jobs.options import ALL, Choice
from kdl.jobs.planning import resolve_choice, scope_of
from kdl.jobs.run import Run, mirror_paths, open_run
from kdl.jobs.style import style_of
from kdl.jobs.tools import require_tools
from kdl.ledger.clips import Scope
from kdl.media.cookbook import resolve_recipe
from kdl.media.hwaccel import Hwaccel, require_hwaccel
from kdl.media.recipe import Recipe
from kdl.settings import DRAIN_S, WATCHDOG_S
from kdl.values import RunSummary


@dataclass(frozen=True, slots=True)
class DeriveOptions:
    """Everything ``kdl derive`` takes."""

    dataset: str
    root: Path
    recipes: tuple[str, ...]
    choice: Choice = ALL
    """Splits and classes; shards have no say here."""
    workers: int = 0
    derived: Path | None = None
    retry_failed: bool = False
    ledger: Path | None = None
    watchdog_s: float = WATCHDOG_S
    hwaccel: Hwaccel = "none"
    executor: str = "local"
    """One of :data:`kdl.jobs.executors.WORDS`."""


async def derive(options: DeriveOptions, bus: events.Bus) -> RunSummary:
    """Make what is not made yet. Raises KdlError for what keeps it from starting."""
    if not options.recipes:
        raise UsageError("say what to make", subject="--recipe", fix="kdl derive k400 --recipe 320p")
    manifest = load_manifest(options.dataset)
    recipes = [resolve_recipe(word) for word in options.recipes]
    require_tools(probing=False, deriving=True)
    require_hwaccel(options.hwaccel)
    executor = resolve_executor(options.executor, mirror_paths(options.root, manifest.name))
    with open_run(
        "derive", manifest.name, options.dataset, options.root, bus, ledger_path=options.ledger, create=False
    ) as run:
        scope = scope_of(resolve_choice(manifest, options.choice, style_of(run.ledger)))

        async def result() -> dict[str, Any]:
            return {"derived": await asyncio.to_thread(derive_findings, run, scope, recipes)}

        going = _make(run, scope, recipes, options, executor)
        return await recorded(run, going, result, watchdog_s=options.watchdog_s)


async def _make(
    run: Run, scope: Scope, recipes: list[Recipe], options: DeriveOptions, executor: ExecutorChoice
) -> None:
    targets = open_targets(run.paths, recipes, options.derived)
    runner = await open_runner(
        run, executor, workers=options.workers, probing=False, recipes=recipes, derived=options.derived
    )
    stage = DeriveStage(run, runner, scope, targets, hwaccel=options.hwaccel)
    try:
        run.phase("derivatives")
        await run.recount(scope, force=True)
        await stage.prepare(retry_failed=options.retry_failed)
        stage.close()
        await stage.work()
    finally:
        await asyncio.shield(runner.close(DRAIN_S / 2))
