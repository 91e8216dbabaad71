"""Countix: how often something is done again in a clip, and from when to when.

Hosted as ``countix_{train,val,test}.csv``:
``video_id,class,kinetics_start,kinetics_end,repetition_start,repetition_end,count``. All times are seconds
into the YouTube video. Test has no ``class``, some copies begin with a blank line, and a clip can have
several rows. Source: sites.google.com/view/repnet, and the files themselves.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kdl.dataset.clipname import YOUTUBE_ID
from kdl.dataset.extras import RowReport, broken_rows, second_of, table_rows, whole_of, whole_table
from kdl.errors import KdlError

COLUMNS = (
    "split",
    "youtube_id",
    "time_start",
    "time_end",
    "label",
    "repetition_start",
    "repetition_end",
    "count",
)
"""Of the normalised table; ``label`` is empty in test."""
TABLE = re.compile(r"countix_(?P<split>train|val|test)\.csv")
"""The name of a hosted table."""

_SLACK_S = 0.1
"""Repetitions end so much behind their clip, as times of pictures are rounded."""
_HOSTED = ("video_id", "kinetics_start", "kinetics_end", "repetition_start", "repetition_end", "count")


def is_hosted(name: str) -> bool:
    """Whether a file of the archive is of use here, by its base name."""
    return TABLE.fullmatch(name) is not None


@dataclass(frozen=True, slots=True)
class Repetition:
    """One stretch of a clip in which something is repeated."""

    split: str
    youtube_id: str
    start: int
    """Of the clip: seconds into the YouTube video, as all times here."""
    end: int
    label: str
    """Empty where nobody tells."""
    repetition_start: float
    repetition_end: float
    count: int
    """From 1 up."""


def read_repetitions(path: Path, split: str, report: RowReport) -> Iterator[Repetition]:
    """The usable rows of a hosted table, in its order. Raises KdlError for a file that is no such table."""
    rows = table_rows(path)
    columns = next(rows, (0, []))[1]
    missing = [name for name in _HOSTED if name not in columns]
    if missing:
        reason = f"the first line names no column {missing[0]!r}: {columns[:7]}"
        raise KdlError(reason, subject=str(path))
    for line, cells in rows:
        row = _row(split, dict(zip(columns, cells, strict=False)))
        if isinstance(row, str):
            report.note_bad(line, row)
        else:
            report.rows += 1
            yield row


def _row(split: str, cells: Mapping[str, str]) -> Repetition | str:
    """The row, or why it can not be read."""
    youtube_id, *texts = (cells.get(name, "") for name in _HOSTED)
    if not YOUTUBE_ID.fullmatch(youtube_id):
        return f"not a YouTube id: {youtube_id[:40]!r}"
    start, end, count = whole_of(texts[0]), whole_of(texts[1]), whole_of(texts[4])
    first, last = second_of(texts[2]), second_of(texts[3])
    if start is None or end is None or start >= end:
        return f"no clip in whole seconds: {texts[0][:20]!r}, {texts[1][:20]!r}"
    if first is None or last is None or not start - _SLACK_S <= first < last <= end + _SLACK_S:
        return f"no repetition within its clip: {texts[2][:20]!r}, {texts[3][:20]!r}"
    if not count:
        return f"no count: {texts[4][:20]!r}"
    return Repetition(split, youtube_id, start, end, cells.get("class", ""), first, last, count)


def write_repetitions(path: Path, rows: Iterable[Repetition]) -> int:
    """The normalised table, whole and safe on disk, or not at all; its rows."""
    count = 0
    with whole_table(path) as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(COLUMNS)
        for row in rows:
            count += 1
            times = (row.repetition_start, row.repetition_end)
            writer.writerow((row.split, row.youtube_id, row.start, row.end, row.label, *times, row.count))
    return count


def repetitions(path: Path) -> Iterator[Repetition]:
    """The rows of a normalised table, in its order. Raises KdlError if it is none."""
    rows = table_rows(path)
    if tuple(next(rows, (0, []))[1]) != COLUMNS:
        raise KdlError("not a normalised table of Countix", subject=str(path))
    for _, cells in rows:
        with broken_rows(path):
            split, youtube_id, start, end, label, first, last, count = cells
            row = Repetition(
                split, youtube_id, int(start), int(end), label, float(first), float(last), int(count)
            )
        yield row
