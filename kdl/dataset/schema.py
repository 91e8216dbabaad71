"""The keys a manifest may hold, and the check that it holds them as they should be.

This says what a single value may look like; what values mean together is checked in
:mod:`kdl.dataset.manifest`. ``docs/manifest.md`` describes the same keys for people.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from kdl.errors import ManifestError, UsageError
from kdl.settings import parse_size

CLASS_FROM = ("annotation", "folder", "shard-name", "shard-rank", "none")
SPLIT_FROM = ("archive", "annotation")
ARCHIVE_KINDS = ("tar", "zip", "unknown")
IDS = ("youtube", "any")
SPLIT_NAMES = ("train", "val", "test")
FORMATS = ("csv", "ls-r")
FROM_ANNOTATION = "annotation"
"""What ``times`` says of clips that are named after their YouTube id alone, and annotated with times."""
EXTRAS = ("ava", "countix")
PUBLISHED_FORMATS = (*FORMATS, "tar")

_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True, slots=True)
class Key:
    """What one key may hold."""

    type: str
    """A name in ``_TYPES``, ``table:SECTION`` or ``tables:SECTION``."""
    required: bool = False
    choices: tuple[str, ...] = ()
    """The only texts allowed; any if empty."""


PER_SPLIT: Mapping[str, Key] = {
    "extensions": Key("texts"),
    "times": Key("times"),
    "ids": Key("text", choices=IDS),
    "strip": Key("count"),
    "archive": Key("text", choices=ARCHIVE_KINDS),
    "split_from": Key("text", choices=SPLIT_FROM),
}
"""Keys that may stand at the top, for all splits, and in a split, for that one."""

SECTIONS: Mapping[str, Mapping[str, Key]] = {
    "manifest": {
        "name": Key("text", required=True),
        "title": Key("text", required=True),
        "sources": Key("texts"),
        "hosts": Key("bases"),
        "labels": Key("text or texts"),
        "list_prefix": Key("text"),
        "readmes": Key("texts"),
        "youtube": Key("text"),
        "by_hand": Key("texts"),
        "short_tolerance": Key("seconds"),
        "max_member": Key("size"),
        **PER_SPLIT,
        "split": Key("tables:split", required=True),
        "replacement": Key("table:replacement"),
        "torrent": Key("table:torrent"),
        "annotations": Key("tables:annotations"),
        "extra": Key("tables:extra"),
    },
    "split": {
        "name": Key("text", required=True, choices=SPLIT_NAMES),
        "class_from": Key("text", required=True, choices=CLASS_FROM),
        "list": Key("text"),
        "archives": Key("texts"),
        "annotation": Key("table:annotation"),
        "published": Key("table:published"),
        "never_hosted": Key("text"),
        "counts": Key("table:counts"),
        **PER_SPLIT,
    },
    "annotation": {
        "url": Key("text", required=True),
        "format": Key("text", required=True, choices=FORMATS),
        "file_name": Key("text"),
    },
    "published": {
        "by": Key("text", required=True),
        "videos": Key("text", required=True),
        "frames": Key("text"),
    },
    "counts": {
        "clips": Key("count"),
        "rows": Key("count"),
        "shards": Key("count"),
        "bytes": Key("size"),
        "approximate": Key("flag"),
    },
    "replacement": {
        "url": Key("text", required=True),
        "splits": Key("texts", required=True),
        "clips": Key("count"),
    },
    "torrent": {
        "file": Key("text"),
        "trackers": Key("texts"),
    },
    "annotations": {
        "name": Key("text", required=True),
        "url": Key("text or texts", required=True),
        "format": Key("text", required=True, choices=PUBLISHED_FORMATS),
    },
    "extra": {
        "name": Key("text", required=True, choices=EXTRAS),
        "url": Key("text", required=True),
        "file_name": Key("text"),
    },
}


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value.strip()) and not _CONTROL.search(value)


def _is_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(map(_is_text, value))


def _is_count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


def _is_seconds(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < float("inf")


def _is_size(value: Any) -> bool:
    if not isinstance(value, str):
        return _is_count(value) and value > 0
    try:
        return parse_size(value) > 0
    except UsageError:
        return False


def _is_bases(value: Any) -> bool:
    return isinstance(value, dict) and bool(value) and all(map(_is_text, value.values()))


_TYPES: Mapping[str, tuple[Callable[[Any], bool], str]] = {
    "text": (_is_text, "text, not empty and without control characters"),
    "texts": (_is_texts, "a list of texts, not empty"),
    "text or texts": (lambda value: _is_text(value) or _is_texts(value), "a text or a list of texts"),
    "flag": (lambda value: isinstance(value, bool), "true or false"),
    "times": (
        lambda value: isinstance(value, bool) or value == FROM_ANNOTATION,
        f'true, false or "{FROM_ANNOTATION}"',
    ),
    "count": (_is_count, "a whole number from 0 up"),
    "seconds": (_is_seconds, "a number of seconds from 0 up"),
    "size": (_is_size, 'a size in bytes above 0: 50000000, "50M" or "1.5Gi"'),
    "bases": (_is_bases, 'a table of base URLs: NAME = "https://…/"'),
}


def check(file: str, table: Mapping[str, Any], section: str = "manifest", at: str = "") -> None:
    """Check a table and those inside it against the schema.

    ``file`` and ``at`` (the way to the table, ``split[val]``) are for the message. Raises
    ManifestError at the first unknown key, missing key or wrong value, in this order.
    """
    keys = SECTIONS[section]
    for name in table:
        if name not in keys:
            raise malformed(file, _join(at, name), "unknown key", hint=near(name, keys))
    for name, key in keys.items():
        where = _join(at, name)
        if name in table:
            _check_value(file, where, key, table[name])
        elif key.required:
            raise malformed(file, where, "is missing")


def malformed(file: str, key: str, reason: str, *, hint: str = "") -> ManifestError:
    """The error for one key of a manifest."""
    return ManifestError(f"{key}: {reason}", subject=file, fix=hint or "docs/manifest.md describes every key")


def near(wrong: str, known: Mapping[str, Any] | tuple[str, ...] | list[str]) -> str:
    """``did you mean …?``, or nothing where nothing looks alike."""
    hits = difflib.get_close_matches(wrong, list(known), n=3, cutoff=0.5)
    return f"did you mean {', '.join(hits)}?" if hits else ""


def _check_value(file: str, where: str, key: Key, value: Any) -> None:
    kind, _, section = key.type.partition(":")
    if kind == "tables":
        if not isinstance(value, list) or not value or not all(isinstance(item, dict) for item in value):
            raise malformed(file, where, f"must be one or more [[{where}]] tables")
        for number, item in enumerate(value, start=1):
            name = item.get("name")
            check(file, item, section, f"{where}[{name if _is_text(name) else number}]")
        return
    if kind == "table":
        if not isinstance(value, dict):
            raise malformed(file, where, "must be a table")
        check(file, value, section, where)
        return
    fits, meaning = _TYPES[key.type]
    if not fits(value):
        raise malformed(file, where, f"must be {meaning}, not {value!r}")
    if key.choices and value not in key.choices:
        raise malformed(
            file,
            where,
            f"must be one of {', '.join(key.choices)}, not {value!r}",
            hint=near(value, key.choices),
        )


def _join(at: str, name: str) -> str:
    return f"{at}.{name}" if at else name
