"""Every publisher's way of writing lists ends as one table."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
from list_kit import HEAD, REAL, Row, read_table, rows_of, write_csv, write_tar

from kdl.dataset.annotations import NORMALISED_COLUMNS
from kdl.dataset.manifest import load_manifest
from kdl.errors import KdlError
from kdl.jobs.annotation_files import ListFile, Shelf
from kdl.jobs.annotation_known import describe_table
from kdl.jobs.annotation_table import Table, TableReader
from kdl.values import Finding

DATA = Path(__file__).parents[1] / "data"
ID = "-0wR5jVB-WP"
TRAIN: list[Row] = [("abseiling", ID, 1, 11, "train"), ('"air drumming"', "1e000000000", 0, 10, "train")]
VAL: list[Row] = [("abseiling", "00000000001", 5, 15, "validate")]


def csv_bytes(rows: list[Row]) -> bytes:
    return "\r\n".join([HEAD, *(",".join(map(str, row)) for row in rows), ""]).encode()


def test_deepminds_archive_is_read_for_its_tables(tmp_path: Path) -> None:
    """One top folder, a JSON beside each table that knows an id once, macOS's droppings."""
    twice = [*TRAIN, ("zumba", ID, 30, 40, "train")]
    as_json = json.dumps({ID: {"annotations": {"label": "zumba", "segment": [30, 40]}, "subset": "train"}})
    archive = write_tar(
        tmp_path / "kinetics400.tar.gz",
        {
            "kinetics400/._train.csv": b"\0\5\26\7",
            "kinetics400/train.csv": csv_bytes(twice),
            "kinetics400/train.json": as_json.encode(),
            "kinetics400/validate.csv": csv_bytes(VAL),
            "kinetics400/test.csv": f"youtube_id,time_start,time_end\n{ID},60,70\n".encode(),
        },
    )
    table = read_table("deepmind", ListFile(archive, "tar"))
    assert list(table.frame.columns) == list(NORMALISED_COLUMNS)
    assert sorted(rows_of(table), key=str) == sorted(
        [
            ("abseiling", ID, 1, 11, "train", "deepmind", None),
            ("air drumming", "1e000000000", 0, 10, "train", "deepmind", None),
            ("zumba", ID, 30, 40, "train", "deepmind", None),
            ("abseiling", "00000000001", 5, 15, "val", "deepmind", None),
            (None, ID, 60, 70, "test", "deepmind", None),
        ],
        key=str,
    )
    assert table.findings == []
    known = describe_table(table)
    assert list(known) == ["train", "val", "test"]
    assert known["train"] == {
        "rows": 3, "bad": 0, "repeated": 0, "clips": 3, "ids": 2,
        "ids_with_several": 1, "labels": 3, "unlabelled": 0, "is_cc": 0,
    }  # fmt: skip
    assert known["test"]["unlabelled"] == 1


def test_an_archive_that_was_unpacked_is_read_as_well(tmp_path: Path) -> None:
    write_csv(tmp_path / "deepmind/kinetics400/train.csv", TRAIN)
    (tmp_path / "deepmind/kinetics400/train.json").write_text("{}")
    shelf = Shelf(load_manifest("k400"), tmp_path)
    assert shelf.missing("deepmind") == ()
    assert [file.path.name for file in shelf.files("deepmind")] == ["train.csv"]
    assert next(file.place for file in shelf.missing("openmmlab")) == "openmmlab/kinetics_train.csv"


@pytest.mark.parametrize(
    ("members", "cut", "reason"),
    [
        ({"kinetics400/train.json": b"{}"}, 0, "holds no .csv (the .json"),
        ({"kinetics400/train.csv": b"\n".join([HEAD.encode()] * 9000)}, 200, "is damaged"),
        ({"kinetics400/train.csv": b"<html>"}, 0, "no column 'youtube_id'"),
    ],
)
def test_an_archive_without_tables_is_told(
    tmp_path: Path, members: dict[str, bytes], cut: int, reason: str
) -> None:
    archive = write_tar(tmp_path / "kinetics400.tar.gz", members)
    archive.write_bytes(archive.read_bytes()[: -cut or None])
    with pytest.raises(KdlError) as caught:
        read_table("deepmind", ListFile(archive, "tar"))
    assert reason in caught.value.message
    assert str(archive) in caught.value.subject


