"""Clips that a list or a folder names one by one: which of them make a shard together."""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import replace
from io import StringIO

import pytest
from dataset_kit import split_of

from kdl.dataset import linklist
from kdl.dataset.labels import LabelMap
from kdl.dataset.linklist import ShardList, listed_shards, parse_link_list
from kdl.dataset.loose import read_line
from kdl.errors import KdlError
from kdl.values import Listed, Stretch, line_of, read_back

LABELS = LabelMap(("abseiling", "air drumming"))
H = "https://h.example/train"
SHA = "0123456789abcdef" * 4


class Kept(list[Sequence[Listed]]):
    """What the bundles hold, in the place of a file on disk."""

    def keep(self, files: Sequence[Listed]) -> Stretch:
        self.append(files)
        return Stretch("list.tsv", len(self) - 1, len(self))

    def names(self) -> list[list[str]]:
        return [[file.url.rpartition("/")[2] for file in files] for files in self]


def parse(lines: Sequence[str], kept: Kept) -> ShardList:
    return parse_link_list(StringIO("".join(f"{line}\n" for line in lines)), split_of(), LABELS, kept.keep)


def test_a_large_clip_is_a_bundle_of_its_own() -> None:
    """Of which nothing is known to be right before its end."""
    kept = Kept()
    parse([f"{H}/abseiling/{n}.mp4\t{100 if n != 2 else 1 << 27}" for n in range(5)], kept)
    assert kept.names() == [["0.mp4", "1.mp4"], ["2.mp4"], ["3.mp4", "4.mp4"]]


def test_a_line_tells_size_and_digest_or_what_is_not_known() -> None:
    for line, file in {
        f"{H}/a b.mp4": Listed(f"{H}/a%20b.mp4"),
        f"{H}/a.mp4\t7": Listed(f"{H}/a.mp4", 7),
        f"{H}/a.mp4\t-\t{SHA.upper()}": Listed(f"{H}/a.mp4", None, SHA),
        f"{H}/a.mp4\t0\t-": Listed(f"{H}/a.mp4", 0),
    }.items():
        assert read_line(line) == file
        assert read_back(line_of(file)) == file


@pytest.mark.parametrize("told", ["\tseven", "\t-1", f"\t7\t{SHA[1:]}", f"\t7\t{SHA}\tmore", "\t٣"])
def test_a_line_that_tells_what_can_not_be_is_refused(told: str) -> None:
    with pytest.raises(KdlError, match="line 2"):
        parse([f"{H}/a.tar", f"{H}/b.tar{told}"], Kept())


def test_clips_in_any_order_are_put_together_by_folder() -> None:
    lines = [f"{H}/{folder}/{number}.mp4" for folder in ("abseiling", "air drumming") for number in range(9)]
    random.Random(2).shuffle(lines)
    kept = Kept()
    found = parse([*lines, f"{H}/part_0.tar.gz\t-\t{SHA}"], kept)
    archive, *bundles = found.shards
    assert (archive.name, archive.bundle, archive.sha256) == ("part_0.tar.gz", None, SHA)
    assert {shard.name: shard.class_hint for shard in bundles} == {
        "abseiling.tar": "abseiling",
        "air drumming.tar": "air drumming",
    }
    assert [shard.index for shard in found.shards] == [0, 1, 2]
    asked = [line.rpartition("/")[2] for line in lines if "/abseiling/" in line]
    assert asked in kept.names(), "in the list's own order"
    assert {shard.url for shard in bundles} == {f"{H}/abseiling/?bundle=0", f"{H}/air%20drumming/?bundle=0"}


def test_a_folder_of_many_clips_makes_several_bundles(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(linklist, "BUNDLE_CLIPS", 3)
    monkeypatch.setattr(linklist, "BUNDLE_BYTES", 100)
    monkeypatch.setattr(linklist, "LARGE", 1000)
    kept = Kept()
    sizes = (1, 1, 1, 1, 99, 1, 500, 1)
    found = parse([f"{H}/a/{number}.mp4\t{size}" for number, size in enumerate(sizes)], kept)
    assert [[file.size for file in files] for files in kept] == [[1, 1, 1], [1, 99], [1], [500], [1]]
    assert [shard.name for shard in found.shards] == ["a.tar", "a 1.tar", "a 2.tar", "a 3.tar", "a 4.tar"]


def test_folders_of_one_name_make_bundles_of_several() -> None:
    found = parse([f"{H}/a/1.mp4", f"{H}/more/a/2.mp4", f"{H}/a 1/3.mp4"], Kept())
    assert [shard.name for shard in found.shards] == ["a.tar", "a 1.tar", "a 1 1.tar"]
    assert len({shard.url for shard in found.shards}) == 3


def test_a_clip_that_comes_again_is_told_and_taken_once() -> None:
    kept = Kept()
    found = parse([f"{H}/a/1.mp4", f"{H}/a/2.mp4", f"{H}/a/1.mp4"], kept)
    assert kept.names() == [["1.mp4", "2.mp4"]]
    (problem,) = found.problems
    assert (problem.kind, problem.detail) == ("link_list_duplicate", "names 1 clips again, such as '1.mp4'")


@pytest.mark.parametrize("home", ["s3://lab/k", "file:///mnt/k"])
def test_a_list_names_what_is_of_the_web_or_lies_beside_it(home: str) -> None:
    split = replace(split_of(), list_url=f"{home}/list.txt")
    found = parse_link_list(StringIO(f"{home}/a b.tar\n{H}/c.tar\n"), split, LABELS)
    assert [shard.url for shard in found.shards] == [f"{home}/a%20b.tar", f"{H}/c.tar"]
    with pytest.raises(KdlError, match="line 1"):
        parse_link_list(StringIO("s3://another/a.tar\n"), split, LABELS)
    with pytest.raises(KdlError, match="line 1"):
        parse_link_list(StringIO(f"{home}/a.tar\n"), split_of(), LABELS)


def test_of_a_folder_archives_and_clips_are_taken_and_nothing_else() -> None:
    kept = Kept()
    names = ("abseiling/1.mp4", "abseiling/1.srt", "more.TAR", "readme.md", "x.webm")
    files = [Listed(f"{H}/{name}", 5) for name in names]
    found = listed_shards(files, split_of(), LABELS, kept.keep)
    assert [shard.name for shard in found.shards] == ["more.TAR", "abseiling.tar"]
    with pytest.raises(KdlError, match=r"no archive and no clip \(\.mp4\)"):
        listed_shards(files[3:], split_of(), LABELS, kept.keep)
