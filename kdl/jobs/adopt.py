"""``kdl adopt``: takes in what is here already, and gives a lost ledger back; needs no network."""

from __future__ import annotations

import asyncio
import contextlib
import tempfile
from collections import Counter, defaultdict
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from kdl import events
from kdl.dataset.labels import STYLES, Style, class_dir
from kdl.dataset.layouts import Recognised, recognise
from kdl.dataset.manifest import load_manifest
from kdl.dataset.specs import Manifest
from kdl.errors import UsageError
from kdl.jobs.adopt_archives import Archives
from kdl.jobs.adopt_files import BATCH, Candidate, Intaker
from kdl.jobs.adopt_listed import bring_annotations
from kdl.jobs.adopt_names import Names, Refused
from kdl.jobs.adopt_place import Placer
from kdl.jobs.adopt_rehearsal import Rehearsal, set_up
from kdl.jobs.adopt_release import Journal
from kdl.jobs.adopt_sources import ArchiveSource, FileSource, Source, Sources
from kdl.jobs.adopt_tell import recognised_dict, tell_layouts, tell_refetched
from kdl.jobs.adopted import outlook
from kdl.jobs.ending import recorded
from kdl.jobs.executors import ExecutorChoice, open_runner
from kdl.jobs.inspection import Inspector
from kdl.jobs.receipts import Receipts, write_receipts
from kdl.jobs.run import Run, mirror_paths, open_run
from kdl.jobs.style import settle_style
from kdl.jobs.tools import require_tools
from kdl.ledger.clips import Scope, remember_manifest
from kdl.settings import DRAIN_S, WATCHDOG_S, MirrorPaths
from kdl.values import Finding, Level, RunSummary


@dataclass(frozen=True, slots=True)
class AdoptOptions:
    """Everything ``kdl adopt`` takes."""

    dataset: str
    root: Path
    paths: tuple[Path, ...] = ()
    """What is to be taken in; none for the mirror's own tree."""
    way: str = "link"
    """How the user's files come in: ``link``, ``copy`` or ``move``."""
    split: str | None = None
    """Of files whose folders tell none."""
    annotations: Path | None = None
    """A folder with the annotations, for a mirror that has none."""
    class_style: str | None = None
    workers: int = 0
    prober: str = "auto"
    dry_run: bool = False
    ledger: Path | None = None
    watchdog_s: float = WATCHDOG_S


async def adopt(options: AdoptOptions, bus: events.Bus) -> RunSummary:
    """Take in what is here. Raises KdlError for what keeps it from starting; the rest is in the summary."""
    manifest = load_manifest(options.dataset)
    if options.split is not None:
        manifest.split(options.split)
    mirror = mirror_paths(options.root, manifest.name)
    for path in options.paths:
        if not path.exists():
            raise UsageError("there is nothing here", subject=str(path), fix="name what is to be adopted")
    if not options.dry_run:
        require_tools(probing=True, deriving=False)
    with contextlib.ExitStack() as stack:
        root, ledger = options.root, options.ledger
        if options.dry_run:
            root = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="kdl-adopt-")))
            set_up(mirror, mirror_paths(root, manifest.name), options.ledger, options.dataset)
            ledger = None
        run = stack.enter_context(
            open_run("adopt", manifest.name, options.dataset, root, bus, ledger_path=ledger, create=True)
        )
        run.shown_root = options.root.absolute()
        await run.ledger.do(lambda c: remember_manifest(c, manifest.path))
        style = settle_style(run.ledger, options.class_style or _style_here(run, mirror, manifest))
        work = _Adoption(run, options, manifest, style, mirror)
        return await recorded(run, work.go(), work.result, watchdog_s=options.watchdog_s)


def _style_here(run: Run, mirror: MirrorPaths, manifest: Manifest) -> str | None:
    """The style that the class folders of a mirror without a ledger have; None where it is the usual one."""
    if run.ledger.meta("class_style") is not None:
        return None
    folders = {path.name for path in mirror.videos.glob("*/*") if path.is_dir()}
    labels = {name: label for name in folders if (label := manifest.labels.find(name)) is not None}
    fits: list[Style] = [
        style for style in STYLES if all(class_dir(label, style) == name for name, label in labels.items())
    ]
    return fits[0] if fits else None


