"""What a ``.torrent`` tells, and what is none."""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from bencode2 import bencode

from kdl.errors import PermanentError
from kdl.fetch.metainfo import Metainfo, parse_infohash, parse_metainfo

LENGTHS = {"a/1.mp4": 10, "a/2.mp4": 0, "b/3.mp4": 25, "b/4.mp4": 5}


def info(
    files: list[dict[bytes, Any]], piece: int = 8, name: bytes = b"k400", **more: Any
) -> dict[bytes, Any]:
    size = sum(file[b"length"] for file in files)
    table = {b"files": files, b"name": name, b"piece length": piece, b"pieces": b"h" * 20 * -(-size // piece)}
    return table | {key.encode(): value for key, value in more.items()}


def file(path: str, length: int, **more: Any) -> dict[bytes, Any]:
    table: dict[bytes, Any] = {b"length": length, b"path": path.encode().split(b"/")}
    return table | {key.encode(): value for key, value in more.items()}


def parse(table: dict[bytes, Any]) -> Metainfo:
    infohash = hashlib.sha1(bencode(table)).hexdigest()
    return parse_metainfo(bencode({b"announce": b"http://t/", b"info": table}), infohash, "x.torrent")


def test_files_lie_end_to_end_and_share_pieces() -> None:
    found = parse(info([file(path, length) for path, length in LENGTHS.items()]))
    assert (found.name, found.single, found.pieces) == ("k400", False, 5)
    assert [found.size(index) for index in range(4)] == list(LENGTHS.values())
    assert [found.span(index) for index in range(4)] == [range(2), range(0), range(1, 5), range(4, 5)]
    assert found.indices == {path: index for index, path in enumerate(LENGTHS)}
    assert found.place(2) == "k400/b/3.mp4"


def test_a_torrent_of_one_file() -> None:
    found = parse({b"length": 17, b"name": b"k.tar", b"piece length": 8, b"pieces": b"h" * 60})
    assert (found.single, found.indices, found.span(0), found.place(0)) == (
        True,
        {"k.tar": 0},
        range(3),
        "k.tar",
    )


@pytest.mark.parametrize(
    "odd",
    [
        file("../../etc/passwd", 4),
        file("a/../../b", 4),
        file("a//b", 4),
        file("a/b\nc", 4),
        file("a\\b", 4),
        {b"length": 4, b"path": []},
        {b"length": 4, b"path": [b"a/b"]},
        {b"length": 4, b"path": [b"\xff\xfe"]},
        file(".pad/4", 4, attr=b"p"),
    ],
)
def test_what_has_no_usable_name_is_left_out_and_counts_for_the_places_of_others(
    odd: dict[bytes, Any],
) -> None:
    found = parse(info([file("a/1.mp4", 8), odd, file("b/2.mp4", 4)]))
    assert list(found.indices) == ["a/1.mp4", "b/2.mp4"]
    assert found.begin(2) == 12


def test_names_in_unicode_come_first() -> None:
    named = {b"length": 4, b"path": [b"?"], b"path.utf-8": ["é.mp4".encode()]}
    assert list(parse(info([named])).indices) == ["é.mp4"]


@pytest.mark.parametrize(
    "data",
    [b"", b"<html>", b"d", b"i3e", b"le", bencode({}), bencode({b"info": 3}), bencode({b"info": {}})],
)
def test_what_is_no_torrent_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(PermanentError) as raised:
        parse_metainfo(data, "0" * 40, "x.torrent")
    assert raised.value.subject == "x.torrent"


@pytest.mark.parametrize(
    "wrong",
    [
        info([file("a", 4)], pieces=b"short"),
        info([file("a", 4)], name=b".."),
        info([]),
        {b"name": b"v2", b"piece length": 8, b"file tree": {}, b"meta version": 2},
        info([file("a", 4)], name=b"a/b"),
    ],
)
def test_a_torrent_that_lacks_something_can_not_be_read(wrong: dict[bytes, Any]) -> None:
    with pytest.raises(PermanentError, match="can not read"):
        parse(wrong)


def test_the_metadata_of_another_torrent_is_refused() -> None:
    data = bencode({b"info": info([file("a", 4)])})
    with pytest.raises(PermanentError, match="another torrent"):
        parse_metainfo(data, "0" * 40, "x.torrent")


def test_an_infohash_is_forty_hexadecimal_digits() -> None:
    assert parse_infohash("ABCDEF0123" * 4, "url") == "abcdef0123" * 4
    for wrong in ("", "abc", "g" * 40, "a" * 64):
        with pytest.raises(PermanentError, match="no infohash"):
            parse_infohash(wrong, "url")
