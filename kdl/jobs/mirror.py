"""``kdl mirror`` and ``kdl fetch``: from link lists to verified, repaired, derived and listed clips."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from kdl import events
from kdl.cluster.runner import ClusterRunner
from kdl.dataset.manifest import load_manifest
from kdl.dataset.plan import Need, Plan, Selection
from kdl.dataset.specs import Manifest
from kdl.errors import UsageError
from kdl.fetch.limits import RateLimit
from kdl.fetch.origins import Origins
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.timetable import share
from kdl.fetch.transfer import Fetcher
from kdl.jobs.adopted import covered_shards, record_covered
from kdl.jobs.checks import CheckStage
from kdl.jobs.deriving import DeriveStage, derive_findings, open_targets
from kdl.jobs.duplicates import resolve_duplicates
from kdl.jobs.ending import recorded
from kdl.jobs.executors import ExecutorChoice, TaskRunner, open_runner, resolve_executor
from kdl.jobs.inspection import Inspector
from kdl.jobs.listings import bring_listings
from kdl.jobs.listwriting import write_all_lists
from kdl.jobs.options import MirrorOptions
from kdl.jobs.planning import (
    make_plan,
    needs_replacement,
    require_room,
    resolve_choice,
    scope_of,
    volumes,
)
from kdl.jobs.receipts import write_receipts
from kdl.jobs.replace import bring_replacements, judge_replacements, replace_clips, restore_replaced
from kdl.jobs.restore import restore
from kdl.jobs.run import Run, mirror_paths, open_run
from kdl.jobs.sending import Bringer, LocalBringer, SendingBringer
from kdl.jobs.settle import clip_findings, name_absences, tidy
from kdl.jobs.shelf import Shelf
from kdl.jobs.shelving import ShardStage
from kdl.jobs.staging import Fetching
from kdl.jobs.style import Style, settle_style
from kdl.jobs.subset import SubsetStage, plan_subsets, take_indexes
from kdl.jobs.timeline import Timeline
from kdl.jobs.tools import require_tools
from kdl.media.cookbook import resolve_recipe
from kdl.media.hwaccel import require_hwaccel
from kdl.media.recipe import Recipe
from kdl.settings import DRAIN_S
from kdl.values import Level, RunSummary, Verdict


async def mirror(options: MirrorOptions, bus: events.Bus) -> RunSummary:
    """Bring the selection to the state asked for; what is there already is not fetched again.

    Raises KdlError only for what keeps it from starting; everything later is in the summary, a signal
    that ends it included.
    """
    manifest = load_manifest(options.dataset)
    recipes = [resolve_recipe(word) for word in options.recipes]
    origins = Origins({host.name: host.base for host in manifest.hosts}, options.origins)
    resolve_choice(manifest, options.choice, "mmaction2")  # wrong names end it before anything is made
    if recipes and not options.checks:
        raise UsageError(
            "derivatives are made of clips that were probed",
            subject=f"--level {options.level}",
            fix="--level probe, or leave --recipe out",
        )
    executor = resolve_executor(options.executor, mirror_paths(options.root, manifest.name))
    _require_index(options)
    require_tools(probing=options.checks, deriving=bool(recipes))
    if recipes:
        require_hwaccel(options.hwaccel)
    with open_run(
        options.verb,
        manifest.name,
        options.dataset,
        options.root,
        bus,
        ledger_path=options.ledger,
        create=True,
    ) as run:
        style = settle_style(run.ledger, options.class_style)
        selection = resolve_choice(manifest, options.choice, style)
        work = _Mirror(run, options, manifest, selection, recipes, style)
        return await recorded(run, work.go(origins, executor), work.result, watchdog_s=options.watchdog_s)


class _Mirror:
    """One run, step by step."""

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
        self.shards: ShardStage | None = None
        self.subsets: SubsetStage | None = None
        self.timeline = Timeline(run.emit)
        self.plan: Plan | None = None

    async def go(self, origins: Origins, executor: ExecutorChoice) -> None:
        options, run = self.options, self.run
        threads = ThreadPoolExecutor(options.jobs + 2, thread_name_prefix="kdl-unpack")
        policy = RetryPolicy(tries=options.tries)
        runner = await open_runner(
            run,
            executor,
            workers=options.workers,
            probing=options.checks,
            recipes=self.recipes,
            derived=options.derived,
        )
        rate = RateLimit(options.limit_rate)
        run.pulse.excuse(lambda: rate.waiting > 0)
        try:
            async with Fetcher(
                origins,
                retry=policy,
                rate=rate,
                stall_s=options.stall_s,
                connections=max(16, options.jobs),
                connections_per_file=options.connections_per_file,
                jobs=options.jobs,
                emit=self.timeline.hear,
            ) as fetcher:
                await self._steps(origins, fetcher, policy, runner, threads)
        finally:
            await asyncio.shield(runner.close(DRAIN_S / 2))
            threads.shutdown(wait=True, cancel_futures=True)

    async def _steps(
        self,
        origins: Origins,
        fetcher: Fetcher,
        policy: RetryPolicy,
        runner: TaskRunner,
        threads: ThreadPoolExecutor,
    ) -> None:
        run, options, manifest, scope = self.run, self.options, self.manifest, self.scope
        listings = await bring_listings(run, fetcher, manifest, self.selection.splits, self.style)
        run.phase("looking at what is here")
        rehash = options.verb == "mirror" and options.level is Level.HASH
        await run.in_thread(partial(restore, rehash=rehash), run, scope)
        await run.recount(scope, force=True)
        if not listings.shards:
            return
        targets = open_targets(run.paths, self.recipes, options.derived)
        run.phase("planning")
        covered = await run.in_thread(
            covered_shards, run.ledger, run.paths, manifest, listings.all(), self.selection
        )
        plan, stats = await make_plan(
            manifest, listings.all(), self.selection, fetcher, run.ledger, run.paths, covered=covered
        )
        await record_covered(run, manifest, plan, covered, stats)
        if options.index_file is not None:
            await run.in_thread(take_indexes, run, options.index_file, plan, stats)
        plan, subsets = await run.in_thread(
            plan_subsets, run.ledger, run.paths, manifest, self.selection, plan, stats
        )
        self.plan = plan
        self._require_room(plan)
        self._publish_plan(plan)
        inspector = Inspector(run, runner, _deep(options.level), options.prober)
        if needs_replacement(manifest, self.selection):
            await bring_replacements(run, fetcher, manifest, policy, threads, spool=options.spool)
            if options.checks:
                await judge_replacements(run, inspector, _deep(options.level), manifest.short_tolerance)
            await restore_replaced(run, self.selection.splits)
        derives = DeriveStage(run, runner, scope, targets, hwaccel=options.hwaccel)
        checks = CheckStage(
            run,
            inspector,
            scope,
            _deep(options.level),
            tolerance=manifest.short_tolerance,
            on_sound=derives.wake,
        )
        loop = asyncio.get_running_loop()
        shelf = Shelf(
            run.ledger,
            manifest,
            self.selection,
            run.paths,
            self.style,
            on_arrival=partial(loop.call_soon_threadsafe, checks.wake),
        )
        bringer: Bringer = LocalBringer(fetcher, policy, threads)
        if isinstance(runner, ClusterRunner):
            fetching = self._fetching(policy, origins)
            bringer = SendingBringer(run, runner, fetcher, fetching, manifest, self.selection)
        self.subsets = SubsetStage(run, fetcher, shelf, options.jobs)
        self.shards = ShardStage(run, bringer, fetcher.pressure, shelf, options, stats, self.timeline)
        await derives.prepare(retry_failed=options.retry_failed)
        run.phase("shards")
        async with asyncio.TaskGroup() as group:
            counting = group.create_task(self._keep_counting(), name="counts")
            deriving = group.create_task(derives.work(), name="derive")
            checking = group.create_task(checks.work(), name="check") if options.checks else None
            whole = await self.subsets.work(subsets)
            await self.shards.work(plan.whole_after_all(whole))
            checks.close()
            if checking is not None:
                run.phase("checking")
                await checking
            await self._settle(inspector)
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
            await run.in_thread(write_all_lists, run, manifest, targets)

    def _fetching(self, policy: RetryPolicy, origins: Origins) -> Fetching:
        """How a cluster's workers fetch: each shard has an even share of the rate."""
        options = self.options
        rate = share(options.limit_rate, options.jobs)
        return Fetching(origins, policy, options.stall_s, options.connections_per_file, rate)

    async def _settle(self, inspector: Inspector) -> None:
        """All bytes are here: duplicates, absences, and what the replacements can still mend."""
        splits = self.selection.splits
        if self.options.checks:
            await resolve_duplicates(
                self.run, inspector, splits, _deep(self.options.level), self.manifest.short_tolerance
            )
        await name_absences(self.run, splits)
        if self.options.checks:
            await replace_clips(self.run, self.scope)

    async def _keep_counting(self) -> None:
        while True:
            await self.run.recount(self.scope)
            await asyncio.sleep(0.5)

    async def publish_counts(self) -> dict[str, int]:
        return await self.run.recount(self.scope, force=True)

    def _require_room(self, plan: Plan) -> None:
        found = volumes(plan, self.options, self.run.paths, self.recipes, self.run.ledger)
        require_room(found, force=self.options.force)

    def _publish_plan(self, plan: Plan) -> None:
        done = sum(item.need is not Need.FETCH for item in plan.shards)
        self.run.emit(events.Planned(len(plan.to_fetch), done, plan.download))
        for note in plan.notes:
            self.run.note(note)

    async def result(self) -> dict[str, Any]:
        """The verb's own part of the summary, and the findings about clips."""
        run = self.run
        await asyncio.to_thread(clip_findings, run, self.scope, strict=self.options.strict)
        counts = await self.publish_counts()
        stage = self.shards
        skipped = sum(item.need is Need.DONE for item in self.plan.shards) if self.plan else 0
        seen = run.state.snapshot()
        return {
            "shards": {
                "done": stage.done if stage else 0,
                "failed": stage.failed if stage else 0,
                "skipped": skipped,
            },
            "bytes": {
                "fetched": seen["bytes"]["fetched"],
                "written": sum(each.written for each in (stage, self.subsets) if each),
            },
            "retries": dict(sorted(seen["retries"]["by_cause"].items())),
            "clips": {verdict.value: counts.get(verdict.value, 0) for verdict in Verdict}
            | {"replaced": counts.get("replaced", 0)},
            "derived": await asyncio.to_thread(derive_findings, run, self.scope, self.recipes),
        }


def _require_index(options: MirrorOptions) -> None:
    """Raise UsageError for an ``--index`` that is not there, or of no use."""
    if options.index_file is None:
        return
    subject = f"--index {options.index_file}"
    if not options.index_file.is_file():
        raise UsageError("there is no such file", subject=subject)
    if not options.choice.classes:
        raise UsageError(
            "it spares reading only where a part of the classes is wanted",
            subject=subject,
            fix="give --class",
        )


def _deep(level: Level) -> Level:
    """The level that clips are looked at with when they are looked at."""
    return Level.DECODE if level is Level.DECODE else Level.PROBE
