"""AVA-Kinetics: boxes round people in single pictures of the clips, and what each of them does.

Hosted as ``kinetics_{train,val,test}_v1.0.csv`` without a line of names:
``video_id,timestamp[,x1,y1,x2,y2,action_id[,person_id]]``, one line a box and action; a line of two
cells is a key-frame that was looked at and has no box (all of test are such). Timestamps are seconds
into the YouTube video, most but not all whole; coordinates are fractions of width and height. Beside
them lie the names of the 80 actions, and of the 60 of them that are evaluated, as protocol buffer text.
Source: research.google.com/ava/download.html, and the files themselves.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import groupby, islice
from pathlib import Path

from kdl.dataset.clipname import YOUTUBE_ID
from kdl.dataset.extras import RowReport, broken_rows, second_of, table_rows, whole_of, whole_table
from kdl.dataset.textfile import reason_of
from kdl.errors import KdlError

COLUMNS = ("split", "youtube_id", "timestamp", "x1", "y1", "x2", "y2", "action_id", "action")
"""Of the normalised table; the last six are empty where a key-frame has no box."""
ACTION_COLUMNS = ("action_id", "action", "evaluated")
TABLE = re.compile(r"kinetics_(?P<split>train|val|test)_v[\d.]+\.csv")
"""The name of a hosted table."""
ACTIONS = re.compile(r"ava_action_list_v[\d.]+\.pbtxt")
EVALUATED = re.compile(r"ava_action_list_v[\d.]+_for_activitynet[\w.]*\.pbtxt")
EXCLUDED = re.compile(r"(?:ava|kinetics)_(?P<split>train|val|test)_excluded_timestamps[\w.]*\.csv")

_CHUNK = 50_000
_MAX_ACTION = 999
_BLOCK = re.compile(r"\{([^{}]*)\}")
_NAME = re.compile(r'\bname:\s*"([^"]*)"')
_ID = re.compile(r"\b(?:label_)?id:\s*(\d+)")

Row = tuple[str, float, float | None, float | None, float | None, float | None, int | None]
"""YouTube id, seconds, x1, y1, x2, y2 and action: all of the last five, or none."""


def is_hosted(name: str) -> bool:
    """Whether a file of the archive is of use here, by its base name; AVA's films are not Kinetics."""
    return any(pattern.fullmatch(name) for pattern in (TABLE, ACTIONS, EVALUATED, EXCLUDED))


@dataclass(frozen=True, slots=True)
class Box:
    """One box and one thing that the person in it does; who does two things has two of these."""

    x1: float
    """Left, as a fraction of the width; the others likewise."""
    y1: float
    x2: float
    y2: float
    action_id: int
    """From 1 up."""


@dataclass(frozen=True, slots=True)
class KeyFrame:
    """One picture that somebody looked at."""

    split: str
    youtube_id: str
    second: float
    """Into the YouTube video."""
    boxes: tuple[Box, ...]
    """Empty where nobody was found in it, or where nobody tells."""

    @property
    def people(self) -> int:
        """Boxes, each counted once however much its person does."""
        return len({(box.x1, box.y1, box.x2, box.y2) for box in self.boxes})


def read_boxes(path: Path, actions: Mapping[int, str], report: RowReport) -> Iterator[Row]:
    """The usable rows of a hosted table, in its order.

    ``actions`` are the names by id; where there are any, a row with another id can not be read. Raises
    KdlError for a file that is no table.
    """
    for line, cells in table_rows(path):
        if cells[0].lower() == "video_id":
            continue
        row = _row(cells, actions)
        if isinstance(row, str):
            report.note_bad(line, row)
        else:
            report.rows += 1
            yield row


