"""Digests held against ETags as S3 makes them."""

from __future__ import annotations

import hashlib
import random

import pytest

from kdl.fetch.evidence import Evidence, Proof, part_sizes
from kdl.fetch.source import RemoteStat
from kdl.settings import MIB

DATA = random.Random(3).randbytes(21 * MIB + 12_345)


def multipart_tag(data: bytes, part: int) -> str:
    digests = [hashlib.md5(data[at : at + part]).digest() for at in range(0, len(data), part)]
    return f'"{hashlib.md5(b"".join(digests)).hexdigest()}-{len(digests)}"'


def prove(
    data: bytes, etag: str | None, *, s3: bool = True, size: int | None = None, step: int = MIB
) -> Evidence:
    evidence = Evidence(RemoteStat("https://h/a", size=size or len(data), etag=etag, s3=s3))
    for at in range(0, len(data), step):
        evidence.update(memoryview(data)[at : at + step])
    return evidence


@pytest.mark.parametrize("step", [MIB, 700_001, len(DATA)])
@pytest.mark.parametrize("part", [5 * MIB, 8 * MIB, 16 * MIB, 64 * MIB])
def test_multipart_tags(part: int, step: int) -> None:
    evidence = prove(DATA, multipart_tag(DATA, part), step=step)
    assert evidence.prove() is Proof.MULTIPART
    assert evidence.sha256 == hashlib.sha256(DATA).hexdigest()


def test_a_part_that_ends_with_the_object() -> None:
    data = DATA[: 16 * MIB]
    assert prove(data, multipart_tag(data, 8 * MIB)).prove() is Proof.MULTIPART


def test_an_unusual_part_size_proves_nothing() -> None:
    assert prove(DATA, multipart_tag(DATA, 7 * MIB + 1)).prove() is Proof.UNVERIFIED


def test_a_multipart_tag_of_other_bytes_proves_nothing() -> None:
    wrong = bytearray(DATA)
    wrong[9 * MIB] ^= 1
    assert prove(bytes(wrong), multipart_tag(DATA, 8 * MIB)).prove() is Proof.UNVERIFIED


def test_single_part_tags() -> None:
    data = DATA[:MIB]
    tag = f'"{hashlib.md5(data).hexdigest()}"'
    assert prove(data, tag).prove() is Proof.MD5
    assert prove(data, tag.upper()).prove() is Proof.MD5
    assert prove(data[:-1], tag).prove() is Proof.MISMATCH


@pytest.mark.parametrize("etag", [None, '"5f3c-61d"', 'W/"d41d8cd98f00b204e9800998ecf8427e"', '"short"', ""])
def test_other_tags_are_no_digests(etag: str | None) -> None:
    assert prove(b"x", etag).prove() is Proof.NONE


def test_tags_of_other_servers_are_no_digests() -> None:
    assert prove(b"x", f'"{hashlib.md5(b"other").hexdigest()}"', s3=False).prove() is Proof.NONE


def test_an_empty_object() -> None:
    assert prove(b"", f'"{hashlib.md5(b"").hexdigest()}"').prove() is Proof.MD5


def test_a_multipart_tag_without_a_size_proves_nothing() -> None:
    evidence = Evidence(RemoteStat("https://h/a", etag=multipart_tag(DATA, 8 * MIB), s3=True))
    evidence.update(DATA)
    assert evidence.prove() is Proof.UNVERIFIED


@pytest.mark.parametrize(
    ("size", "parts", "likely"),
    [
        (1_500_000_000, 179, [8 * MIB]),
        (1_500_000_000, 90, [16 * MIB]),
        (70 * MIB, 9, [8 * MIB]),
        (3 * MIB, 1, [3 * MIB]),
        (0, 1, [1]),
        (1_500_000_000, 9_999, []),
        (100 * MIB, 0, []),
    ],
)
def test_likely_part_sizes(size: int, parts: int, likely: list[int]) -> None:
    assert list(part_sizes(size, parts)) == likely
