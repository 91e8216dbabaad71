"""What paths tell: split, class, layout, and which piece of which archive a file is."""

from __future__ import annotations

import pytest

from kdl.dataset.labels import LabelMap
from kdl.dataset.layouts import Place, Recognised, missing_piece, piece_of, recognise, split_of_archive

LABELS = LabelMap(("abseiling", "driving car", "training dog", "tying knot (not on a tie)"))
SPLITS = ("train", "val", "test")


@pytest.mark.parametrize(
    ("path", "split", "label", "layout"),
    [
        ("train/driving car", "train", "driving car", "cvdf"),
        ("videos_val/driving_car", "val", "driving car", "mmaction2"),
        ("videos_val/abseiling", "val", "abseiling", "mmaction2"),
        ("val/tying_knot_(not_on_a_tie)", "val", "tying knot (not on a tie)", "mmaction2"),
        ("val/tying_knot_not_on_a_tie", "val", "tying knot (not on a tie)", "torchvision"),
        ("val/driving_car", "val", "driving car", "class folders"),
        ("validate/abseiling", "val", "abseiling", "class folders"),
        ("train_256", "train", None, "flat"),
        ("kinetics400-test", "test", None, "flat"),
        ("training_dog", None, "training dog", "class folders"),
        ("train/training dog", "train", "training dog", "cvdf"),
        ("val/abseiling/more", "val", None, "flat"),
        ("train/val/abseiling", "val", "abseiling", "class folders"),
        ("train_and_val", None, None, "flat"),
        ("", None, None, "flat"),
    ],
)
def test_a_path_is_recognised(path: str, split: str | None, label: str | None, layout: str) -> None:
    folders = tuple(part for part in path.split("/") if part)
    assert recognise(folders, SPLITS, LABELS) == Place(split, label, layout)


def test_the_most_telling_folder_decides() -> None:
    found = Recognised()
    for folder in ("abseiling", "driving_car", "tying_knot_not_on_a_tie"):
        found.add(recognise(("train", folder), SPLITS, LABELS))
    assert (found.layout, found.clips, len(found.classes)) == ("torchvision", 3, 3)


@pytest.mark.parametrize(
    ("name", "piece"),
    [
        ("part_0.tar.gz", ("part_0.tar.gz", "")),
        ("K400.tgz", ("K400.tgz", "")),
        ("x.tar.gz.00", ("x.tar.gz", "00")),
        ("x.tar.gz.aa", ("x.tar.gz", "aa")),
        ("x.tar.gz.part-ab", ("x.tar.gz", "ab")),
        ("x.tar.gzaa", ("x.tar.gz", "aa")),
        ("x.zip.001", ("x.zip", "001")),
        ("x.tar", ("x.tar", "")),
        ("clip.mp4", None),
        ("notes.txt", None),
    ],
)
def test_an_archive_is_known_by_its_name(name: str, piece: tuple[str, str] | None) -> None:
    assert piece_of(name) == piece


@pytest.mark.parametrize(
    ("pieces", "missing"),
    [
        (["00", "01", "02"], None),
        (["01", "02"], None),
        (["02", "03"], "00"),
        (["00", "02"], "01"),
        (["aa", "ab", "ac"], None),
        (["aa", "ac"], "ab"),
        (["ab"], "aa"),
        ([f"{chr(97 + at // 26)}{chr(97 + at % 26)}" for at in range(30)], None),
    ],
)
def test_a_piece_that_is_lacking_is_named(pieces: list[str], missing: str | None) -> None:
    assert missing_piece(pieces) == missing


@pytest.mark.parametrize(
    ("name", "folders", "split"),
    [
        ("k700_val_171.tar.gz", (), "val"),
        ("part_0.tar.gz", ("tars", "train"), "train"),
        ("training dog.tar.gz", ("k600", "val"), "val"),
        ("part_0.tar.gz", ("downloads",), None),
    ],
)
def test_an_archive_tells_its_split(name: str, folders: tuple[str, ...], split: str | None) -> None:
    assert split_of_archive(name, folders, SPLITS, LABELS) == split
