"""``kdl annotations``: who lists which clips, where they differ, and what two datasets share."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

from kdl import events
from kdl.dataset.manifest import load_manifest
from kdl.dataset.publishers import PublishedFile, publishers_of
from kdl.dataset.specs import Manifest
from kdl.errors import KdlError, MachineError, worst
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.transfer import Fetcher
from kdl.jobs.annotation_files import ListFile, Shelf, bring_lists, origins_of, own_files
from kdl.jobs.annotation_options import (
    AnnotationOptions,
    Side,
    read_side,
    refuse_what_does_not_go_together,
)
from kdl.jobs.ending import recorded
from kdl.jobs.run import Stopped, find_ledger, mirror_paths, open_run
from kdl.ledger.ledger import open_ledger
from kdl.report.wholefile import whole_file
from kdl.values import Finding, RunSummary

if TYPE_CHECKING:
    import pandas as pd

    from kdl.jobs.annotation_table import Checkpoint, Table

T = TypeVar("T")

_INTERRUPTED = (130, 143)
_SAMPLES = 5
"""Differences of a kind that the result names; all of them go to ``--out``."""


async def tell_annotations(options: AnnotationOptions, bus: events.Bus) -> RunSummary:
    """Tell what is known of the lists, compare them, or hold two datasets against each other.

    Lists that a comparison lacks are fetched into the mirror, which takes its lock; otherwise none is
    taken and nothing is written but ``--out``. What publishers say differently does not count as a
    failure: the exit code is not 0 only for lists that could not be had or read. Raises KdlError.
    """
    refuse_what_does_not_go_together(options)
    return await _Verb(options, bus).go()


class _Verb:
    """One call of the verb."""

    def __init__(self, options: AnnotationOptions, bus: events.Bus) -> None:
        self.options = options
        self.bus = bus
        self.began = time.monotonic()
        self.findings: list[Finding] = []
        self.codes: set[int] = set()
        self.gone = False
        """A list could not be fetched."""

    async def go(self) -> RunSummary:
        options = self.options
        if options.overlap is not None:
            sides = [read_side(text) for text in options.overlap]
            for side in sides:
                if not await self._brought(side.asked, side.manifest, own_files(side.manifest, side.splits)):
                    return self._summary(side.manifest, {})
            return self._summary(sides[0].manifest, await self._in_thread(self._overlap, sides))
        manifest = load_manifest(options.dataset)
        shelf = self._shelf(manifest)
        shelf.require(options.compare)
        declared = publishers_of(manifest)
        wanted = [file for name in options.compare for file in declared.get(name, ())]
        lacking = {file for name in options.compare for file in shelf.missing(name)}
        if not await self._brought(
            options.dataset, manifest, [file for file in wanted if options.refresh or file in lacking]
        ):
            return self._summary(manifest, {})
        work = self._compare if options.compare else self._tell
        return self._summary(manifest, await self._in_thread(work, manifest, shelf))

    def _shelf(self, manifest: Manifest) -> Shelf:
        folder = self.options.folder or mirror_paths(self.options.root, manifest.name).annotations
        return Shelf(manifest, folder)

    def _summary(self, manifest: Manifest, extra: dict[str, Any]) -> RunSummary:
        took = time.monotonic() - self.began
        return RunSummary(manifest.name, worst(self.codes), took, tuple(self.findings), extra)

    async def _brought(self, asked: str, manifest: Manifest, wanted: Sequence[PublishedFile]) -> bool:
        """Fetch the files, if any; whether the verb goes on: not after a signal, nor for want of a disk."""
        options = self.options
        paths = mirror_paths(options.root, manifest.name)
        if options.folder is not None:
            return True
        if not options.refresh:
            wanted = [file for file in wanted if not (paths.annotations / file.place).is_file()]
        if not wanted:
            return True
        origins = origins_of(manifest, options.origins)
        with open_run(
            "annotations",
            manifest.name,
            asked,
            options.root,
            self.bus,
            ledger_path=options.ledger,
            create=not any(paths.videos.glob("*/*")),
        ) as run:

            async def fetch() -> None:
                async with Fetcher(
                    origins,
                    retry=RetryPolicy(tries=options.tries),
                    stall_s=options.stall_s,
                    emit=run.emit,
                ) as fetcher:
                    await bring_lists(run, fetcher, wanted)

            async def nothing() -> dict[str, Any]:
                return {}

            summary = await recorded(run, fetch(), nothing)
        self.findings += summary.findings
        self.codes.add(summary.exit_code)
        self.gone |= summary.exit_code != 0
        return summary.exit_code not in (*_INTERRUPTED, MachineError.exit_code)

    async def _in_thread(self, work: Callable[..., T], *arguments: Any) -> T:
        """``work(checkpoint, *arguments)`` in a thread, which ends soon after this is cancelled."""
        self.bus.emit(events.PhaseStarted("reading lists of clips"))
        stop = threading.Event()

        def checkpoint() -> None:
            if stop.is_set():
                raise Stopped

        try:
            return await asyncio.to_thread(work, checkpoint, *arguments)
        finally:
            stop.set()

    # In a thread

    def _tables(
        self, checkpoint: Checkpoint, manifest: Manifest, files: Iterable[tuple[str, tuple[ListFile, ...]]]
    ) -> list[Table]:
        """The tables of the publishers that can be read; what can not is told."""
        from kdl.jobs.annotation_table import TableReader

        reader = TableReader(manifest, checkpoint)
        found = []
        for name, lists in files:
            if not lists and self.gone:  # it was told why
                continue
            try:
                table = reader.read(name, lists)
            except KdlError as error:
                subject = error.subject or name
                self.findings.append(Finding(error.kind, subject, error.message, error.fix))
                self.codes.add(error.exit_code)
                continue
            self.findings += table.findings
            self.codes.add(int(table.unreadable > 0))
            found.append(table)
        return found

    def _tell(self, checkpoint: Checkpoint, manifest: Manifest, shelf: Shelf) -> dict[str, Any]:
        """What is here of every publisher's lists."""
        names = shelf.names()
        here = {name: files for name in names if (files := shelf.files(name))}
        if not here:
            known = ",".join(names[:2])
            fix = (
                f"kdl annotations {self.options.dataset} --compare {known} fetches some; --from DIR reads any"
            )
            raise MachineError("no list of clips lies here", subject=str(shelf.folder), fix=fix)
        tables = {table.name: table for table in self._tables(checkpoint, manifest, here.items())}
        return {"publishers": [self._described(name, tables.get(name), shelf) for name in names]}

    def _described(self, name: str, table: Table | None, shelf: Shelf) -> dict[str, Any]:
        from kdl.jobs.annotation_known import describe_table

        return {
            "name": name,
            "missing": [file.place for file in shelf.missing(name)],
            "splits": {} if table is None else describe_table(table),
        }

    def _compare(self, checkpoint: Checkpoint, manifest: Manifest, shelf: Shelf) -> dict[str, Any]:
        """Hold the lists against each other and against what is on disk."""
        from kdl.jobs.annotation_compare import compare

        names = tuple(dict.fromkeys(self.options.compare))
        tables = self._tables(checkpoint, manifest, ((name, shelf.files(name)) for name in names))
        read = {table.name: table for table in tables}
        extra: dict[str, Any] = {
            "publishers": [self._described(name, read.get(name), shelf) for name in names]
        }
        if len(tables) < 2:
            return extra
        found = compare(tables, self._on_disk(manifest))
        checkpoint()
        if self.options.out is not None:
            _write_csv(found.differences, self.options.out)
        samples = found.differences.groupby("kind", sort=False).head(_SAMPLES)
        extra["compare"] = {
            "publishers": list(found.publishers),
            "splits": found.splits,
            "differences": found.counts(),
            "on_disk": found.on_disk,
            "samples": [_cells(row) for row in samples.to_dict("records")],
            "out": _told(self.options.out),
        }
        return extra

    def _on_disk(self, manifest: Manifest) -> pd.DataFrame | None:
        """Key and path of the clips on disk; ``None`` where there is no mirror."""
        from kdl.jobs.annotation_known import clips_on_disk

        paths = mirror_paths(self.options.root, manifest.name)
        try:
            place = self.options.ledger or find_ledger(paths, self.options.dataset)
        except MachineError:
            return None
        with open_ledger(place, read_only=True) as ledger:
            return clips_on_disk(ledger)

    def _overlap(self, checkpoint: Checkpoint, sides: list[Side]) -> dict[str, Any]:
        """Which videos both lists have."""
        from kdl.jobs.annotation_overlap import overlap

        tables = [
            table
            for side in sides
            for table in self._tables(checkpoint, side.manifest, [(str(side), self._own_lists(side))])
        ]
        if len(tables) < 2:
            return {}
        found = overlap(*tables)
        checkpoint()
        if self.options.out is not None:
            names = " ".join(table.name for table in tables)
            lines = [f"# YouTube ids that both lists have: kdl annotations --overlap {names}", *found.ids]
            with whole_file(self.options.out) as stream:
                stream.write("".join(f"{line}\n" for line in lines).encode())
        samples = found.pairs.head(_SAMPLES).astype(object)
        return {
            "overlap": {
                "first": tables[0].name,
                "second": tables[1].name,
                "ids": len(found.ids),
                "clips": found.clips,
                "meeting": found.meeting,
                "first_clips": found.first,
                "second_clips": found.second,
                "samples": [_cells(row) for row in samples.where(samples.notna(), "").to_dict("records")],
                "out": _told(self.options.out),
            }
        }

    def _own_lists(self, side: Side) -> tuple[ListFile, ...]:
        """The files of a side that are here: with ``--from`` in a folder of the dataset's name."""
        folder = self._shelf(side.manifest).folder
        if self.options.folder is not None:
            folder = folder / side.manifest.name
        return tuple(
            ListFile(folder / file.place, file.format, file.split)
            for file in own_files(side.manifest, side.splits)
            if (folder / file.place).is_file()
        )


def _write_csv(frame: pd.DataFrame, out: Path) -> None:
    with whole_file(out) as stream:
        frame.to_csv(stream, index=False, lineterminator="\n", encoding="utf-8")


def _cells(row: dict[Any, Any]) -> dict[str, Any]:
    """The cells of a row that say anything, JSON-ready."""
    return {
        str(name): value if isinstance(value, str) else int(value)
        for name, value in row.items()
        if value != "" and value != -1
    }


def _told(path: Path | None) -> str | None:
    return str(path) if path is not None else None
