"""Tables of boxes and of repetitions: as they are hosted, as they should not be, and normalised."""

from __future__ import annotations

from pathlib import Path

import pytest
from dataset_kit import DATA, REAL

from kdl.dataset import ava, countix
from kdl.dataset.ava import Box, KeyFrame
from kdl.dataset.countix import Repetition
from kdl.dataset.extras import SAMPLES, RowReport
from kdl.dataset.manifest import load_manifest
from kdl.errors import KdlError, UsageError

ACTIONS = {1: "bend", 12: "stand (still)", 79: "talk to, or sing"}
HOSTED = REAL / "annotations"
COUNTIX_HEAD = "video_id,kinetics_start,kinetics_end,repetition_start,repetition_end,count\n"


def boxes_of(path: Path, table: Path, actions: dict[int, str]) -> tuple[list[KeyFrame], RowReport]:
    """Normalised and read back."""
    report = RowReport()
    rows = ava.write_boxes(table, "train", ava.read_boxes(path, actions, report), actions)
    assert rows == report.rows
    return list(ava.key_frames(table)), report


def repetitions_of(path: Path, table: Path, split: str = "val") -> tuple[list[Repetition], RowReport]:
    """The same."""
    report = RowReport()
    rows = countix.write_repetitions(table, countix.read_repetitions(path, split, report))
    assert rows == report.rows
    return list(countix.repetitions(table)), report


def test_boxes_with_every_trap(tmp_path: Path) -> None:
    found, report = boxes_of(DATA / "ava_traps.csv", tmp_path / "train.csv", ACTIONS)
    assert found == [
        KeyFrame("train", "-lead_dash0", 12.25, (Box(0, 0, 1, 1, 1),)),
        KeyFrame("train", "-lead_dash0", 13.0, (Box(0.1, 0.2, 0.5, 0.9, 12), Box(0.1, 0.2, 0.5, 0.9, 79))),
        KeyFrame("train", "under_score", 0.5, (Box(0.3, 0.3, 0.6, 0.6, 12),)),
        KeyFrame("train", "under_score", 1.5, ()),
    ]
    assert [frame.people for frame in found] == [1, 1, 1, 0]
    assert (report.rows, report.bad, len(report.samples)) == (6, 8, SAMPLES)
    assert report.samples[0] == "line 9: not a YouTube id: 'short'"
    assert report.samples[3] == "line 12: 4 cells, where a box has 7 and none has 2"


def test_the_normalised_table_of_boxes_byte_for_byte(tmp_path: Path) -> None:
    boxes_of(DATA / "ava_traps.csv", tmp_path / "train.csv", ACTIONS)
    assert (tmp_path / "train.csv").read_text().splitlines() == [
        "split,youtube_id,timestamp,x1,y1,x2,y2,action_id,action",
        "train,-lead_dash0,12.25,0.0,0.0,1.0,1.0,1,bend",
        "train,-lead_dash0,13.0,0.1,0.2,0.5,0.9,12,stand (still)",
        'train,-lead_dash0,13.0,0.1,0.2,0.5,0.9,79,"talk to, or sing"',
        "train,under_score,0.5,,,,,,",
        "train,under_score,0.5,0.3,0.3,0.6,0.6,12,stand (still)",
        "train,under_score,1.5,,,,,,",
    ]
    assert [path.name for path in tmp_path.iterdir()] == ["train.csv"]


def test_boxes_without_a_list_of_actions_keep_their_numbers(tmp_path: Path) -> None:
    found, report = boxes_of(DATA / "ava_traps.csv", tmp_path / "train.csv", {})
    assert report.bad == 7
    assert {box.action_id for frame in found for box in frame.boxes} == {1, 12, 13, 79}


def test_an_empty_table_of_boxes(tmp_path: Path) -> None:
    (tmp_path / "empty.csv").write_text("\n\n")
    found, report = boxes_of(tmp_path / "empty.csv", tmp_path / "train.csv", ACTIONS)
    assert (found, report) == ([], RowReport())


def test_lists_of_actions_in_both_forms(tmp_path: Path) -> None:
    actions = ava.read_actions(DATA / "ava_actions.pbtxt")
    evaluated = ava.read_actions(DATA / "ava_actions_evaluated.pbtxt")
    assert actions == ACTIONS
    ava.write_actions(tmp_path / "actions.csv", actions, evaluated)
    found = ava.named_actions(tmp_path / "actions.csv")
    assert found == [(1, "bend", False), (12, "stand (still)", True), (79, "talk to, or sing", False)]
    ava.write_actions(tmp_path / "actions.csv", actions, {})
    assert all(evaluated for _, _, evaluated in ava.named_actions(tmp_path / "actions.csv"))