def test_the_other_files_of_a_publisher_are_read_all_the_same(tmp_path: Path) -> None:
    good = write_csv(
        tmp_path / "kinetics_train.csv", [*TRAIN, TRAIN[0], ("rolling", "short", 1, 11, "train")]
    )
    bad = tmp_path / "kinetics_val.csv"
    bad.write_text("<html>")
    table = read_table("openmmlab", ListFile(bad, "csv"), ListFile(good, "csv"))
    assert [(finding.kind, finding.subject) for finding in table.findings] == [
        ("failed", str(bad)),
        ("annotation_rows", str(good)),
    ]
    assert table.unreadable == 1
    known = describe_table(table)["train"]
    assert (known["rows"], known["clips"], known["repeated"], known["bad"]) == (3, 2, 1, 1)


def test_a_label_that_the_edition_lacks_stays_and_is_told(tmp_path: Path) -> None:
    table = read_table(
        "tiny", ListFile(write_csv(tmp_path / "tiny_val.csv", [("rolling", ID, 1, 11, "val")]), "csv")
    )
    assert rows_of(table)[0][:2] == ("rolling", ID)
    assert table.findings == [
        Finding(
            "annotation_labels",
            str(tmp_path / "tiny_val.csv"),
            "labels that the label map lacks: 'rolling' (1 rows)",
        )
    ]


def test_a_listing_is_read_beside_tables(tmp_path: Path) -> None:
    table = read_table(
        "cvdf",
        ListFile(DATA / "k600_val_listing.txt", "ls-r", "val"),
        ListFile(DATA / "k600_test.csv", "csv", "test"),
        manifest=load_manifest("k600"),
    )
    known = describe_table(table)
    assert (known["val"]["clips"], known["val"]["bad"], known["val"]["labels"]) == (13, 1, 3)
    assert (known["test"]["clips"], known["test"]["unlabelled"]) == (8, 8)


def test_licences_are_told_where_the_list_does(tmp_path: Path) -> None:
    path = tmp_path / "val.csv"
    path.write_text(
        f"{HEAD},is_cc\nabseiling,{ID},1,11,val,1\nabseiling,{ID},2,12,val,0\nabseiling,{ID},3,13,val,\n"
    )
    table = read_table("cvdf", ListFile(path, "csv"))
    assert [row[-1] for row in rows_of(table)] == [True, False, None]
    assert describe_table(table)["val"]["is_cc"] == 1


def test_pandas_is_loaded_by_whoever_reads_a_list_and_no_other() -> None:
    others = "kdl.cli.annotations, kdl.jobs.annotations, kdl.jobs.listwriting, kdl.jobs.mirror"
    program = f"import sys, {others}; sys.exit('pandas' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


class Enough(Exception):
    """What ends the work in the test."""


def test_reading_ends_when_it_is_to_end(tmp_path: Path) -> None:
    def stop() -> None:
        raise Enough

    path = write_csv(tmp_path / "train.csv", TRAIN)
    with pytest.raises(Enough):
        TableReader(load_manifest("k400"), stop).read("cvdf", [ListFile(path, "csv")])


def real(dataset: str, name: str, *files: tuple[str, str]) -> Table:
    lists = [
        ListFile(REAL / place, "ls-r" if place.endswith(".txt") else "csv", split) for place, split in files
    ]
    return read_table(name, *lists, manifest=load_manifest(dataset))


WHOLE = [
    ("k400", ("k400/val.csv", "val"), (19_906, 0, 400, 0, 519)),
    ("k400", ("k400/test_before_2021-09-20.csv", ""), (38_685, 0, 0, 38_685, 0)),
    ("k600", ("k600/val.txt", "val"), (29_791, 9, 600, 0, 0)),
    ("k600", ("k600/val_2018-04.csv", ""), (30_000, 10, 600, 0, 0)),
    ("k700-2020", ("k700_2020/val.csv", ""), (33_966, 52, 700, 0, 0)),
    ("k700-2020", ("k700_2020/test.csv", "test"), (64_535, 273, 0, 64_535, 0)),
]


@pytest.mark.parametrize(("dataset", "file", "numbers"), WHOLE if REAL.exists() else [])
def test_whole_lists(dataset: str, file: tuple[str, str], numbers: tuple[int, ...]) -> None:
    ((_, known),) = describe_table(real(dataset, "them", file)).items()
    assert known["rows"] == known["clips"]
    keys = ("clips", "ids_with_several", "labels", "unlabelled", "is_cc")
    assert tuple(known[key] for key in keys) == numbers
