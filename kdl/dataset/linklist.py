"""Link lists to shards: which archives a split has, and the class that an archive's name tells."""

from __future__ import annotations

import re
from dataclasses import dataclass

from kdl.dataset.labels import LabelMap
from kdl.dataset.safe import unsafe
from kdl.dataset.specs import SplitSpec
from kdl.errors import KdlError
from kdl.urls import encode_url, url_name
from kdl.values import Finding, Shard

_SUFFIXES = (".tar.gz", ".tgz", ".tar", ".zip")
_RANK = re.compile(r"([0-9]{1,9})$")


@dataclass(frozen=True, slots=True)
class ShardList:
    """A split's shards, and what is odd about the list that named them."""

    shards: tuple[Shard, ...]
    """In the list's order; a URL appears once."""
    problems: tuple[Finding, ...]
    """Kinds ``link_list_duplicate``, ``link_list_count`` and ``shard_class_unknown``."""


def parse_link_list(text: str, split: SplitSpec, labels: LabelMap) -> ShardList:
    """The shards that a link list names, one URL a line, raw or encoded.

    Blank lines and ``#`` comments are skipped, a URL that comes again is reported. Raises KdlError,
    naming the line, where one holds no URL of a file, and for a list without any.
    """
    subject = split.list_url or f"split {split.name}"
    urls: dict[str, int] = {}
    problems: list[Finding] = []
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        line = line.strip()
        if not line or line.startswith("#"):
            continue
        url = _shard_url(line, number, subject)
        if url in urls:
            detail = f"line {number} names {url_name(url)!r} again, first on line {urls[url]}"
            problems.append(Finding("link_list_duplicate", subject, detail))
        urls.setdefault(url, number)
    if not urls:
        raise KdlError("the link list names no archive", subject=subject)
    return _shards(list(urls), split, labels, problems)


def enumerated_shards(split: SplitSpec, labels: LabelMap) -> ShardList:
    """The shards of a split whose manifest names the archives itself.

    Raises KdlError for a URL that ends in no file's name.
    """
    subject = f"split {split.name}"
    urls = [_shard_url(url, number, subject) for number, url in enumerate(split.archives, start=1)]
    return _shards(urls, split, labels, [])


def archive_stem(name: str) -> str:
    """An archive's file name without its suffix: ``driving car.tar.gz`` -> ``driving car``."""
    for suffix in _SUFFIXES:
        if name.lower().endswith(suffix):
            return name[: -len(suffix)]
    return name


def _shard_url(line: str, number: int, subject: str) -> str:
    try:
        url = encode_url(line)
    except ValueError as error:
        raise KdlError(f"line {number} of the link list: {error}: {line[:120]!r}", subject=subject) from error
    reason = unsafe(url_name(url))
    if reason is not None:
        raise KdlError(f"line {number} of the link list ends in no file's name: {reason}", subject=subject)
    return url


def _shards(urls: list[str], split: SplitSpec, labels: LabelMap, problems: list[Finding]) -> ShardList:
    shards: list[Shard] = []
    for index, url in enumerate(urls):
        name = url_name(url)
        hint = class_of(name, split, labels)
        if hint is None and split.class_by_shard:
            detail = f"its name tells no class of the label map ({split.class_from})"
            problems.append(Finding("shard_class_unknown", name, detail))
        shards.append(Shard(url=url, name=name, split=split.name, index=index, class_hint=hint))
    known = split.counts.shards
    if known is not None and known != len(shards):
        detail = f"split {split.name} has {len(shards)} archives here, {known} by the manifest"
        problems.append(Finding("link_list_count", split.list_url or split.name, detail))
    return ShardList(tuple(shards), tuple(problems))


def class_of(name: str, split: SplitSpec, labels: LabelMap) -> str | None:
    """The class of all clips in the archive of this name, where the split's names tell."""
    stem = archive_stem(name)
    if split.class_from == "shard-name":
        return labels.find(stem)
    if split.class_from == "shard-rank" and (rank := _RANK.search(stem)):
        at = int(rank[1]) - 1
        return labels.names[at] if 0 <= at < len(labels) else None
    return None
