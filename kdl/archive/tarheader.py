"""One tar header, as bytes to values: POSIX.1-1988 (ustar), GNU, and the older form without magic.

Layout and the meaning of the type flags: POSIX.1-2017 ``pax``, GNU tar's manual, chapter "Standard
Format" and "GNU Extensions to the Archive Format". Pure functions, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

BLOCK = 512
ZEROS = bytes(BLOCK)

_NAME, _SIZE, _CHECKSUM = slice(0, 100), slice(124, 136), slice(148, 156)
_TYPE, _MAGIC, _PREFIX = 156, slice(257, 263), slice(345, 500)
_POSIX, _GNU = b"ustar\x00", b"ustar "
_SPARSE_MORE, _SPARSE_MORE_NEXT = 482, 504


class BadHeader(Exception):
    """The bytes are no tar header; the message says what is wrong, in plain words."""


@dataclass(frozen=True, slots=True)
class Header:
    """What a header says of its member."""

    name: str
    """``/``-separated; bytes that are not UTF-8 are shown as ``\\xNN``."""
    size: int
    """Bytes of data that follow in the archive."""
    type: bytes
    """The type flag, one byte; ``b"0"`` for the NUL of old archives."""
    sparse_follows: bool
    """An old GNU sparse member whose map goes on in further blocks."""


def has_magic(block: bytes) -> bool:
    """Whether the block carries the mark that all but the oldest tar headers have."""
    return block[_MAGIC] in (_POSIX, _GNU)


def checksum_holds(block: bytes) -> bool:
    """Whether ``block`` (512 bytes) sums up to the checksum it carries."""
    if len(block) != BLOCK:
        return False
    try:
        stated = _number(block[_CHECKSUM])
    except BadHeader:
        return False
    rest = block[: _CHECKSUM.start] + b" " * 8 + block[_CHECKSUM.stop :]
    total = sum(rest)
    # Some old writers summed signed characters.
    return stated == total or stated == total - 256 * sum(byte > 127 for byte in rest)


def parse(block: bytes) -> Header:
    """The header in ``block`` (512 bytes). Raises BadHeader."""
    if not checksum_holds(block):
        raise BadHeader("a header with a wrong checksum")
    raw = _text(block[_NAME])
    if block[_MAGIC] == _POSIX and (prefix := _text(block[_PREFIX])):
        raw = prefix + b"/" + raw
    kind = block[_TYPE : _TYPE + 1]
    return Header(
        name=decode(raw),
        size=_number(block[_SIZE]),
        type=b"0" if kind == b"\0" else kind,
        sparse_follows=kind == b"S" and block[_SPARSE_MORE] != 0,
    )


def sparse_continues(block: bytes) -> bool:
    """Whether the sparse map in this extension block goes on in yet another."""
    return block[_SPARSE_MORE_NEXT] != 0


def pax_records(data: bytes) -> dict[str, bytes]:
    """The ``length key=value`` records of a pax extended header; values stay bytes. Raises BadHeader."""
    records: dict[str, bytes] = {}
    start, end = 0, len(data.rstrip(b"\0"))
    while start < end:
        blank = data.find(b" ", start, start + 10)
        length = data[start:blank] if blank > 0 else b""
        stop = start + int(length) if length.isdigit() else 0
        key, equals, value = data[blank + 1 : stop].partition(b"=")
        if not equals or stop > len(data) or not value.endswith(b"\n"):
            raise BadHeader("an extended header that can not be read")
        records[decode(key)] = value[:-1]
        start = stop
    return records


def pax_size(records: Mapping[str, bytes], otherwise: int) -> int:
    """The member's size by its pax records, else ``otherwise``. Raises BadHeader."""
    stated = records.get("size")
    if stated is None:
        return otherwise
    if not stated.isdigit() or len(stated) > 20:
        raise BadHeader("an extended header with an impossible size")
    return int(stated)


def long_name(data: bytes) -> str:
    """The name in a GNU long-name member."""
    return decode(_text(data))


def decode(raw: bytes) -> str:
    """Names as text that can be printed, stored and sent: foreign bytes become ``\\xNN``."""
    return raw.decode("utf-8", "backslashreplace")


def _text(raw: bytes) -> bytes:
    return raw.partition(b"\0")[0]


def _number(raw: bytes) -> int:
    """Octal digits between blanks and NULs, or GNU's base 256 where the top bit is set."""
    if raw[0] & 0x80:
        if raw[0] != 0x80:
            raise BadHeader("a header with an impossible number")
        return int.from_bytes(raw[1:], "big")
    digits = _text(raw).strip()
    if digits.strip(b"01234567"):
        raise BadHeader("a header with an impossible number")
    return int(digits or b"0", 8)
