from __future__ import annotations

import json
import pickle
from pathlib import Path

import pytest
from dataset_kit import REAL
from hypothesis import given
from hypothesis import strategies as st

from kdl.dataset.labels import STYLES, LabelMap, Style, class_dir, clean_label, resolve_classes
from kdl.dataset.manifest import load_manifest
from kdl.errors import UsageError

LABELS = LabelMap(
    ("abseiling", "air drumming", "hurling (sport)", "massaging person's head", "tying knot (not on a tie)")
)


@pytest.mark.parametrize(
    ("label", "style", "folder"),
    [
        ("air drumming", "mmaction2", "air_drumming"),
        ("hurling (sport)", "mmaction2", "hurling_(sport)"),
        ("massaging person's head", "mmaction2", "massaging_person's_head"),
        ("hurling (sport)", "torchvision", "hurling_sport"),
        ("massaging person's head", "torchvision", "massaging_persons_head"),
        ("hurling (sport)", "raw", "hurling (sport)"),
        ("a\u00a0b\u2003c", "mmaction2", "a_b_c"),
    ],
)
def test_class_folders(label: str, style: Style, folder: str) -> None:
    assert class_dir(label, style) == folder


@pytest.mark.parametrize(
    ("label", "style"),
    [
        ("", "mmaction2"),
        (".", "raw"),
        ("..", "raw"),
        (".hidden", "mmaction2"),
        ("a/b", "mmaction2"),
        ("../../etc", "raw"),
        ("a\\b", "raw"),
        ("a\x00b", "mmaction2"),
        ("a\nb", "mmaction2"),
        ("a\x1b[31mb", "raw"),
        ("x" * 256, "mmaction2"),
        ("()", "torchvision"),
        ("(.)x", "torchvision"),
    ],
)
def test_a_label_that_is_no_safe_folder_is_refused(label: str, style: Style) -> None:
    with pytest.raises(UsageError, match="no folder can be named"):
        class_dir(label, style)


@given(st.text(), st.sampled_from(STYLES))
def test_a_class_folder_is_always_one_component_below(label: str, style: Style) -> None:
    try:
        folder = class_dir(label, style)
    except UsageError:
        return
    assert Path("videos", folder).parent == Path("videos")
    assert folder not in ("", ".", "..")
    assert "\0" not in folder
    assert style == "raw" or folder == "".join(folder.split())


@pytest.mark.parametrize(
    ("text", "label"),
    [
        ('"sharpening knives"', "sharpening knives"),
        (" deadlifting ", "deadlifting"),
        ('"', '"'),
        ("it's", "it's"),
        ("", ""),
    ],
)
def test_clean_label(text: str, label: str) -> None:
    assert clean_label(text) == label


@pytest.mark.parametrize(
    "text",
    [
        "massaging person's head",
        "massaging_person's_head",
        "massaging_persons_head",
        '"massaging person\'s head"',
    ],
)
def test_a_label_is_found_in_any_spelling(text: str) -> None:
    assert LABELS.find(text) == "massaging person's head"


def test_a_label_map_is_a_value() -> None:
    assert LABELS.find("nothing like it") is None
    copy = pickle.loads(pickle.dumps(LABELS))
    assert copy == LABELS
    assert copy.id_of("air drumming") == 1
    assert "air drumming" in copy
    assert list(copy) == list(LABELS.names)


@pytest.mark.parametrize("dataset", ["k400", "k600", "k700-2020"])
def test_folders_of_shipped_labels(dataset: str) -> None:
    """The default folders sort like the labels, and torchvision's do not: ids must not be counted there."""
    labels = load_manifest(dataset).labels
    assert [labels.find(class_dir(name, style)) for style in STYLES for name in labels] == list(labels) * 3
    folders = [class_dir(name) for name in labels]
    assert folders == sorted(folders)
    shorn = [class_dir(name, "torchvision") for name in labels]
    assert shorn != sorted(shorn)


def test_classes_come_in_the_order_of_their_ids_and_once() -> None:
    wanted = ["tying_knot_(not_on_a_tie)", "abseiling", "hurling_sport", "abseiling"]
    assert resolve_classes(LABELS, wanted) == ("abseiling", "hurling (sport)", "tying knot (not on a tie)")
    assert resolve_classes(LABELS, []) == ()


def test_classes_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "wanted.txt"
    file.write_text("\ufeff# sports\r\n\r\nhurling (sport)\r\n  air_drumming  \r\n", encoding="utf-8")
    assert resolve_classes(LABELS, [f"@{file}", "abseiling"]) == LABELS.names[:3]


def test_an_unknown_class_is_refused_with_those_near() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_classes(LABELS, ["abseiling", "Air_Druming"])
    assert caught.value.subject == "'Air_Druming'"
    assert "'air drumming'" in caught.value.fix


def test_an_unknown_class_that_is_like_none() -> None:
    with pytest.raises(UsageError) as caught:
        resolve_classes(LABELS, ["zzzz"])
    assert "5 classes" in caught.value.fix
    with pytest.raises(UsageError) as caught:
        resolve_classes(LabelMap(()), ["abseiling"])
    assert "leave --class out" in caught.value.fix


@pytest.mark.parametrize(
    ("content", "reason"),
    [(None, "No such file"), (b"", "names none"), (b"# only this\n", "names none"), (b"\xff\xfe", "UTF-8")],
)
def test_a_file_of_classes_that_can_not_be_used(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "wanted.txt"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(UsageError, match=reason) as caught:
        resolve_classes(LABELS, [f"@{file}"])
    assert caught.value.subject == str(file)


@pytest.mark.parametrize("file", [REAL / "labels/kinetics_classnames.json"] if REAL.exists() else [])
def test_the_hosts_own_ids_are_the_ranks(file: Path) -> None:
    labels = load_manifest("k400").labels
    ids = {clean_label(name): number for name, number in json.loads(file.read_text()).items()}
    assert ids == {name: labels.id_of(name) for name in labels}
