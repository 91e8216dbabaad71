from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from dataset_kit import REAL

from kdl.dataset.manifest import Host, load_manifest, shipped_manifests
from kdl.dataset.summary import describe
from kdl.errors import UsageError
from kdl.settings import GIB
from kdl.values import ClipKey

BUCKET = "https://s3.amazonaws.com/kinetics/"


def test_the_datasets_that_ship() -> None:
    assert {"k400", "k600", "k700-2020"} <= set(shipped_manifests())
    assert "recipes" not in shipped_manifests()


@pytest.mark.parametrize("name", shipped_manifests())
def test_a_shipped_manifest_is_whole(name: str) -> None:
    manifest = load_manifest(name)
    assert manifest.name == manifest.path.stem == name
    assert manifest.sources
    assert manifest.labels.names == tuple(sorted(manifest.labels))
    assert pickle.loads(pickle.dumps(manifest)) == manifest
    for split in manifest.splits:
        assert manifest.split(split.name) is split
        assert {key.split for key in split.never_hosted} <= {split.name}


@pytest.mark.parametrize(
    ("name", "classes", "shards", "class_from", "clips"),
    [
        ("k400", 400, (242, 20, 39), ("annotation",) * 3, (241_258, 19_881, 38_685)),
        ("k600", 600, (600, 600, 60), ("shard-name", "shard-name", "none"), (427_549, 29_791, 59_608)),
        ("k700-2020", 700, (700, 700, 50), ("shard-rank", "shard-rank", "none"), (536_699, 33_966, 64_535)),
    ],
)
def test_the_editions_on_the_bucket(
    name: str,
    classes: int,
    shards: tuple[int, ...],
    class_from: tuple[str, ...],
    clips: tuple[int, ...],
) -> None:
    manifest = load_manifest(name)
    assert manifest.hosts == (Host("cvdf", BUCKET),)
    assert manifest.split_names == ("train", "val", "test")
    assert len(manifest.labels) == classes
    assert tuple(split.counts.shards for split in manifest.splits) == shards
    assert tuple(split.counts.clips for split in manifest.splits) == clips
    assert tuple(split.class_from for split in manifest.splits) == class_from
    assert all(str(split.list_url).startswith(BUCKET) for split in manifest.splits)
    assert (manifest.short_tolerance, manifest.max_member) == (1.0, 2 * GIB)


def test_what_k400_replaces_and_what_it_never_had() -> None:
    manifest = load_manifest("k400")
    assert manifest.replacement is not None
    assert manifest.replacement.url == f"{BUCKET}400/replacement_for_corrupted_k400.tgz"
    assert manifest.replacement.splits == ("train",)
    never = {split.name: split.never_hosted for split in manifest.splits}
    assert [len(never[name]) for name in ("train", "val", "test")] == [0, 25, 1_120]
    assert ClipKey("val", "-3l8q12D7lA", 15, 25) in never["val"]
    # Hosted, though they do not decode: judged like any other clip.
    for name, start in (("QfuO07EqYhI", 54), ("sAA809R_u1E", 77), ("_6uq-NBo3Bk", 12), ("I0luMKjIZyg", 422)):
        assert ClipKey("val", name, start, start + 10) not in never["val"]


def test_rows_and_clips_and_those_never_hosted_add_up() -> None:
    for split in load_manifest("k400").splits[1:]:
        assert split.counts.rows is not None
        assert split.counts.clips == split.counts.rows - len(split.never_hosted)


def test_the_copy_of_paddlevideo() -> None:
    """Train's names carry times, val's do not; both are held against what CVDF annotates."""
    manifest, cvdf = load_manifest("k400-paddle"), load_manifest("k400")
    assert [host.name for host in manifest.hosts] == ["archives", "lists", "cvdf"]
    assert manifest.labels == cvdf.labels
    for split in manifest.splits:
        assert split.annotation == cvdf.split(split.name).annotation
        assert (split.times, split.untimed, split.strip, split.archive) == (True, True, 1, "unknown")
        assert split.published is not None
        assert split.published.by == "paddle"
        assert [url.rpartition("/")[2] for url in split.published.urls] == [
            f"{split.name}.list",
            f"{split.name}_frames.list",
        ]
    val = manifest.split("val")
    assert val.counts.clips == (val.counts.rows or 0) - len(val.never_hosted)
    assert ClipKey("val", "-3l8q12D7lA", 15, 25) in val.never_hosted
    for name, ext in (("0wR5jVB-WPk.mp4.webm", ".mp4.webm"), ("-h1qv9R5hwE.mkv", ".mkv")):
        read = val.read_name(name)
        assert read is not None
        assert (read.youtube_id, read.start, read.ext) == (name.removesuffix(ext), None, ext)
    timed = val.read_name("0wR5jVB-WPk_000001_000011.webm")
    assert timed is not None
    assert (timed.start, timed.end, timed.ext) == (1, 11, ".webm")


def test_the_ranks_of_k700() -> None:
    assert load_manifest("k700-2020").labels.names[171 - 1] == "driving car"


@pytest.mark.parametrize("name", shipped_manifests())
def test_describe_is_json(name: str) -> None:
    manifest = load_manifest(name)
    shown = json.loads(json.dumps(describe(manifest)))
    assert shown["name"] == name
    assert shown["sources"]
    assert [split["name"] for split in shown["splits"]] == list(manifest.split_names)
    for key in ("clips", "shards", "bytes"):
        numbers = [split[key] for split in shown["splits"]]
        assert shown[key] == (None if None in numbers else sum(numbers))


def test_describe_of_k400() -> None:
    shown = describe(load_manifest("k400"))
    assert (shown["classes"], shown["clips"], shown["shards"]) == (400, 299_824, 301)
    assert shown["bytes"] == 456_000_000_000
    assert shown["replacement"]["clips"] == 1_392
    assert shown["splits"][2]["never_hosted"] == 1_120
    assert describe(load_manifest("k600"))["approximate"] is True


@pytest.mark.parametrize(("name", "near"), [("k40", "k400"), ("k700", "k700-2020"), ("K600", "k600")])
def test_a_dataset_that_is_not_there(name: str, near: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_manifest(name)
    assert caught.value.subject == repr(name)
    assert near in caught.value.message
    assert "kdl datasets" in caught.value.fix


def test_a_split_that_is_not_there() -> None:
    manifest = load_manifest("k400")
    with pytest.raises(UsageError) as caught:
        manifest.split("vall")
    assert "val" in caught.value.fix
    with pytest.raises(UsageError) as caught:
        manifest.split("q")
    assert "train, val, test" in caught.value.fix


@pytest.mark.parametrize(
    ("dataset", "file"),
    [("k400", "label_map_k400"), ("k600", "label_map_k600"), ("k700-2020", "label_map_k700")]
    if REAL.exists()
    else [],
)
def test_labels_are_those_that_trainers_have(dataset: str, file: str) -> None:
    path: Path = REAL / "labels" / f"{file}.txt"
    assert list(load_manifest(dataset).labels) == path.read_text().splitlines()
