"""A shard's seek index: where each clip lies, and where inflating may begin without what comes before.

With it a clip costs the few megabytes around it and not its whole shard. An index is bound to one version
of one object: to its URL, its size and its strong ETag. On disk it is one line of JSON in gzip, so that
the indexes of several shards, one after the other, make a file that holds them all.
"""

from __future__ import annotations

import base64
import gzip
import json
import zlib
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

from kdl.diskerrors import disk_errors
from kdl.errors import ArchiveError

FORMAT = 1
_SUFFIX = ".index.gz"


@dataclass(frozen=True, slots=True)
class Point:
    """A place in gzip data where inflating may begin."""

    at: int
    """Of the first byte that comes out, in the inflated archive."""
    bit: int
    """Where its deflate block begins in the object, in bits."""
    window: bytes
    """The 32 KiB that come out before, as far as they are referred to, deflated; empty if they are not."""


@dataclass(frozen=True, slots=True)
class Held:
    """A clip in the archive."""

    member: str
    """Full name of the member."""
    offset: int
    """Of its first byte, in the inflated archive."""
    size: int
    sha256: str | None = None

    @property
    def name(self) -> str:
        """Base name, extension included."""
        return self.member.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class SeekIndex:
    """What is known of one version of an object."""

    url: str
    """Its own, before any ``--origin``."""
    size: int
    etag: str
    """A strong one, as the server sent it."""
    points: tuple[Point, ...]
    """In order; none where the archive is not compressed."""
    clips: tuple[Held, ...]
    """In order."""

    def fits(self, url: str, size: int | None, etag: str | None) -> bool:
        """Whether the index is of the object that a server tells of."""
        return (url, size, etag) == (self.url, self.size, self.etag)

    def start_before(self, offset: int) -> Point:
        """The last place at or before ``offset`` where reading may begin."""
        if not self.points:
            return Point(offset, offset * 8, b"")
        return self.points[bisect_right(self.points, offset, key=lambda point: point.at) - 1]

    def end_after(self, offset: int) -> int:
        """The object's byte before which everything up to ``offset`` has come out."""
        if not self.points:
            return min(offset, self.size)
        following = bisect_right(self.points, offset - 1, key=lambda point: point.at)
        return self.size if following == len(self.points) else -(-self.points[following].bit // 8)

    def with_digests(self, digests: Iterable[str | None]) -> SeekIndex:
        """The same with these digests, one for each clip."""
        clips = (replace(clip, sha256=digest) for clip, digest in zip(self.clips, digests, strict=True))
        return replace(self, clips=tuple(clips))


def index_path(folder: Path, split: str, shard: str) -> Path:
    """Where the index of a split's shard is kept."""
    return folder / split / f"{shard}{_SUFFIX}"


def save_index(index: SeekIndex, path: Path) -> None:
    """Put the index at ``path``, whole or not at all. Raises DiskFull and MachineError."""
    temp = path.with_name(f".{path.name}.tmp")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temp.write_bytes(packed(index))
        temp.replace(path)


def load_index(path: Path) -> SeekIndex | None:
    """The index at ``path``; None where there is none that can be read."""
    try:
        return next(read_indexes(path), None)
    except (OSError, ArchiveError):
        return None


def read_indexes(path: Path) -> Iterator[SeekIndex]:
    """Every index in a file. Raises OSError, and ArchiveError for what is no file of indexes."""
    try:
        with gzip.open(path, "rt", encoding="utf-8") as lines:
            for line in lines:
                yield _from_words(json.loads(line))
    except (EOFError, gzip.BadGzipFile, ValueError, KeyError, TypeError, zlib.error) as error:
        raise ArchiveError("no seek index that this kdl can read", subject=str(path)) from error


def packed(index: SeekIndex) -> bytes:
    """The index as it is kept."""
    line = json.dumps(_words(index), separators=(",", ":"), ensure_ascii=True)
    return gzip.compress(f"{line}\n".encode(), 6, mtime=0)


def _words(index: SeekIndex) -> dict[str, Any]:
    return {
        "kdl_index": FORMAT,
        "url": index.url,
        "size": index.size,
        "etag": index.etag,
        "points": [[p.at, p.bit, base64.b64encode(p.window).decode()] for p in index.points],
        "clips": [[clip.member, clip.offset, clip.size, clip.sha256] for clip in index.clips],
    }


def _from_words(words: dict[str, Any]) -> SeekIndex:
    if words["kdl_index"] != FORMAT:
        raise ValueError("another format")
    points = tuple(Point(int(at), int(bit), base64.b64decode(w)) for at, bit, w in words["points"])
    clips = tuple(Held(str(m), int(o), int(s), sha256) for m, o, s, sha256 in words["clips"])
    index = SeekIndex(str(words["url"]), int(words["size"]), str(words["etag"]), points, clips)
    _require_order(index)
    return index


def _require_order(index: SeekIndex) -> None:
    """Raise ValueError for what no archive can be like: it may be somebody else's file."""
    places = [(point.at, point.bit) for point in index.points]
    rising = all(a[0] <= b[0] and a[1] <= b[1] for a, b in pairwise(places))
    inside = all(at >= 0 and 0 <= bit <= index.size * 8 for at, bit in places)
    if not rising or not inside or (places and places[0][0] != 0):
        raise ValueError("points that can not be")
    if any(clip.offset < 0 or clip.size < 0 or len(clip.sha256 or "") not in (0, 64) for clip in index.clips):
        raise ValueError("clips that can not be")
