"""What the tables of annotations beside the classes share: how rows are read, counted and kept.

Hosts write them with and without a first line of names, with blank lines before it, with CRLF, with
quoted cells and with columns left out. A row that can not be read is counted and sampled in a
:class:`RowReport`; nothing is silently dropped.
"""

from __future__ import annotations

import contextlib
import csv
import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import TextIO

from kdl.dataset.clipname import MAX_SECOND
from kdl.dataset.textfile import reason_of
from kdl.errors import KdlError

SAMPLES = 5
"""Bad rows shown by a report; the others are only counted."""


@dataclass
class RowReport:
    """What reading a table met; filled while its rows are drawn."""

    rows: int = 0
    """Usable rows."""
    bad: int = 0
    samples: list[str] = field(default_factory=list)
    """The first bad rows, each with its place and reason."""

    def note_bad(self, line: int, reason: str) -> None:
        self.bad += 1
        if len(self.samples) < SAMPLES:
            self.samples.append(f"line {line}: {reason}")


def table_rows(path: Path) -> Iterator[tuple[int, list[str]]]:
    """Rows that hold anything, with their line numbers from 1; cells without blanks round them.

    Raises KdlError, with file and place, for a file that can not be read or is no table.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as handle:
            table = csv.reader(handle, strict=True)
            try:
                for cells in table:
                    stripped = [cell.strip() for cell in cells]
                    if any(stripped):
                        yield table.line_num, stripped
            except csv.Error as error:
                raise KdlError(f"not a table: line {table.line_num}: {error}", subject=str(path)) from error
    except (OSError, UnicodeDecodeError) as error:
        raise KdlError(f"can not be read: {reason_of(error)}", subject=str(path)) from error


def second_of(text: str) -> float | None:
    """Seconds into a video, ``None`` for what is none: not a number, below 0 or beyond all videos."""
    try:
        value = float(text)
    except ValueError:
        return None
    return value if 0 <= value <= MAX_SECOND else None


def whole_of(text: str) -> int | None:
    """A whole number from 0 up, also where it is written ``4.0``; ``None`` for anything else."""
    value = second_of(text)
    return int(value) if value is not None and value.is_integer() else None


@contextlib.contextmanager
def broken_rows(path: Path) -> Iterator[None]:
    """Raise KdlError for a cell of a normalised table that is not what was written into it."""
    try:
        yield
    except (ValueError, IndexError) as error:
        fix = "remove it: the same command makes it anew"
        raise KdlError(f"somebody altered this table: {error}", subject=str(path), fix=fix) from error


@contextlib.contextmanager
def whole_table(path: Path) -> Iterator[TextIO]:
    """A text file that appears whole and safe on disk when the block ends well, or not at all."""
    part = path.with_name(f".{path.name}.part")
    try:
        with part.open("w", encoding="utf-8", newline="") as handle:
            yield handle
            handle.flush()
            os.fsync(handle.fileno())
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)
