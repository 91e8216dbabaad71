"""Annotation files to rows, in chunks: memory stays flat over 540,000 of them.

Hosts write them in several ways (columns quoted or not, with or without labels, CRLF, ``validate``
for val, a listing instead of a table); all end as :class:`~kdl.values.Annotation`. A row that can
not be used is counted and sampled in an :class:`AnnotationReport`, never silently dropped.
"""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path

from kdl.dataset.clipname import MAX_SECOND, is_id
from kdl.dataset.labels import LabelMap, clean_label
from kdl.dataset.listing import Listing
from kdl.dataset.specs import SplitSpec
from kdl.dataset.textfile import reason_of
from kdl.errors import KdlError
from kdl.values import Annotation, ClipKey

NORMALISED_COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split", "source", "is_cc")
"""``source`` is the publisher of the list, ``is_cc`` 1, 0, or empty where the list does not say."""
_READ_COLUMNS = ("label", "youtube_id", "time_start", "time_end", "split", "is_cc")
SAMPLES = 20
"""Bad rows and unknown labels shown by a report; the others are only counted."""

SPLIT_WORDS = {
    "train": "train", "training": "train",
    "val": "val", "validate": "val", "validation": "val",
    "test": "test", "testing": "test",
}  # fmt: skip
_FLAGS = {"1": True, "true": True, "0": False, "false": False}


@dataclass
class AnnotationReport:
    """What reading an annotation met; filled while its chunks are drawn."""

    rows: int = 0
    """Usable rows."""
    bad: int = 0
    """Rows that name no clip."""
    samples: list[str] = field(default_factory=list)
    """The first bad rows, each with its place and reason."""
    other_split: int = 0
    """Rows that say they are of another split."""
    unlabelled: int = 0
    """Usable rows without a class, in a split that has classes."""
    unknown_labels: dict[str, int] = field(default_factory=dict)
    """Labels that the label map lacks, with their rows (these rows count as unlabelled too)."""

    def note_bad(self, where: str, reason: str) -> None:
        self.bad += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(f"{where}: {reason}")

    def note_label(self, label: str) -> None:
        if label in self.unknown_labels or len(self.unknown_labels) < SAMPLES:
            self.unknown_labels[label] = self.unknown_labels.get(label, 0) + 1


def read_annotations(
    path: Path,
    split: SplitSpec,
    labels: LabelMap,
    *,
    report: AnnotationReport | None = None,
    chunk_rows: int = 20_000,
) -> Iterator[list[Annotation]]:
    """The rows of a split's annotation file, at most ``chunk_rows`` at a time.

    Labels come out as the label map spells them; one it lacks becomes ``None`` and is reported.
    Raises KdlError, with file, place and reason, for a file that is no annotation or holds no
    usable row.
    """
    report = AnnotationReport() if report is None else report
    rows = _Rows([split], labels, report, assumed=split.name)
    return _read(path, split.annotation.format if split.annotation else "csv", rows, chunk_rows)


def read_several(
    path: Path,
    format: str,
    splits: Sequence[SplitSpec],
    labels: LabelMap,
    *,
    assumed: str | None,
    report: AnnotationReport,
    chunk_rows: int = 20_000,
) -> Iterator[list[Annotation]]:
    """The rows of a file (``csv`` or ``ls-r``) that may list several splits, as :func:`read_annotations`.

    Rows that name no split are of ``assumed``; where that is ``None`` they are bad ones. A label that
    the label map lacks stays as it is written, and is reported.
    """
    rows = _Rows(splits, labels, report, assumed=assumed, keep_labels=True)
    return _read(path, format, rows, chunk_rows)


def normalised_name(split: str) -> str:
    """The file name of a split's normalised table, beside the files as hosted."""
    return f"{split}.normalised.csv"


def is_normalised(path: Path) -> bool:
    """Whether a normalised table of today's columns lies here: those of an older kdl had fewer."""
    try:
        with path.open(encoding="utf-8") as handle:
            return handle.readline().rstrip("\n") == ",".join(NORMALISED_COLUMNS)
    except (OSError, UnicodeDecodeError):
        return False


