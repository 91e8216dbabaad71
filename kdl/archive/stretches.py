"""Clips out of stretches of an archive: which bytes to ask for, and what comes out of them."""

from __future__ import annotations

import zlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from kdl.archive.seekindex import Held, Point, SeekIndex
from kdl.archive.stream import Damage
from kdl.settings import KIB, MIB

CAP = 32 * MIB
"""Bytes of a stretch are no more, but for a single clip that takes more: so much is in memory."""
JOIN = 512 * KIB
"""Bytes between two stretches that are rather read than left out: a request costs as much."""
_WORSE = 1.002
"""deflate stores what it can not shrink: the bytes that go in are hardly more than those that come out."""
_SLACK = 64 * KIB
_TRAILER = 8
"""Bytes of a gzip member behind its deflated data."""


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes ``begin`` to ``end`` (exclusive) of an object, which give ``clips``."""

    start: Point
    begin: int
    end: int
    limit: int
    """If they do not suffice, those up to here do."""
    clips: tuple[Held, ...]

    @property
    def size(self) -> int:
        return self.end - self.begin

    @property
    def bounded(self) -> bool:
        """Whether reading it keeps memory in bounds: so it does with an index that kdl has made."""
        last = max(clip.offset + clip.size for clip in self.clips)
        return self.limit - self.begin <= 2 * CAP and last - self.start.at <= 4 * CAP


def stretches(index: SeekIndex, wanted: Iterable[Held]) -> list[Stretch]:
    """What to read of an object to have these clips, neighbouring ones in one stretch."""
    found: list[Stretch] = []
    for clip in sorted(wanted, key=lambda each: each.offset):
        alone = _of_one(index, clip)
        before = found[-1] if found else None
        if before and alone.begin <= before.end + JOIN and alone.end - before.begin <= CAP:
            found[-1] = replace(
                before,
                end=max(before.end, alone.end),
                limit=max(before.limit, alone.limit),
                clips=(*before.clips, clip),
            )
        else:
            found.append(alone)
    return found


def _of_one(index: SeekIndex, clip: Held) -> Stretch:
    start, until = index.start_before(clip.offset), clip.offset + clip.size
    begin, limit = start.bit // 8, index.end_after(until)
    enough = until - start.at if not index.points else int((until - start.at) * _WORSE) + _SLACK
    return Stretch(start, begin, min(begin + enough, limit), limit, (clip,))


def cut(index: SeekIndex, stretch: Stretch, data: bytes) -> Iterator[tuple[Held, memoryview | None]]:
    """Each clip of the stretch with its bytes, None for those that ``data`` does not suffice for.

    Raises Damage where the data does not inflate.
    """
    last = max(clip.offset + clip.size for clip in stretch.clips)
    plain = inflate_from(stretch.start, data, last - stretch.start.at) if index.points else data
    view = memoryview(plain)
    for clip in stretch.clips:
        at = clip.offset - stretch.start.at
        yield clip, view[at : at + clip.size] if at + clip.size <= len(view) else None


def inflate_from(start: Point, data: bytes, length: int) -> bytes:
    """``length`` bytes from a point on, fewer where ``data`` ends before. Raises Damage."""
    try:
        window = zlib.decompress(start.window) if start.window else b""
        engine = zlib.decompressobj(-zlib.MAX_WBITS, zdict=window)
        parts = [engine.decompress(_behind_filler(data, start.bit % 8), length)]
        missing, rest = length - len(parts[0]), engine.unused_data[_TRAILER:]
        while missing and (rest := rest.lstrip(b"\0")):  # a further gzip member, behind padding or none
            engine = zlib.decompressobj(zlib.MAX_WBITS | 16)
            parts.append(engine.decompress(rest, missing))
            missing, rest = missing - len(parts[-1]), engine.unused_data
    except zlib.error as error:
        raise Damage(f"the gzip data does not inflate from byte {start.bit // 8} on ({error})") from error
    return b"".join(parts)


# zlib can begin in the middle of a byte (inflatePrime), Python's module can not. Shifting the data would
# move stored blocks off their byte boundaries, so empty blocks are put in front that end at that bit.

_FIXED = "0" + "10" + "0000000"
"""An empty deflate block with the fixed codes: bits in the order in which they are read."""
_LENGTHS = {18: "100", 1: "100"}
_ORDER = (16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15)
_DYNAMIC = (
    "0" + "01" + "00000" + "00000" + "1111"
    + "".join(_LENGTHS.get(symbol, "000") for symbol in _ORDER)
    + "1" + "1111111" + "1" + "1101011" + "0" + "0"  # 138 + 118 codes of no length, then two of one bit
    + "0"
)  # fmt: skip
"""An empty block with codes of its own (RFC 1951, 3.2.7): its length is odd, the other's even."""


def _filler(bits: int) -> tuple[bytes, int]:
    """Whole bytes, and the low ``bits`` bits of the byte behind them, that inflate to nothing."""
    text = _DYNAMIC if bits % 2 else ""
    while len(text) % 8 != bits:
        text += _FIXED
    number = int(text[::-1] or "0", 2)
    return (number & ((1 << (len(text) - bits)) - 1)).to_bytes(len(text) // 8, "little"), number >> (
        len(text) - bits
    )


_FILLERS = tuple(_filler(bits) for bits in range(8))


def _behind_filler(data: bytes, bits: int) -> bytes:
    """``data`` without the low ``bits`` bits of its first byte, which belong to the block before."""
    if not bits or not data:
        return data
    whole, part = _FILLERS[bits]
    return b"".join((whole, bytes([part | data[0] & (0xFF << bits) & 0xFF]), data[1:]))
