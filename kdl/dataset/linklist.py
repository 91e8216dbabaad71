"""Link lists to shards: which archives a split has, and the class that an archive's name tells.

A list may name clips that lie loose, too; so may a folder. Those of one folder are a shard together, see
:mod:`kdl.dataset.loose`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from io import BytesIO
from itertools import count
from typing import TextIO

from kdl.dataset.labels import LabelMap
from kdl.dataset.loose import BUNDLE_BYTES, BUNDLE_CLIPS, is_loose, read_line
from kdl.dataset.safe import unsafe
from kdl.dataset.specs import SplitSpec
from kdl.errors import KdlError
from kdl.settings import LARGE
from kdl.urls import bundle_url, folder_name, folder_of, url_name
from kdl.values import Finding, Listed, Shard, Stretch, line_of, read_back

Keep = Callable[[Sequence[Listed]], Stretch]
"""Writes the clips of a bundle to a list on disk."""

_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
_ARCHIVES = (*_SUFFIXES, ".tar.xz", ".txz", ".tar.bz2", ".tbz2")
_RANK = re.compile(r"([0-9]{1,9})$")


@dataclass(frozen=True, slots=True)
class ShardList:
    """A split's shards, and what is odd about the list that named them."""

    shards: tuple[Shard, ...]
    """Archives in the list's order, then bundles by folder, in the order of their first clips; a URL appears
    once."""
    problems: tuple[Finding, ...]
    """Kinds ``link_list_duplicate``, ``link_list_count`` and ``shard_class_unknown``."""


def parse_link_list(text: TextIO, split: SplitSpec, labels: LabelMap, keep: Keep | None = None) -> ShardList:
    """The shards that a link list names, one URL a line, raw or encoded.

    Behind a URL may stand its size and its sha256, see :func:`kdl.dataset.loose.read_line`. Blank lines and
    ``#`` comments are skipped, a URL that comes again is reported. Clips among the lines, in whatever order,
    become bundles, each handed to ``keep``. Raises KdlError, naming the line, where one holds no URL of a
    file, and for a list without any.
    """
    subject = split.list_url or f"split {split.name}"
    found = _shards(_lines(text, split.list_url or "", subject), split, labels, keep)
    if not found.shards:
        raise KdlError("the link list names no archive and no clip", subject=subject)
    return found


def listed_shards(files: Iterable[Listed], split: SplitSpec, labels: LabelMap, keep: Keep) -> ShardList:
    """The shards in a folder: its archives, and its clips in bundles.

    Raises KdlError where it holds neither.
    """
    wanted = (
        file
        for file in files
        if url_name(file.url).lower().endswith(_ARCHIVES) or is_loose(file, split.extensions)
    )
    found = _shards(enumerate(wanted, start=1), split, labels, keep)
    if not found.shards:
        kinds = ", ".join(split.extensions)
        raise KdlError(f"the folder holds no archive and no clip ({kinds})", subject=split.list_url or "")
    return found


def _lines(text: TextIO, list_url: str, subject: str) -> Iterator[tuple[int, Listed]]:
    """The files of a list, with the numbers of their lines: of the web, or of the list's own host."""
    own = "/".join(list_url.split("/", 3)[:3]) + "/"
    for number, line in enumerate(text, start=1):
        line = (line.removeprefix("\ufeff") if number == 1 else line).strip()
        if line and not line.startswith("#"):
            yield number, _listed(line, number, subject, anywhere=line.startswith(own))


def enumerated_shards(split: SplitSpec, labels: LabelMap) -> ShardList:
    """The shards of a split whose manifest names the archives itself.

    Raises KdlError for a URL that ends in no file's name.
    """
    subject = f"split {split.name}"
    files = [
        (number, _listed(url, number, subject, anywhere=True))
        for number, url in enumerate(split.archives, start=1)
    ]
    return _shards(files, split, labels, None)


def archive_stem(name: str) -> str:
    """An archive's file name without its suffix: ``driving car.tar.gz`` -> ``driving car``."""
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _listed(line: str, number: int, subject: str, *, anywhere: bool = False) -> Listed:
    try:
        file = read_line(line, anywhere=anywhere)
    except ValueError as error:
        raise KdlError(f"line {number} of the link list: {error}: {line[:120]!r}", subject=subject) from error
    reason = unsafe(url_name(file.url))
    if reason is not None:
        raise KdlError(f"line {number} of the link list ends in no file's name: {reason}", subject=subject)
    return file


