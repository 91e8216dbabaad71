"""A first manifest for somebody's own dataset, made of what its files and archives are called.

What is seen is counted in a :class:`Survey`; :func:`draft` makes the manifest's text of it, with a remark
for each thing that was concluded. It is meant to be read and corrected by a person.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from itertools import takewhile
from pathlib import Path, PurePosixPath
from typing import Any

from kdl.dataset.clipname import parse_clip_name
from kdl.dataset.linklist import archive_stem

VIDEOS = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".mpg", ".mpeg", ".flv")
"""What is taken for a clip."""
_DOUBLE = re.compile(rf"(?:{'|'.join(map(re.escape, VIDEOS))}){{2}}$", re.IGNORECASE)
_NUMBERED = re.compile(r"(?:.*[^0-9])?[0-9]+$")


def video_extension(name: str) -> str | None:
    """The extension with its dot, two where there are two (``.mp4.mkv``); None if it is no video's."""
    if match := _DOUBLE.search(name):
        return match[0]
    found = PurePosixPath(name).suffix
    return found if found.lower() in VIDEOS else None


@dataclass
class Survey:
    """What was seen of a split's clips, path by path."""

    clips: int = 0
    extensions: Counter[str] = field(default_factory=Counter)
    timed: int = 0
    """Named ``<YouTube id>_<start>_<end>``."""
    ids: int = 0
    """Named after a YouTube id alone."""
    folders: set[tuple[str, ...]] = field(default_factory=set)

    def add(self, path: str) -> None:
        """A file, by its path in the archive or below the split's folder; none but videos count."""
        *folders, name = [part for part in path.split("/") if part not in ("", ".")] or [""]
        extension = video_extension(name)
        if extension is None:
            return
        self.clips += 1
        self.extensions[extension] += 1
        self.timed += parse_clip_name(name, extensions=(extension,), times=True) is not None
        self.ids += parse_clip_name(name, extensions=(extension,), times=False) is not None
        self.folders.add(tuple(folders))

    @property
    def strip(self) -> int:
        """Leading folders that all clips share: they wrap, and are no classes."""
        return sum(1 for _ in takewhile(lambda names: len(set(names)) == 1, zip(*self.folders, strict=False)))

    @property
    def classes(self) -> set[str]:
        """What the clips' own folders are called; empty where clips lie in none beside the wrapping ones."""
        return {folders[-1] for folders in self.folders if len(folders) > self.strip}


@dataclass(frozen=True, slots=True)
class SplitDraft:
    """One split of the manifest to be."""

    name: str
    survey: Survey
    list_url: str | None = None
    archives: tuple[str, ...] = ()
    annotation: str | None = None
    """The URL of a table with the columns that :mod:`kdl.dataset.annotations` reads."""
    bytes: int | None = None
    """Of its files together, where all were told."""

    @property
    def shard_names(self) -> list[str]:
        """The archives' names without their suffixes, if they may be classes': several, not numbered."""
        stems = [archive_stem(PurePosixPath(url).name) for url in self.archives]
        plausible = len(stems) > 1 and not all(map(_NUMBERED.fullmatch, stems))
        return stems if plausible else []

    def class_from(self, annotated: bool) -> str:
        """What tells the classes. ``annotated``: a table with labels is there."""
        if self.survey.classes:
            return "folder"
        if annotated:
            return "annotation"
        return "shard-name" if self.shard_names else "none"


@dataclass(frozen=True, slots=True)
class Draft:
    """All that a manifest is made of."""

    name: str
    title: str
    base: str
    """What its URLs begin with, a slash at the end."""
    splits: tuple[SplitDraft, ...]
    labels: tuple[str, ...]
    """The classes in the order of their ids; sorted where nobody said."""
    labelled_tables: bool = False
    """Annotations have a column of labels."""


