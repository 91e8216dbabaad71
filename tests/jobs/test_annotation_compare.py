"""What lists say differently, and what datasets share."""

from __future__ import annotations

from collections import defaultdict
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from list_kit import REAL, Row, read_table, table_of

from kdl.dataset.manifest import load_manifest
from kdl.jobs.annotation_compare import Comparison, compare
from kdl.jobs.annotation_files import ListFile
from kdl.jobs.annotation_overlap import Overlap, overlap

A, B, C, D = "aaaaaaaaaaa", "bbbbbbbbbbb", "ccccccccccc", "AAAAAAAAAAA"


def held(folder: Path, lists: dict[str, list[Row]], on_disk: pd.DataFrame | None = None) -> Comparison:
    return compare([table_of(folder, name, rows) for name, rows in lists.items()], on_disk)


def told(found: Comparison) -> list[dict[str, Any]]:
    """The differences, each with its cells that say anything."""
    rows = found.differences.to_dict("records")
    return [{str(name): value for name, value in row.items() if value != ""} for row in rows]


def test_lists_that_are_the_same(tmp_path: Path) -> None:
    rows: list[Row] = [
        ("abseiling", A, 1, 11, "val"),
        ("zumba", A, 30, 40, "val"),
        ("zumba", D, 1, 11, "train"),
    ]
    found = held(tmp_path, {"one": rows, "two": rows[::-1]})
    assert told(found) == []
    assert found.on_disk is None
    assert list(found.splits) == ["train", "val"]
    assert found.splits["val"] == {
        "publishers": ["one", "two"], "clips": 2, "same": 2, "listed": {}, "label": 0, "times": 0, "split": 0,
    }  # fmt: skip


def test_a_clip_that_only_some_list(tmp_path: Path) -> None:
    base: list[Row] = [("zumba", B, 1, 11, "val")]
    lists = {
        "one": [*base, ("abseiling", A, 1, 11, "val"), ("abseiling", A, 30, 40, "val")],
        "two": [*base, ("abseiling", A, 1, 11, "val")],
        "three": [*base, ("", C, 0, 10, "val")],
    }
    found = held(tmp_path, lists)
    key = {"kind": "listed", "split": "val"}
    assert told(found) == [
        {**key, "youtube_id": A, "time_start": 1, "time_end": 11, "one": "abseiling", "two": "abseiling"},
        {**key, "youtube_id": A, "time_start": 30, "time_end": 40, "one": "abseiling"},
        {**key, "youtube_id": C, "time_start": 0, "time_end": 10, "three": "listed"},
    ]
    assert found.splits["val"]["listed"] == {"one": 1, "one+two": 1, "three": 1}
    assert found.splits["val"]["same"] == 1


def test_ids_whose_case_differs_are_two(tmp_path: Path) -> None:
    found = held(tmp_path, {"one": [("zumba", A, 1, 11, "val")], "two": [("zumba", D, 1, 11, "val")]})
    assert found.counts() == {"split": 0, "times": 0, "listed": 2, "label": 0, "on_disk": 0}


def test_labels_that_differ(tmp_path: Path) -> None:
    lists: dict[str, list[Row]] = {
        "one": [("zumba", A, 1, 11, "val"), ("zumba", B, 1, 11, "val")],
        "two": [("yoga", A, 1, 11, "val"), ("", B, 1, 11, "val")],
        "three": [("zumba", A, 1, 11, "val"), ("zumba", B, 1, 11, "val")],
    }
    found = held(tmp_path, lists)
    assert told(found) == [
        {
            "kind": "label", "split": "val", "youtube_id": A, "time_start": 1, "time_end": 11,
            "one": "zumba", "two": "yoga", "three": "zumba",
        }
    ]  # fmt: skip
    assert (found.splits["val"]["label"], found.splits["val"]["same"]) == (1, 1)


def test_a_label_is_the_same_however_it_is_spelled(tmp_path: Path) -> None:
    lists: dict[str, list[Row]] = {
        "one": [('"air drumming"', A, 1, 11, "val")],
        "two": [("air_drumming", A, 1, 11, "validate")],
    }
    assert told(held(tmp_path, lists)) == []


