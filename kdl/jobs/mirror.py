"""``kdl mirror`` and ``kdl fetch``: from link lists to verified, repaired, derived and listed clips."""

from __future__ import annotations

import asyncio
import math
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from kdl import events
from kdl.cluster.runner import ClusterRunner
from kdl.dataset.manifest import load_manifest
from kdl.dataset.plan import Need, Plan
from kdl.errors import FetchError, UsageError
from kdl.fetch.limits import RateLimit
from kdl.fetch.origins import Origins
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.timetable import share
from kdl.fetch.transfer import Fetcher
from kdl.fetch.youtube import Videos
from kdl.jobs.adopted import covered_shards, only_lacking, record_covered
from kdl.jobs.course import Course
from kdl.jobs.deriving import derive_findings, open_targets
from kdl.jobs.duplicates import resolve_duplicates
from kdl.jobs.ending import recorded
from kdl.jobs.executors import ExecutorChoice, TaskRunner, open_runner, resolve_executor
from kdl.jobs.inspection import Inspector
from kdl.jobs.listings import bring_listings
from kdl.jobs.options import YOUTUBE, MirrorOptions
from kdl.jobs.planning import (
    make_plan,
    needs_replacement,
    resolve_choice,
)
from kdl.jobs.published import bring_published
from kdl.jobs.replace import bring_replacements, judge_replacements, replace_clips, restore_replaced
from kdl.jobs.run import mirror_paths, open_run
from kdl.jobs.sending import Bringer, LocalBringer, SendingBringer
from kdl.jobs.settle import clip_findings, name_absences
from kdl.jobs.shelf import Shelf
from kdl.jobs.shelving import ShardStage
from kdl.jobs.staging import Fetching
from kdl.jobs.style import settle_style
from kdl.jobs.subset import SubsetStage, plan_subsets, take_indexes
from kdl.jobs.timeline import Timeline
from kdl.jobs.tools import require_tools
from kdl.jobs.torrents import from_torrent, require_torrent, source_options
from kdl.jobs.youtube_ask import Asking
from kdl.jobs.youtube_begin import videos_of
from kdl.media.cookbook import resolve_recipe
from kdl.media.hwaccel import require_hwaccel
from kdl.settings import DRAIN_S
from kdl.values import Finding, RunSummary, Verdict


async def mirror(options: MirrorOptions, bus: events.Bus) -> RunSummary:
    """Bring the selection to the state asked for; what is there already is not fetched again.

    Raises KdlError only for what keeps it from starting; everything later is in the summary, a signal
    that ends it included.
    """
    manifest = load_manifest(options.dataset)
    recipes = [resolve_recipe(word) for word in options.recipes]
    videos, overrides = videos_of(manifest, options)
    origins = Origins({host.name: host.base for host in manifest.hosts}, overrides)
    resolve_choice(manifest, options.choice, "mmaction2")  # wrong names end it before anything is made
    if recipes and not options.checks:
        raise UsageError(
            "derivatives are made of clips that were probed",
            subject=f"--level {options.level}",
            fix="--level probe, or leave --recipe out",
        )
    executor = resolve_executor(options.executor, mirror_paths(options.root, manifest.name))
    _require_index(options)
    require_torrent(manifest, options.origins, options.torrent)
    require_tools(probing=options.checks, deriving=bool(recipes) or options.asks_youtube)
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
        work = _Mirror(Course(run, options, manifest, selection, recipes, style), videos)
        return await recorded(run, work.go(origins, executor), work.result, watchdog_s=options.watchdog_s)


