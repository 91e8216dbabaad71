"""Exports, read back by the programs they are for."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdl.errors import DiskFull, MachineError, ToolMissing, UsageError
from kdl.report.export import BATCH, COLUMNS, FORMATS, ROW_GROUP, SCHEMA, export
from kdl.values import Cause, Verdict

Row = dict[str, Any]


def row(**changes: Any) -> Row:
    base: Row = {
        "split": "val",
        "label": "massaging person's head",
        "youtube_id": "-0wR5jVB-WP",
        "time_start": 417,
        "time_end": 427,
        "path": "videos/val/massaging_person's_head/-0wR5jVB-WP_000417_000427.mp4",
        "size": 1_500_000,
        "sha256": "ab" * 32,
        "duration": 10.01,
        "width": 340,
        "height": 256,
        "fps": 29.97,
        "vcodec": "h264",
        "verdict": Verdict.OK,
        "cause": None,
        "replaced": 0,
        "shard": "massaging person's head.tar.gz",
    }
    return base | changes


def absent(**changes: Any) -> Row:
    """A row of a clip that has no file: what cannot be known is null."""
    kept = {"split": "test", "youtube_id": "abcdefghijk", "verdict": Verdict.NEVER_HOSTED, "replaced": False}
    return dict.fromkeys(COLUMNS) | kept | changes


def exported(rows: list[Row], format: str) -> bytes:
    out = io.BytesIO()
    export(rows, format, out)
    return out.getvalue()


def test_the_columns_are_those_that_are_promised() -> None:
    assert ",".join(COLUMNS) == (
        "split,label,youtube_id,time_start,time_end,path,size,sha256,duration,width,height,fps,vcodec,"
        "verdict,cause,replaced,shard"
    )


def test_csv_byte_for_byte() -> None:
    rows = [
        row(),
        absent(),
        row(replaced=1, verdict=Verdict.CORRUPT, cause=Cause.ZERO_BYTES, label='a "b", c'),
    ]
    head, first, second, third = exported(rows, "csv").decode().splitlines()
    assert head == ",".join(COLUMNS)
    assert first == (
        "val,massaging person's head,-0wR5jVB-WP,417,427,"
        "videos/val/massaging_person's_head/-0wR5jVB-WP_000417_000427.mp4,1500000,"
        f"{'ab' * 32},10.01,340,256,29.97,h264,ok,,false,massaging person's head.tar.gz"
    )
    assert second == "test,,abcdefghijk,,,,,,,,,,,never_hosted,,false,"
    assert third.startswith('val,"a ""b"", c",-0wR5jVB-WP,')
    assert ",corrupt,zero_bytes,true," in third


@settings(deadline=None)
@given(label=st.text(st.characters(exclude_categories=("Cs",), exclude_characters="\0")))
def test_any_text_comes_back_from_csv_and_json(label: str) -> None:
    table = exported([row(label=label), absent()], "csv").decode()
    back = list(csv.DictReader(io.StringIO(table, newline="")))
    assert [one["label"] for one in back] == [label, ""]
    lines = exported([row(label=label)], "jsonl").removesuffix(b"\n").split(b"\n")
    assert [json.loads(line)["label"] for line in lines] == [label]


def test_json_lines_have_numbers_booleans_and_null() -> None:
    rows = [row(replaced=1), absent(), row(duration=float("nan"), fps=float("inf"))]
    first, second, third = (json.loads(line) for line in exported(rows, "jsonl").splitlines())
    assert first == row(replaced=True, verdict="ok")
    assert first["replaced"] is True
    assert list(first) == list(COLUMNS)
    assert second == absent(verdict="never_hosted")
    assert (third["duration"], third["fps"]) == (None, None)


def test_parquet_is_typed_and_written_in_row_groups(tmp_path: Path) -> None:
    def many() -> Iterator[Row]:
        for number in range(ROW_GROUP + 1):
            yield row(size=number)
        yield absent()

    out = tmp_path / "clips.parquet"
    assert export(many(), "parquet", out) == ROW_GROUP + 2
    with pq.ParquetFile(out) as file:
        assert [file.metadata.row_group(i).num_rows for i in range(file.num_row_groups)] == [ROW_GROUP, 2]
        kinds = {"string": str, "int64": int, "double": float, "bool": bool}
        assert {field.name: kinds[str(field.type)] for field in file.schema_arrow} == SCHEMA
        table = file.read()
    assert table.column("size").to_pylist() == [*range(ROW_GROUP + 1), None]
    assert table.slice(ROW_GROUP + 1).to_pylist() == [absent(verdict="never_hosted")]
    frame = pd.read_parquet(out)
    assert frame["replaced"].dtype == bool
    assert frame["label"].iloc[0] == "massaging person's head"


@pytest.mark.parametrize("format", FORMATS)
def test_no_rows_are_a_valid_file(tmp_path: Path, format: str) -> None:
    out = tmp_path / "out"
    assert export([], format, out) == 0
    if format == "parquet":
        assert pq.read_table(out).num_rows == 0
    else:
        assert out.read_text() == (",".join(COLUMNS) + "\n" if format == "csv" else "")


def test_sha256sum_accepts_it(tmp_path: Path) -> None:
    """Names with every escape that GNU has, run in the mirror's folder."""
    names = [
        "-id.mp4",
        "two words.mp4",
        "(it's).mp4",
        "back\\slash.mp4",
        "new\nline.mp4",
        "re\rturn.mp4",
        "\\n.mp4",
    ]
    rows = []
    for name in names:
        path = tmp_path / "videos" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(name.encode())
        rows.append(row(path=f"videos/{name}", sha256=hashlib.sha256(name.encode()).hexdigest()))
    out = tmp_path / "SHA256SUMS"
    assert export([*rows, absent()], "sha256sums", out) == len(names)
    done = subprocess.run(
        ["sha256sum", "--strict", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert done.stdout.count(b": OK") == len(names)
    ours = sorted(out.read_bytes().split(b"\n"))
    paths = [one["path"] for one in rows]
    theirs = subprocess.run(["sha256sum", "--", *paths], cwd=tmp_path, capture_output=True, check=True)
    assert ours == sorted(theirs.stdout.split(b"\n"))

    (tmp_path / "videos" / "-id.mp4").write_bytes(b"changed")
    done = subprocess.run(["sha256sum", "-c", "SHA256SUMS"], cwd=tmp_path, capture_output=True, check=False)
    assert done.returncode == 1


def test_sha256sums_has_only_what_is_there_to_be_summed() -> None:
    rows = [row(), row(path=None), row(sha256=None), row(verdict=Verdict.MISSING), absent()]
    assert exported(rows, "sha256sums").decode() == f"{'ab' * 32}  {row()['path']}\n"


def test_an_unknown_format_is_told_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        export([], "xlsx", tmp_path / "out")
    assert "parquet" in caught.value.fix


def test_parquet_without_pyarrow_says_how_to_get_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    with pytest.raises(ToolMissing) as caught:
        export([row()], "parquet", tmp_path / "out")
    assert caught.value.fix == 'pip install "kdl[parquet]"'
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("format", FORMATS)
def test_an_export_that_fails_leaves_the_older_file(tmp_path: Path, format: str) -> None:
    def failing() -> Iterator[Row]:
        for _ in range(BATCH + 1):
            yield row()
        raise LookupError("the ledger went away")

    out = tmp_path / "out"
    out.write_text("older")
    with pytest.raises(LookupError, match="went away"):
        export(failing(), format, out)
    assert out.read_text() == "older"
    assert list(tmp_path.iterdir()) == [out]


def test_a_link_is_written_through_and_a_new_file_has_the_usual_mode(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "real.csv")
    export([row()], "csv", tmp_path / "link")
    assert (tmp_path / "link").is_symlink()
    (tmp_path / "usual").touch()
    assert (tmp_path / "real.csv").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_a_pipe_by_name_is_written_into_not_replaced(tmp_path: Path) -> None:
    fifo = tmp_path / "fifo"
    os.mkfifo(fifo)
    with subprocess.Popen(["cat", fifo], stdout=subprocess.PIPE) as reader:
        export([row()], "csv", fifo)
        assert reader.communicate()[0] == exported([row()], "csv")
    assert fifo.is_fifo()


def test_where_it_can_not_be_written_is_named(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="is a folder"):
        export([], "csv", tmp_path)
    with pytest.raises(MachineError) as caught:
        export([], "csv", tmp_path / "absent" / "out")
    assert caught.value.subject == str(tmp_path / "absent" / "out")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a Linux device")
def test_a_full_disk_is_said_to_be_full() -> None:
    with pytest.raises(DiskFull) as caught:
        export([row()], "csv", Path("/dev/full"))
    assert caught.value.subject == "/dev/full"


@pytest.mark.parametrize("format", FORMATS)
@pytest.mark.parametrize("rows", ["range(3)", "itertools.count()"], ids=["few", "endless"])
def test_a_reader_that_goes_away_ends_it_quietly(format: str, rows: str) -> None:
    """The whole program, which prints a last word too: nothing on stderr and exit code 0."""
    program = f"""
import itertools, sys
sys.path.insert(0, {str(Path(__file__).parent)!r})
from test_export import row
from kdl.report.export import export
sys.stdin.readline()
export((row(size=n) for n in {rows}), {format!r}, sys.stdout.buffer)
print("done")
"""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", program], stdin=pipe, stdout=pipe, stderr=pipe) as child:
        assert child.stdin is not None
        assert child.stdout is not None
        assert child.stderr is not None
        child.stdout.close()
        child.stdin.write(b"go\n")
        child.stdin.close()
        assert child.stderr.read() == b""
        assert child.wait(60) == 0


@pytest.mark.parametrize("format", FORMATS)
def test_a_stream_gets_the_bytes_of_the_file_and_stays_open(tmp_path: Path, format: str) -> None:
    rows = [row(size=number) for number in range(BATCH * 2 + 1)]
    export(rows, format, tmp_path / "out")
    stream = io.BytesIO()
    export(rows, format, stream)
    assert not stream.closed
    assert stream.getvalue() == (tmp_path / "out").read_bytes()
