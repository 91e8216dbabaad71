"""``kdl verify``: is what the ledger says still true of the disk?

Looking mends nothing and moves no bad clip: what is bad is told, and recorded for who mends.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from array import array
from functools import partial
from typing import Any

from kdl import events
from kdl.check.iopriority import idle_io
from kdl.dataset.manifest import load_manifest
from kdl.dataset.specs import Manifest
from kdl.errors import UsageError
from kdl.jobs.ending import recorded
from kdl.jobs.inspection import Inspector
from kdl.jobs.planning import resolve_choice, scope_of
from kdl.jobs.repair import Repair, origins_of
from kdl.jobs.repair_folders import require_folder
from kdl.jobs.run import Run, Stopped, mirror_paths, open_run
from kdl.jobs.style import style_of
from kdl.jobs.tools import require_tools
from kdl.jobs.verify_against import check_against
from kdl.jobs.verify_combined import Combined, open_combined
from kdl.jobs.verify_derived import DerivedCheck, absent_recipes
from kdl.jobs.verify_findings import verify_findings
from kdl.jobs.verify_options import VerifyOptions
from kdl.jobs.verify_pace import Pace
from kdl.jobs.verify_parts import Turn, end_turn, take_turn
from kdl.jobs.verify_replacements import check_replacements
from kdl.jobs.verify_stage import VerifyStage
from kdl.jobs.verify_strays import Strays
from kdl.jobs.verify_tally import Tally
from kdl.ledger.checked import forget_probes, match_found
from kdl.ledger.due import Window, due_clips
from kdl.media.pool import WorkerPool
from kdl.settings import DRAIN_S
from kdl.values import Level, RunSummary

_READERS = 4
"""Threads that stat files where nothing is hashed: more than cores, for file systems that answer slowly."""


async def verify(options: VerifyOptions, bus: events.Bus) -> RunSummary:
    """Look at what is due. Raises KdlError for what keeps it from starting."""
    manifest = load_manifest(options.dataset)
    resolve_choice(manifest, options.choice, "mmaction2")  # wrong names end it before anything is opened
    if options.against is not None and not options.against.is_file():
        raise UsageError("there is no such file", subject=str(options.against))
    repairs = options.repair
    if repairs is not None:
        for folder in repairs.folders:
            require_folder(folder, mirror_paths(options.root, manifest.name).base)
    if repairs is not None or options.level in (Level.PROBE, Level.DECODE):
        require_tools(probing=True, deriving=False)
    with (
        open_combined(options.combined) as combined,
        open_run(
            "verify",
            manifest.name,
            options.dataset,
            options.root,
            bus,
            ledger_path=options.ledger,
            create=False,
        ) as run,
    ):
        look = Verify(run, options, manifest, combined)
        if repairs is None:
            return await recorded(run, look.go(), look.result, watchdog_s=options.watchdog_s)
        mend = Repair(run, repairs, manifest, origins_of(manifest, repairs), look.scope)

        async def go() -> None:
            await look.go()
            await mend.go()

        async def result() -> dict[str, Any]:
            repaired = await mend.result()
            return {**await look.result(bad=False), "repair": repaired}

        return await recorded(run, go(), result, watchdog_s=options.watchdog_s)


class Verify:
    """One look, step by step. Another verb may take it in its own run; ``tally`` tells what it came to."""

    def __init__(self, run: Run, options: VerifyOptions, manifest: Manifest, combined: Combined) -> None:
        self.run = run
        self.options = options
        self.manifest = manifest
        self.scope = scope_of(resolve_choice(manifest, options.choice, style_of(run.ledger)))
        self.tally = Tally(run.emit)
        # Where two copies are compared, the list is about those.
        self.of_copies = combined if options.against is not None else Combined(None)
        self.of_disk = combined if options.against is None else Combined(None)
        self.against: dict[str, int] | None = None

    async def go(self) -> None:
        options, run = self.options, self.run
        if options.io_nice and not idle_io():
            run.note("this system has no idle priority at the disk; --io-nice changes nothing")
        run.phase("looking at what is on record")
        await run.recount(self.scope, force=True)
        turn = await run.in_thread(self._turn)
        ids = await run.in_thread(self._due, turn)
        pace = Pace(run, self.tally, options.limit_rate)
        await self._look_at(ids, pace)
        if turn is not None and self.tally.taken == len(ids):
            await run.in_thread(end_turn, run.ledger, turn)
        run.phase("looking for what is not on record")
        await run.in_thread(check_replacements, run, options.level, pace)
        strays = Strays(run, self.manifest, self.scope, self.tally, self.of_disk, pace)
        await run.in_thread(strays.find)
        await run.ledger.do(match_found)
        if options.against is not None:
            run.phase("comparing the copies")
            self.against = await run.in_thread(
                check_against, run, self.manifest, self.scope, options.against, self.of_copies
            )

    async def _look_at(self, ids: array[int], pace: Pace) -> None:
        options, run, tally = self.options, self.run, self.tally
        began = time.time()
        pool = WorkerPool(options.worker_count, emit=run.emit)
        probes = options.level in (Level.PROBE, Level.DECODE)
        inspector = Inspector(run, pool, options.level, options.prober) if probes else None
        absent = await run.in_thread(absent_recipes, run)
        stage = VerifyStage(
            run,
            options.level,
            tally,
            self.of_disk,
            DerivedCheck(run, options.level, tally, pace, inspector, absent),
            inspector,
            pace=pace,
            tolerance=self.manifest.short_tolerance,
            deadline=None if options.max_duration_s is None else time.monotonic() + options.max_duration_s,
        )
        width = max(options.worker_count, _READERS) if options.level is Level.STAT else options.worker_count
        try:
            await stage.work(ids, width + probes)
        finally:
            await asyncio.shield(pool.close(DRAIN_S / 2))
            if inspector is not None and inspector.disagreed:
                # PyAV was wrong once: what it alone said in this run is asked again.
                await run.ledger.do(lambda c: forget_probes(c, began))

    # In threads

    def _turn(self) -> Turn | None:
        subset = self.options.subset
        if subset.parts == 1:
            return None
        turn = take_turn(self.run.ledger, subset, self.options.level, self.scope)
        self.run.note(f"part {turn.part + 1} of {subset.parts}")
        return turn

    def _due(self, turn: Turn | None) -> array[int]:
        options, now = self.options, time.time()
        cutoffs = [] if options.max_age_s is None else [now - options.max_age_s]
        cutoffs += [] if turn is None else [turn.begun]
        window = Window(
            options.level,
            before=min(cutoffs, default=None),
            since=options.since,
            parts=options.subset.parts,
            chosen=frozenset((0 if turn is None else turn.part,)),
            share=options.subset.share,
            volume=options.subset.volume,
        )
        return due_clips(self.run.ledger.reader(), self.scope, window)

    async def result(self, *, bad: bool = True) -> dict[str, Any]:
        """The verb's own part of the summary, and the findings about clips; ``bad``: about bad ones, too."""
        with contextlib.suppress(Stopped):
            await asyncio.to_thread(partial(verify_findings, bad=bad), self.run, self.scope)
        await self.run.recount(self.scope, force=True)
        told = {"level": str(self.options.level), **self.tally.as_dict()}
        return told if self.against is None else {**told, "against": self.against}