class _Mirror:
    """One run, step by step."""

    def __init__(self, course: Course, videos: Videos | None) -> None:
        self.course = course
        self.run = course.run
        self.options = course.options
        self.manifest = course.manifest
        self.selection = course.selection
        self.scope = course.scope
        self.videos = videos
        self.youtube: Asking | None = None
        self.shards: ShardStage | None = None
        self.subsets: SubsetStage | None = None
        self.timeline = Timeline(course.run.emit)
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
            recipes=self.course.recipes,
            derived=options.derived,
        )
        rate = RateLimit(options.limit_rate)
        run.pulse.excuse(lambda: rate.waiting > 0)
        if self.videos is not None:
            self.youtube = Asking(self.course, self.videos, policy, rate)
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
                sources=source_options(self.manifest, run.paths, options.torrent, options.limit_rate),
            ) as fetcher:
                if self.youtube is not None and options.source == YOUTUBE:
                    await self.youtube.instead_of_shards(fetcher, runner)
                else:
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
        course, run, options, manifest = self.course, self.run, self.options, self.manifest
        listings = await bring_listings(run, fetcher, manifest, self.selection.splits, course.style)
        await bring_published(run, fetcher, manifest, listings.shards)
        await course.look_at_what_is_here()
        if not listings.shards:
            return
        targets = open_targets(run.paths, course.recipes, options.derived)
        run.phase("planning")
        listed = await run.in_thread(only_lacking, run.ledger, manifest, listings.all(), self.selection)
        covered = await run.in_thread(covered_shards, run.ledger, run.paths, manifest, listed, self.selection)
        plan, stats = await make_plan(
            manifest, listed, self.selection, fetcher, run.ledger, run.paths, covered=covered
        )
        await record_covered(run, manifest, plan, covered, stats)
        if options.index_file is not None:
            await run.in_thread(take_indexes, run, options.index_file, plan, stats)
        plan, subsets = await run.in_thread(
            plan_subsets, run.ledger, run.paths, manifest, self.selection, plan, stats
        )
        self.plan = plan
        course.require_room(plan)
        self._publish_plan(plan)
        inspector = course.inspector(runner)
        if needs_replacement(manifest, self.selection):
            await bring_replacements(run, fetcher, manifest, policy, threads, spool=options.spool)
            if options.checks:
                await judge_replacements(run, inspector, course.deep, manifest.short_tolerance)
            await restore_replaced(run, self.selection.splits)
        derives = course.derives(runner, targets)
        checks = course.checks(inspector, derives)
        loop = asyncio.get_running_loop()
        shelf = Shelf(
            run.ledger,
            manifest,
            self.selection,
            run.paths,
            course.style,
            on_arrival=partial(loop.call_soon_threadsafe, checks.wake),
        )
        bringer: Bringer = LocalBringer(fetcher, policy, threads)
        if isinstance(runner, ClusterRunner) and not from_torrent(manifest, options.origins):
            fetching = self._fetching(policy, origins)
            bringer = SendingBringer(run, runner, fetcher, fetching, manifest, self.selection)
        self.subsets = SubsetStage(run, fetcher, shelf, options.jobs)
        self.shards = ShardStage(run, bringer, fetcher.pressure, shelf, options, stats, self.timeline)
        shards, subset_stage = self.shards, self.subsets

        async def read_shards() -> None:
            run.phase("shards")
            whole = await subset_stage.work(subsets)
            await shards.work(plan.whole_after_all(whole))

        async def bring() -> None:
            await course.checked(checks, read_shards)
            await self._settle(inspector)
            if self.youtube is not None:
                await self.youtube.ask(inspector, derives)

        await course.to_the_end(derives, targets, bring)
        if options.torrent.seeds:
            run.phase("giving to others")
        with run.pulse.bounded(math.inf):  # it has an end of its own
            await fetcher.finish()

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
                self.run, inspector, splits, self.course.deep, self.manifest.short_tolerance
            )
        await name_absences(self.run, splits)
        if self.options.checks:
            await replace_clips(self.run, self.scope)

    async def publish_counts(self) -> dict[str, int]:
        return await self.run.recount(self.scope, force=True)

    def _publish_plan(self, plan: Plan) -> None:
        done = sum(item.need is not Need.FETCH for item in plan.shards)
        self.run.emit(events.Planned(len(plan.to_fetch), done, plan.download))
        for note in plan.notes:
            self.run.note(note)

    async def result(self) -> dict[str, Any]:
        """The verb's own part of the summary, and the findings about clips."""
        run = self.run
        if FetchError.exit_code in run.codes:
            self._tell_by_hand()
        youtube = await self.youtube.result() if self.youtube else {}
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
                "written": sum(each.written for each in (stage, self.subsets, self.youtube) if each),
            },
            "retries": dict(sorted(seen["retries"]["by_cause"].items())),
            "clips": {verdict.value: counts.get(verdict.value, 0) for verdict in Verdict}
            | {"replaced": counts.get("replaced", 0)},
            "derived": await asyncio.to_thread(derive_findings, run, self.scope, self.course.recipes),
        } | youtube

    def _tell_by_hand(self) -> None:
        """Something could not be had: say where a person gets it."""
        for place in self.manifest.by_hand:
            fix = self.run.command("adopt", "FILE")
            self.run.find(Finding("by_hand", self.manifest.name, f"a person can fetch a copy: {place}", fix))


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
