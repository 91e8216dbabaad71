"""``kdl repair``: every bad or missing clip made whole again, at the least cost."""

from __future__ import annotations

import asyncio
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any

from kdl import events
from kdl.dataset.manifest import load_manifest
from kdl.dataset.specs import Manifest
from kdl.errors import FetchError
from kdl.fetch.limits import RateLimit
from kdl.fetch.origins import Origins
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.source import RemoteStat
from kdl.fetch.transfer import Fetcher
from kdl.jobs.ending import recorded
from kdl.jobs.executors import ExecutorChoice, open_runner
from kdl.jobs.inspection import Inspector
from kdl.jobs.planning import resolve_choice, scope_of
from kdl.jobs.repair_folders import Donor, open_donors, require_folder, take_from
from kdl.jobs.repair_here import Replacements, back_in_place, needs_replacement, put_back_moved
from kdl.jobs.repair_options import RepairOptions, Way
from kdl.jobs.repair_plan import Planner
from kdl.jobs.repair_put import Outcome, Placer, digest_wanted, set_aside
from kdl.jobs.repair_shard import Reader
from kdl.jobs.restore import home_of, restore
from kdl.jobs.run import Run, mirror_paths, open_run
from kdl.jobs.settle import tidy
from kdl.jobs.style import style_of
from kdl.jobs.tools import require_tools
from kdl.jobs.torrents import source_options
from kdl.ledger.clips import ClipRow, Scope
from kdl.ledger.repairs import Batch, bad_names
from kdl.settings import DRAIN_S
from kdl.values import Finding, Level, RunSummary, Verdict

_PAGE = 200
"""Clips that are copied, judged and put in their places at a time."""


async def repair(options: RepairOptions, bus: events.Bus) -> RunSummary:
    """Look at what is here (size and time of every file), then mend what is bad.

    Raises KdlError only for what keeps it from starting.
    """
    manifest = load_manifest(options.dataset)
    origins = origins_of(manifest, options)
    resolve_choice(manifest, options.choice, "mmaction2")
    for folder in options.folders:
        require_folder(folder, mirror_paths(options.root, manifest.name).base)
    require_tools(probing=True, deriving=False)
    with open_run(
        "repair",
        manifest.name,
        options.dataset,
        options.root,
        bus,
        ledger_path=options.ledger,
        create=False,
    ) as run:
        selection = resolve_choice(manifest, options.choice, style_of(run.ledger))
        work = Repair(run, options, manifest, origins, scope_of(selection))

        async def go() -> None:
            run.phase("looking at what is here")
            await run.in_thread(partial(restore, leave=True), run, work.scope)
            await work.go()

        async def result() -> dict[str, Any]:
            counts = await run.recount(work.scope, force=True)
            clips = {verdict.value: counts.get(verdict.value, 0) for verdict in Verdict}
            return {**await work.result(), "clips": clips | {"replaced": counts.get("replaced", 0)}}

        return await recorded(run, go(), result, watchdog_s=options.watchdog_s)


def origins_of(manifest: Manifest, options: RepairOptions) -> Origins:
    """Where shards are asked for. Raises UsageError for an ``--origin`` that is none."""
    return Origins({host.name: host.base for host in manifest.hosts}, options.origins)


