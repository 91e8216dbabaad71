"""Whole means whole: cuts, flipped bytes, wrong trailers, and what may follow an archive."""

from __future__ import annotations

import gzip
import struct
import tempfile
import zlib
from pathlib import Path

import pytest
from archive_kit import Catcher, Dribble, clip_name, content, gz, sha256, tar_of, three_clips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdl.archive.members import Skip
from kdl.archive.unpack import SeekNeeded
from kdl.errors import ArchiveError

PLAIN, TREE = three_clips()
PACKED = gz(PLAIN)
END_MARK = max(n for n in range(0, len(PLAIN), 512) if PLAIN[n : n + 512].strip(b"\0")) + 512 + 1024
"""Where the second of the two blocks of zeros ends."""
UNPROTECTED = {(3, 0), *((at, bit) for at in range(4, 10) for bit in range(8))}
"""Bits of a gzip header without meaning for the data: that it is text, time, speed and system."""
FIRST_MAGIC = {(0, at) for at in range(257, 263)}
"""The bytes of the first header that tell a tar at all."""


def is_part_of(tree: dict[str, str], whole: dict[str, str]) -> bool:
    return tree.items() <= whole.items()


@pytest.mark.parametrize("cut", [*range(512, END_MARK, 487), END_MARK - 1])
def test_a_cut_tar_is_not_whole(catcher: Catcher, cut: int) -> None:
    reading = catcher.run(PLAIN[:cut])
    assert not reading.whole
    assert "ends" in reading.reason
    assert is_part_of(catcher.tree(), TREE)
    assert reading.clips == len(catcher.tree()) == len(catcher.clips)


@pytest.mark.parametrize("cut", [END_MARK, END_MARK + 1, END_MARK + 700, len(PLAIN)])
def test_a_tar_is_whole_from_its_end_mark_on(catcher: Catcher, cut: int) -> None:
    assert catcher.run(PLAIN[:cut]).whole
    assert catcher.tree() == TREE


@pytest.mark.parametrize("cut", [*range(3, len(PACKED), 61), *range(len(PACKED) - 20, len(PACKED))])
def test_a_cut_gzip_is_not_whole(catcher: Catcher, cut: int) -> None:
    reading = catcher.run(Dribble(PACKED[:cut], 1000))
    assert (reading.whole, reading.reason) == (False, "the gzip data ends early")
    assert is_part_of(catcher.tree(), TREE)


def test_the_clips_before_a_cut_stay(catcher: Catcher) -> None:
    second = PLAIN.index(clip_name(1).encode())
    reading = catcher.run(PLAIN[: second + 1000])
    assert reading.reason == f"the archive ends inside './{clip_name(1)}'"
    assert catcher.tree() == {clip_name(0): TREE[clip_name(0)]}
    assert reading.bytes_out == 700


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=st.tuples(st.integers(3, len(PACKED) - 1), st.integers(0, 7)).filter(
        lambda w: w not in UNPROTECTED
    ),
    step=st.integers(1, 3000),
)
def test_a_flipped_bit_in_gzip_is_seen(tmp_path: Path, where: tuple[int, int], step: int) -> None:
    at, bit = where
    damaged = bytearray(PACKED)
    damaged[at] ^= 1 << bit
    catcher = Catcher(Path(tempfile.mkdtemp(dir=tmp_path)))
    reading = catcher.run(Dribble(bytes(damaged), step))
    if gzip_reads_the_same(bytes(damaged)):  # a bit of no effect
        assert catcher.tree() == (TREE if reading.whole else {})
        return
    assert not reading.whole
    assert "gzip" in reading.reason or "header" in reading.reason


def gzip_reads_the_same(damaged: bytes) -> bool:
    try:
        return gzip.decompress(damaged) == PLAIN
    except (OSError, EOFError, zlib.error):
        return False


def test_a_damaged_first_magic_is_no_archive(catcher: Catcher) -> None:
    with pytest.raises(ArchiveError):
        catcher.run(PLAIN[:257] + b"\xf5" + PLAIN[258:])


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    where=st.tuples(st.integers(0, 2), st.integers(0, 511)).filter(lambda w: w not in FIRST_MAGIC),
    bit=st.integers(0, 6),
)
def test_a_flipped_bit_in_a_tar_header_is_seen(tmp_path: Path, where: tuple[int, int], bit: int) -> None:
    header, at = where
    start = PLAIN.index(f"./{clip_name(header)}".encode())
    damaged = bytearray(PLAIN)
    damaged[start + at] ^= 1 << bit
    catcher = Catcher(Path(tempfile.mkdtemp(dir=tmp_path)))
    reading = catcher.run(bytes(damaged))
    if reading.whole:
        # Digits of the checksum field have spellings that mean the same.
        assert 148 <= at < 156
        assert catcher.tree() == TREE
    else:
        others = {name: digest for name, digest in TREE.items() if name != clip_name(header)}
        assert "checksum" in reading.reason
        assert catcher.tree() == others


@pytest.mark.parametrize("field", ["crc", "length"])
def test_a_wrong_gzip_trailer(catcher: Catcher, field: str) -> None:
    crc, length = struct.unpack("<II", PACKED[-8:])
    trailer = struct.pack("<II", crc ^ 1, length) if field == "crc" else struct.pack("<II", crc, length + 1)
    reading = catcher.run(Dribble(PACKED[:-8] + trailer, 4000))
    assert (reading.whole, catcher.tree()) == (False, TREE)
    assert reading.reason == f"the gzip data has a wrong {'checksum' if field == 'crc' else field}"


