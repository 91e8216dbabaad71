"""What the ledger counts for a report, on a small ledger whose every row is known."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kdl.ledger.ledger import Ledger, open_ledger
from kdl.ledger.overview import EXAMPLES, NAMED, cells, last_runs, overview, samples, satisfied, suspects
from kdl.ledger.runs import begin_run, end_run
from kdl.tallies import Ages
from kdl.values import Finding, Verdict

NOW = 1_790_000_000.0
DAY = 86_400.0
_COLUMNS = (
    "split", "youtube_id", "time_start", "time_end", "label", "listed", "class_dir", "name", "path", "origin",
    "size", "sha256", "verdict", "cause", "checked_at", "duration", "width", "height", "fps",
    "replaced_cause",
)  # fmt: skip


def put(connection: sqlite3.Connection, number: int, verdict: str, **changes: Any) -> None:
    """A clip of ten seconds with a file, looked at an hour ago; ``changes`` make it another."""
    row = {
        "split": "train",
        "youtube_id": f"{number:011}",
        "time_start": 0,
        "time_end": 10,
        "label": "driving car",
        "listed": 1,
        "class_dir": "driving_car",
        "name": f"{number:011}_000000_000010.mp4",
        "path": f"videos/train/driving_car/{number:011}_000000_000010.mp4",
        "origin": "shard",
        "size": 1_234_567,
        "sha256": f"{number:064x}",
        "verdict": verdict,
        "cause": None,
        "checked_at": NOW - 3_600,
        "duration": 10.0,
        "width": 340,
        "height": 256,
        "fps": 29.97,
        "replaced_cause": None,
    } | changes
    marks = ", ".join("?" * len(_COLUMNS))
    connection.execute(
        f"INSERT INTO clips ({', '.join(_COLUMNS)}) VALUES ({marks})", tuple(row[name] for name in _COLUMNS)
    )


NO_FILE = {"path": None, "name": None, "origin": None, "size": None, "sha256": None, "checked_at": None}
NO_FACTS = {"duration": None, "width": None, "height": None, "fps": None}


def fill(connection: sqlite3.Connection) -> None:
    put(connection, 1, "ok")
    put(connection, 2, "ok", checked_at=NOW - 3 * DAY, duration=9.99, fps=25.0)
    put(connection, 3, "short", checked_at=NOW - 10 * DAY, duration=4.0, width=256, height=340)
    put(connection, 4, "ok", origin="replacement", replaced_cause="zero_bytes", checked_at=NOW - 40 * DAY)
    put(connection, 5, "corrupt", cause="moov_missing", path=".kdl/quarantine/x.mp4", **NO_FACTS)
    put(connection, 6, "missing")
    put(connection, 7, "never_hosted", **NO_FILE, **NO_FACTS)
    put(connection, 8, "unchecked", checked_at=None, **NO_FACTS)
    put(connection, 9, "unlisted", listed=0, label=None, split="val", path="unlisted/val/x.mp4")
    put(connection, 10, "pending", label=None, class_dir="", split="test", **NO_FILE, **NO_FACTS)
    connection.execute(
        """INSERT INTO objects (url, name, kind, split, state, size, error) VALUES
           ('u1', 'part_0.tar.gz', 'shard', 'train', 'done', 100, NULL),
           ('u2', 'part_1.tar.gz', 'shard', 'train', 'failed', NULL, 'HTTP 404'),
           ('u3', 'part_2.tar.gz', 'shard', 'train', 'broken', 50, NULL)"""
    )
    connection.execute(
        """INSERT INTO derivatives (clip_id, recipe, fingerprint, clip_sha256, state, path, bytes, made_at)
           VALUES (1, '320p', 'f', 's', 'done', 'x', 70, 0), (2, '320p', 'f', 's', 'failed', 'y', 0, 0)"""
    )
    found = [
        Finding("corrupt_clip", f"{number}.mp4", "cut", "kdl repair k400") for number in range(EXAMPLES + 5)
    ]
    runs = (
        ("old", "mirror k400", 10, {"bytes": {"fetched": 5}}, [Finding("hung", "", "", "")]),
        ("new", "mirror k400 --jobs 2", 20, {"bytes": {"fetched": 600, "written": 9}}, found),
        ("look", "verify k400", 30, {"bytes": 900}, []),
        ("lists", "lists k400", 40, {"lists": {}}, [Finding("nothing_to_list", "k400", "none", "")]),
    )
    for name, command, start, summary, findings in runs:
        begin_run(connection, name, command, "host", 1, "boot")
        end_run(connection, name, 1, summary, findings)
        connection.execute("UPDATE runs SET started = ?, ended = ? WHERE id = ?", (start, start + 5, name))
    begin_run(connection, "now", "repair k400", "host", 1, "boot")


@pytest.fixture(scope="module")
def ledger(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ledger]:
    path = tmp_path_factory.mktemp("ledger") / "ledger.db"
    with open_ledger(path, create=True) as ledger:
        ledger.write(fill).result()
    with open_ledger(path, read_only=True) as ledger:
        yield ledger


def test_clips_are_counted_by_split_class_and_verdict(ledger: Ledger) -> None:
    view = overview(ledger.reader(), NOW)
    assert view.clips() == 10
    assert view.annotated == 9
    assert {(verdict, view.clips(verdict)) for verdict in Verdict} == {
        (verdict, 3 if verdict is Verdict.OK else 1) for verdict in Verdict
    }
    (ok,) = (cell for cell in view.cells if cell.verdict is Verdict.OK)
    assert (ok.clips, ok.replaced, ok.label, ok.bytes) == (3, 1, "driving car", 3 * 1_234_567)
    assert view.bytes == 7 * 1_234_567  # a missing clip has none
    assert view.seconds == pytest.approx(10 + 9.99 + 4 + 10 + 10)


def test_ages_are_of_clips_with_a_file(ledger: Ledger) -> None:
    assert overview(ledger.reader(), NOW).ages == Ages(
        day=3, week=4, month=5, older=1, never=1, oldest=NOW - 40 * DAY
    )


def test_measures_are_steps_that_hold_their_lower_edge(ledger: Ledger) -> None:
    measures = overview(ledger.reader(), NOW).measures
    assert measures.duration == {4.0: 1, 9.75: 1, 10.0: 3}
    assert measures.size == {1_230_000: 7}
    assert measures.fps == {25.0: 1, 29.97: 4}
    assert measures.resolution == {(340, 256): 4, (256, 340): 1}


def test_objects_and_derivatives_by_state(ledger: Ledger) -> None:
    view = overview(ledger.reader(), NOW)
    assert {(each.state, each.count, each.bytes) for each in view.objects} == {
        ("done", 1, 100),
        ("failed", 1, 0),
        ("broken", 1, 50),
    }
    assert [(each.name, each.state, each.error) for each in view.troubles] == [
        ("part_1.tar.gz", "failed", "HTTP 404"),
        ("part_2.tar.gz", "broken", ""),
    ]
    assert view.troubles_in_all == 2
    assert {(each.state, each.clips, each.bytes) for each in view.derived} == {
        ("done", 1, 70),
        ("failed", 1, 0),
    }


def test_runs_come_latest_first_with_what_they_moved(ledger: Ledger) -> None:
    runs = overview(ledger.reader(), NOW).runs
    assert [(run.id, run.moved, run.rate) for run in runs] == [
        ("now", None, None),
        ("lists", None, None),
        ("look", 900, 180.0),
        ("new", 600, 120.0),
        ("old", 5, 1.0),
    ]
    assert runs[0].seconds is None
    assert len(last_runs(ledger.reader(), 2)) == 2


@pytest.mark.parametrize(
    ("command", "code", "holds"),
    [
        ("mirror k400", 0, True),
        ("fetch k400", 1, True),
        ("mirror k400", 130, False),
        ("verify k400", 0, False),
    ],
)
def test_a_run_that_ended_has_what_it_was_asked_for(
    tmp_path: Path, command: str, code: int, holds: bool
) -> None:
    def ran(connection: sqlite3.Connection) -> None:
        begin_run(connection, "1", command, "host", 1, "boot")
        end_run(connection, "1", code, {}, ())

    with open_ledger(tmp_path / "ledger.db", create=True) as ledger:
        ledger.write(ran).result()
        assert satisfied(ledger.reader()) is holds
        ledger.write(lambda c: begin_run(c, "2", "mirror k400 --class x", "host", 1, "boot")).result()
        assert not satisfied(ledger.reader())  # that one is under way


def test_findings_are_those_of_each_verbs_last_run(ledger: Ledger) -> None:
    found = overview(ledger.reader(), NOW).found
    assert [(group.kind, group.run.id, group.count, len(group.examples)) for group in found] == [
        ("nothing_to_list", "lists", 1, 1),
        ("corrupt_clip", "new", EXAMPLES + 5, EXAMPLES),
    ]
    assert [group.fix for group in found] == ["", "kdl repair k400"]


def test_what_was_replaced_is_named_with_its_cause(ledger: Ledger) -> None:
    view = overview(ledger.reader(), NOW)
    assert view.replaced_by_cause == {"zero_bytes": 1}
    assert [(clip.name, clip.cause) for clip in view.replaced] == [
        ("00000000004_000000_000010.mp4", "zero_bytes")
    ]


def test_clips_to_look_at_have_a_file_and_a_share_each(ledger: Ledger) -> None:
    reader = ledger.reader()
    picked = suspects(reader, 40)
    assert [(clip.verdict, clip.replaced) for clip in picked] == [
        (Verdict.CORRUPT, False),
        (Verdict.SHORT, False),
        (Verdict.OK, True),
        (Verdict.UNLISTED, False),
    ]
    assert picked[-1].label == "driving car"  # of its folder, as no annotation has it
    assert suspects(reader, 3) == picked[1:]  # room for three is room for one of each of three kinds
    assert len(samples(reader, "train", "driving_car", 9)) == 2
    assert samples(reader, "train", "driving_car", 1) == samples(reader, "train", "driving_car", 1)


def test_a_page_names_no_more_than_it_may(tmp_path: Path) -> None:
    def many(connection: sqlite3.Connection) -> None:
        for number in range(NAMED + 7):
            put(connection, number, "ok", origin="replacement", replaced_cause="truncated")

    with open_ledger(tmp_path / "ledger.db", create=True) as ledger:
        ledger.write(many).result()
        view = overview(ledger.reader(), NOW)
    assert len(view.replaced) == NAMED
    assert view.replaced_by_cause == {"truncated": NAMED + 7}


def test_an_overview_is_one_moment_even_as_a_run_writes(tmp_path: Path) -> None:
    path = tmp_path / "ledger.db"
    with open_ledger(path, create=True) as writer, open_ledger(path, read_only=True) as ledger:
        writer.write(lambda c: put(c, 1, "ok")).result()
        reader = ledger.reader()
        assert reader.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
        seen = []
        reader.set_trace_callback(
            lambda sql: seen.append(sql) or writer.write(lambda c: _one_more(c)).result()
        )
        view = overview(reader, NOW)
        reader.set_trace_callback(None)
        assert view.clips() == sum(reason.clips for reason in view.reasons) == view.ages.clips
        assert sum(cell.clips for cell in cells(reader)) > view.clips()


def _one_more(connection: sqlite3.Connection) -> None:
    put(connection, 1 + connection.execute("SELECT count(*) FROM clips").fetchone()[0], "ok")


def test_a_summary_that_tells_no_bytes_moved_none(tmp_path: Path) -> None:
    with open_ledger(tmp_path / "ledger.db", create=True) as ledger:
        for number, summary in enumerate(({}, {"bytes": {"written": 1}}, {"bytes": None})):
            ledger.write(lambda c, n=number: begin_run(c, str(n), "mirror x", "h", 1, "b")).result()  # type: ignore[misc]
            ledger.write(lambda c, n=number, s=summary: end_run(c, str(n), 0, s, ())).result()  # type: ignore[misc]
        ledger.write(
            lambda c: c.execute("UPDATE runs SET summary = ? WHERE id = '0'", (json.dumps({}),))
        ).result()
        assert [run.moved for run in last_runs(ledger.reader(), 9)] == [None] * 3