def _row(cells: list[str], actions: Mapping[int, str]) -> Row | str:
    """The row, or why it can not be read."""
    youtube_id, second = cells[0], second_of(cells[1]) if len(cells) > 1 else None
    if not YOUTUBE_ID.fullmatch(youtube_id):
        return f"not a YouTube id: {youtube_id[:40]!r}"
    if second is None:
        return f"no seconds: {','.join(cells[1:2])[:20]!r}"
    if not any(cells[2:]):
        return youtube_id, second, None, None, None, None, None
    if len(cells) < 7:
        return f"{len(cells)} cells, where a box has 7 and none has 2"
    corners = [_fraction(cell) for cell in cells[2:6]]
    x1, y1, x2, y2 = corners
    if x1 is None or y1 is None or x2 is None or y2 is None or x1 > x2 or y1 > y2:
        return f"no box in fractions: {','.join(cells[2:6])[:60]}"
    action = whole_of(cells[6])
    if action is None or not 1 <= action <= _MAX_ACTION or (actions and action not in actions):
        return f"no action of the list: {cells[6][:20]!r}"
    return youtube_id, second, x1, y1, x2, y2, action


def _fraction(text: str) -> float | None:
    value = second_of(text)
    return value if value is not None and value <= 1 else None


def write_boxes(path: Path, split: str, rows: Iterator[Row], actions: Mapping[int, str]) -> int:
    """The normalised table, sorted by id and time, so that a key-frame's rows stand together; its rows.

    The file appears whole and safe on disk, or not at all.
    """
    import pandas

    names = ("youtube_id", "timestamp", "x1", "y1", "x2", "y2", "action_id")
    ids: dict[str, str] = {}
    parts = []
    while chunk := [(ids.setdefault(row[0], row[0]), *row[1:]) for row in islice(rows, _CHUNK)]:
        part = pandas.DataFrame.from_records(chunk, columns=names)
        numbers = dict.fromkeys(names[1:6], "float64")
        parts.append(part.astype({**numbers, "action_id": "Int16"}))
    frame = pandas.concat(parts) if parts else pandas.DataFrame(columns=list(names))
    frame = frame.sort_values(["youtube_id", "timestamp"], kind="stable")
    frame.insert(0, "split", split)
    frame["action"] = frame["action_id"].map(dict(actions))
    with whole_table(path) as out:
        frame.to_csv(out, columns=list(COLUMNS), index=False, lineterminator="\n")
    return len(frame)


def key_frames(path: Path) -> Iterator[KeyFrame]:
    """The key-frames of a normalised table, in its order. Raises KdlError if it is none."""
    rows = table_rows(path)
    if tuple(next(rows, (0, []))[1]) != COLUMNS:
        raise KdlError("not a normalised table of AVA", subject=str(path))
    for (split, youtube_id, second), group in groupby(rows, lambda row: tuple(row[1][:3])):
        with broken_rows(path):
            boxes = tuple(_box(cells) for _, cells in group if cells[7])
            frame = KeyFrame(split, youtube_id, float(second), boxes)
        yield frame


def _box(cells: list[str]) -> Box:
    x1, y1, x2, y2 = map(float, cells[3:7])
    return Box(x1, y1, x2, y2, int(cells[7]))


def read_actions(path: Path) -> dict[int, str]:
    """Names of actions by id, from either form of list: ``label { name label_id }``, ``item { name id }``.

    Raises KdlError for a file that names none, or one id twice.
    """
    try:
        text = path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise KdlError(f"can not be read: {reason_of(error)}", subject=str(path)) from error
    found: dict[int, str] = {}
    for block in _BLOCK.findall(text):
        name, number = _NAME.search(block), _ID.search(block)
        if name is None or number is None or int(number[1]) in found:
            raise KdlError(f"no list of actions: {' '.join(block.split())[:80]!r}", subject=str(path))
        found[int(number[1])] = name[1]
    if not found:
        raise KdlError("no list of actions: it names none", subject=str(path))
    return found


def write_actions(path: Path, actions: Mapping[int, str], evaluated: Mapping[int, str]) -> None:
    """The actions as a table, by id; with no list of those that are evaluated, all of them are."""
    with whole_table(path) as out:
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(ACTION_COLUMNS)
        for number in sorted(actions):
            counts = not evaluated or number in evaluated
            writer.writerow((number, actions[number], str(counts).lower()))


def named_actions(path: Path) -> list[tuple[int, str, bool]]:
    """Number, name and whether it is evaluated, of each action of :func:`write_actions`. Raises KdlError."""
    found = []
    for _, cells in islice(table_rows(path), 1, None):
        with broken_rows(path):
            number, name, evaluated = cells
            found.append((int(number), name, evaluated == "true"))
    return found
