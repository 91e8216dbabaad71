from __future__ import annotations

import tracemalloc
from itertools import chain
from pathlib import Path

import pytest
from dataset_kit import DATA, REAL, shipped_split, split_of
from hypothesis import given
from hypothesis import strategies as st

from kdl.dataset.annotations import (
    SAMPLES,
    AnnotationReport,
    is_normalised,
    normalised_name,
    read_annotations,
    read_several,
    write_normalised,
)
from kdl.dataset.labels import LabelMap
from kdl.dataset.manifest import SplitSpec, load_manifest
from kdl.errors import KdlError
from kdl.values import Annotation, ClipKey

LABELS = LabelMap(("abseiling", "air drumming", "tying knot (not on a tie)"))
HEAD = "label,youtube_id,time_start,time_end,split"
ID = "0wR5jVB-WPk"


def read(
    path: Path, split: SplitSpec, labels: LabelMap = LABELS, chunk_rows: int = 20_000
) -> tuple[list[Annotation], AnnotationReport]:
    report = AnnotationReport()
    chunks = list(read_annotations(path, split, labels, report=report, chunk_rows=chunk_rows))
    assert all(0 < len(chunk) <= chunk_rows for chunk in chunks)
    return list(chain.from_iterable(chunks)), report


def read_text(tmp_path: Path, text: str, split: SplitSpec) -> tuple[list[Annotation], AnnotationReport]:
    file = tmp_path / "a.csv"
    file.write_bytes(text.encode())
    return read(file, split)


@pytest.mark.parametrize(
    ("file", "dataset", "split", "rows", "first", "label"),
    [
        ("k400_train_quoted.csv", "k400", "train", 12, ("mJtln6FZ9-g", 213, 223), "abseiling"),
        ("k400_test_labelled.csv", "k400", "test", 8, ("-aU-xCCzkT0", 61, 71), "abseiling"),
        ("k600_test.csv", "k600", "test", 8, ("LAcSOxdNrmI", 61, 71), None),
        ("k700_val_crlf.csv", "k700-2020", "val", 8, ("hY_WBLs6ShA", 16, 26), "abseiling"),
        ("k700_test_crlf.csv", "k700-2020", "test", 6, ("---v8pgm1eQ", 0, 10), None),
    ],
)
def test_tables_as_the_hosts_write_them(
    file: str, dataset: str, split: str, rows: int, first: tuple[str, int, int], label: str | None
) -> None:
    found, report = read(DATA / file, shipped_split(dataset, split), load_manifest(dataset).labels)
    assert len(found) == rows
    assert (found[0].key, found[0].label) == (ClipKey(split, *first), label)
    assert report == AnnotationReport(rows=rows)


def test_labels_with_quotes_and_brackets_are_the_maps() -> None:
    found, _ = read(
        DATA / "k700_val_crlf.csv", shipped_split("k700-2020", "val"), load_manifest("k700-2020").labels
    )
    assert {row.label for row in found} >= {
        "massaging person's head",
        "passing American football (in game)",
    }


def test_a_labelled_split_whose_table_has_no_labels() -> None:
    """K400's test list before September 2021."""
    found, report = read(DATA / "k400_test_unlabelled.csv", split_of("test"))
    assert {row.label for row in found} == {None}
    assert (report.rows, report.unlabelled) == (8, 8)


def test_the_listing_of_k600() -> None:
    split = split_of("val", format="ls-r")
    found, report = read(DATA / "k600_val_listing.txt", split, load_manifest("k600").labels, chunk_rows=4)
    assert found[0] == Annotation(ClipKey("val", "OALI_5D8pV0", 174, 184), "tying knot (not on a tie)")
    assert len(found) == report.rows == 13
    assert report.bad == 1
    assert report.samples[0].endswith("not a clip's name: ' '")
    assert len({row.label for row in found}) == 3


@pytest.mark.parametrize(
    ("text", "label"),
    [
        (f"val:\nabseiling\n\nval/abseiling:\n{ID}_000001_000011.mp4\n", "abseiling"),
        (f"val:\r\nabseiling\r\n\r\nval/abseiling:\r\n{ID}_000001_000011.mp4\r\n", "abseiling"),
        (f"\ufeff\nval/abseiling:\n{ID}_000001_000011.mp4", "abseiling"),
        (f".:\nabseiling\n\n./abseiling:\n{ID}_000001_000011.mp4\n", "abseiling"),
        (f"val:\nair drumming\n\nval/air_drumming:\n{ID}_000001_000011.mp4\n", "air drumming"),
        (f"val:\n{ID}_000001_000011.mp4\n", None),
    ],
)
def test_listings(tmp_path: Path, text: str, label: str | None) -> None:
    found, report = read_text(tmp_path, text, split_of("val", format="ls-r"))
    assert found == [Annotation(ClipKey("val", ID, 1, 11), label)]
    assert report.bad == 0


