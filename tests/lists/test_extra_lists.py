"""Lists of boxes and of repetitions, read back by the rules of those that read them."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import ava_readers
import pandas as pd
import pytest

from kdl.errors import UsageError
from kdl.lists import ListContext, ListRow, WrittenList
from kdl.lists.ava import Action, BoxRow, refuse_ava, write_ava
from kdl.lists.countix import CountRow, refuse_countix, write_countix
from kdl.lists.rows import Kind, Pictures

ACTIONS = [Action(1, "bend", False), Action(12, "stand", True)]
STANDS, BENDS = (0.1, 0.25, 0.5, 0.875, 12), (0.1, 0.25, 0.5, 0.875, 1)
OTHER = (0.123456, 0.0, 1.0, 1.0, 12)


def clip(name: str, split: str = "train", class_dir: str = "massaging_person's_head") -> ListRow:
    return ListRow(split, class_dir.replace("_", " "), class_dir, name, 300)


def frame(
    row: ListRow, second: float, *boxes: tuple[float, float, float, float, int], **more: bool
) -> BoxRow:
    start, end = int(row.name[12:18]), int(row.name[19:25])
    return BoxRow(row, row.name[:11], start, end, second, boxes, more.get("excluded", False))


FIRST, SECOND = clip("-0wR5jVB-WP_000417_000427.mp4"), clip("a_b_c_d_e_f_000000_000010.mp4", "val")
FLAT = clip("zzzzzzzzzzz_000100_000110.mp4", "test", "")
FRAMES = [
    frame(FIRST, 417.0, STANDS),
    frame(FIRST, 420.49, STANDS, BENDS, OTHER),
    frame(FIRST, 427.0, OTHER),
    frame(SECOND, 4.5, OTHER),
    frame(SECOND, 5.4, BENDS),
    frame(SECOND, 9.0, BENDS, excluded=True),
    frame(FLAT, 104.0),
]


def context(folder: Path, kind: Kind = "frames", **changes: object) -> ListContext:
    base = ListContext(
        out_dir=folder / "lists",
        media_root=folder / "media",
        kind=kind,
        keep_extension=False,
        splits=("train", "val", "test"),
        labels=(),
        dataset_prefix="kinetics700",
        pictures=Pictures("frame_%05d.jpg"),
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def write(where: ListContext, frames: list[BoxRow] = FRAMES) -> list[WrittenList]:
    def rows(split: str) -> Iterator[BoxRow]:
        return iter(frames if split == "train" else [])

    return write_ava(rows, where, ("train", "val"), ACTIONS)


def pictures(folder: Path, *numbers: tuple[ListRow, int]) -> list[str]:
    return [
        f"{folder}/media/{row.split}/{row.class_dir}/{row.name[:25]}/frame_{number:05d}.jpg"
        for row, number in numbers
    ]


def test_mmaction2_shows_the_pictures_of_the_nearest_seconds(tmp_path: Path) -> None:
    write(context(tmp_path))
    lists = tmp_path / "lists"
    seen = ava_readers.mmaction2(
        lists / "ava_train.csv",
        lists / "ava_train_excluded_timestamps.csv",
        tmp_path / "media",
        "frame_{:05d}.jpg",
    )
    shown = pictures(tmp_path, (FIRST, 1), (FIRST, 91), (FIRST, 271), (SECOND, 151))
    assert [each.picture for each in seen] == shown
    assert [each.boxes for each in seen] == [(STANDS,), (STANDS, BENDS, OTHER), (OTHER,), (OTHER,)]


def test_slowfast_shows_the_same_pictures(tmp_path: Path) -> None:
    write(context(tmp_path))
    lists = tmp_path / "lists"
    seen = ava_readers.slowfast(
        lists / "slowfast/ava_train.csv", lists / "slowfast/frame_lists/train.csv", tmp_path / "media"
    )
    theirs = ava_readers.mmaction2(lists / "ava_train.csv", None, tmp_path / "media", "frame_{:05d}.jpg")
    assert seen == theirs
    assert len(seen) == 4


def test_what_was_looked_at_and_what_is_left_out(tmp_path: Path) -> None:
    first, _, train, *_ = written = write(context(tmp_path))
    lists = tmp_path / "lists"
    looked = (lists / "ava_train_included_timestamps.csv").read_text().splitlines()
    assert looked[-2:] == [f"val/{SECOND.class_dir}/{SECOND.name[:25]},5", f"test/{FLAT.name[:25]},104"]
    assert (lists / "ava_train_excluded_timestamps.csv").read_text() == (
        f"val/{SECOND.class_dir}/{SECOND.name[:25]},9\n"
    )
    assert "1 key-frames left out" in first.note  # 4.5 and 5.4 are both nearest to 5
    assert (train.path, train.lines) == (lists / "ava_train_excluded_timestamps.csv", 1)
    assert [each.note for each in written if each.split == "val"] == [
        "no list: no key-frame of a clip that is here"
    ]
    assert not (lists / "ava_val.csv").exists()


def test_clips_of_the_exclusion_list_are_left_out_and_counted(tmp_path: Path) -> None:
    unwanted = dataclasses.replace(FIRST, excluded=True)
    first, *_ = write(context(tmp_path), [frame(unwanted, 418.0, STANDS), frame(SECOND, 3.0, BENDS)])
    assert (first.lines, first.excluded) == (1, 1)
    assert "1 key-frames of the exclusion list left out" in first.note
    rows = [CountRow(unwanted, "x", 7, 0.5, 9.75, 10.0)]
    (only,) = write_countix(lambda split: iter(rows), context(tmp_path, "video"), ("train",))
    assert (only.path, only.lines, only.excluded) == (None, 0, 1)


def test_the_actions_in_the_form_that_both_read(tmp_path: Path) -> None:
    write(context(tmp_path))
    lists = tmp_path / "lists"
    assert [*ava_readers.label_map(lists / "ava_action_list.pbtxt")] == [(1, "bend"), (12, "stand")]
    assert [*ava_readers.label_map(lists / "ava_action_list_for_activitynet.pbtxt")] == [(12, "stand")]


def test_lists_of_videos_name_files_and_have_nothing_for_slowfast(tmp_path: Path) -> None:
    write(context(tmp_path, "video"))
    lists = tmp_path / "lists"
    line = (lists / "ava_train.csv").read_text().splitlines()[1]
    assert line == f"train/{FIRST.class_dir}/{FIRST.name},420,0.1,0.25,0.5,0.875,12,-1"
    assert not (lists / "slowfast").exists()


def test_a_split_that_has_nothing_any_more_loses_its_lists(tmp_path: Path) -> None:
    write(context(tmp_path))
    write(context(tmp_path), [])
    assert [*(tmp_path / "lists").rglob("*.csv")] == []


@pytest.mark.parametrize("class_dir", ["two words", 'a"b', "a,b"])
def test_paths_that_readers_would_split(tmp_path: Path, class_dir: str) -> None:
    row = clip(FIRST.name, class_dir=class_dir)
    with pytest.raises(UsageError, match="split lines there"):
        write(context(tmp_path), [frame(row, 418.0, STANDS)])
    assert not (tmp_path / "lists").exists()


@pytest.mark.parametrize(
    ("changes", "fps", "reason"),
    [
        ({"kind": "flow"}, None, "no optical flow"),
        ({}, None, "30 pictures a second"),
        ({}, 25, "these come at 25"),
        ({"pictures": Pictures("frame_%05d.jpg", 0)}, 30, "begin at 0"),
        ({"keep_extension": True}, 30, "find .mp4 there"),
    ],
)
def test_pictures_that_readers_would_misread(
    tmp_path: Path, changes: dict[str, object], fps: int | None, reason: str
) -> None:
    with pytest.raises(UsageError, match=reason):
        refuse_ava(context(tmp_path, **changes), fps)


def test_media_that_readers_read(tmp_path: Path) -> None:
    refuse_ava(context(tmp_path), 30)
    refuse_ava(context(tmp_path, "video"), None)
    refuse_countix(context(tmp_path, "video"))
    with pytest.raises(UsageError, match="seconds of videos"):
        refuse_countix(context(tmp_path))


def test_repetitions_as_pandas_reads_them(tmp_path: Path) -> None:
    rows = [
        CountRow(FIRST, "tying knot, loosely", 7, 0.5, 9.75, 10.01),
        CountRow(FIRST, "", 2, 0.0, 3.0, None),
        CountRow(SECOND, "x", 3, 0.0, 10.0, 9.8),
        CountRow(FLAT, "", 4, 0.0, 10.0, 6.0),
    ]
    where = context(tmp_path, "video")
    train, val = write_countix(lambda split: iter(rows if split == "train" else []), where, ("train", "val"))
    assert train.path is not None
    table = pd.read_csv(train.path)
    assert [*table.columns] == ["path", "label", "count", "repetition_start", "repetition_end"]
    assert table.to_numpy().tolist() == [
        [f"train/{FIRST.class_dir}/{FIRST.name}", "tying knot, loosely", 7, 0.5, 9.75],
        [f"train/{FIRST.class_dir}/{FIRST.name}", "massaging person's head", 2, 0.0, 3.0],
        [f"val/{SECOND.class_dir}/{SECOND.name}", "x", 3, 0.0, 9.8],
    ]
    assert train.lines == 3
    assert "1 stretches left out" in train.note
    assert (val.path, val.lines) == (None, 0)
