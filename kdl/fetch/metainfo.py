"""What a torrent holds, as its metadata (a ``.torrent`` file) tells: files, sizes, pieces.

BitTorrent's first version (BEP 3): the files lie end to end, cut into pieces of one length, each with a
SHA-1. A piece that begins in one file may end in the next.
"""

from __future__ import annotations

import hashlib
import re
from array import array
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from bencode2 import BencodeDecodeError, bdecode, bencode

from kdl.errors import PermanentError

_INFOHASH = re.compile(r"[0-9a-f]{40}")
_ODD = re.compile(r"[\x00-\x1f\x7f\\]")


@dataclass(frozen=True)
class Metainfo:
    """A torrent's files."""

    infohash: str
    """Its name among all torrents: the SHA-1 of what follows, 40 lower-case hex digits."""
    name: str
    """Its own folder, or its only file."""
    single: bool
    """It is one file, not a folder."""
    piece_length: int
    """Bytes; the last piece may be shorter."""
    paths: tuple[str, ...]
    """Of each file, below the folder; empty for one that is no data, or that has no usable name."""
    ends: array[int]
    """Of each file, the byte after its last, counted from the torrent's first."""

    @cached_property
    def indices(self) -> dict[str, int]:
        """Where in the torrent each path stands; the first of two that are the same."""
        found: dict[str, int] = {}
        for index, path in enumerate(self.paths):
            if path:
                found.setdefault(path, index)
        return found

    @property
    def pieces(self) -> int:
        """How many there are."""
        return -(-self.ends[-1] // self.piece_length)

    def begin(self, index: int) -> int:
        """The file's first byte, counted from the torrent's first."""
        return self.ends[index - 1] if index else 0

    def size(self, index: int) -> int:
        """Of the file, in bytes."""
        return self.ends[index] - self.begin(index)

    def span(self, index: int) -> range:
        """The pieces that hold the file."""
        if not self.size(index):
            return range(0)
        return range(self.begin(index) // self.piece_length, -(-self.ends[index] // self.piece_length))

    def place(self, index: int) -> str:
        """Where a BitTorrent client puts the file, below the folder it was given."""
        return self.name if self.single else f"{self.name}/{self.paths[index]}"


def parse_infohash(text: str, url: str) -> str:
    """The infohash in its one form. Raises PermanentError for what is none."""
    infohash = text.lower()
    if not _INFOHASH.fullmatch(infohash):
        words = f"{text!r} is no infohash: these are 40 hexadecimal digits"
        raise PermanentError(words, subject=url, fix="write torrent://INFOHASH/")
    return infohash


def parse_metainfo(data: bytes, infohash: str, subject: str) -> Metainfo:
    """The torrent of a ``.torrent`` file, if it is the one of this infohash.

    Raises PermanentError, saying why, for another one, for what is none, and for one that has only the
    second version's hashes.
    """
    try:
        info = bdecode(data)[b"info"]
        found = hashlib.sha1(bencode(info), usedforsecurity=False).hexdigest()
    except (BencodeDecodeError, LookupError, TypeError) as error:
        words = f"no torrent's metadata: {' '.join(str(error).split())[:120] or type(error).__name__}"
        raise PermanentError(words, subject=subject) from error
    if found != infohash:
        fix = "look for the .torrent of the infohash in the URL"
        raise PermanentError(f"the metadata of another torrent, {found}", subject=subject, fix=fix)
    try:
        return _read(info, infohash)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        words = "a torrent that kdl can not read: it lacks what BitTorrent's first version asks for"
        raise PermanentError(words, subject=subject, fix="take another copy") from error


def _read(info: dict[bytes, Any], infohash: str) -> Metainfo:
    name = _text(info, b"name")
    single = b"files" not in info
    files = [{b"length": info[b"length"]}] if single else info[b"files"]
    paths, ends, end = [], array("Q"), 0
    for file in files:
        end += file[b"length"]
        ends.append(end)
        paths.append(name if single else _path(file))
    if not _usable([name]) or not end or len(info[b"pieces"]) != -(-end // info[b"piece length"]) * 20:
        raise ValueError
    return Metainfo(infohash, name, single, info[b"piece length"], tuple(paths), ends)


def _path(file: dict[bytes, Any]) -> str:
    """Below the torrent's folder; empty for padding (BEP 47) and for a name that leads elsewhere."""
    if b"p" in file.get(b"attr", b""):
        return ""
    parts = [_decoded(part) for part in file.get(b"path.utf-8") or file[b"path"]]
    return "/".join(parts) if _usable(parts) else ""


def _usable(parts: list[str]) -> bool:
    return bool(parts) and all(
        part not in ("", ".", "..") and "/" not in part and not _ODD.search(part) for part in parts
    )


def _text(table: dict[bytes, Any], key: bytes) -> str:
    return _decoded(table.get(key + b".utf-8") or table[key])


def _decoded(text: bytes) -> str:
    """A name; empty where it is no UTF-8, so that it is not taken for usable."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return ""