def test_a_listing_of_another_split(tmp_path: Path) -> None:
    text = f"val:\nabseiling\n\nval/abseiling:\n{ID}_000001_000011.mp4\n"
    with pytest.raises(KdlError, match="no usable row for split train: 0 bad, 1 of other splits"):
        read_text(tmp_path, text, split_of("train", format="ls-r"))


@pytest.mark.parametrize(
    "text",
    [
        f"{HEAD}\nabseiling,{ID},1,11,val\n",
        f"\ufeff{HEAD}\nabseiling,{ID},1,11,val\n",
        f"\n{HEAD}\nabseiling,{ID},1,11,val\n",
        f"\r\n{HEAD}\r\nabseiling,{ID},1,11,val\r\n\r\n",
        f'{HEAD}\n"abseiling","{ID}","1","11","validate"\n',
        f"{HEAD}\nabseiling,{ID},1,11,validation",
        f"{HEAD}\nabseiling,{ID},1,11,val,more,and more\n",
        f"split,time_end,time_start,youtube_id,label\nval,11,1,{ID},abseiling\n",
        f"label, youtube_id ,time_start,time_end\nabseiling,{ID},1,11\n",
        f"{HEAD}\nabseiling,{ID}, 1, 11,\n",
        f"{HEAD}\nabseiling,{ID},1,11\n",
    ],
)
def test_tables_of_any_shape(tmp_path: Path, text: str) -> None:
    found, report = read_text(tmp_path, text, split_of("val"))
    assert found == [Annotation(ClipKey("val", ID, 1, 11), "abseiling")]
    assert report == AnnotationReport(rows=1)


@pytest.mark.parametrize(
    ("word", "flag"), [("0", False), ("1", True), ("True", True), ("", None), ("?", None)]
)
def test_the_licence_is_read_where_it_is_told(tmp_path: Path, word: str, flag: bool | None) -> None:
    found, report = read_text(tmp_path, f"{HEAD},is_cc\nabseiling,{ID},1,11,val,{word}\n", split_of("val"))
    assert [row.is_cc for row in found] == [flag]
    assert report.bad == 0


@pytest.mark.parametrize("assumed", ["val", None])
def test_one_pass_over_a_file_of_several_splits(tmp_path: Path, assumed: str | None) -> None:
    file = tmp_path / "a.csv"
    file.write_text(f"{HEAD}\nabseiling,{ID},1,11,train\njuggling,{ID},2,12,\nabseiling,{ID},3,13,test\n")
    report = AnnotationReport()
    splits = [split_of("train"), split_of("val")]
    chunks = read_several(file, "csv", splits, LABELS, assumed=assumed, report=report)
    rows = {row.key: row.label for row in chain.from_iterable(chunks)}
    train, val = ClipKey("train", ID, 1, 11), ClipKey("val", ID, 2, 12)
    assert rows == {train: "abseiling"} | ({val: "juggling"} if assumed else {})
    assert report.unknown_labels == ({"juggling": 1} if assumed else {})
    assert (report.bad, report.other_split) == (0 if assumed else 1, 1)


