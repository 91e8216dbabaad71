"""What an archive is, told by its first bytes: names lie."""

from __future__ import annotations

from enum import StrEnum

from kdl.archive.tarheader import BLOCK, ZEROS, checksum_holds, has_magic

HEAD = BLOCK
"""Bytes needed to tell."""


class Kind(StrEnum):
    """The container that the bytes are in."""

    GZIP = "gzip"
    XZ = "xz"
    BZ2 = "bz2"
    TAR = "tar"
    ZIP = "zip"
    UNKNOWN = "unknown"


MAGIC: dict[Kind, bytes] = {Kind.GZIP: b"\x1f\x8b\x08", Kind.XZ: b"\xfd7zXZ\x00", Kind.BZ2: b"BZh"}
"""How each compressed stream begins."""

_NAMED = {
    Kind.GZIP: "gzip data",
    Kind.XZ: "xz data",
    Kind.BZ2: "bz2 data",
    Kind.TAR: "a tar",
    Kind.ZIP: "a zip",
}
_FOREIGN = (
    (b"\x28\xb5\x2f\xfd", "zstd data"),
    (b"\x04\x22\x4d\x18", "lz4 data"),
    (b"LZIP", "lzip data"),
    (b"\x1f\x9d", "data of compress (.Z)"),
    (b"\x5d\x00\x00", "bare lzma data"),
    (b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
    (b"Rar!\x1a\x07", "a rar archive"),
)
"""How the archives begin that are known and not read here."""
_ZIP = (b"PK\x03\x04", b"PK\x05\x06", b"PK\x07\x08")


def sniff(head: bytes) -> Kind:
    """The kind of the archive that begins with ``head`` (:data:`HEAD` bytes, fewer at its end).

    A block of zeros is an empty tar; a header with tar's magic and a wrong checksum is a damaged tar,
    not something unknown; one without the magic (older than POSIX) is told by its checksum.
    """
    for kind, magic in MAGIC.items():
        if head.startswith(magic):
            return kind
    if head.startswith(_ZIP):
        return Kind.ZIP
    if head[:BLOCK] == ZEROS or has_magic(head) or checksum_holds(head[:BLOCK]):
        return Kind.TAR
    return Kind.UNKNOWN


def words_for(head: bytes) -> str:
    """What begins with ``head``, for a person: ``gzip data``, ``a rar archive``; empty if it is unknown."""
    known = _NAMED.get(sniff(head))
    return known or next((words for magic, words in _FOREIGN if head.startswith(magic)), "")
