from __future__ import annotations

from io import StringIO

import pytest
from dataset_kit import DATA, REAL, shipped_split, split_of

from kdl.dataset.labels import LabelMap
from kdl.dataset.linklist import archive_stem, enumerated_shards, parse_link_list
from kdl.dataset.manifest import Counts, load_manifest
from kdl.errors import KdlError

LABELS = LabelMap(("abseiling", "air drumming", "driving car"))
H = "https://h.example"


def test_raw_lines_of_k600_tell_their_class() -> None:
    labels = load_manifest("k600").labels
    split = split_of("train", class_from="shard-name")
    found = parse_link_list(StringIO((DATA / "k600_links_raw.txt").read_text()), split, labels)
    first = found.shards[0]
    base = "https://s3.amazonaws.com/kinetics/600/train"
    assert first.url == f"{base}/massaging%20person%27s%20head.tar.gz"
    assert first.name == "massaging person's head.tar.gz"
    assert first.class_hint == "massaging person's head"
    assert (first.split, first.index, first.size) == ("train", 0, None)
    assert found.shards[1].url == f"{base}/backflip%20%28human%29.tar.gz"
    assert all(shard.class_hint == archive_stem(shard.name) for shard in found.shards)
    assert [shard.index for shard in found.shards] == list(range(len(found.shards)))
    assert found.problems == ()


def test_ranks_of_k700_tell_their_class() -> None:
    labels = load_manifest("k700-2020").labels
    text = (DATA / "k700_links.txt").read_text()
    shards = parse_link_list(StringIO(text), split_of("train", class_from="shard-rank"), labels).shards
    assert [shard.class_hint for shard in shards] == ["abseiling", "acting in play", "driving car", "zumba"]


def test_blank_lines_comments_crlf_and_a_bom() -> None:
    text = f"\ufeff{H}/part_0.tar.gz\r\n\r\n# the rest\r\n  {H}/part_1.tar.gz  "
    found = parse_link_list(StringIO(text), split_of(), LABELS)
    assert [shard.url for shard in found.shards] == [f"{H}/part_0.tar.gz", f"{H}/part_1.tar.gz"]
    assert {shard.class_hint for shard in found.shards} == {None}


def test_a_url_that_comes_again_is_reported_and_taken_once() -> None:
    text = f"{H}/driving car.tar\n{H}/abseiling.tar\n{H}/driving%20car.tar\n"
    found = parse_link_list(StringIO(text), split_of(class_from="shard-name"), LABELS)
    assert [shard.name for shard in found.shards] == ["driving car.tar", "abseiling.tar"]
    (problem,) = found.problems
    assert problem.kind == "link_list_duplicate"
    assert "line 3" in problem.detail
    assert "line 1" in problem.detail


@pytest.mark.parametrize(
    ("class_from", "name", "hint"),
    [
        ("shard-name", "air drumming.tgz", "air drumming"),
        ("shard-name", "air_drumming.zip", "air drumming"),
        ("shard-name", "air drumming", "air drumming"),
        ("shard-name", "air drummin.tar", None),
        ("shard-rank", "k_003.tar.gz", "driving car"),
        ("shard-rank", "k_2.tar", "air drumming"),
        ("shard-rank", "k_000.tar.gz", None),
        ("shard-rank", "k_004.tar.gz", None),
        ("shard-rank", "k_none.tar.gz", None),
        ("shard-rank", f"k_{'9' * 40}.tar.gz", None),
    ],
)
def test_the_class_of_a_shard_by_its_name(class_from: str, name: str, hint: str | None) -> None:
    found = parse_link_list(StringIO(f"{H}/{name}"), split_of(class_from=class_from), LABELS)
    assert found.shards[0].class_hint == hint
    kinds = [(problem.kind, problem.subject) for problem in found.problems]
    assert kinds == ([("shard_class_unknown", name)] if hint is None else [])


def test_another_number_of_archives_than_known_is_reported() -> None:
    split = split_of(counts=Counts(shards=242))
    (problem,) = parse_link_list(StringIO(f"{H}/part_0.tar.gz"), split, LABELS).problems
    assert problem.kind == "link_list_count"
    assert "1 archives here, 242 by the manifest" in problem.detail


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("", ["names no archive"]),
        ("\n# nothing\n", ["names no archive"]),
        ("<?xml version='1.0'?>\n<Error/>", ["line 1", "not an http or https URL", "<?xml"]),
        (f"{H}/part_0.tar.gz\npart_1.tar.gz\n", ["line 2", "part_1.tar.gz"]),
        (f"{H}/a.tar\n\n{H}/a/", ["line 3", "no file's name", "empty"]),
        (f"{H}/..%2Fa.tar", ["line 1", "no file's name"]),
        (f"{H}/.%2E", ["line 1", "no file's name"]),
        (f"{H}/a%00b.tar", ["line 1", "control characters"]),
        (f"{H}/a\x07b.tar", ["line 1", "control characters"]),
    ],
)
def test_a_list_that_is_none_is_refused_with_its_line(text: str, parts: list[str]) -> None:
    with pytest.raises(KdlError) as caught:
        parse_link_list(StringIO(text), split_of(), LABELS)
    assert caught.value.subject == f"{H}/list.txt"
    assert [part for part in parts if part not in caught.value.message] == []


def test_archives_that_a_manifest_names_itself() -> None:
    split = split_of(archives=(f"{H}/air%20drumming.tar", f"{H}/x.zip"), class_from="shard-name")
    found = enumerated_shards(split, LABELS)
    assert [(shard.name, shard.class_hint) for shard in found.shards] == [
        ("air drumming.tar", "air drumming"),
        ("x.zip", None),
    ]
    assert [problem.kind for problem in found.problems] == ["shard_class_unknown"]


@pytest.mark.parametrize("dataset", ["k400", "k600", "k700-2020"] if REAL.exists() else [])
@pytest.mark.parametrize("split", ["train", "val", "test"])
def test_the_hosts_own_lists(dataset: str, split: str) -> None:
    file = REAL / "path_lists" / f"{dataset.replace('-', '_')}_{split}_path.txt"
    spec = shipped_split(dataset, split)
    found = parse_link_list(StringIO(file.read_text()), spec, load_manifest(dataset).labels)
    assert found.problems == ()
    if spec.class_by_shard:
        assert sorted(str(shard.class_hint) for shard in found.shards) == list(load_manifest(dataset).labels)
