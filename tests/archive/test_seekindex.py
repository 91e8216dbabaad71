"""A seek index gives every clip out of a part of its archive, whatever made the archive."""

from __future__ import annotations

import gzip
import io
import random
import tarfile
import tempfile
import zlib
from collections.abc import Callable
from dataclasses import replace
from functools import cache
from pathlib import Path

import pytest

from kdl.archive.indexing import build_index
from kdl.archive.seekindex import Held, Point, SeekIndex, load_index, packed, read_indexes, save_index
from kdl.archive.stream import Damage
from kdl.archive.stretches import CAP, Stretch, cut, inflate_from, stretches
from kdl.errors import ArchiveError

CLIP, CLIPS = 700_000, 18


def body(number: int) -> bytes:
    """A clip's bytes: mostly noise, with stretches that shrink and that refer far back."""
    chance = random.Random(number)
    parts = [chance.randbytes(3000), b"moov" * 200, bytes(chance.choices(b"abcdef", k=4000))]
    text = b"".join(parts)
    return (text + chance.randbytes(60_000) + parts[2]) * (CLIP // 70_000) + text


@cache
def tar() -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w") as archive:
        for number in range(CLIPS):
            data = body(number)
            for name, content in ((f"./x/{number}.mp4", data), (f"./x/{number}.txt", b"no clip")):
                header = tarfile.TarInfo(name)
                header.size = len(content)
                archive.addfile(header, io.BytesIO(content))
    return buffer.getvalue()


def in_members(data: bytes) -> bytes:
    """Several gzip members, as appended files have them."""
    pieces = (data[at : at + 1_500_000] for at in range(0, len(data), 1_500_000))
    return b"".join(gzip.compress(piece, 1, mtime=0) for piece in pieces)


def flushed(data: bytes) -> bytes:
    """Empty stored blocks now and then, as rsyncable gzips have them."""
    engine = zlib.compressobj(6, zlib.DEFLATED, 31)
    pieces = (data[at : at + 100_000] for at in range(0, len(data), 100_000))
    return b"".join(engine.compress(p) + engine.flush(zlib.Z_SYNC_FLUSH) for p in pieces) + engine.flush()


SHAPES: dict[str, Callable[[bytes], bytes]] = {
    "level 6": lambda data: gzip.compress(data, 6, mtime=0),
    "level 1": lambda data: gzip.compress(data, 1, mtime=0),
    "stored": lambda data: gzip.compress(data, 0, mtime=0),
    "fixed codes": lambda data: (lambda engine: engine.compress(data) + engine.flush())(
        zlib.compressobj(6, zlib.DEFLATED, 31, 8, zlib.Z_FIXED)
    ),
    "several members": in_members,
    "flushed": flushed,
    "plain tar": lambda data: data,
}


@cache
def made(shape: str) -> tuple[bytes, SeekIndex]:
    """An archive of this shape, and its index."""
    data = SHAPES[shape](tar())
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "part_0.tar.gz")
        path.write_bytes(data)
        url = "https://host.invalid/part_0"
        index = build_index(path, url, '"tag"', is_clip=lambda name: name.endswith(".mp4"))
    assert index is not None
    return data, index


def take(index: SeekIndex, stretch: Stretch, data: bytes) -> dict[str, bytes]:
    """The clips of a stretch, with more bytes where the first do not suffice."""
    got = dict(cut(index, stretch, data[stretch.begin : stretch.end]))
    if None in got.values():
        got = dict(cut(index, stretch, data[stretch.begin : stretch.limit]))
    return {held.name: bytes(piece) for held, piece in got.items() if piece is not None}


@pytest.mark.parametrize("shape", SHAPES)
def test_each_clip_comes_out_of_a_few_megabytes(shape: str) -> None:
    data, index = made(shape)
    assert [clip.name for clip in index.clips] == [f"{number}.mp4" for number in range(CLIPS)]
    for number, clip in enumerate(index.clips):
        (stretch,) = stretches(index, [clip])
        assert stretch.size < (4 << 20) * 1.15 + clip.size * 1.2 + 100_000
        assert take(index, stretch, data) == {clip.name: body(number)}


def test_points_lie_at_all_bits_and_some_need_what_came_before() -> None:
    """What the other tests rely on: else they would show less than they seem to."""
    points = [
        point for shape in ("level 6", "level 1", "fixed codes", "flushed") for point in made(shape)[1].points
    ]
    assert len({point.bit % 8 for point in points}) > 2
    assert any(point.window for point in points)


@pytest.mark.parametrize("literals", range(8))
def test_inflating_begins_at_any_bit_of_a_byte(literals: int) -> None:
    """A stored block, which begins at the next whole byte, behind one of 10 and so many times 9 bits."""
    before = "0" + "10" + "1" * 9 * literals + "0000000"
    bits = before + "100"
    bits += "0" * (-len(bits) % 8)
    data = int(bits[::-1], 2).to_bytes(len(bits) // 8, "little") + b"\6\0\xf9\xff" + b"stored"
    assert zlib.decompress(data, -15) == b"\xff" * literals + b"stored"
    at = len(before)
    assert inflate_from(Point(literals, at, b""), data[at // 8 :], 6) == b"stored"


def test_neighbours_share_a_stretch_and_stretches_are_bounded() -> None:
    data, index = made("level 6")
    assert len(stretches(index, index.clips)) == 1
    apart = [index.clips[0], index.clips[-1]]
    first, last = stretches(index, apart)
    assert first.size + last.size < len(data)
    assert (take(index, first, data), take(index, last, data)) == ({"0.mp4": body(0)}, {"17.mp4": body(17)})
    large = replace(
        index, points=(), size=10 * CAP, clips=tuple(Held(f"{n}", n * CAP // 3, CAP // 3) for n in range(9))
    )
    assert [len(each.clips) for each in stretches(large, large.clips)] == [3, 3, 3]


def test_wrong_bytes_are_damage_and_too_few_are_told() -> None:
    data, index = made("level 6")
    (stretch,) = stretches(index, [index.clips[9]])
    assert list(cut(index, stretch, data[stretch.begin : stretch.begin + 1000])) == [(index.clips[9], None)]
    with pytest.raises(Damage):
        list(cut(index, stretch, random.Random(1).randbytes(stretch.size)))


def test_files_of_indexes(tmp_path: Path) -> None:
    index = made("level 6")[1]
    path = tmp_path / "index" / "val" / "part_0.index.gz"
    save_index(index, path)
    assert load_index(path) == index
    assert index.fits(index.url, index.size, '"tag"')
    assert not index.fits(index.url, index.size, '"another"')
    other = replace(index, url="https://host.invalid/part_1")
    path.write_bytes(packed(index) + packed(other))
    assert list(read_indexes(path)) == [index, other]
    for content in (b"", b"no gzip", gzip.compress(b"[]"), gzip.compress(b'{"kdl_index": 99}')):
        path.write_bytes(content)
        assert load_index(path) is None
    with pytest.raises(ArchiveError, match="no seek index"):
        list(read_indexes(path))


def test_no_index_of_what_can_not_be_entered_in_the_middle(tmp_path: Path) -> None:
    path = tmp_path / "part.zip"
    path.write_bytes(b"PK\x03\x04" + bytes(600))
    assert build_index(path, "u", '"e"', is_clip=lambda name: True) is None
    path.write_bytes(gzip.compress(random.Random(2).randbytes(50_000))[:30_000])
    with pytest.raises(ArchiveError, match="no seek index can be made"):
        build_index(path, "u", '"e"', is_clip=lambda name: True)