@pytest.mark.parametrize(
    "text", ["", "nothing", 'label {\n  name: "x"\n}', 'item { name: "x" id: 1 } item { name: "y" id: 1 }']
)
def test_no_list_of_actions(tmp_path: Path, text: str) -> None:
    (tmp_path / "list.pbtxt").write_text(text)
    with pytest.raises(KdlError, match="no list of actions"):
        ava.read_actions(tmp_path / "list.pbtxt")


def test_repetitions_with_every_trap(tmp_path: Path) -> None:
    found, report = repetitions_of(DATA / "countix_blank_first.csv", tmp_path / "val.csv")
    assert found == [
        Repetition("val", "-lead_dash0", 12, 15, "tying knot (not on a tie)", 12.5, 15.000339, 7),
        Repetition("val", "-lead_dash0", 12, 15, "abseiling", 12.0, 13.5, 2),
    ]
    assert (report.rows, report.bad) == (2, 6)
    assert report.samples[0] == "line 6: no count: '0'"


def test_repetitions_without_a_class_and_with_crlf(tmp_path: Path) -> None:
    text = "\ufeff" + COUNTIX_HEAD + "testClip_01,0,3,0.5,2.0,4\n"
    (tmp_path / "a.csv").write_bytes(text.replace("\n", "\r\n").encode())
    found, _ = repetitions_of(tmp_path / "a.csv", tmp_path / "test.csv", "test")
    assert found == [Repetition("test", "testClip_01", 0, 3, "", 0.5, 2.0, 4)]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "names no column 'video_id'"),
        (b"video_id,class,count\nx,y,1\n", "names no column 'kinetics_start'"),
        (COUNTIX_HEAD.encode() + b'"testClip_01,0', "not a table: line"),
        (b"\xff\xfe", "not UTF-8"),
    ],
)
def test_no_table_of_repetitions(tmp_path: Path, data: bytes, reason: str) -> None:
    (tmp_path / "a.csv").write_bytes(data)
    with pytest.raises(KdlError, match=reason):
        repetitions_of(tmp_path / "a.csv", tmp_path / "val.csv")
    assert not (tmp_path / "val.csv").exists()


def test_a_normalised_table_that_somebody_altered(tmp_path: Path) -> None:
    table = tmp_path / "val.csv"
    repetitions_of(DATA / "countix_blank_first.csv", table)
    table.write_text(table.read_text() + "val,x\n")
    with pytest.raises(KdlError, match="altered"):
        list(countix.repetitions(table))
    boxes_of(DATA / "ava_traps.csv", table, ACTIONS)
    table.write_text(table.read_text().replace("12.25", "noon"))
    with pytest.raises(KdlError, match="altered"):
        list(ava.key_frames(table))
    with pytest.raises(KdlError, match="not a normalised table"):
        list(countix.repetitions(table))


@pytest.mark.skipif(not HOSTED.is_dir(), reason="no copies of the hosts' own files here")
def test_the_hosted_files_are_read_to_the_last_row(tmp_path: Path) -> None:
    for split, rows in {"train": 4511, "val": 1434, "test": 2647}.items():
        path = HOSTED / "countix" / f"countix_{split}.csv"
        found, report = repetitions_of(path, tmp_path / path.name, split)
        assert (len(found), report) == (rows, RowReport(rows))
    frames, report = boxes_of(HOSTED / "ava_kinetics/kinetics_test_v1.0.csv", tmp_path / "test.csv", {})
    assert (len(frames), report) == (64_304, RowReport(64_304))
    assert not any(frame.boxes for frame in frames)


def test_the_shipped_manifest_names_both() -> None:
    manifest = load_manifest("k700-2020")
    base = "https://s3.amazonaws.com/kinetics/700_2020/annotations/"
    assert manifest.extra("ava").url == base + "ava_kinetics_v1_0.tar.gz"
    assert manifest.extra("countix").url == base + "countix.tar.gz"
    with pytest.raises(UsageError, match="no such annotations"):
        load_manifest("k400").extra("ava")


@pytest.mark.parametrize(
    ("name", "wanted"),
    [
        ("kinetics_train_v1.0.csv", True),
        ("ava_action_list_v2.2.pbtxt", True),
        ("ava_action_list_v2.2_for_activitynet_2019.pbtxt", True),
        ("ava_val_excluded_timestamps_v2.2.csv", True),
        ("ava_train_v2.2.csv", False),
        ("countix_train.csv", False),
        ("README.md", False),
    ],
)
def test_which_files_of_the_archive_are_of_use(name: str, wanted: bool) -> None:
    assert ava.is_hosted(name) is wanted
    assert countix.is_hosted(name) is (name == "countix_train.csv")
