"""Annotations beside the classes, brought and made into tables: AVA-Kinetics and Countix."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from kdl.archive.members import Member, Placement
from kdl.archive.unpack import unpack
from kdl.dataset import ava, countix
from kdl.dataset.annotations import SPLIT_WORDS, normalised_name
from kdl.dataset.extras import RowReport
from kdl.dataset.specs import ExtraSpec
from kdl.diskerrors import disk_errors
from kdl.errors import ArchiveError
from kdl.fetch.transfer import Fetcher
from kdl.jobs.listings import is_still, save_object
from kdl.jobs.run import Run
from kdl.ledger.clips import set_meta
from kdl.ledger.objects import find_object
from kdl.settings import GIB, MirrorPaths
from kdl.values import Finding

T = TypeVar("T")

_FORM = "1"
"""Changes when tables are made in another way, so that they are made anew."""
_CAP = GIB
"""A larger table is none."""
_SPLITS = tuple(dict.fromkeys(SPLIT_WORDS.values()))


@dataclass(frozen=True, slots=True)
class ExtraTables:
    """Where the annotations of one name lie in a mirror, as hosted and as tables."""

    folder: Path

    def table(self, split: str) -> Path:
        """The normalised table of a split."""
        return self.folder / normalised_name(split)

    @property
    def actions(self) -> Path:
        """AVA: the names of the actions."""
        return self.folder / "actions.csv"

    def excluded(self, split: str) -> Path:
        """AVA: key-frames of a split that nobody should be judged by."""
        return self.folder / f"{split}.excluded.csv"

    @property
    def splits(self) -> tuple[str, ...]:
        """Those that have a table."""
        return tuple(split for split in _SPLITS if self.table(split).is_file())

    @property
    def all(self) -> list[Path]:
        """Every table that can be made."""
        per_split = [path for split in _SPLITS for path in (self.table(split), self.excluded(split))]
        return [*per_split, self.actions]

    def stamp(self, digest: str) -> str:
        """Tells these tables, made of an archive of this digest, from any others."""
        return " ".join([_FORM, digest, *(path.name for path in self.all if path.is_file())])


def extra_tables(paths: MirrorPaths, name: str) -> ExtraTables:
    """The places of the annotations called ``name``."""
    return ExtraTables(paths.annotations / name)


async def bring_extra(run: Run, fetcher: Fetcher, spec: ExtraSpec) -> None:
    """Have the archive and its tables here; what is here already is neither fetched nor read again.

    Raises FetchError, ArchiveError, KdlError for what can not be read, DiskFull and MachineError.
    """
    tables = extra_tables(run.paths, spec.name)
    archive = tables.folder / spec.file_name
    known = find_object(run.ledger.reader(), spec.url)
    if known and known.state == "done" and await asyncio.to_thread(is_still, archive, known.sha256):
        digest = str(known.sha256)
    else:
        digest = await save_object(run, fetcher, spec.url, archive, "annotation")
    if run.ledger.meta(f"extra.{spec.name}") == tables.stamp(digest):
        return
    run.phase(f"reading the annotations of {spec.name}")
    await run.in_thread(_read, run, spec, archive, tables)
    stamp = tables.stamp(digest)
    await run.ledger.do(lambda c: set_meta(c, f"extra.{spec.name}", stamp))


def _read(run: Run, spec: ExtraSpec, archive: Path, tables: ExtraTables) -> None:
    """The archive's tables beside it, as hosted and normalised."""
    wanted, make = _KINDS[spec.name]
    hosted = _unpack(run, archive, tables.folder, wanted)
    with disk_errors(tables.folder):
        for path in tables.all:
            path.unlink(missing_ok=True)
        make(_Making(run, archive, hosted, tables))
    missing = [split for split in _SPLITS if split not in tables.splits]
    if len(missing) == len(_SPLITS):
        fix = f"look at the url of [[extra]] {spec.name} in the manifest"
        raise ArchiveError(f"holds no table of {spec.name}", subject=str(archive), fix=fix)
    if missing:
        detail = f"holds no table for {', '.join(missing)}"
        run.find(Finding("extra_incomplete", str(archive), detail, "nothing else depends on it"))


def _unpack(run: Run, archive: Path, folder: Path, wanted: Callable[[str], bool]) -> dict[str, Path]:
    """The archive's files with wanted names, in ``folder``. Raises ArchiveError unless it is whole."""

    def place(member: Member) -> Placement:
        run.checkpoint()
        return Placement(folder / member.name)

    with disk_errors(archive), archive.open("rb") as reader:
        found: dict[str, Path] = {}
        reading = unpack(
            reader,
            name=str(archive),
            is_clip=wanted,
            place=place,
            on_clip=lambda file: found.update({file.name: folder / file.name}),
            on_skip=lambda name, reason: run.checkpoint(),
            tmp_dir=run.tmp,
            cap=_CAP,
        )
    if not reading.whole:
        fix = "remove it and run the same again: it is fetched anew"
        raise ArchiveError(f"is damaged: {reading.reason}", subject=str(archive), fix=fix)
    return dict(sorted(found.items()))


class _Making:
    """Tables being made of the files that an archive held."""

    def __init__(self, run: Run, archive: Path, hosted: Mapping[str, Path], tables: ExtraTables) -> None:
        self.run = run
        self.archive = archive
        self.hosted = hosted
        self.tables = tables

    def of_splits(self, pattern: re.Pattern[str]) -> dict[str, Path]:
        """The hosted files of each split; of several versions the last."""
        matches = ((pattern.fullmatch(name), path) for name, path in self.hosted.items())
        return {match["split"]: path for match, path in matches if match}

    def checked(self, rows: Iterator[T]) -> Iterator[T]:
        """The rows, ending where the run is to end."""
        for row in rows:
            self.run.checkpoint()
            yield row

    def tell(self, path: Path, report: RowReport) -> None:
        if report.bad:
            samples = "; ".join(report.samples)
            detail = f"{report.bad} rows can not be read: {samples}"
            self.run.find(Finding("annotation_rows", str(path), detail))


def _make_ava(making: _Making) -> None:
    actions: dict[int, str] = {}
    evaluated: dict[int, str] = {}
    for name, path in making.hosted.items():
        if ava.EVALUATED.fullmatch(name):
            evaluated = ava.read_actions(path)
        elif ava.ACTIONS.fullmatch(name):
            actions = ava.read_actions(path)
    actions = actions or evaluated
    ava.write_actions(making.tables.actions, actions, evaluated)
    if not actions:
        detail = "holds no list of actions: they have numbers and no names"
        making.run.find(Finding("extra_incomplete", str(making.archive), detail, "nothing depends on it"))
    for split, path in making.of_splits(ava.TABLE).items():
        report = RowReport()
        rows = making.checked(ava.read_boxes(path, actions, report))
        ava.write_boxes(making.tables.table(split), split, rows, actions)
        making.tell(path, report)
    for split, path in making.of_splits(ava.EXCLUDED).items():
        report = RowReport()
        ava.write_boxes(making.tables.excluded(split), split, ava.read_boxes(path, {}, report), {})
        making.tell(path, report)


def _make_countix(making: _Making) -> None:
    for split, path in making.of_splits(countix.TABLE).items():
        report = RowReport()
        countix.write_repetitions(making.tables.table(split), countix.read_repetitions(path, split, report))
        making.tell(path, report)


_KINDS: Mapping[str, tuple[Callable[[str], bool], Callable[[_Making], None]]] = {
    "ava": (ava.is_hosted, _make_ava),
    "countix": (countix.is_hosted, _make_countix),
}
"""Which files of an archive are wanted, by base name, and what makes tables of them."""
