"""What a file's outermost structure says, read without any decoder: a few bytes a box.

libav is lenient here: it opens a file whose data box goes on beyond the end of the file and gives the
promised duration. Layouts: ISO/IEC 14496-12 section 4.2 (boxes), RFC 8794 section 4 (EBML sizes),
RFC 9559 (the Matroska segment), the RIFF header of AVI.
"""

from __future__ import annotations

import os
import struct
from dataclasses import dataclass

_BOXES = frozenset(
    (b"ftyp", b"styp", b"moov", b"moof", b"mdat", b"free", b"skip", b"wide", b"pnot", b"uuid", b"sidx")
)
"""Boxes that an mp4 or mov file begins with."""
_BOXES_OF_DATA = frozenset((b"moov", b"moof", b"mdat"))
"""Trailing rubbish reads as a box of any name and size: only these are taken at their word."""
_MAX_BOXES = 100_000
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


@dataclass(frozen=True, slots=True)
class Structure:
    """What the outermost structure tells."""

    container: str | None
    """``mp4``, ``matroska``, ``avi``, ``flv``, ``mpegts``, ``mpeg``; ``None``: begins like none of them."""
    has_index: bool = True
    """False for an mp4 file without a whole ``moov`` box."""
    bytes_missing: bool = False
    """A box, segment or chunk of data goes on beyond the end of the file."""


def read_structure(path: str, size: int) -> Structure:
    """The structure of the regular file at ``path`` of ``size`` bytes. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        head = os.pread(descriptor, 400, 0)
        if head[4:8] in _BOXES:
            return _read_boxes(descriptor, size)
        if head.startswith(_EBML):
            return Structure("matroska", bytes_missing=_segment_end(head) > size)
        if head.startswith(b"RIFF") and head[8:12] == b"AVI ":
            # A last chunk of odd size may count a padding byte that is not there.
            end = 8 + int.from_bytes(head[4:8], "little")
            return Structure("avi", bytes_missing=end > size + 1)
    finally:
        os.close(descriptor)
    if head.startswith(b"FLV"):
        return Structure("flv")
    if head.startswith(b"\x00\x00\x01\xba"):
        return Structure("mpeg")
    if head[:1] == b"\x47" and head[188:189] in (b"\x47", b""):
        return Structure("mpegts")
    return Structure(None)


def _read_boxes(descriptor: int, size: int) -> Structure:
    position = 0
    has_index = bytes_missing = False
    for _ in range(_MAX_BOXES):
        head = os.pread(descriptor, 16, position)
        if len(head) < 8:
            break
        length, name = struct.unpack(">I4s", head[:8])
        if length == 1 and len(head) == 16:
            length = int.from_bytes(head[8:], "big")
        elif length == 0:
            length = size - position
        if length < 8:
            break
        position += length
        if name == b"moov" and position <= size:
            has_index = True
        if position > size:
            bytes_missing = name in _BOXES_OF_DATA
            break
    return Structure("mp4", has_index, bytes_missing)


def _segment_end(head: bytes) -> int:
    """Where the Matroska segment ends, in bytes; 0 where its size is unknown, as in live recordings."""
    header_size, position = _ebml_size(head, len(_EBML))
    if header_size is None:
        return 0
    position += header_size
    if head[position : position + 4] != _SEGMENT:
        return 0
    segment_size, position = _ebml_size(head, position + 4)
    return 0 if segment_size is None else position + segment_size


def _ebml_size(head: bytes, position: int) -> tuple[int | None, int]:
    """An EBML size at ``position`` and where it ends; ``None`` for an unknown or malformed one."""
    first = head[position] if position < len(head) else 0
    width = 9 - first.bit_length()
    if width > 8:
        return None, position
    bits = int.from_bytes(head[position : position + width], "big") & ((1 << 7 * width) - 1)
    unknown = bits == (1 << 7 * width) - 1
    return (None if unknown else bits), position + width
