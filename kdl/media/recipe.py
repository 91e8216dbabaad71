"""Recipes: how a derivative is made, read from TOML and judged strictly."""

from __future__ import annotations

import difflib
import hashlib
import json
import re
import tomllib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from kdl.errors import ManifestError, UsageError
from kdl.resources import shipped

Kind = Literal["video", "frames"]

PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
)  # fmt: skip
"""x264's, quickest first."""

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_TEMPLATE = re.compile(r"[A-Za-z0-9_.-]*%0[1-9]d\.jpe?g")


@dataclass(frozen=True)
class Recipe:
    """How one derivative of a clip is made."""

    name: str
    """Names the folder under ``derived/`` and the ledger's rows."""
    kind: Kind
    """One video file a clip, or one folder of JPEG files a clip."""
    doc: str
    """One line for a person."""
    stands_for: str
    """The tool whose output it takes the place of."""
    bytes_per_clip: int
    """What a clip of ten seconds comes to; for planning alone."""
    short_side: int | None = None
    """Pixels of the shorter side, smaller clips scaled up too; the other side follows, made even."""
    size: tuple[int, int] | None = None
    """Width and height in pixels, whatever the clip's shape; with ``short_side`` unset: native size."""
    preset: str = "medium"
    """Video: x264's preset."""
    crf: int = 23
    """Video: x264's quality, 0 best, 51 worst."""
    gop: int | None = None
    """Video: frames from key frame to key frame; ``None`` leaves it to x264 (at most 250)."""
    audio: bool = True
    """Video: whether the first audio stream is kept."""
    fps: int | None = None
    """Frames: so many a second; ``None`` for every frame that the clip has."""
    count: int | None = None
    """Frames: exactly so many, cut or the last one repeated; ``None`` for as many as there are."""
    template: str = "img_%05d.jpg"
    """Frames: file names, counted from 1."""
    quality: int = 2
    """Frames: ffmpeg's JPEG quality, 2 best, 31 worst."""
    keep_extension: bool = False
    """Frames: the folder is called ``<clip>.mp4`` instead of ``<clip>``."""

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that change whenever a setting does that the result depends on."""
        settings = {key: getattr(self, key) for key in ("kind", *_KEYS[self.kind])}
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()[:16]


def load_recipes(path: Path | None = None) -> dict[str, Recipe]:
    """The recipes of a file, by name, in its order; of the shipped one if none is given.

    Raises ManifestError (file, key, reason) for a malformed file, UsageError if it can't be read.
    """
    source = path or shipped("recipes.toml")
    try:
        tables = tomllib.loads(source.read_text(encoding="utf-8"))
    except OSError as error:
        raise UsageError(
            f"can not be read: {error.strerror}", subject=str(source), fix="write --recipe FILE:NAME"
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ManifestError(f"is no TOML: {error}", subject=str(source), fix="see docs/recipes.md") from error
    if not tables:
        raise ManifestError("holds no recipe", subject=str(source), fix="see docs/recipes.md")
    return {name: _Reader(source, name, table).recipe() for name, table in tables.items()}


def resolve_recipe(word: str) -> Recipe:
    """The recipe that ``NAME`` or ``FILE:NAME`` means.

    Raises UsageError, with the nearest names, if there is none; else as :func:`load_recipes`.
    """
    file, _, name = word.rpartition(":")
    recipes = load_recipes(Path(file) if file else None)
    if name in recipes:
        return recipes[name]
    near = difflib.get_close_matches(name, recipes, n=3, cutoff=0.4) or list(recipes)
    raise UsageError("no such recipe", subject=word, fix=f"did you mean {_either(near)}?")


def derived_path(recipe: Recipe, split: str, class_dir: str | None, clip_name: str) -> PurePosixPath:
    """Where a clip's derivative lies below ``derived/<recipe>/``: a file, or a folder of frames.

    ``class_dir`` is ``None`` in splits without labels, which are flat.
    """
    name = PurePosixPath(clip_name).stem
    if recipe.kind == "video":
        name += ".mp4"
    elif recipe.keep_extension:
        name = clip_name
    return PurePosixPath(split, *([class_dir] if class_dir else []), name)


_COMMON = ("short_side", "size")
_KEYS: dict[Kind, tuple[str, ...]] = {
    "video": (*_COMMON, "preset", "crf", "gop", "audio"),
    "frames": (*_COMMON, "fps", "count", "template", "quality", "keep_extension"),
}
"""The settings that a kind has beside ``kind``, ``doc``, ``stands_for`` and ``bytes_per_clip``."""


class _Reader:
    """Reads one table of a recipe file; every complaint names file, recipe and key."""

    def __init__(self, source: Path, name: str, table: object) -> None:
        self._source = source
        self._name = name
        if not _NAME.fullmatch(name):
            raise self._error("a recipe's name has small letters, digits and . _ - only")
        if not isinstance(table, dict):
            raise self._error("is not a table; write [" + name + "]")
        self._table: dict[str, Any] = table

    def recipe(self) -> Recipe:
        kind: Kind = self._take("kind", _one_of(("video", "frames")))
        known = ("kind", "doc", "stands_for", "bytes_per_clip", *_KEYS[kind])
        for key in self._table:
            if key not in known:
                raise self._error(f"unknown for {kind}; there is {_either(known, 'and')}", key)
        settings = {key: self._take(key, _CHECKS[key]) for key in _KEYS[kind] if key in self._table}
        if "short_side" in settings and "size" in settings:
            raise self._error("can not stand beside short_side", "size")
        return Recipe(
            name=self._name,
            kind=kind,
            doc=self._take("doc", _text),
            stands_for=self._take("stands_for", _text) if "stands_for" in self._table else "",
            bytes_per_clip=self._take("bytes_per_clip", _whole(1)),
            **settings,
        )

    def _take(self, key: str, check: Callable[[object], Any]) -> Any:
        if key not in self._table:
            raise self._error("is missing", key)
        try:
            return check(self._table[key])
        except ValueError as error:
            raise self._error(f"must be {error}, not {self._table[key]!r}", key) from None

    def _error(self, reason: str, key: str = "") -> ManifestError:
        where = f"{self._name}.{key}" if key else self._name
        return ManifestError(f"{where}: {reason}", subject=str(self._source), fix="see docs/recipes.md")


def _whole(least: int, most: int | None = None, *, even: bool = False) -> Callable[[object], int]:
    words = f"a{'n even' if even else ' whole'} number"
    words += f" of at least {least}" if most is None else f" from {least} to {most}"

    def check(value: object) -> int:
        if not isinstance(value, int) or isinstance(value, bool):
            raise ValueError(words)
        if value < least or (most is not None and value > most) or (even and value % 2):
            raise ValueError(words)
        return value

    return check


def _one_of(words: tuple[str, ...]) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or value not in words:
            raise ValueError(_either(words))
        return value

    return check


def _text(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("a line of text")
    return value


def _flag(value: object) -> bool:
    if not isinstance(value, bool):
        raise ValueError("true or false")
    return value


def _size(value: object) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise ValueError("[width, height]")
    width, height = map(_SIDE, value)
    return width, height


def _template(value: object) -> str:
    if not isinstance(value, str) or not _TEMPLATE.fullmatch(value):
        raise ValueError("a plain file name such as img_%05d.jpg")
    return value


def _either(words: Iterable[str], last: str = "or") -> str:
    *rest, end = words
    return f"{', '.join(rest)} {last} {end}" if rest else end


_SIDE = _whole(2, 8192, even=True)  # h264 as trainers read it (4:2:0) has even sides only
_CHECKS: dict[str, Callable[[object], Any]] = {
    "short_side": _SIDE,
    "size": _size,
    "preset": _one_of(PRESETS),
    "crf": _whole(0, 51),
    "gop": _whole(1, 1000),
    "audio": _flag,
    "fps": _whole(1, 240),
    "count": _whole(1, 100_000),
    "template": _template,
    "quality": _whole(2, 31),
    "keep_extension": _flag,
}
