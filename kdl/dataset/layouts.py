"""What a path tells of a clip or an archive: its split, its class, and whose layout that is.

People keep Kinetics in four ways: as CVDF's scripts leave it (``train/driving car/x.mp4``), as MMAction2
has it (``videos_train/driving_car/x.mp4``), as torchvision does (``train/tying_knot_not_on_a_tie/x.mp4``),
and flat, with or without a folder for the split.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from kdl.dataset.annotations import SPLIT_WORDS
from kdl.dataset.labels import STYLES, LabelMap, class_dir
from kdl.dataset.linklist import archive_stem

_ARCHIVE = re.compile(r".+\.(?:tar\.gz|tgz|tar|tar\.xz|txz|tar\.bz2|tbz2?|zip)", re.IGNORECASE)
_PIECE = re.compile(rf"({_ARCHIVE.pattern})[._-]?(?:part|part-)?([0-9]{{2,6}}|[a-z]{{2,4}})", re.IGNORECASE)
_WORD = re.compile(r"[^a-z0-9]+")


@dataclass(frozen=True, slots=True)
class Place:
    """What the folders above a file tell."""

    split: str | None
    """``None`` where no folder names one."""
    label: str | None
    """The class that the file's own folder spells; ``None`` where it spells none."""
    layout: str
    """``cvdf``, ``mmaction2``, ``torchvision``, ``class folders`` (which fits several) or ``flat``."""


def recognise(folders: Sequence[str], splits: Iterable[str], labels: LabelMap) -> Place:
    """What ``folders``, from the outermost to the one that holds the file, tell.

    The innermost folder that names a split says it: ``train``, ``videos_train``, ``train_256``,
    ``kinetics400-val``; a class's folder is no split's (``training dog``).
    """
    holder = folders[-1] if folders else ""
    label = labels.find(holder) if holder else None
    splits = tuple(splits)
    above = folders[:-1] if label is not None else folders
    named = next(
        ((name, split) for name in reversed(above) if (split := split_in(name, splits, labels))), ("", None)
    )
    return Place(named[1], label, _layout(holder, label, named[0]))


def split_in(name: str, splits: Iterable[str], labels: LabelMap) -> str | None:
    """The split that a folder's or an archive's name tells, if it tells exactly one."""
    if labels.find(name) is not None:
        return None
    told = {SPLIT_WORDS.get(word, word) for word in _WORD.split(name.lower())}
    found = told & set(splits)
    return found.pop() if len(found) == 1 else None


def _layout(folder: str, label: str | None, split_folder: str) -> str:
    if label is None:
        return "flat"
    fits = [style for style in STYLES if class_dir(label, style) == folder]
    if fits == ["raw"]:
        return "cvdf"
    if split_folder.lower().startswith("videos_") or ("mmaction2" in fits and "torchvision" not in fits):
        return "mmaction2"
    return "torchvision" if fits == ["torchvision"] else "class folders"


@dataclass
class Recognised:
    """What was recognised below one folder, clip by clip; a few telling names decide for all."""

    clips: int = 0
    layouts: set[str] = field(default_factory=set)
    classes: set[str] = field(default_factory=set)

    def add(self, place: Place) -> None:
        self.clips += 1
        self.layouts.add(place.layout)
        if place.label is not None:
            self.classes.add(place.label)

    @property
    def layout(self) -> str:
        """The one that its most telling folder has: ``abseiling`` alone fits all of them."""
        for name in ("kdl", "cvdf", "torchvision", "mmaction2", "class folders"):
            if name in self.layouts:
                return name
        return "flat"


def piece_of(name: str) -> tuple[str, str] | None:
    """An archive's name, and which piece of it the file is: ``x.tar.gz.01`` -> (``x.tar.gz``, ``01``).

    The piece is empty for a whole archive; ``None`` for what is no archive by its name.
    """
    if _ARCHIVE.fullmatch(name):
        return name, ""
    match = _PIECE.fullmatch(name)
    return (match[1], match[2].lower()) if match else None


def missing_piece(pieces: Sequence[str]) -> str | None:
    """The first piece that is lacking of those that ``split`` names (``00``…, ``01``…, ``aa``…).

    ``None`` where all are there, as far as their names can tell: a last one that is lacking shows only in
    the archive itself. ``pieces`` are sorted and not empty.
    """
    first = pieces[0]
    if first.isdigit():
        start = int(first) if int(first) in (0, 1) else 0
        wanted = [f"{number:0{len(first)}d}" for number in range(start, start + len(pieces))]
    else:
        wanted = [_letters(number, len(first)) for number in range(len(pieces))]
    return next((name for name, have in zip(wanted, pieces, strict=True) if name != have), None)


def _letters(number: int, width: int) -> str:
    """0 -> ``aa``, 1 -> ``ab``, 26 -> ``ba``."""
    text = ""
    for _ in range(width):
        number, rest = divmod(number, 26)
        text = chr(ord("a") + rest) + text
    return text


def split_of_archive(
    name: str, folders: Sequence[str], splits: Iterable[str], labels: LabelMap
) -> str | None:
    """The split that an archive's own name tells (``k700_train_001.tar.gz``), else a folder above it."""
    splits = tuple(splits)
    return split_in(archive_stem(name), splits, labels) or recognise(folders, splits, labels).split