class Repair:
    """Mends what the ledger of a run calls missing or corrupt.

    Another verb that has just looked may do it in its own run::

        work = Repair(run, options, manifest, origins_of(manifest, options), scope)
        await work.go()
        extra = await work.result()   # {"repaired": …, "by_way": …, "not_repaired": …, "bytes": …}
    """

    def __init__(
        self, run: Run, options: RepairOptions, manifest: Manifest, origins: Origins, scope: Scope
    ) -> None:
        self.run = run
        self.options = options
        self.manifest = manifest
        self.origins = origins
        self.scope = scope
        self.outcome = Outcome()
        self.planner = Planner(run.ledger, run.paths, scope)

    async def go(self) -> None:
        """Mend what can be mended. Raises MachineError and DiskFull; other troubles are findings."""
        run, options = self.run, self.options
        if not await run.in_thread(self.planner.batches):
            return
        threads = ThreadPoolExecutor(options.jobs + 2, thread_name_prefix="kdl-unpack")
        runner = await open_runner(
            run, ExecutorChoice("local"), workers=options.workers, probing=True, recipes=(), derived=None
        )
        try:
            inspector = Inspector(run, runner, Level.PROBE, options.prober)
            placer = Placer(run, inspector, self.manifest.short_tolerance, self.outcome)
            async with self._fetcher() as fetcher:
                await self._steps(fetcher, inspector, placer, threads)
        finally:
            await asyncio.shield(runner.close(DRAIN_S / 2))
            threads.shutdown(wait=True, cancel_futures=True)

    async def _steps(
        self, fetcher: Fetcher, inspector: Inspector, placer: Placer, threads: ThreadPoolExecutor
    ) -> None:
        run, scope, policy = self.run, self.scope, RetryPolicy(tries=self.options.tries)
        run.phase("what is here under another name")
        await put_back_moved(run, scope, placer)
        replacements = Replacements(run, self.manifest, inspector, scope)
        await replacements.prepare(fetcher, policy, threads)
        donors = await run.in_thread(self._donors)
        try:
            run.phase("clips from nearby")
            for batch in await run.in_thread(self.planner.batches):
                await self._mend_nearby(batch, placer, replacements, donors)
        finally:
            for donor in donors:
                donor.close()
        await self._mend_from_shards(fetcher, policy, placer, threads)
        await self._last_resort(replacements)
        await run.in_thread(self._set_aside_the_rest)
        tidy(run.paths)

    async def _mend_nearby(
        self, batch: Batch, placer: Placer, replacements: Replacements, donors: list[Donor]
    ) -> None:
        """Whatever needs no shard."""
        run = self.run
        rows = await run.in_thread(self.planner.rows, batch)
        for at in range(0, len(rows), _PAGE):
            page = rows[at : at + _PAGE]
            found = await run.in_thread(back_in_place, run, page)
            page = _without(page, await placer.put(found))
            page = _without(
                page, await replacements.put([r for r in page if needs_replacement(r)], self.outcome)
            )
            if donors:
                await placer.put(await run.in_thread(take_from, run, donors, page, self.outcome))

    async def _mend_from_shards(
        self, fetcher: Fetcher, policy: RetryPolicy, placer: Placer, threads: ThreadPoolExecutor
    ) -> None:
        """Each shard that holds some of what is left, once."""
        run = self.run
        run.phase("planning")
        batches = await run.in_thread(self.planner.batches)
        stats: dict[int, RemoteStat | FetchError] = {}
        cost = shards = 0
        async for batch, plan in self.planner.plans(fetcher, batches):
            assert batch.shard_id is not None
            self.outcome.say(plan.hopeless, "its shard, as the host has it, holds these very bytes")
            if plan.rows:
                stats[batch.shard_id] = plan.stat or FetchError(plan.note, subject=plan.shard.url)
                shards += 1
                cost += plan.bytes or 0
        run.emit(events.Planned(shards, 0, cost))
        run.phase("shards")
        reader = Reader(run, fetcher, policy, threads, self.manifest.max_member, self.outcome)
        waiting = iter([batch for batch in batches if batch.shard_id in stats])

        async def lane() -> None:
            for batch in waiting:
                plan = await run.in_thread(self.planner.plan, batch, stats[batch.shard_id or 0])
                async with fetcher.pressure.slot(plan.name):
                    found = await reader.read(plan, batch.last_seq)
                for at in range(0, len(found), _PAGE):
                    await placer.put(found[at : at + _PAGE])

        async with asyncio.TaskGroup() as group:
            for _ in range(self.options.jobs):
                group.create_task(lane(), name="idle")

    def _fetcher(self) -> Fetcher:
        options, run = self.options, self.run
        rate = RateLimit(options.limit_rate)
        run.pulse.excuse(lambda: rate.waiting > 0)
        return Fetcher(
            self.origins,
            retry=RetryPolicy(tries=options.tries),
            rate=rate,
            stall_s=options.stall_s,
            jobs=options.jobs,
            emit=run.emit,
            sources=source_options(self.manifest, run.paths, limit_rate=options.limit_rate),
        )

    def _donors(self) -> list[Donor]:
        if not self.options.folders:
            return []
        names = set(bad_names(self.run.ledger.reader(), self.scope))
        return open_donors(self.options.folders, self.run.dataset, names, self.run.note)

    async def _last_resort(self, replacements: Replacements) -> None:
        """A clip whose own bytes are not to be had has a replacement now and then."""
        for batch in await self.run.in_thread(self.planner.batches):
            rows = await self.run.in_thread(self.planner.rows, batch)
            await replacements.put([row for row in rows if not needs_replacement(row)], self.outcome)

    def _set_aside_the_rest(self) -> None:
        """Bad files that nothing mends are no clips to those who read folders; they are kept."""
        for batch in self.planner.batches():
            for row in self.planner.rows(batch):
                self.run.checkpoint()
                set_aside(self.run.paths, row)

    async def result(self) -> dict[str, Any]:
        """The repair's own part of a summary, and a finding for each clip that is not mended."""
        left = await asyncio.to_thread(self._tell_the_rest)
        mended = self.outcome.mended
        return {
            "repaired": mended.total(),
            "by_way": {way.value: mended[way] for way in Way},
            "not_repaired": left,
            "bytes": {"fetched": self.run.state.snapshot()["bytes"]["fetched"]},
        }

    def _tell_the_rest(self) -> int:
        left = 0
        for batch in self.planner.batches():
            for row in self.planner.rows(batch):
                left += 1
                subject = row.path or home_of(row, Verdict.OK)
                self.run.find(Finding("not_repaired", subject, self._why(row), self._fix(row)), 1)
        return left

    def _why(self, row: ClipRow) -> str:
        was = f"{row.verdict}" + (f" ({row.cause})" if row.cause else "")
        tried = "; ".join(dict.fromkeys(self.outcome.why_not.get(row.id, ())))
        if not tried:
            tried = (
                "not tried: the run ended before" if self.run.interrupted else "no shard is known to hold it"
            )
        return f"{was}; {tried}"

    def _fix(self, row: ClipRow) -> str:
        run = self.run
        if row.id in self.outcome.retry or run.interrupted:
            return run.command("repair", *self._folder_words())
        if row.origin == "youtube":
            return f"{run.command('mirror', '--fill-missing')} cuts it out of its video again"
        if digest_wanted(row) is not None and row.shard_id is not None:
            return (
                f"{run.command('mirror', '--split', row.key.split)} takes what the host has now; "
                f"or repair --from a folder that has the clip"
            )
        return f"{run.command('repair', '--from', 'DIR')} takes it from a folder that has a sound one"

    def _folder_words(self) -> list[str]:
        return [word for folder in self.options.folders for word in ("--from", str(folder))]


def _without(rows: list[ClipRow], mended: set[int]) -> list[ClipRow]:
    return [row for row in rows if row.id not in mended]
