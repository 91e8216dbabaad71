"""What the replica's editions list: archives and annotations, real ones where they are at hand.

Without the real files the lists are short and the rows invented, in the same shapes.
"""

from __future__ import annotations

import base64
import csv
import hashlib
import io
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from kdl.dataset.manifest import load_manifest
from kdl.values import ClipKey

BASE = "https://s3.amazonaws.com/kinetics/"
SPLITS = ("train", "val", "test")
EDITIONS = {"k400": "400", "k600": "600", "k700-2020": "700_2020"}
"""Each edition's folder in the bucket."""
CLASSES = (
    "abseiling",
    "driving car",
    "massaging person's head",
    "mountain climber (exercise)",
    "tying knot (not on a tie)",
)
"""The classes whose archives are filled; the fourth is none of K400's."""

_ROWS_A_CLASS = 24
_REAL_ANNOTATIONS = {
    ("k400", "train"): "k400/train_sample_20000.csv",
    ("k400", "val"): "k400/val.csv",
    ("k400", "test"): "k400/test.csv",
    ("k600", "val"): "k600/val.txt",
    ("k600", "test"): "k600/test.csv",
    ("k700-2020", "val"): "k700_2020/val.csv",
    ("k700-2020", "test"): "k700_2020/test.csv",
}


@dataclass(frozen=True, slots=True)
class Row:
    """One annotation row."""

    label: str | None
    youtube_id: str
    start: int
    end: int

    @property
    def name(self) -> str:
        return f"{self.youtube_id}_{self.start:06d}_{self.end:06d}.mp4"


@dataclass(frozen=True)
class Split:
    """One split of an edition, before anything is put into its archives."""

    edition: str
    name: str
    archives: tuple[str, ...]
    """File names in the order of the path list."""
    rows: tuple[Row, ...]
    annotation: bytes
    """The file as hosted."""
    labels: tuple[str, ...]
    """The edition's classes in the order of their ids."""

    @property
    def folder(self) -> str:
        return f"{EDITIONS[self.edition]}/{self.name}"

    @property
    def list_key(self) -> str:
        return f"{self.folder}/{self.edition.replace('-', '_')}_{self.name}_path.txt"

    @property
    def list_text(self) -> str:
        """The path list: URLs on the real host, nothing encoded."""
        return "".join(f"{BASE}{self.folder}/{archive}\n" for archive in self.archives)

    @property
    def annotation_key(self) -> str:
        suffix = "txt" if _by_listing(self.edition, self.name) else "csv"
        return f"{EDITIONS[self.edition]}/annotations/{self.name}.{suffix}"

    @property
    def by_class(self) -> bool:
        """Every archive holds one class."""
        return self.edition != "k400" and self.name != "test"

    def class_of(self, archive: str) -> str | None:
        """The class that an archive's name or number tells."""
        if not self.by_class:
            return None
        stem = archive.removesuffix(".tar.gz")
        return stem if self.edition == "k600" else self.labels[int(stem.rpartition("_")[2]) - 1]

    def archive_of(self, label: str) -> str:
        return next(archive for archive in self.archives if self.class_of(archive) == label)

    @cached_property
    def names(self) -> frozenset[str]:
        """Of all listed clips."""
        return frozenset(row.name for row in self.rows)

    @cached_property
    def hostable(self) -> list[Row]:
        """The rows that are not known to have no clip."""
        absent = load_manifest(self.edition).split(self.name).never_hosted
        return [
            row for row in self.rows if ClipKey(self.name, row.youtube_id, row.start, row.end) not in absent
        ]


def read_split(edition: str, name: str, data: Path | None) -> Split:
    """A split as the files under ``data`` have it, invented where it or the file is not there."""
    labels = load_manifest(edition).labels.names
    archives = _real_archives(edition, name, data) if data else _invented_archives(edition, name, labels)
    if data and (known := _REAL_ANNOTATIONS.get((edition, name))):
        annotation = (data / "annotations" / known).read_bytes()
        rows = _read_listing(annotation) if known.endswith(".txt") else _read_csv(annotation)
    else:
        rows = _invented_rows(edition, name, labels)
        listing = _by_listing(edition, name)
        annotation = _write_listing(name, rows) if listing else _write_csv(edition, name, rows)
    return Split(edition, name, tuple(archives), tuple(rows), annotation, labels)


