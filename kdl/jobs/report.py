"""``kdl report``: a mirror on one page, from what its ledger knows; at any time, a run's included."""

from __future__ import annotations

import asyncio
import os
import time
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from kdl import __version__, events
from kdl.dataset.manifest import load_manifest
from kdl.diskerrors import disk_error
from kdl.errors import DiskFull, MachineError
from kdl.jobs.contactsheet import choose, pictures
from kdl.jobs.run import command_line, find_ledger, mirror_paths
from kdl.jobs.statusfile import condition, read_status
from kdl.ledger.ledger import open_ledger
from kdl.ledger.overview import overview
from kdl.report.health import Command, Health, judge_mirror
from kdl.report.html import Page, Picture, render
from kdl.report.wholefile import whole_file
from kdl.settings import MirrorPaths
from kdl.tallies import Named, Overview
from kdl.values import RunSummary, Verdict

FILE = "report.html"


@dataclass(frozen=True, slots=True)
class ReportOptions:
    """Everything ``kdl report`` takes."""

    dataset: str
    root: Path
    out: Path | None = None
    """The page; ``None`` for ``reports/report.html`` in the mirror."""
    pictures: bool = True
    ledger: Path | None = None


def report_file(options: ReportOptions) -> Path:
    """Where the page goes, absolute. Raises UsageError for a dataset that is not known."""
    if options.out is not None:
        return options.out.absolute()
    return mirror_paths(options.root, load_manifest(options.dataset).name).reports / FILE


async def report(options: ReportOptions, bus: events.Bus) -> RunSummary:
    """Write the page. The exit code is 0 once it is written, whatever it tells.

    Needs no lock, and changes nothing but the page and its cache of pictures. Raises KdlError: MachineError
    where there is no mirror or the page can not be written, LedgerError, DiskFull.
    """
    began = time.monotonic()
    manifest = load_manifest(options.dataset)
    paths = mirror_paths(options.root, manifest.name)
    place = options.ledger or find_ledger(paths, options.dataset)
    run_id = f"{time.strftime('%Y%m%dT%H%M%S')}-{os.getpid()}"
    bus.emit(events.RunStarted("report", manifest.name, str(paths.base.parent), run_id))
    bus.emit(events.PhaseStarted("counting"))
    asked = await _ask(place, with_pictures=options.pictures)
    shown: tuple[Picture, ...] = ()
    if options.pictures:
        bus.emit(events.PhaseStarted("pictures"))
        shown = await pictures(paths, (*asked.suspects, *asked.samples), bus.emit)

    def command(verb: str, *arguments: str) -> str:
        return command_line(verb, options.dataset, paths.base.parent, *arguments)

    page = Page(
        dataset=manifest.name,
        title=manifest.title,
        place=str(paths.base),
        version=__version__,
        overview=asked.view,
        health=health_of(asked.view, command),
        command=command,
        running=_running(paths),
        suspects=shown[: len(asked.suspects)],
        samples=shown[len(asked.suspects) :],
    )
    out = report_file(options)
    await asyncio.to_thread(_write, page, out, paths)
    extra = {
        "report": str(out),
        "headline": page.health.headline,
        "next": page.health.command or None,
        "pictures": sum(picture.jpeg is not None for picture in shown),
    }
    return RunSummary(manifest.name, 0, time.monotonic() - began, (), extra)


@dataclass(frozen=True, slots=True)
class _Answers:
    """What the ledger says."""

    view: Overview
    suspects: list[Named]
    samples: list[Named]


async def _ask(place: Path, *, with_pictures: bool) -> _Answers:
    """The ledger's answers, had in a thread; asked to stop, a long question is broken off."""
    with open_ledger(place, read_only=True) as ledger:
        connection = ledger.reader()

        def ask() -> _Answers:
            view = overview(connection, time.time())
            return _Answers(view, *(choose(connection, view.cells) if with_pictures else ([], [])))

        asking = asyncio.ensure_future(asyncio.to_thread(ask))
        try:
            return await asyncio.shield(asking)
        except asyncio.CancelledError:
            connection.interrupt()
            await asyncio.wait([asking])
            asking.exception()
            raise


def health_of(view: Overview, command: Command) -> Health:
    """The judgement on what the ledger counts."""
    objects: Counter[str] = Counter()
    for each in view.objects:
        objects[each.state] += each.count
    underived = {each.recipe: each.clips for each in view.derived if each.state == "failed"}
    counts = {verdict: view.clips(verdict) for verdict in Verdict}
    return judge_mirror(counts, objects, underived, view.ages, command, satisfied=view.satisfied)


def _running(paths: MirrorPaths) -> str:
    """What another process is doing with the mirror at this moment, in words; empty where none is."""
    picture = read_status(paths.status)
    if picture is None or condition(picture) != "live" or picture["pid"] == os.getpid():
        return ""
    since = time.strftime("%Y-%m-%d %H:%M", time.localtime(picture["started"]))
    return f"kdl {picture['verb']} is at work since {since}, in step {picture['phase']!r}: wait for its end."


def _write(page: Page, out: Path, paths: MirrorPaths) -> None:
    try:
        if out.parent == paths.reports:
            out.parent.mkdir(exist_ok=True)
        with whole_file(out) as stream:
            stream.write(render(page).encode("utf-8", errors="backslashreplace"))
    except (MachineError, OSError) as error:
        known = error if isinstance(error, MachineError) else disk_error(error, out)
        if not isinstance(known, DiskFull):
            known.fix = "--out FILE puts the page somewhere else"
        raise known from error