def test_times_that_differ_are_one_difference_of_the_id(tmp_path: Path) -> None:
    lists: dict[str, list[Row]] = {
        "one": [("zumba", A, 1, 11, "val"), ("zumba", A, 30, 40, "val"), ("zumba", B, 1, 11, "val")],
        "two": [("zumba", A, 1, 11, "val"), ("zumba", A, 31, 41, "val"), ("zumba", B, 1, 11, "val")],
    }
    found = held(tmp_path, lists)
    assert told(found) == [
        {"kind": "times", "split": "val", "youtube_id": A, "one": "1-11 30-40", "two": "1-11 31-41"}
    ]
    assert (found.splits["val"]["times"], found.splits["val"]["listed"]) == (1, {})


def test_a_clip_in_another_split_is_one_difference(tmp_path: Path) -> None:
    lists: dict[str, list[Row]] = {
        "one": [("zumba", A, 1, 11, "train"), ("zumba", B, 1, 11, "val")],
        "two": [("zumba", A, 1, 11, "val"), ("zumba", C, 1, 11, "train")],
    }
    found = held(tmp_path, lists)
    assert told(found)[0] == {
        "kind": "split", "youtube_id": A, "time_start": 1, "time_end": 11, "one": "train", "two": "val",
    }  # fmt: skip
    assert found.counts() == {"split": 1, "times": 0, "listed": 2, "label": 0, "on_disk": 0}


def test_who_lists_nothing_of_a_split_says_nothing_of_it(tmp_path: Path) -> None:
    lists: dict[str, list[Row]] = {
        "one": [("zumba", A, 1, 11, "train"), ("zumba", B, 1, 11, "val")],
        "two": [("zumba", A, 1, 11, "train")],
    }
    found = held(tmp_path, lists)
    assert told(found) == []
    assert found.splits["val"]["publishers"] == ["one"]


def test_clips_on_disk_that_nobody_lists(tmp_path: Path) -> None:
    rows: list[Row] = [("zumba", A, 1, 11, "val"), ("zumba", B, 1, 11, "val")]
    disk = pd.DataFrame(
        [
            ("val", A, 1, 11, "videos/val/a"),
            ("val", A, 5, 15, "videos/val/other"),
            ("val", B, -1, -1, "videos/val/b"),
            ("val", C, -1, -1, "videos/val/c"),
            ("test", C, 1, 11, "videos/test/c"),
        ],
        columns=["split", "youtube_id", "time_start", "time_end", "path"],
    )
    found = held(tmp_path, {"one": rows, "two": rows[:1]}, disk)
    assert found.on_disk == 2
    assert [row["path"] for row in told(found) if row["kind"] == "on_disk"] == [
        "videos/val/other",
        "videos/val/c",
    ]
    assert held(tmp_path, {"one": rows, "two": rows}, disk[:1]).on_disk == 0


CLIPS = st.tuples(
    st.sampled_from(["zumba", "yoga", ""]),
    st.sampled_from([A, B]),
    st.sampled_from([0, 5]),
    st.just(20),
    st.sampled_from(["train", "val"]),
)
LISTS = st.lists(st.lists(CLIPS, min_size=1, max_size=6), min_size=2, max_size=3)


def brute(lists: dict[str, list[Row]]) -> dict[str, int]:
    """The differences by kind, one clip at a time."""
    says: dict[tuple[str, str, int, int], dict[str, str]] = defaultdict(dict)
    for name, rows in lists.items():
        for label, youtube_id, start, end, split in rows:
            says[split, youtube_id, start, end].setdefault(name, label)
    of = {
        split: {name for key, said in says.items() if key[0] == split for name in said}
        for split in ("train", "val")
    }
    partial = {key for key, said in says.items() if set(said) != of[key[0]]}
    splits = {key[1:] for key in partial if sum(other[1:] == key[1:] for other in says) > 1}
    rest = {key for key in partial if key[1:] not in splits}
    ids = {
        key[:2]
        for key in rest
        for other in rest
        if key[:2] == other[:2]
        and says[key].keys() - says[other].keys()
        and says[other].keys() - says[key].keys()
    }
    labels = [key for key, said in says.items() if len({label for label in said.values() if label}) > 1]
    listed = [key for key in rest if key[:2] not in ids]
    return {
        "split": len(splits),
        "times": len(ids),
        "listed": len(listed),
        "label": len(labels),
        "on_disk": 0,
    }