def _by_listing(edition: str, name: str) -> bool:
    return edition == "k600" and name != "test"


def _real_archives(edition: str, name: str, data: Path) -> list[str]:
    path = data / "path_lists" / f"{edition.replace('-', '_')}_{name}_path.txt"
    folder = f"{BASE}{EDITIONS[edition]}/{name}/"
    return [line.removeprefix(folder) for line in path.read_text().splitlines()]


def _invented_archives(edition: str, name: str, labels: tuple[str, ...]) -> list[str]:
    if edition == "k400" or (edition, name) == ("k600", "test"):
        return [f"part_{number}.tar.gz" for number in (0, 1, 2, 3, 120)]
    if name == "test":
        return [f"k700_test_{number:03d}.tar.gz" for number in range(1, 5)]
    classes = [*CLASSES, "yoga", "zumba"]
    if edition == "k600":
        return [f"{label}.tar.gz" for label in classes]
    return [f"k700_{name}_{labels.index(label) + 1:03d}.tar.gz" for label in classes]


def _invented_rows(edition: str, name: str, labels: tuple[str, ...]) -> list[Row]:
    rows = []
    for label in (*CLASSES, "yoga", "zumba"):
        for number in range(_ROWS_A_CLASS if label in labels else 0):
            digest = hashlib.sha256(f"{edition} {name} {label} {number}".encode()).digest()
            youtube_id = base64.urlsafe_b64encode(digest).decode()[:11]
            if number % 8 == 0:
                youtube_id = f"-{youtube_id[1:-1]}_"  # as a few of a hundred really begin and end
            rows.append(Row(label, youtube_id, 7 * number, 7 * number + 10))
    return rows if edition == "k400" or name != "test" else [_unlabelled(row) for row in rows]


def _unlabelled(row: Row) -> Row:
    return Row(None, row.youtube_id, row.start, row.end)


def _read_csv(data: bytes) -> list[Row]:
    table = csv.DictReader(io.StringIO(data.decode(), newline=""))
    return [
        Row(line.get("label"), line["youtube_id"], int(line["time_start"]), int(line["time_end"]))
        for line in table
    ]


def _read_listing(data: bytes) -> list[Row]:
    """An ``ls -R`` of folders that are classes."""
    rows, label = [], ""
    for line in data.decode().splitlines():
        if line.endswith(":"):
            label = line[:-1].partition("/")[2]
        elif label and line.endswith(".mp4"):
            youtube_id, start, end = line.removesuffix(".mp4").rsplit("_", 2)
            rows.append(Row(label, youtube_id, int(start), int(end)))
    return rows


def _write_listing(name: str, rows: Iterable[Row]) -> bytes:
    """With the file whose name is one blank, which the real listing has."""
    folders: dict[str, list[str]] = {}
    for row in rows:
        folders.setdefault(row.label or "", [" "] if not folders else []).append(row.name)
    blocks = ["\n".join([f"{name}:", *folders]) + "\n"]
    blocks += ["\n".join([f"{name}/{label}:", *names]) + "\n" for label, names in folders.items()]
    return "\n".join(blocks).encode()


def _write_csv(edition: str, name: str, rows: Iterable[Row]) -> bytes:
    """K400 quotes labels with blanks, K700 has CRLF and calls its val split ``validate``."""
    text = io.StringIO(newline="")
    newer = edition == "k700-2020"
    said = "validate" if newer and name == "val" else name
    end = "\r\n" if newer else "\n"
    labelled = edition == "k400" or name != "test"
    columns = ["youtube_id", "time_start", "time_end", "split"]
    text.write(",".join(["label", *columns] if labelled else columns) + end)
    for row in rows:
        quote = '"' if " " in (row.label or "") and not newer else ""
        label = f"{quote}{row.label}{quote}," if labelled else ""
        text.write(f"{label}{row.youtube_id},{row.start},{row.end},{said}{end}")
    return text.getvalue().encode()