def write_normalised(path: Path, rows: Iterable[Annotation], source: str) -> int:
    """Write the one table that all annotations end as; the number of its rows.

    CSV with :data:`NORMALISED_COLUMNS`, absent values empty; ``source`` names the publisher. The rows
    are streamed; the file appears whole and safe on disk, or not at all.
    """
    count = 0
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as handle:
            writer = csv.writer(handle, lineterminator="\n")
            writer.writerow(NORMALISED_COLUMNS)
            for row in rows:
                key = row.key
                count += 1
                is_cc = None if row.is_cc is None else int(row.is_cc)
                writer.writerow((row.label, key.youtube_id, key.start, key.end, key.split, source, is_cc))
            handle.flush()
            os.fsync(handle.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
    return count


def _read(path: Path, format: str, rows: _Rows, chunk_rows: int) -> Iterator[list[Annotation]]:
    try:
        found = _listed(path, rows) if format == "ls-r" else _tabled(path, rows)
        while chunk := list(islice(found, chunk_rows)):
            yield chunk
    except (OSError, UnicodeDecodeError) as error:
        raise KdlError(f"can not be read: {reason_of(error)}", subject=str(path)) from error
    report = rows.report
    if not report.rows:
        reason = f"no usable row for split {', '.join(rows.splits)}: "
        reason += f"{report.bad} bad, {report.other_split} of other splits"
        first = f" ({report.samples[0]})" if report.samples else ""
        raise KdlError(reason + first, subject=str(path))


class _Rows:
    """Judges raw rows of one split or several, and keeps the report."""

    def __init__(
        self,
        splits: Sequence[SplitSpec],
        labels: LabelMap,
        report: AnnotationReport,
        *,
        assumed: str | None,
        keep_labels: bool = False,
    ) -> None:
        self.splits = {split.name: split for split in splits}
        self.report = report
        self._labels = labels
        self._assumed = assumed
        self._keep_labels = keep_labels

    @property
    def times(self) -> bool:
        """Whether a row must tell times."""
        return any(split.times for split in self.splits.values())

    @property
    def extensions(self) -> tuple[str, ...]:
        """Of the clips in a listing."""
        return tuple({ext: None for split in self.splits.values() for ext in split.extensions})

    def accept(
        self, where: str, label: str, youtube_id: str, start: str, end: str, split: str, is_cc: str = ""
    ) -> Annotation | None:
        """The row as an annotation; ``None``, reported, if it is none of these splits."""
        name = SPLIT_WORDS.get(split.strip().lower(), self._assumed)
        if name is None:
            self.report.note_bad(where, f"names no split: {split[:20]!r}")
            return None
        spec = self.splits.get(name)
        if spec is None:
            self.report.other_split += 1
            return None
        if not is_id(youtube_id, any_id=spec.any_id):
            what = "an id" if spec.any_id else "a YouTube id"
            self.report.note_bad(where, f"not {what}: {youtube_id[:40]!r}")
            return None
        flag = _FLAGS.get(is_cc.strip().lower())
        if not spec.times:
            return self._row(spec, ClipKey(name, youtube_id, None, None), label, flag)
        times = _seconds(start), _seconds(end)
        if times[0] is None or times[1] is None or times[0] >= times[1]:
            self.report.note_bad(where, f"no start and end in whole seconds: {start[:20]!r}, {end[:20]!r}")
            return None
        return self._row(spec, ClipKey(name, youtube_id, times[0], times[1]), label, flag)

    def _row(self, spec: SplitSpec, key: ClipKey, label: str, is_cc: bool | None) -> Annotation:
        self.report.rows += 1
        found = self._labels.find(label) if label else None
        if label and found is None and spec.labelled:
            self.report.note_label(clean_label(label)[:120])
        if label and found is None and self._keep_labels:
            found = clean_label(label)[:120] or None
        if found is None and spec.labelled:
            self.report.unlabelled += 1
        return Annotation(key, found, is_cc)


def _seconds(text: str) -> int | None:
    """Whole seconds of at most six digits; ``None`` for anything else."""
    text = text.strip()
    if not (text.isascii() and text.isdigit() and len(text) <= 9):
        return None
    value = int(text)
    return value if value <= MAX_SECOND else None


def _listed(path: Path, rows: _Rows) -> Iterator[Annotation]:
    """Rows from a listing as ``ls -R`` prints it: ``val/<class>:`` and the clips' file names."""
    any_id = any(split.any_id for split in rows.splits.values())
    listing = Listing(extensions=rows.extensions, times=rows.times, any_id=any_id)
    with path.open(encoding="utf-8-sig") as handle:
        for entry in listing.read(handle):
            where = f"line {entry.line}"
            if entry.clip is None:
                rows.report.note_bad(where, f"not a clip's name: {entry.name[:60]!r}")
                continue
            clip = entry.clip
            start, end = ("", "") if clip.start is None else (str(clip.start), str(clip.end))
            row = rows.accept(where, entry.folder, clip.youtube_id, start, end, entry.split)
            if row is not None:
                yield row


def _tabled(path: Path, rows: _Rows) -> Iterator[Annotation]:
    """Rows from a table with a header that names its columns."""
    wanted = ["youtube_id", *(("time_start", "time_end") if rows.times else ())]
    with path.open(encoding="utf-8-sig", newline="") as handle:
        table = csv.reader(handle, strict=True)
        number = 0
        try:
            columns = [name.strip() for name in next(filter(None, table), [])]
            if not columns:
                raise KdlError("not a table: it is empty", subject=str(path))
            missing = [name for name in wanted if name not in columns]
            if missing:
                reason = f"the first line names no column {missing[0]!r}: {columns[:6]}"
                raise KdlError(reason, subject=str(path))
            if len(set(columns)) < len(columns):
                raise KdlError(f"the first line names a column twice: {columns[:12]}", subject=str(path))
            # Cells that a short row lacks, and columns that the table lacks, are empty.
            places = [columns.index(name) if name in columns else -1 for name in _READ_COLUMNS]
            for cells in table:
                if not cells:
                    continue
                number += 1
                count = len(cells)
                row = rows.accept(f"row {number}", *[cells[at] if 0 <= at < count else "" for at in places])
                if row is not None:
                    yield row
        except csv.Error as error:
            raise KdlError(f"not a table: row {number + 1}: {error}", subject=str(path)) from error