@settings(max_examples=15, deadline=None)
@given(LISTS)
def test_the_differences_are_those_found_one_by_one(
    tmp_path_factory: pytest.TempPathFactory, rows: list[list[Row]]
) -> None:
    lists = {f"list{number}": part for number, part in enumerate(rows)}
    found = held(tmp_path_factory.mktemp("lists"), lists)
    assert found.counts() == brute(lists)
    assert len(found.differences) == sum(found.counts().values())


def shared(folder: Path, one: list[Row], other: list[Row]) -> Overlap:
    return overlap(table_of(folder, "one", one), table_of(folder, "other", other))


def test_what_two_lists_share(tmp_path: Path) -> None:
    one: list[Row] = [
        ("zumba", A, 1, 11, "val"),
        ("zumba", A, 1, 11, "val"),
        ("zumba", B, 50, 60, "val"),
        ("zumba", C, 50, 60, "val"),
    ]
    other: list[Row] = [
        ("yoga", A, 1, 11, "train"),
        ("yoga", A, 10, 20, "train"),
        ("yoga", B, 60, 70, "train"),
        ("yoga", D, 1, 11, "train"),
    ]
    found = shared(tmp_path, one, other)
    assert found.ids == [A, B]
    assert (found.clips, found.meeting, found.first, found.second) == (1, 2, 2, 3)
    assert list(found.pairs["label_2"]) == ["yoga"] * 3
    none = shared(tmp_path, one[:1], other[3:])
    assert (none.ids, none.clips, none.meeting) == ([], 0, 0)


def compared(dataset: str, own: list[ListFile], older: list[ListFile]) -> Comparison:
    manifest = load_manifest(dataset)
    return compare(
        [read_table("own", *own, manifest=manifest), read_table("older", *older, manifest=manifest)], None
    )


@pytest.mark.parametrize("dataset", ["k600"] if REAL.exists() else [])
def test_what_became_of_k600s_first_val(dataset: str) -> None:
    """Of its clips 209 were never hosted as val; 24 of these are hosted as test."""
    own = [ListFile(REAL / "k600/val.txt", "ls-r", "val"), ListFile(REAL / "k600/test.csv", "csv", "test")]
    found = compared(dataset, own, [ListFile(REAL / "k600/val_2018-04.csv", "csv")])
    assert found.counts() == {"split": 24, "times": 0, "listed": 185, "label": 0, "on_disk": 0}
    never = {(key.youtube_id, key.start) for key in load_manifest(dataset).split("val").never_hosted}
    gone = found.differences
    assert set(zip(gone["youtube_id"], gone["time_start"], strict=True)) == never


@pytest.mark.parametrize("dataset", ["k400"] if REAL.exists() else [])
def test_what_k400s_test_list_got_in_2021(dataset: str) -> None:
    """1,120 rows more, which are those of which nobody hosts the clips, and labels."""
    older = [ListFile(REAL / "k400/test_before_2021-09-20.csv", "csv")]
    found = compared(dataset, [ListFile(REAL / "k400/test.csv", "csv", "test")], older)
    assert found.counts() == {"split": 0, "times": 0, "listed": 1_120, "label": 0, "on_disk": 0}
    known = {
        (key.youtube_id, key.start, key.end) for key in load_manifest(dataset).split("test").never_hosted
    }
    more = found.differences[["youtube_id", "time_start", "time_end"]].itertuples(index=False, name=None)
    assert set(more) <= known


@pytest.mark.parametrize("dataset", ["k400"] if REAL.exists() else [])
def test_tiny_calls_val_what_is_train(dataset: str) -> None:
    tiny = [ListFile(REAL / f"tiny/tiny_{split}.csv", "csv") for split in ("train", "val")]
    own = [ListFile(REAL / "k400/train_sample_20000.csv", "csv"), ListFile(REAL / "k400/val.csv", "csv")]
    found = compared(dataset, own, tiny)
    assert found.counts()["split"] == 40
    moved = found.differences[found.differences["kind"] == "split"]
    assert {*moved["own"]} == {"train"}
    assert {*moved["older"]} == {"val"}


@pytest.mark.parametrize("split", ["val"] if REAL.exists() else [])
def test_what_k400_shares_with_k700(split: str) -> None:
    found = overlap(
        read_table("k400", ListFile(REAL / f"k400/{split}.csv", "csv")),
        read_table(
            "k700", ListFile(REAL / f"k700_2020/{split}.csv", "csv"), manifest=load_manifest("k700-2020")
        ),
    )
    assert (len(found.ids), found.clips, found.meeting) == (207, 198, 200)
