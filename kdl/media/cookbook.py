"""Recipes read from TOML and judged strictly: every complaint names file, recipe and key."""

from __future__ import annotations

import difflib
import re
import tomllib
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

from kdl.errors import ManifestError, UsageError
from kdl.media import denseflow
from kdl.media.recipe import (
    ALGORITHMS,
    CODECS,
    CONTAINERS,
    COPY,
    ENGINES,
    KEYS,
    PIXEL_FORMATS,
    PRESETS,
    STORAGES,
    TUNES,
    Kind,
    Recipe,
)
from kdl.resources import shipped

_NAME = re.compile(r"[a-z0-9][a-z0-9._-]*")
_COUNTER = r"%0[1-9]d"
_FRAMES_NAME = re.compile(rf"[A-Za-z0-9_.-]*{_COUNTER}\.(jpe?g|png|webp)")
_FLOW_NAME = re.compile(rf"[A-Za-z0-9_.-]*\{{\}}[A-Za-z0-9_.-]*{_COUNTER}\.(jpe?g|png)")


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


class _Reader:
    """Reads one table of a recipe file."""

    def __init__(self, source: Path, name: str, table: object) -> None:
        self._source = source
        self._name = name
        if not _NAME.fullmatch(name):
            raise self._error("a recipe's name has small letters, digits and . _ - only")
        if not isinstance(table, dict):
            raise self._error("is not a table; write [" + name + "]")
        self._table: dict[str, Any] = table

    def recipe(self) -> Recipe:
        kind: Kind = self._take("kind", _one_of(tuple(KEYS)))
        known = ("kind", "doc", "stands_for", "bytes_per_clip", *KEYS[kind])
        for key in self._table:
            if key not in known:
                raise self._error(f"unknown for {kind}; there is {_either(known, 'and')}", key)
        checks = _CHECKS | _OF_KIND[kind]
        settings = {key: self._take(key, checks[key]) for key in KEYS[kind] if key in self._table}
        if kind == "flow":
            settings.setdefault("template", "flow_{}_%05d.jpg")
        recipe = Recipe(
            name=self._name,
            kind=kind,
            doc=self._take("doc", _text),
            stands_for=self._take("stands_for", _text) if "stands_for" in self._table else "",
            bytes_per_clip=self._take("bytes_per_clip", _whole(1)),
            **settings,
        )
        for key, reason in _quarrels(recipe, settings):
            raise self._error(reason, key)
        return recipe

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


def _quarrels(recipe: Recipe, settings: dict[str, Any]) -> Iterable[tuple[str, str]]:
    """Keys that are right by themselves and wrong beside another one, with the reason."""
    if recipe.short_side and recipe.size:
        yield "size", "can not stand beside short_side"
    if recipe.copies:
        encoding = ("fps", "drop_duplicates", "short_side", "size", "preset", "tune", "crf", "gop")
        for key in (*encoding, "audio", "container", "pixel_format"):
            if key in settings:
                yield key, f'can not stand beside codec = "{COPY}", which takes a clip as it is into an mp4'
    if recipe.spread and recipe.count is None:
        yield "spread", "needs a count of frames to spread"
    if recipe.spread and (recipe.fps or recipe.drop_duplicates):
        yield "spread", "can not stand beside fps or drop_duplicates"
    if recipe.kind != "video" and recipe.format != "jpg" and "pixel_format" in settings:
        yield "pixel_format", f"is for JPEG files; {recipe.format} has its own"
    if recipe.kind != "video" and recipe.format == "png" and "quality" in settings:
        yield "quality", "is for JPEG and WebP files; png loses nothing"
    if recipe.engine == "denseflow":
        if recipe.algorithm not in denseflow.ALGORITHMS:
            yield "algorithm", f"denseflow has no {recipe.algorithm}; it has {_either(denseflow.ALGORITHMS)}"
        if recipe.format != "jpg" or recipe.quality != 95:
            yield "quality" if recipe.format == "jpg" else "template", "denseflow makes JPEGs of quality 95"
        if recipe.fps or recipe.drop_duplicates:
            yield "fps" if recipe.fps else "drop_duplicates", "denseflow takes every frame"


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


def _file_name(pattern: re.Pattern[str], example: str) -> Callable[[object], str]:
    def check(value: object) -> str:
        if not isinstance(value, str) or not pattern.fullmatch(value):
            raise ValueError(f"a plain file name such as {example}")
        return value

    return check


def _either(words: Iterable[str], last: str = "or") -> str:
    *rest, end = words
    return f"{', '.join(rest)} {last} {end}" if rest else end


_SIDE = _whole(2, 8192, even=True)  # video as trainers read it (4:2:0) has even sides only
_CHECKS: dict[str, Callable[[object], Any]] = {
    "short_side": _SIDE,
    "size": _size,
    "fps": _whole(1, 240),
    "drop_duplicates": _flag,
    "codec": _one_of(CODECS),
    "preset": _one_of(PRESETS),
    "tune": _one_of(TUNES),
    "crf": _whole(0, 51),
    "gop": _whole(1, 1000),
    "audio": _flag,
    "container": _one_of(CONTAINERS),
    "pixel_format": _one_of(PIXEL_FORMATS),
    "count": _whole(1, 100_000),
    "spread": _flag,
    "template": _file_name(_FRAMES_NAME, "img_%05d.jpg, img_%05d.png or img_%05d.webp"),
    "start": _whole(0, 100_000),
    "quality": _whole(1, 100),
    "storage": _one_of(STORAGES),
    "keep_extension": _flag,
    "algorithm": _one_of(ALGORITHMS),
    "engine": _one_of(ENGINES),
    "bound": _whole(1, 1000),
    "step": _whole(1, 1000),
}
_OF_KIND: dict[Kind, dict[str, Callable[[object], Any]]] = {
    "video": {},
    "frames": {"pixel_format": _one_of(PIXEL_FORMATS[:3])},
    "flow": {"template": _file_name(_FLOW_NAME, "flow_{}_%05d.jpg, where {} becomes x and y")},
}