class _Adoption:
    """One run, step by step."""

    def __init__(
        self, run: Run, options: AdoptOptions, manifest: Manifest, style: Style, mirror: MirrorPaths
    ) -> None:
        self.run = run
        self.options = options
        self.manifest = manifest
        self.style: Style = style
        self.mirror = mirror
        """Where the clips go; not where the run is, in a rehearsal."""
        self.scope = Scope(manifest.split_names)
        self.found: defaultdict[tuple[str, str], Recognised] = defaultdict(Recognised)
        """By the folder that holds the class folders, and the split."""
        self.refused = 0
        self.released = 0
        self.rebuilt = 0
        self.placer = Placer(run, copy=options.way == "copy")
        self.intaker: Intaker | None = None
        self.archives: list[dict[str, object]] = []
        self.rehearsed: dict[str, int] = {}

    async def go(self) -> None:
        run, options = self.run, self.options
        if options.dry_run:
            run.note(f"a rehearsal, on a copy of the ledger: nothing is written in {self.mirror.base}")
        await run.in_thread(bring_annotations, run, self.manifest, self.style, options.annotations)
        names = Names(run.ledger, self.manifest, self.style, options.split)
        sources = Sources(run, self.manifest, options.paths or (self.mirror.base,), self.mirror)
        await run.recount(self.scope, force=True)
        run.phase("looking at what is here")
        if options.dry_run:
            await run.in_thread(self._rehearse, names, sources)
        else:
            await self._take_in(names, sources)
        sources.tell_passed_over()
        tell_layouts(run, self.found)

    def _rehearse(self, names: Names, sources: Sources) -> None:
        rehearsal = Rehearsal(self.run, self.manifest, self.options.split)
        self.rehearsed = rehearsal.counts
        rehearsal.play(sources.walk(), partial(self._candidate, names))

    async def _take_in(self, names: Names, sources: Sources) -> None:
        run, options = self.run, self.options
        runner = await open_runner(
            run, ExecutorChoice("local"), workers=options.workers, probing=True, recipes=(), derived=None
        )
        try:
            inspector = Inspector(run, runner, Level.PROBE, options.prober)
            journal = Journal(run, kept=options.way == "move")
            self.intaker = Intaker(run, inspector, self.placer, journal, self.manifest.short_tolerance)
            archives = Archives(run, self.manifest, names, self.intaker, options.split)
            self.archives = archives.told
            met: list[ArchiveSource] = []
            await self.intaker.take_all(self._candidates(names, sources.walk(), met))
            for source in met:
                await archives.take(source, remove=options.way == "move")
            await self.intaker.finish()
            if self._has_own():
                if any(self.mirror.derived.glob("*/*")):
                    run.note("derivatives are not taken back: kdl derive makes them again, in place")
                self.rebuilt = await run.in_thread(Receipts(run, self.manifest, self.mirror).take_back)
            await run.in_thread(write_receipts, run)
            if options.way == "move":
                self.released = await run.in_thread(journal.release)
        finally:
            await asyncio.shield(runner.close(DRAIN_S / 2))

    def _has_own(self) -> bool:
        """Whether the whole of the mirror's own tree was walked."""
        return not self.options.paths or any(
            path.resolve() in (self.mirror.base.resolve(), self.mirror.videos.resolve())
            for path in self.options.paths
        )

    async def _candidates(
        self, names: Names, walk: Iterator[Source], met: list[ArchiveSource]
    ) -> AsyncIterator[list[Candidate]]:
        """The files that are clips, a batch at a time; archives are put by for later."""
        while batch := await self.run.in_thread(lambda: list(islice(walk, BATCH))):
            met += [source for source in batch if isinstance(source, ArchiveSource)]
            files = [source for source in batch if isinstance(source, FileSource)]
            found = [self._candidate(names, source) for source in files]
            yield [candidate for candidate in found if candidate is not None]

    def _candidate(self, names: Names, source: FileSource) -> Candidate | None:
        place = recognise(source.folders, self.manifest.split_names, self.manifest.labels)
        named = names.resolve(source.path.name, place, trusted=source.own)
        if isinstance(named, Refused):
            self.refused += 1
            counts = named.kind != "adopt_unlisted"
            self.run.find(Finding(named.kind, str(source.path), named.detail, named.fix), int(counts))
            return None
        top = source.path.parent.parent if place.label is not None else source.path.parent
        self.found[str(top), named.key.split].add(replace(place, layout="kdl") if source.own else place)
        return Candidate(source.path, named, "own" if source.own else "file", str(source.path))

    async def result(self) -> dict[str, Any]:
        """The verb's own part of the summary."""
        run, counts = self.run, self.intaker.counts if self.intaker else Counter[str]()
        await run.recount(self.scope, force=True)
        ahead = await asyncio.to_thread(
            outlook, run.ledger, self.mirror, self.manifest, self.manifest.split_names
        )
        tell_refetched(run, self.manifest, ahead)
        told: dict[str, Any] = {
            "recognised": recognised_dict(self.found),
            "refused": self.refused,
            "outlook": ahead,
        }
        if self.options.dry_run:
            return {"dry_run": True, "would_adopt": self.rehearsed, **told}
        return {
            "adopted": {
                "clips": counts["adopted"],
                "bytes": self.intaker.bytes if self.intaker else 0,
                "by_split": dict(sorted(self.intaker.by_split.items())) if self.intaker else {},
                "linked": self.placer.linked,
                "copied": self.placer.copied,
                "released": self.released,
                "already_here": counts["already_here"],
                "corrupt": counts["corrupt"],
                "duplicate": counts["duplicate"],
                "could_not": counts["could_not"] + counts["in_the_way"],
                "shards_rebuilt": self.rebuilt,
            },
            "archives": self.archives,
            **told,
        }
