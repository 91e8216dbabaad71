"""Who lists the clips of a dataset, and in which files: the mirror's own annotations and all others."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass

from kdl.dataset.annotations import SPLIT_WORDS
from kdl.dataset.specs import Manifest
from kdl.urls import url_name

_WORDS = re.compile(r"[^a-z]+")
_SUFFIXES = {".csv": "csv", ".txt": "ls-r", ".tar.gz": "tar", ".tgz": "tar", ".tar": "tar"}


@dataclass(frozen=True, slots=True)
class PublishedFile:
    """One file of lists, as somebody hosts it."""

    url: str
    format: str
    """``csv``, ``ls-r`` or ``tar``."""
    place: str
    """Where it lies below the mirror's ``annotations``, with ``/``."""
    split: str = ""
    """The split whose annotation in the mirror it is; empty for what is not the mirror's own."""


def publishers_of(manifest: Manifest) -> dict[str, tuple[PublishedFile, ...]]:
    """Publishers by name, each with its files; those of the mirror's own annotations come first."""
    found: dict[str, tuple[PublishedFile, ...]] = {}
    for split in manifest.splits:
        note = split.annotation
        if note is not None:
            name = manifest.source_of(note.url)
            own = PublishedFile(note.url, note.format, note.file_name, split.name)
            found[name] = (*found.get(name, ()), own)
    for spec in manifest.publishers:
        found[spec.name] = tuple(
            PublishedFile(url, spec.format, f"{spec.name}/{url_name(url)}") for url in spec.urls
        )
    return found


def split_told(name: str, splits: Collection[str]) -> str | None:
    """Which of ``splits`` a list's file name tells: ``kinetics_val.csv`` -> ``val``; ``None`` if none."""
    words = (SPLIT_WORDS.get(word) for word in _WORDS.split(name.lower()))
    return next((word for word in words if word in splits), None)


def format_told(name: str) -> str | None:
    """How the file of this name is written; ``None`` for one that is no list."""
    if name.startswith(".") or name.endswith(".normalised.csv"):
        return None
    return next((format for suffix, format in _SUFFIXES.items() if name.lower().endswith(suffix)), None)
