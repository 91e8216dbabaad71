"""The course of every mirror run, wherever its clips come from: what is before they come, and after."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from functools import partial

from kdl.dataset.plan import Plan, Selection
from kdl.dataset.specs import Manifest
from kdl.jobs.checks import CheckStage
from kdl.jobs.deriving import DeriveStage, Target
from kdl.jobs.executors import TaskRunner
from kdl.jobs.inspection import Inspector
from kdl.jobs.listwriting import write_all_lists
from kdl.jobs.options import MirrorOptions
from kdl.jobs.planning import require_room, scope_of, volumes
from kdl.jobs.receipts import write_receipts
from kdl.jobs.restore import restore
from kdl.jobs.run import Run
from kdl.jobs.settle import tidy
from kdl.jobs.style import Style
from kdl.media.recipe import Recipe
from kdl.values import Level

Bring = Callable[[], Awaitable[None]]
"""Brings clips into the mirror, and returns when all are there."""


class Course:
    """What is asked of a run, and the steps that all runs have."""

    def __init__(
        self,
        run: Run,
        options: MirrorOptions,
        manifest: Manifest,
        selection: Selection,
        recipes: list[Recipe],
        style: Style,
    ) -> None:
        self.run = run
        self.options = options
        self.manifest = manifest
        self.selection = selection
        self.scope = scope_of(selection)
        self.recipes = recipes
        self.style: Style = style

    @property
    def deep(self) -> Level:
        """The level that clips are looked at with when they are looked at."""
        return Level.DECODE if self.options.level is Level.DECODE else Level.PROBE

    async def look_at_what_is_here(self) -> None:
        """What has gone from disk, or changed, is to be fetched again."""
        self.run.phase("looking at what is here")
        rehash = self.options.verb == "mirror" and self.options.level is Level.HASH
        await self.run.in_thread(partial(restore, rehash=rehash), self.run, self.scope)
        await self.run.recount(self.scope, force=True)

    def require_room(self, plan: Plan) -> None:
        """Raise DiskFull where the plan fits no disk."""
        found = volumes(plan, self.options, self.run.paths, self.recipes, self.run.ledger)
        require_room(found, force=self.options.force)

    def inspector(self, runner: TaskRunner) -> Inspector:
        return Inspector(self.run, runner, self.deep, self.options.prober)

    def derives(self, runner: TaskRunner, targets: list[Target]) -> DeriveStage:
        return DeriveStage(self.run, runner, self.scope, targets, hwaccel=self.options.hwaccel)

    def checks(self, inspector: Inspector, derives: DeriveStage) -> CheckStage:
        return CheckStage(
            self.run,
            inspector,
            self.scope,
            self.deep,
            tolerance=self.manifest.short_tolerance,
            on_sound=derives.wake,
        )

    async def checked(self, checks: CheckStage, bring: Bring) -> None:
        """Bring clips, and judge them as they come."""
        async with asyncio.TaskGroup() as group:
            checking = group.create_task(checks.work(), name="check") if self.options.checks else None
            await bring()
            checks.close()
            if checking is not None:
                self.run.phase("checking")
                await checking

    async def to_the_end(self, derives: DeriveStage, targets: list[Target], bring: Bring) -> None:
        """Bring the clips, and count and derive meanwhile; what is made of all of them comes last."""
        run, options = self.run, self.options
        await derives.prepare(retry_failed=options.retry_failed)
        async with asyncio.TaskGroup() as group:
            counting = group.create_task(self._keep_counting(), name="counts")
            deriving = group.create_task(derives.work(), name="derive")
            await bring()
            derives.wake()
            derives.close()
            if targets:
                run.phase("derivatives")
            await deriving
            counting.cancel()
        tidy(run.paths)
        await run.in_thread(write_receipts, run)
        if options.verb == "mirror":
            run.phase("lists")
            await run.in_thread(write_all_lists, run, self.manifest, targets)

    async def _keep_counting(self) -> None:
        while True:
            await self.run.recount(self.scope)
            await asyncio.sleep(0.5)