def test_ids_that_look_like_numbers_or_nothing_stay_text(tmp_path: Path) -> None:
    ids = ["00000000001", "1e000000000", "-1234567890", "NaN-NaN-NaN"]
    text = "\n".join([HEAD, *(f"abseiling,{name},1,11,val" for name in ids)])
    found, _ = read_text(tmp_path, text, split_of())
    assert [row.key.youtube_id for row in found] == ids


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("abseiling,short,1,11,val", "'short'"),
        (f"abseiling,{ID}x,1,11,val", "not a YouTube id"),
        ("abseiling,../../../ab,1,11,val", "not a YouTube id"),
        (",,,,", "not a YouTube id"),
        ("abseiling", "not a YouTube id"),
        (f"abseiling,{ID},one,11,val", "'one'"),
        (f"abseiling,{ID},1.5,11,val", "'1.5'"),
        (f"abseiling,{ID},-1,11,val", "'-1'"),
        (f"abseiling,{ID},²,11,val", "whole seconds"),
        (f"abseiling,{ID},11,11,val", "whole seconds"),
        (f"abseiling,{ID},1,1000000,val", "whole seconds"),
        (f"abseiling,{ID},1,{'9' * 30},val", "whole seconds"),
        (f"abseiling,{ID},1,,val", "whole seconds"),
        (f"petting animal, not cat,{ID},1,11,val", "' not cat'"),
    ],
)
def test_a_bad_row_is_counted_and_shown(tmp_path: Path, row: str, reason: str) -> None:
    text = f"{HEAD}\nabseiling,{ID},1,11,val\n{row}\nabseiling,{ID},2,12,val\n"
    found, report = read_text(tmp_path, text, split_of("val"))
    assert [annotation.key.start for annotation in found] == [1, 2]
    assert (report.rows, report.bad) == (2, 1)
    (sample,) = report.samples
    assert sample.startswith("row 2: ")
    assert reason in sample


def test_samples_are_few(tmp_path: Path) -> None:
    text = "\n".join([HEAD, f"abseiling,{ID},1,11,val", *["abseiling,bad,1,11,val"] * 500])
    _, report = read_text(tmp_path, text, split_of("val"))
    assert (report.bad, len(report.samples)) == (500, SAMPLES)


def test_labels_that_the_map_lacks_are_reported(tmp_path: Path) -> None:
    labels = ("juggling", "juggling", "air_drumming", "")
    text = "\n".join([HEAD, *(f"{label},{ID},{at},{at + 10},val" for at, label in enumerate(labels))])
    found, report = read_text(tmp_path, text, split_of("val"))
    assert [row.label for row in found] == [None, None, "air drumming", None]
    assert report.unknown_labels == {"juggling": 2}
    assert report.unlabelled == 3


def test_one_table_for_several_splits(tmp_path: Path) -> None:
    text = f"{HEAD}\nabseiling,{ID},1,11,train\nabseiling,{ID},2,12,validate\nabseiling,{ID},3,13,Test\n"
    for name, start in (("train", 1), ("val", 2), ("test", 3)):
        found, report = read_text(tmp_path, text, split_of(name))
        assert [row.key for row in found] == [ClipKey(name, ID, start, start + 10)]
        assert report.other_split == 2


def test_keys_of_a_split_whose_names_carry_no_times(tmp_path: Path) -> None:
    for text in (f"{HEAD}\nabseiling,{ID},1,11,val\n", f"label,youtube_id\nabseiling,{ID}\n"):
        found, _ = read_text(tmp_path, text, split_of("val", times=False))
        assert found == [Annotation(ClipKey("val", ID, None, None), "abseiling")]


@pytest.mark.parametrize(
    ("content", "parts"),
    [
        (b"", ["not a table"]),
        (b"\n\n", ["not a table"]),
        (f"{HEAD}\n".encode(), ["no usable row", "0 bad"]),
        (b"<html><body>Sign in</body></html>", ["no column 'youtube_id'", "<html>"]),
        (b"label,youtube_id,time_start\n", ["no column 'time_end'"]),
        (f"{HEAD},label \n".encode(), ["a column twice"]),
        (f"{HEAD}\nabseiling,nope,1,11,val\n".encode(), ["no usable row", "1 bad", "row 1", "'nope'"]),
        (f'{HEAD}\nabseiling,"{ID},1,11,val\nabseiling,x'.encode(), ["not a table", "row 1"]),
        (b"\xff\xfel\x00a\x00", ["not UTF-8"]),
        (f"{HEAD}\nabseiling,{ID},1,11,val\n".encode() + b"\xff\n", ["not UTF-8"]),
    ],
)
def test_a_file_that_is_no_table_is_refused(tmp_path: Path, content: bytes, parts: list[str]) -> None:
    file = tmp_path / "a.csv"
    file.write_bytes(content)
    with pytest.raises(KdlError) as caught:
        read(file, split_of("val"))
    assert caught.value.subject == str(file)
    assert [part for part in parts if part not in caught.value.message] == []


@pytest.mark.parametrize("format", ["csv", "ls-r"])
def test_a_file_that_is_not_there(tmp_path: Path, format: str) -> None:
    with pytest.raises(KdlError, match="No such file"):
        read(tmp_path / "none", split_of(format=format))
    with pytest.raises(KdlError, match="directory"):
        read(tmp_path, split_of(format=format))


