"""Lists of repetitions: a table that pandas reads, as every reader of Countix does.

``path,label,count,repetition_start,repetition_end``: the path begins with the split's folder, times are
seconds of the clip itself, from 0, and a clip has a line for each of its stretches.
"""

from __future__ import annotations

import csv
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TextIO

from kdl.errors import UsageError
from kdl.lists.rows import ListContext, ListRow, WrittenList
from kdl.lists.staging import Staging

NAME = "countix"
COLUMNS = ("path", "label", "count", "repetition_start", "repetition_end")

_SLACK_S = 0.5
"""A file may end so much before its last repetition does: times of pictures are rounded."""


@dataclass(frozen=True, slots=True)
class CountRow:
    """A stretch of a clip that is here."""

    clip: ListRow
    label: str
    """As Countix has it; empty where it tells none."""
    count: int
    first: float
    """Seconds of the clip, from 0."""
    last: float
    duration: float | None
    """Of the file, in seconds; ``None`` where nobody has measured."""

    @property
    def whole(self) -> bool:
        """The file holds all that was counted."""
        return self.duration is None or self.last <= self.duration + _SLACK_S


CountRows = Callable[[str], Iterator[CountRow]]
"""The stretches of a split; read once, never held together."""


def refuse_countix(context: ListContext) -> None:
    """Raise UsageError for folders of pictures: seconds tell nothing of which."""
    if context.kind != "video":
        raise UsageError(
            "its times are seconds of videos", subject=NAME, fix="leave --recipe out, or name one of videos"
        )


def write_countix(rows: CountRows, context: ListContext, splits: Sequence[str]) -> list[WrittenList]:
    """The stretches of each split. Nothing appears under a final name before all of it is whole; a split
    with none loses its older list. Raises MachineError if the folder can not be written.
    """
    with Staging(context.out_dir) as stage:
        written = [_write_split(rows(split), context, split, stage) for split in splits]
        stage.commit()
    return written


def _write_split(rows: Iterator[CountRow], context: ListContext, split: str, stage: Staging) -> WrittenList:
    name = f"countix_{split}.csv"
    with stage.open(name) as out:
        counts = _write_rows(rows, context, out)
    lines, cut, unwanted = counts["lines"], counts["cut"], counts["unwanted"]
    note = f"paths begin at {context.media_root}"
    if not lines:
        stage.drop(name)
        note = "no list: no stretch of a clip that is here"
    if cut:
        note += f"; {cut} stretches left out: their clip ends before they do"
    if unwanted:
        note += f"; {unwanted} stretches of the exclusion list left out"
    return WrittenList(split, context.out_dir / name if lines else None, lines, note, unwanted)


def _write_rows(rows: Iterator[CountRow], context: ListContext, out: TextIO) -> Counter[str]:
    table = csv.writer(out, lineterminator="\n")
    table.writerow(COLUMNS)
    counts: Counter[str] = Counter()
    for row in rows:
        clip = row.clip
        met = "unwanted" if clip.excluded else "lines" if row.whole else "cut"
        counts[met] += 1
        if met != "lines":
            continue
        folder = context.media(clip.split).relative_to(context.media_root)
        last = row.last if row.duration is None else min(row.last, row.duration)
        times = (f"{row.first:.3f}", f"{last:.3f}")
        table.writerow((str(folder / clip.class_dir / clip.name), row.label or clip.label, row.count, *times))
    return counts
