"""Publishers' lists as pandas frames of the normalised columns."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from kdl.archive.members import Placement
from kdl.archive.unpack import unpack
from kdl.dataset.annotations import NORMALISED_COLUMNS, AnnotationReport, read_several
from kdl.dataset.publishers import split_told
from kdl.dataset.specs import Manifest
from kdl.diskerrors import disk_errors
from kdl.errors import ArchiveError, KdlError, MachineError
from kdl.jobs.annotation_files import ListFile
from kdl.ledger.clips import time_of
from kdl.settings import MIB
from kdl.values import Annotation, Finding

KEY = ["split", "youtube_id", "time_start", "time_end"]
"""The columns that identify a clip."""
TABLE_CAP = 512 * MIB
"""A larger member of an archive is no list."""
_SAMPLES = 5

Checkpoint = Callable[[], None]
"""Called between chunks of rows; raises where the work is to end."""


@dataclass(slots=True)
class Table:
    """All lists of one publisher."""

    name: str
    frame: pd.DataFrame
    """One row a listing, in the order of the files, with the columns of ``NORMALISED_COLUMNS``: ``label``,
    ``split`` and ``source`` categories, times ``int32`` (-1 where clips have none), ``is_cc`` nullable."""
    bad: Mapping[str, int]
    """Rows of each split that name no clip."""
    findings: list[Finding] = field(default_factory=list)
    unreadable: int = 0
    """Files that could not be read."""

    @property
    def clips(self) -> pd.DataFrame:
        """The same with each clip once: the first row that lists it."""
        return self.frame.drop_duplicates(KEY, ignore_index=True)


class TableReader:
    """Reads publishers' lists; ids that several of them list are kept once."""

    def __init__(self, manifest: Manifest, checkpoint: Checkpoint) -> None:
        self._manifest = manifest
        self._checkpoint = checkpoint
        self._ids: dict[str, str] = {}

    def read(self, name: str, files: Sequence[ListFile]) -> Table:
        """The table of a publisher. A file that can not be read is a finding of it, and so are bad rows.

        Raises KdlError where none can be read, MachineError and DiskFull.
        """
        rows = _Rows(self._ids)
        findings: list[Finding] = []
        failed: list[KdlError] = []
        for file in files:
            try:
                with _lists_in(file, self._checkpoint) as lists:
                    for path, format in lists:
                        findings += self._read(file, path, format, rows)
            except MachineError:
                raise
            except KdlError as error:
                failed.append(error)
                findings.append(Finding(error.kind, error.subject, error.message, error.fix))
        if not rows.ids:
            raise failed[0] if failed else KdlError("no list of clips is here", subject=name)
        return Table(name, rows.frame(name, self._manifest.split_names), rows.bad, findings, len(failed))

    def _read(self, file: ListFile, path: Path, format: str, rows: _Rows) -> Iterator[Finding]:
        """One list's rows; what is wrong with them."""
        manifest = self._manifest
        splits = [manifest.split(file.split)] if file.split else manifest.splits
        told = file.split or split_told(path.name, manifest.split_names)
        report = AnnotationReport()
        place = file.path if path == file.path else file.path / path.name
        try:
            for chunk in read_several(path, format, splits, manifest.labels, assumed=told, report=report):
                self._checkpoint()
                rows.add(chunk)
        except KdlError as error:
            error.subject = str(place)
            raise
        rows.bad[told or ""] = rows.bad.get(told or "", 0) + report.bad
        if report.bad:
            samples = "; ".join(report.samples[:_SAMPLES])
            yield Finding("annotation_rows", str(place), f"{report.bad} rows can not be read: {samples}")
        if report.unknown_labels:
            named = ", ".join(f"{name!r} ({count} rows)" for name, count in report.unknown_labels.items())
            yield Finding("annotation_labels", str(place), f"labels that the label map lacks: {named}")


class _Rows:
    """Columns being gathered."""

    def __init__(self, pool: dict[str, str]) -> None:
        self._pool = pool
        self.ids: list[str] = []
        self.bad: dict[str, int] = {}
        self._splits: list[str] = []
        self._labels: list[str | None] = []
        self._starts: list[int] = []
        self._ends: list[int] = []
        self._cc: list[bool | None] = []

    def add(self, chunk: Sequence[Annotation]) -> None:
        pool = self._pool
        for row in chunk:
            key = row.key
            self.ids.append(pool.setdefault(key.youtube_id, key.youtube_id))
            self._splits.append(key.split)
            self._labels.append(row.label)
            self._starts.append(time_of(key.start))
            self._ends.append(time_of(key.end))
            self._cc.append(row.is_cc)

    def frame(self, source: str, splits: Sequence[str]) -> pd.DataFrame:
        columns = {
            "label": pd.Categorical(self._labels),
            "youtube_id": pd.Series(self.ids, dtype=object),
            "time_start": np.array(self._starts, dtype=np.int32),
            "time_end": np.array(self._ends, dtype=np.int32),
            "split": pd.Categorical(self._splits, categories=list(splits)),
            "source": pd.Categorical([source]).repeat(len(self.ids)),
            "is_cc": pd.array(self._cc, dtype="boolean"),
        }
        return pd.DataFrame(columns, columns=list(NORMALISED_COLUMNS))


@contextmanager
def _lists_in(file: ListFile, checkpoint: Checkpoint) -> Iterator[list[tuple[Path, str]]]:
    """The file itself, or an archive's tables in a folder that goes with the block; each with its format.

    Raises ArchiveError for an archive that is damaged or holds none.
    """
    if file.format != "tar":
        yield [(file.path, file.format)]
        return
    with tempfile.TemporaryDirectory(prefix="kdl-lists-") as folder:
        yield [(path, "csv") for path in _unpacked(file.path, Path(folder), checkpoint)]


def _unpacked(archive: Path, folder: Path, checkpoint: Checkpoint) -> list[Path]:
    found: dict[str, Path] = {}
    with disk_errors(archive), archive.open("rb") as reader:
        reading = unpack(
            reader,
            name=str(archive),
            is_clip=lambda name: name.endswith(".csv"),
            place=lambda member: Placement(folder / member.name),
            on_clip=lambda clip: found.update({clip.name: folder / clip.name}),
            on_skip=lambda name, reason: checkpoint(),
            tmp_dir=folder / "tmp",
            cap=TABLE_CAP,
        )
    fix = "remove it and run the same again: it is fetched anew"
    if not reading.whole:
        raise ArchiveError(f"is damaged: {reading.reason}", subject=str(archive), fix=fix)
    if not found:
        raise ArchiveError(
            "holds no .csv (the .json beside one loses ids with several clips)", subject=str(archive)
        )
    return sorted(found.values())