@dataclass(frozen=True, slots=True)
class ManifestDraft:
    """A manifest that ``init_manifest`` wrote."""

    path: Path
    splits: dict[str, dict[str, Any]]
    """By name: ``archives``, ``clips`` and ``classes`` that were seen, and ``class_from``."""
    labels: int
    notes: tuple[str, ...]
    """What is to be looked at by a person."""


def labels_of(splits: Iterable[SplitDraft]) -> list[str]:
    """The classes that folders or archives spell, sorted."""
    found: set[str] = set()
    for split in splits:
        found |= split.survey.classes or set(split.shard_names)
    return sorted(found)


def draft(plan: Draft) -> str:
    """The manifest's text."""
    surveys = [split.survey for split in plan.splits]
    lines = [
        f"# {plan.title}: a first manifest, made of what lies at {plan.base}",
        "# Look it over: docs/manifest.md has every key.",
        "",
        f"name = {_text(plan.name)}",
        f"title = {_text(plan.title)}",
        f"sources = [{_text(plan.base)}]",
    ]
    if plan.labels:
        inside = "".join(f"  {_text(label)},\n" for label in plan.labels)
        lines.append(f"labels = [                    # in the order of their ids\n{inside}]")
    lines += _naming(surveys)
    shared = _shared(plan.splits)
    if shared:
        lines.append('split_from = "annotation"     # the splits lie together')
    lines += ["", "[hosts]", f"here = {_text(plan.base)}"]
    for split in plan.splits:
        lines += ["", *_split(split, plan, shared=shared)]
    return "\n".join(lines) + "\n"


def _naming(surveys: Sequence[Survey]) -> list[str]:
    """The keys that say how clips are called."""
    clips, timed = (sum(getattr(each, name) for each in surveys) for name in ("clips", "timed"))
    ids = sum(each.ids for each in surveys)
    extensions = sorted({extension for each in surveys for extension in each.extensions})
    lines = []
    if extensions and extensions != [".mp4"]:
        lines.append(f"extensions = [{', '.join(map(_text, extensions))}]")
    if clips and timed < clips:
        lines.append("times = false                 # names tell no start and end")
    if clips and timed < clips and ids < clips:
        lines.append('ids = "any"                   # names are not YouTube\'s ids')
    return lines


def _shared(splits: Sequence[SplitDraft]) -> bool:
    """Whether several splits have the same files."""
    places = [(split.list_url, split.archives) for split in splits]
    return len(set(places)) < len(places)


def _split(split: SplitDraft, plan: Draft, *, shared: bool) -> list[str]:
    strip = split.survey.strip
    lines = ["[[split]]", f"name = {_text(split.name)}"]
    lines.append(f"class_from = {_text(split.class_from(plan.labelled_tables))}")
    if split.list_url is not None:
        lines.append(f"list = {_text(_relative(split.list_url, plan.base))}")
    else:
        inside = "".join(f"  {_text(_relative(url, plan.base))},\n" for url in split.archives)
        lines.append(f"archives = [\n{inside}]")
        if any(url.lower().endswith(".zip") for url in split.archives):
            lines.append('archive = "unknown"           # some are zips')
    if strip:
        wrapping = "/".join(next(iter(split.survey.folders))[:strip])
        lines.append(f"strip = {strip}                     # {wrapping}/")
    if split.annotation is not None:
        url = _text(_relative(split.annotation, plan.base))
        lines.append(f'annotation = {{ url = {url}, format = "csv" }}')
    counts = [f"clips = {split.survey.clips}"] if split.survey.clips and not shared else []
    counts += [f"bytes = {split.bytes}"] if split.bytes and not shared else []
    if counts:
        lines.append(f"counts = {{ {', '.join(counts)} }}")
    return lines


def _relative(url: str, base: str) -> str:
    """As the manifest's only host has it; the base itself, which has no path, stays whole."""
    return url[len(base) :] if url.startswith(base) and len(url) > len(base) else url


def _text(text: str) -> str:
    """A TOML string: JSON's escapes are TOML's, too."""
    return json.dumps(text, ensure_ascii=False)