def test_a_zeroed_header_is_no_end(catcher: Catcher) -> None:
    start = PLAIN.index(f"./{clip_name(1)}".encode())
    reading = catcher.run(PLAIN[:start] + bytes(512) + PLAIN[start + 512 :])
    assert not reading.whole
    assert catcher.tree() == {clip_name(n): TREE[clip_name(n)] for n in (0, 2)}


def test_one_block_of_zeros_is_no_end_mark(catcher: Catcher) -> None:
    reading = catcher.run(PLAIN[: END_MARK - 512])
    assert (reading.whole, reading.reason) == (False, "the archive ends without its end mark")
    assert catcher.tree() == TREE


@pytest.mark.parametrize(
    "records",
    [b"9999 path=x\n", b"x", b"0 =\n", b"12 path=abc", b"11 size=-1\n", b"13 size=1e10\n", b" 7 a=b\n"],
)
def test_a_broken_extended_header_is_damage(catcher: Catcher, records: bytes) -> None:
    start = PLAIN.index(f"./{clip_name(1)}".encode())
    broken = bytearray(tar_of([("x", records)])[:1024])
    broken[156:157] = b"x"
    broken[148:156] = b" " * 8
    broken[148:156] = b"%06o\0 " % sum(broken[:512])
    reading = catcher.run(PLAIN[:start] + broken + PLAIN[start:])
    assert not reading.whole
    assert "extended header" in reading.reason
    assert clip_name(2) in catcher.tree()


@pytest.mark.parametrize("at", [1, 700, 2048, len(PLAIN) - 1])
@pytest.mark.parametrize("padding", [b"", bytes(3000)])
def test_several_gzip_members_are_one_stream(catcher: Catcher, at: int, padding: bytes) -> None:
    reading = catcher.run(Dribble(gz(PLAIN[:at]) + padding + gz(PLAIN[at:]) + gz(b"") + padding, 777))
    assert (reading.whole, reading.note, catcher.tree()) == (True, "", TREE)


@pytest.mark.parametrize("step", [1, 512, 100_000])
def test_archives_one_after_the_other_are_all_read(catcher: Catcher, step: int) -> None:
    more = tar_of([(clip_name(8), content(8))])
    reading = catcher.run(Dribble(PACKED + gz(more), step))
    assert (reading.whole, reading.note) == (True, "")
    assert catcher.tree() == {**TREE, clip_name(8): sha256(content(8))}


def test_an_archive_after_the_first_must_be_whole_too(catcher: Catcher) -> None:
    reading = catcher.run(PLAIN + tar_of([(clip_name(8), content(8))])[:2000])
    assert (reading.whole, catcher.tree()) == (False, TREE)


@pytest.mark.parametrize("archive", [PLAIN, PACKED], ids=["tar", "gzip"])
@pytest.mark.parametrize("tail", [b"x", b"<?xml version='1.0'?><Error/>", b"\x1f\x8b", content(9, 5000)])
def test_what_follows_the_end_is_told_and_takes_nothing(
    catcher: Catcher, archive: bytes, tail: bytes
) -> None:
    reading = catcher.run(Dribble(archive + tail, 333))
    assert (reading.whole, catcher.tree()) == (True, TREE)
    assert reading.note == f"{len(tail)} bytes that belong to no archive follow its end"


def test_padding_after_the_end_is_nothing_to_tell(catcher: Catcher) -> None:
    reading = catcher.run(PACKED + bytes(1_500_000))
    assert (reading.whole, reading.note) == (True, "")


@pytest.mark.parametrize("damage", [PACKED[:900] + b"\xff" * 300_000, PLAIN[:3000], PACKED[:500]])
def test_the_reader_is_read_to_its_end(catcher: Catcher, damage: bytes) -> None:
    reader = Dribble(damage, 1000)
    assert not catcher.run(reader).whole
    assert reader.read(1) == b""


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "it is empty"),
        (b"\n<!DOCTYPE html><html>", "a page of HTML or XML"),
        (b"just some text, long enough " * 30, "begins with b'just some text, "),
        (gz(b"<html>" * 200), "gzip data that holds no tar"),
        (gz(b""), "gzip data that holds no tar"),
        (gz(PACKED), "gzip data that holds no tar"),
    ],
)
def test_what_is_no_archive_is_named(catcher: Catcher, data: bytes, reason: str) -> None:
    with pytest.raises(ArchiveError, match=r"^shard\.tar\.gz: ") as caught:
        catcher.run(data)
    assert reason in str(caught.value)


def test_a_zip_asks_for_a_file(catcher: Catcher) -> None:
    with pytest.raises(SeekNeeded):
        catcher.run(b"PK\x03\x04" + bytes(100))


def test_stored_gzip_blocks_cut_to_single_bytes(catcher: Catcher) -> None:
    reading = catcher.run(Dribble(gzip.compress(PLAIN, 0), 1))
    assert (reading.whole, catcher.tree()) == (True, TREE)


def test_a_member_larger_than_the_cap_is_passed_over(catcher: Catcher) -> None:
    plain = tar_of([(clip_name(0), content(0, 5001)), (clip_name(1), content(1, 5000))])
    reading = catcher.run(gz(plain), cap=5000)
    assert catcher.skips == [(clip_name(0), Skip.TOO_LARGE)]
    assert (reading.whole, catcher.tree()) == (True, {clip_name(1): sha256(content(1, 5000))})
