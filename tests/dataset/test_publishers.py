"""Who lists a dataset's clips, as manifests say it and as file names tell."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdl.dataset.manifest import load_manifest
from kdl.dataset.publishers import PublishedFile, format_told, publishers_of, split_told
from kdl.errors import ManifestError

DEEPMIND = "https://storage.googleapis.com/deepmind-media/Datasets/"
MANIFEST = """
name = "mine"
title = "Mine"
labels = ["abseiling"]
[hosts]
lab = "https://lab.example.org/data/"
[[split]]
name = "train"
class_from = "annotation"
archives = ["a.tar"]
annotation = { url = "lists/train.csv", format = "csv" }
[[split]]
name = "val"
class_from = "annotation"
archives = ["b.tar"]
annotation = { url = "https://other.example.org/val.csv", format = "csv" }
"""


def written(folder: Path, more: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(MANIFEST + more)
    return path


@pytest.mark.parametrize("dataset", ["k400", "k600", "k700-2020"])
def test_the_shipped_editions_name_their_publishers(dataset: str) -> None:
    manifest = load_manifest(dataset)
    found = publishers_of(manifest)
    assert next(iter(found)) == "cvdf"
    assert [file.split for file in found["cvdf"]] == ["train", "val", "test"]
    assert {"deepmind", "openmmlab"} <= set(found)
    number = dataset.removeprefix("k").replace("-", "_")
    assert found["deepmind"] == (
        PublishedFile(f"{DEEPMIND}kinetics{number}.tar.gz", "tar", f"deepmind/kinetics{number}.tar.gz"),
    )
    for files in found.values():
        for file in files:
            told = split_told(file.place, manifest.split_names)
            assert file.format == "tar" or told == (file.split or told) is not None
            assert file.url.startswith("https://")


def test_the_mirrors_own_lists_are_their_hosts(tmp_path: Path) -> None:
    found = publishers_of(load_manifest(written(tmp_path, "")))
    assert {name: [(file.place, file.split) for file in files] for name, files in found.items()} == {
        "lab": [("train.csv", "train")],
        "mine": [("val.csv", "val")],
    }


def test_a_publishers_files_lie_in_a_folder_of_its_name(tmp_path: Path) -> None:
    urls = '["old/a train.csv", "https://x.example/val.txt"]'
    more = f'[[annotations]]\nname = "them"\nurl = {urls}\nformat = "ls-r"\n'
    found = publishers_of(load_manifest(written(tmp_path, more)))
    assert [(file.url, file.place) for file in found["them"]] == [
        ("https://lab.example.org/data/old/a%20train.csv", "them/a train.csv"),
        ("https://x.example/val.txt", "them/val.txt"),
    ]


@pytest.mark.parametrize(
    ("more", "reason"),
    [
        ('name = "Them"\nurl = "a.csv"\nformat = "csv"', "annotations[Them].name: a publisher's name is"),
        ('name = "../x"\nurl = "a.csv"\nformat = "csv"', "a publisher's name is"),
        ('name = "lab"\nurl = "a.csv"\nformat = "csv"', "annotations[lab].name: stands for something else"),
        ('name = "mine"\nurl = "a.csv"\nformat = "csv"', "stands for something else"),
        ('name = "ava"\nurl = "a.csv"\nformat = "csv"', "stands for something else"),
        ('name = "them"\nurl = "a.csv"\nformat = "json"', "annotations[them].format: must be one of"),
        ('name = "them"\nurl = ["x/a.csv", "y/a.csv"]\nformat = "csv"', "two files are called a.csv"),
        ('name = "them"\nurl = "a/"\nformat = "csv"', "can not name a file"),
        ('name = "them"\nformat = "csv"', "annotations[them].url: is missing"),
        (
            'name = "them"\nurl = "a.csv"\nformat = "csv"\n'
            '[[annotations]]\nname = "them"\nurl = "b.csv"\nformat = "csv"',
            "stands for something else",
        ),
    ],
)
def test_a_publisher_that_can_not_be_is_refused(tmp_path: Path, more: str, reason: str) -> None:
    with pytest.raises(ManifestError) as caught:
        load_manifest(written(tmp_path, f"[[annotations]]\n{more}\n"))
    assert reason in caught.value.message


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("validate.csv", "val"),
        ("kinetics_train.csv", "train"),
        ("kinetics-400_val.csv", "val"),
        ("kinetics600_holdout_test.csv", "test"),
        ("test_before_2021-09-20.csv", "test"),
        ("tiny_val.csv", "val"),
        ("retrained.csv", None),
        ("annotations.csv", None),
    ],
)
def test_the_split_that_a_files_name_tells(name: str, split: str | None) -> None:
    assert split_told(name, ("train", "val", "test")) == split
    assert split_told(name, ()) is None


@pytest.mark.parametrize(
    ("name", "format"),
    [
        ("train.csv", "csv"),
        ("val.txt", "ls-r"),
        ("kinetics400.tar.gz", "tar"),
        ("K.TGZ", "tar"),
        ("train.json", None),
        ("val.normalised.csv", None),
        ("._train.csv", None),
    ],
)
def test_the_format_that_a_files_name_tells(name: str, format: str | None) -> None:
    assert format_told(name) == format
