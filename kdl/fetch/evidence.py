"""What an object's bytes prove: digests on the way, held against the server's own."""

from __future__ import annotations

import hashlib
import re
from enum import StrEnum

from kdl.fetch.source import RemoteStat
from kdl.settings import MIB

_ETAG = re.compile(r'"([0-9a-fA-F]{32})(?:-(\d{1,5}))?"')

_LIKELY = (5, 6, 8, 10, 12, 15, 16, 20, 24, 25, 32, 50, 64, 100, 128, 150, 200, 250, 256, 500, 512, 1024)
PART_SIZES = tuple(count * MIB for count in _LIKELY)
"""Part sizes, in bytes, that uploaders to S3 use: 8 MiB in the AWS tools, 5, 15 and 16 in others."""


class Proof(StrEnum):
    """What the server's digests say of the bytes that came."""

    SHA256 = "sha256"
    """The server's own SHA-256: they are the host's."""
    MD5 = "md5"
    """A single-part tag, equal to their MD5: they are the host's."""
    MULTIPART = "multipart"
    """A multi-part tag, equal for one of the likely part sizes: they are the host's."""
    LISTED = "listed"
    """Every clip of a bundle matched the digest in the list of its origin: they are the origin's."""
    PIECES = "pieces"
    """Every piece that holds them matched its hash in the torrent: they are the publisher's."""
    UNVERIFIED = "unverified"
    """A multi-part tag that no likely part size gives: proves nothing."""
    NONE = "none"
    """The server's tag is no digest."""
    MISMATCH = "mismatch"
    """A SHA-256, or a single-part tag, that is not theirs: they are not the host's."""


def part_sizes(size: int, parts: int) -> tuple[int, ...]:
    """The likely part sizes, in bytes, of an object of ``size`` bytes that was uploaded in ``parts``."""
    if parts == 1:
        return (max(size, 1),)
    return tuple(each for each in PART_SIZES if -(-size // each) == parts)


class Evidence:
    """Digests of one object, fed in order from byte 0. Not for two threads at a time."""

    def __init__(self, stat: RemoteStat) -> None:
        self._sha256 = hashlib.sha256()
        self._told = stat.sha256
        self._pieces = stat.pieces
        self._listed = stat.listed
        self._md5: hashlib._Hash | None = None
        self._parts: tuple[_Parts, ...] = ()
        self._tag = ""
        match = _ETAG.fullmatch(stat.etag or "") if stat.s3 and stat.sha256 is None else None
        if match is None:
            return
        self._tag = match[1].lower()
        if match[2] is None:
            self._md5 = hashlib.md5(usedforsecurity=False)
        elif stat.size is not None and int(match[2]) > 0:
            self._parts = tuple(_Parts(size) for size in part_sizes(stat.size, int(match[2])))

    def update(self, chunk: bytes | memoryview) -> None:
        """Take the next bytes. Call it in a thread: large chunks are hashed without the GIL."""
        self._sha256.update(chunk)
        if self._md5 is not None:
            self._md5.update(chunk)
        for parts in self._parts:
            parts.update(chunk)

    @property
    def sha256(self) -> str:
        """Of the bytes so far, lower-case hex."""
        return self._sha256.hexdigest()

    def prove(self) -> Proof:
        """What the server's digest says, once every byte was fed."""
        if self._told is not None:
            return Proof.SHA256 if self._told == self.sha256 else Proof.MISMATCH
        if not self._tag:
            return Proof.LISTED if self._listed else Proof.PIECES if self._pieces else Proof.NONE
        if self._md5 is not None:
            return Proof.MD5 if self._md5.hexdigest() == self._tag else Proof.MISMATCH
        matched = any(parts.hexdigest() == self._tag for parts in self._parts)
        return Proof.MULTIPART if matched else Proof.UNVERIFIED


class _Parts:
    """The digest part of a multi-part tag for one part size: the MD5 of the parts' MD5s."""

    def __init__(self, size: int) -> None:
        self._size = size
        self._left = size
        self._part = hashlib.md5(usedforsecurity=False)
        self._done = b""

    def update(self, chunk: bytes | memoryview) -> None:
        view = memoryview(chunk)
        while view:
            piece, view = view[: self._left], view[self._left :]
            self._part.update(piece)
            self._left -= len(piece)
            if self._left == 0:
                self._done += self._part.digest()
                self._part = hashlib.md5(usedforsecurity=False)
                self._left = self._size

    def hexdigest(self) -> str:
        last = b"" if self._left == self._size else self._part.digest()
        return hashlib.md5(self._done + last, usedforsecurity=False).hexdigest()
