"""What ``kdl verify`` is told: spans, parts, and other people's lists of digests."""

from __future__ import annotations

import contextlib
import sqlite3
from datetime import datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdl.dataset.manifest import load_manifest
from kdl.errors import UsageError
from kdl.jobs.verify_against import read_list
from kdl.jobs.verify_options import Subset, parse_moment, parse_span, parse_subset
from kdl.ledger.against import Listed
from kdl.report.export import COLUMNS, export

SHA = "ab" * 32
K400 = load_manifest("k400")
NO_LEDGER = sqlite3.connect(":memory:")
STEM = "-w_DxQ3zEbA_000012_000022"
ROW = {
    **dict.fromkeys(COLUMNS),
    "split": "val", "youtube_id": STEM[:11], "time_start": 12, "time_end": 22, "size": 9,
    "path": f"videos/val/abseiling/{STEM}.mp4", "sha256": SHA, "verdict": "ok", "replaced": False,
}  # fmt: skip


@pytest.mark.parametrize(
    ("text", "subset"),
    [
        ("1/7", Subset(1, 7)),
        ("3/3", Subset(3, 3)),
        ("10%", Subset(share=0.1)),
        ("2.5 %", Subset(share=0.025)),
        ("50G", Subset(volume=50_000_000_000)),
    ],
)
def test_a_subset(text: str, subset: Subset) -> None:
    assert parse_subset(text) == subset


@pytest.mark.parametrize("text", ["0/7", "8/7", "1/0", "1/99999", "0%", "101%", "x%", "some", "", "-5G"])
def test_no_subset(text: str) -> None:
    with pytest.raises(UsageError):
        parse_subset(text)


def test_spans_and_moments() -> None:
    assert [parse_span(text) for text in ("90m", "2h", "30d", "2w", "1.5h")] == [
        5400, 7200, 2_592_000, 1_209_600, 5400,
    ]  # fmt: skip
    assert parse_moment("7d", 1e9) == 1e9 - 7 * 86_400
    assert parse_moment("2026-03-01T02:00", 0) == datetime(2026, 3, 1, 2).timestamp()
    for text in ("30", "d", "-1d", "1 month", "lately"):
        with pytest.raises(UsageError):
            parse_moment(text, 0)


@given(st.text())
def test_any_words_are_read_or_refused(text: str) -> None:
    for parse in (parse_subset, parse_span, lambda words: parse_moment(words, 0.0)):
        with contextlib.suppress(UsageError):
            parse(text)


@pytest.mark.parametrize("form", ["csv", "jsonl", "parquet", "sha256sums"])
def test_an_export_is_read_back(form: str, tmp_path: Path) -> None:
    path = tmp_path / "list"
    export([ROW, {**ROW, "path": None}], form, path)
    assert list(read_list(path, K400, NO_LEDGER)) == [Listed("val", STEM, SHA, str(ROW["path"]))]


@pytest.mark.parametrize(
    ("line", "split"),
    [
        (f"{SHA}  ./val/abseiling/{STEM}.mp4", "val"),
        (f"{SHA.upper()} *data/kinetics400/videos_train/{STEM}.mp4", "train"),
        (f"\\{SHA}  an\\nother/{STEM}.mp4", ""),
        (f"{SHA}  {STEM}.mp4\r", ""),
    ],
)
def test_sums_of_any_layout(line: str, split: str, tmp_path: Path) -> None:
    path = tmp_path / "SHA256SUMS"
    path.write_bytes(f"# ours\n\n{line}\n{SHA}  README.md\n".encode())
    ((found_split, stem, sha256, _),) = read_list(path, K400, NO_LEDGER)
    assert (found_split, stem, sha256) == (split, STEM, SHA)


@pytest.mark.parametrize(
    "text", ["what is this?\n", '{"path": "x"}\n', "{broken\n", "split,x\nval,1\n", "\x00\xff"]
)
def test_no_list_of_digests(text: str, tmp_path: Path) -> None:
    path = tmp_path / "list"
    path.write_text(text, encoding="latin-1")
    with pytest.raises(UsageError) as refused:
        list(read_list(path, K400, NO_LEDGER))
    assert refused.value.subject == str(path)