@given(st.binary(max_size=400))
def test_any_bytes_are_read_or_refused(tmp_path_factory: pytest.TempPathFactory, content: bytes) -> None:
    file = tmp_path_factory.mktemp("any") / "a.csv"
    for prefix in (b"", HEAD.encode() + b"\n"):
        file.write_bytes(prefix + content)
        for format in ("csv", "ls-r"):
            with pytest.raises(KdlError):
                read(file, split_of(format=format))


def test_memory_does_not_grow_with_the_rows(tmp_path: Path) -> None:
    file = tmp_path / "big.csv"
    peaks: list[int] = []
    for rows in (4_000, 40_000):
        with file.open("w") as handle:
            handle.write(HEAD + "\n")
            handle.writelines(f"abseiling,{at:011d},1,11,val\n" for at in range(rows))
        tracemalloc.start()
        count = sum(len(chunk) for chunk in read_annotations(file, split_of(), LABELS, chunk_rows=1_000))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count == rows
    assert peaks[1] < peaks[0] + 1_000_000


def test_the_normalised_table_reads_back(tmp_path: Path) -> None:
    rows = [
        Annotation(ClipKey("val", "-3l8q12D7lA", 15, 25), "tying knot (not on a tie)", True),
        Annotation(ClipKey("val", ID, 0, 10), "abseiling", False),
        Annotation(ClipKey("val", ID, 0, 5), None),
    ]
    file = tmp_path / normalised_name("val")
    assert not is_normalised(file)
    assert write_normalised(file, iter(rows), "cvdf") == 3
    assert is_normalised(file)
    assert file.read_text().splitlines() == [
        f"{HEAD},source,is_cc",
        "tying knot (not on a tie),-3l8q12D7lA,15,25,val,cvdf,1",
        f"abseiling,{ID},0,10,val,cvdf,0",
        f",{ID},0,5,val,cvdf,",
    ]
    assert read(file, split_of("val"))[0] == rows
    assert list(tmp_path.iterdir()) == [file]


def test_a_normalised_table_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def rows() -> list[Annotation]:
        raise KdlError("the annotation broke off")

    file = tmp_path / "val.normalised.csv"
    file.write_text("as before")
    with pytest.raises(KdlError):
        write_normalised(file, (row for _ in range(1) for row in rows()), "cvdf")
    assert file.read_text() == "as before"
    assert not is_normalised(file)
    assert list(tmp_path.iterdir()) == [file]


WHOLE = [
    ("k400/val.csv", "k400", "val", 19_906, 0, 0),
    ("k400/test.csv", "k400", "test", 39_805, 0, 0),
    ("k400/test_before_2021-09-20.csv", "k400", "test", 38_685, 0, 38_685),
    ("k400/train_sample_20000.csv", "k400", "train", 20_000, 0, 0),
    ("k600/val.txt", "k600", "val", 29_791, 1, 0),
    ("k600/test.csv", "k600", "test", 72_924, 0, 0),
    ("k700_2020/val.csv", "k700-2020", "val", 33_966, 0, 0),
    ("k700_2020/test.csv", "k700-2020", "test", 64_535, 0, 0),
]


@pytest.mark.parametrize(
    ("file", "dataset", "split", "rows", "bad", "unlabelled"), WHOLE if REAL.exists() else []
)
def test_whole_files_of_the_hosts(
    file: str, dataset: str, split: str, rows: int, bad: int, unlabelled: int
) -> None:
    spec = shipped_split(dataset, split)
    found, report = read(REAL / "annotations" / file, spec, load_manifest(dataset).labels)
    assert report == AnnotationReport(rows=rows, bad=bad, samples=report.samples, unlabelled=unlabelled)
    keys = {row.key for row in found}
    assert len(keys) == rows
    if dataset == "k400" and not unlabelled:
        assert spec.never_hosted <= keys
    else:
        assert not spec.never_hosted & keys


@pytest.mark.parametrize("dataset", ["k600"] if REAL.exists() else [])
def test_what_was_never_hosted_is_what_the_older_list_has_more(dataset: str) -> None:
    spec = shipped_split(dataset, "val")
    labels = load_manifest(dataset).labels
    hosted, _ = read(REAL / "annotations/k600/val.txt", spec, labels)
    listed, _ = read(REAL / "annotations/k600/val_2018-04.csv", split_of("val"), labels)
    assert {row.key for row in listed} - {row.key for row in hosted} == spec.never_hosted
