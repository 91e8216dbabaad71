"""``kdl.toml``: what is set once for a mirror, or for all mirrors of a root, and is no option."""

from __future__ import annotations

import difflib
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdl.errors import UsageError
from kdl.settings import MirrorPaths

NAME = "kdl.toml"
TABLES = ("executor", "nightly")
"""What a file may hold."""


@dataclass(frozen=True, slots=True)
class Key:
    """A key that a table may have."""

    type: type
    """``str``, ``int``, ``bool``, or ``list`` for a list of strings."""
    meaning: str


@dataclass(frozen=True, slots=True)
class Entry:
    """A key's value, as it stands in a file."""

    value: Any
    path: Path
    """The file."""


def read_entries(paths: MirrorPaths, names: tuple[str, ...], keys: Mapping[str, Key]) -> dict[str, Entry]:
    """The table ``[names…]`` of the root's file, and over it, key by key, that of the mirror's own.

    Raises UsageError for a file that can not be read, a table that is none of :data:`TABLES`, and a key
    that is not in ``keys`` or has a value of another type.
    """
    found: dict[str, Entry] = {}
    for path in (paths.base.parent / NAME, paths.base / NAME):
        table: Any = _read(path)
        for name in names:
            table = table.get(name, {}) if isinstance(table, dict) else table
        if not isinstance(table, dict):
            raise UsageError(f"{'.'.join(names)} is not a table", subject=str(path))
        for name, value in table.items():
            _check(path, names, name, value, keys)
            found[name] = Entry(value, path)
    return found


def read_table(paths: MirrorPaths, names: tuple[str, ...], keys: Mapping[str, Key]) -> dict[str, Any]:
    """The values of :func:`read_entries`; empty where no file has the table."""
    return {name: entry.value for name, entry in read_entries(paths, names, keys).items()}


def _read(path: Path) -> dict[str, Any]:
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except (FileNotFoundError, NotADirectoryError):
        return {}
    except (OSError, ValueError) as error:
        raise UsageError(str(error), subject=str(path), fix="mend or remove it") from error
    for name in found:
        if name not in TABLES:
            raise UsageError(f"[{name}]: no such table; {_hint(name, TABLES)}", subject=str(path))
    return found


def _check(path: Path, names: tuple[str, ...], name: str, value: object, keys: Mapping[str, Key]) -> None:
    where = f"[{'.'.join(names)}] {name}"
    key = keys.get(name)
    if key is None:
        raise UsageError(f"{where}: no such key; {_hint(name, keys)}", subject=str(path))
    texts = isinstance(value, list) and all(isinstance(item, str) for item in value)
    if type(value) is not key.type or (key.type is list and not texts):
        raise UsageError(f"{where}: {_WANTED[key.type]} is wanted ({key.meaning})", subject=str(path))


def _hint(name: str, known: Iterable[str]) -> str:
    near = difflib.get_close_matches(name, known, n=1)
    return f"did you mean {near[0]!r}?" if near else f"there is {', '.join(known)}"


_WANTED = {str: "a text", int: "a whole number", bool: "true or false", list: "a list of texts"}
