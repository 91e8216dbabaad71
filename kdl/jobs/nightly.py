"""``kdl nightly``: look at a part of the mirror, mend what is bad, tell how it went; in one run."""

from __future__ import annotations

import asyncio
import contextlib
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from kdl import events
from kdl.dataset.manifest import load_manifest
from kdl.dataset.specs import Manifest
from kdl.errors import KdlError, LockHeld, UsageError, worst
from kdl.fetch.origins import Origins
from kdl.jobs.ending import recorded
from kdl.jobs.nightly_options import NightlyOptions
from kdl.jobs.nightly_telling import Teller, tell_of_error
from kdl.jobs.options import ALL
from kdl.jobs.planning import resolve_choice, scope_of
from kdl.jobs.repair import Repair, origins_of
from kdl.jobs.repair_folders import require_folder
from kdl.jobs.repair_options import RepairOptions
from kdl.jobs.report import ReportOptions, report
from kdl.jobs.run import Run, Stopped, open_run
from kdl.jobs.style import style_of
from kdl.jobs.tools import require_tools
from kdl.jobs.verify import Verify
from kdl.jobs.verify_combined import Combined
from kdl.jobs.verify_findings import verify_findings
from kdl.jobs.verify_options import VerifyOptions
from kdl.ledger.nights import note_bad
from kdl.report.nights import publish_page
from kdl.values import Finding, Level, RunSummary, Verdict

_CUT_SHORT = frozenset(("interrupted", "hung"))
"""Findings after which nothing more is begun."""


async def nightly(options: NightlyOptions, bus: events.Bus) -> RunSummary:
    """One night. Raises KdlError for what keeps it from starting, and tells the webhook of it as well.

    Not of LockHeld: a long ``kdl mirror`` is no trouble.
    """
    try:
        return await _night(options, bus)
    except LockHeld:
        raise
    except KdlError as error:
        if options.webhook is not None:
            await tell_of_error(options.webhook, options.dataset, error)
        raise


async def _night(options: NightlyOptions, bus: events.Bus) -> RunSummary:
    manifest = load_manifest(options.dataset)
    if options.repair or options.level in (Level.PROBE, Level.DECODE):
        require_tools(probing=True, deriving=False)
    origins = origins_of(manifest, _repair_options(options, ()))
    with open_run(
        "nightly",
        manifest.name,
        options.dataset,
        options.root,
        bus,
        ledger_path=options.ledger,
        create=False,
    ) as run:
        work = _Night(run, options, manifest, origins, bus)
        summary = await recorded(run, work.go(), work.result, watchdog_s=options.watchdog_s)
        if not options.page or _CUT_SHORT & {finding.kind for finding in summary.findings}:
            return summary
        return await _with_page(summary, run, options, work.teller.name)


class _Night:
    """One night, step by step."""

    def __init__(
        self, run: Run, options: NightlyOptions, manifest: Manifest, origins: Origins, bus: events.Bus
    ) -> None:
        self.run = run
        self.options = options
        self.scope = scope_of(resolve_choice(manifest, ALL, style_of(run.ledger)))
        self.verify = Verify(run, _verify_options(options), manifest, Combined(None))
        repairs = _repair_options(options, _usable(run, options.folders))
        self.repair = Repair(run, repairs, manifest, origins, self.scope)
        self.mending = False
        self.teller = Teller(run, options, bus)

    async def go(self) -> None:
        await self.verify.go()
        await self._note()
        if self.options.repair:
            self.mending = True
            await self.repair.go()

    async def _note(self) -> None:
        """Remember what is bad before it is mended."""
        await self.run.ledger.do(lambda c: note_bad(c, self.scope, time.time()))

    async def result(self) -> dict[str, Any]:
        """The verb's own part of the summary; all who are to know are told here."""
        run = self.run
        try:
            if not self.mending:
                await self._note()
            with contextlib.suppress(Stopped):
                await asyncio.to_thread(lambda: verify_findings(run, self.scope, bad=not self.mending))
        except KdlError as error:
            run.fail(error)
        repaired = {"repair": await self.repair.result()} if self.mending else {}
        counts = await run.recount(self.scope, force=True)
        verified = {"level": self.options.level.value, **self.verify.tally.as_dict()}
        clips = {verdict.value: counts.get(verdict.value, 0) for verdict in Verdict}
        clips["replaced"] = counts.get("replaced", 0)
        return await self.teller.tell({"verify": verified, **repaired, "clips": clips})


async def _with_page(summary: RunSummary, run: Run, options: NightlyOptions, name: str) -> RunSummary:
    """The summary after the page was written, which knows of it as of any run that has ended."""
    page = run.paths.reports / f"{name}.html"
    try:
        # The page has a listener of its own: to this run's it would look like another run.
        await report(ReportOptions(options.dataset, options.root, page, ledger=options.ledger), events.Bus())
        await asyncio.to_thread(publish_page, page)
    except KdlError as error:
        found = Finding(error.kind, error.subject or str(page), error.message, error.fix)
        code = worst((summary.exit_code, error.exit_code))
        return replace(summary, exit_code=code, findings=(*summary.findings, found))
    return replace(summary, extra={**summary.extra, "page": str(page)})


def _verify_options(options: NightlyOptions) -> VerifyOptions:
    return VerifyOptions(
        options.dataset,
        options.root,
        options.level,
        max_age_s=options.max_age_s,
        max_duration_s=options.max_duration_s,
        subset=options.subset,
        limit_rate=options.limit_rate,
        io_nice=options.io_nice,
        workers=options.workers,
    )


def _usable(run: Run, folders: tuple[Path, ...]) -> tuple[Path, ...]:
    """Those that are there: a share that is not mounted is no reason to look at nothing."""
    usable = []
    for folder in folders:
        try:
            require_folder(folder, run.paths.base)
            usable.append(folder)
        except UsageError as error:
            fix = "mount it, or take it out of `from` in kdl.toml"
            run.find(Finding("from_unusable", str(folder), error.message, fix))
    return tuple(usable)


def _repair_options(options: NightlyOptions, folders: tuple[Path, ...]) -> RepairOptions:
    return RepairOptions(
        options.dataset,
        options.root,
        folders=folders,
        origins=options.origins,
        workers=options.workers,
        limit_rate=options.limit_rate,
    )