def _shards(
    files: Iterable[tuple[int, Listed]], split: SplitSpec, labels: LabelMap, keep: Keep | None
) -> ShardList:
    subject = split.list_url or f"split {split.name}"
    problems: list[Finding] = []
    shards: list[Shard] = []
    lines: dict[str, int] = {}
    loose = _Bundles(split, labels)
    for number, file in files:
        if keep is not None and is_loose(file, split.extensions):
            loose.add(file)
            continue
        name = url_name(file.url)
        first = lines.setdefault(file.url, number)
        if first != number:
            detail = f"line {number} names {name!r} again, first on line {first}"
            problems.append(Finding("link_list_duplicate", subject, detail))
            continue
        hint = class_of(name, split, labels)
        if hint is None and split.class_by_shard:
            detail = f"its name tells no class of the label map ({split.class_from})"
            problems.append(Finding("shard_class_unknown", name, detail))
        shards.append(Shard(file.url, name, split.name, 0, hint, sha256=file.sha256))
    if keep is not None:
        shards += loose.shards(keep)
    if loose.again:
        detail = f"names {len(loose.again)} clips again, such as {loose.again[0]!r}"
        problems.append(Finding("link_list_duplicate", subject, detail))
    known = split.counts.shards
    if known is not None and known != len(shards) and not any(shard.bundle for shard in shards):
        detail = f"split {split.name} has {len(shards)} archives here, {known} by the manifest"
        problems.append(Finding("link_list_count", split.list_url or split.name, detail))
    numbered = (replace(shard, index=index) for index, shard in enumerate(shards))
    return ShardList(tuple(numbered), tuple(problems))


class _Bundles:
    """Makes shards of loose clips, which lists name in any order.

    Until all are known they are kept as text: a list may name half a million.
    """

    def __init__(self, split: SplitSpec, labels: LabelMap) -> None:
        self._split = split
        self._labels = labels
        self._folders: dict[str, bytearray] = {}
        self._names: set[str] = set()
        self.again: list[str] = []
        """Names of clips that came before."""

    def add(self, file: Listed) -> None:
        self._folders.setdefault(folder_of(file.url), bytearray()).extend(line_of(file).encode())

    def shards(self, keep: Keep) -> Iterator[Shard]:
        """The bundles, folder by folder. Raises KdlError for a folder whose name can be none here."""
        for folder in tuple(self._folders):
            files = self._once(self._folders.pop(folder))
            for part, bundle in enumerate(_cut(files)):
                yield self._shard(folder, part, keep(bundle))

    def _once(self, lines: bytearray) -> Iterator[Listed]:
        seen: set[str] = set()
        for line in BytesIO(lines):
            file = read_back(line.decode())
            name = url_name(file.url)
            if name in seen:
                self.again.append(name)
            else:
                seen.add(name)
                yield file

    def _shard(self, folder: str, part: int, bundle: Stretch) -> Shard:
        name = folder_name(folder)
        shown = self._shown(name or self._split.name)
        reason = unsafe(shown)
        if reason is not None:
            raise KdlError(f"its name can not be a file's here: {reason}", subject=folder)
        return Shard(bundle_url(folder, part), shown, self._split.name, 0, self._class(name), bundle=bundle)

    def _shown(self, name: str) -> str:
        """A name that no other bundle has: folders of one name may lie in several."""
        numbered = (f"{name}{f' {number}' if number else ''}.tar" for number in count())
        shown = next(each for each in numbered if each not in self._names)
        self._names.add(shown)
        return shown

    def _class(self, folder: str) -> str | None:
        split = self._split
        if not split.labelled:
            return None
        if split.class_from == "folder" and not len(self._labels):
            return folder
        return self._labels.find(folder)


def _cut(files: Iterable[Listed]) -> Iterator[list[Listed]]:
    """The files in rows of which each makes a bundle."""
    row: list[Listed] = []
    size = 0
    for file in files:
        size += file.size or 0
        large = (file.size or 0) > LARGE or (row and (row[-1].size or 0) > LARGE)
        if row and (large or len(row) == BUNDLE_CLIPS or size > BUNDLE_BYTES):
            yield row
            row, size = [], file.size or 0
        row.append(file)
    if row:
        yield row


def class_of(name: str, split: SplitSpec, labels: LabelMap) -> str | None:
    """The class of all clips in the archive of this name, where the split's names tell."""
    stem = archive_stem(name)
    if split.class_from == "shard-name":
        return labels.find(stem)
    if split.class_from == "shard-rank" and (rank := _RANK.search(stem)):
        at = int(rank[1]) - 1
        return labels.names[at] if 0 <= at < len(labels) else None
    return None
