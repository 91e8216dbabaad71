"""Clips whose names lack times: which annotated clip each is, and what a changed annotation makes of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdl.ledger.annotated import (
    claim_untimed,
    finish_annotations,
    load_annotations,
    meant_by_id,
    next_generation,
)
from kdl.ledger.clips import find_clip
from kdl.ledger.ledger import Ledger, open_ledger
from kdl.values import Annotation, ClipKey

ID = "-id_of_one-_"[:11]


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with open_ledger(tmp_path / "ledger.db", create=True) as ledger:
        yield ledger


def key(start: int | None, end: int | None) -> ClipKey:
    return ClipKey("val", ID, start, end)


def annotate(ledger: Ledger, *rows: tuple[int, int], label: str = "a") -> None:
    """Load an annotation of these times, as a run does."""

    def load(connection: sqlite3.Connection) -> None:
        generation = next_generation(connection, "val")
        found = [Annotation(key(*times), label) for times in rows]
        load_annotations(connection, generation, found, lambda name: f"folder_{name}", decides=False)
        finish_annotations(connection, "val", generation, "digest", ())
        claim_untimed(connection, "val")

    ledger.write(load).result()


def bring(ledger: Ledger, where: ClipKey, name: str) -> None:
    """A shard gave this file."""
    start, end = (-1, -1) if where.start is None else (where.start, where.end)

    def put(connection: sqlite3.Connection) -> None:
        connection.execute(
            """INSERT OR IGNORE INTO clips (split, youtube_id, time_start, time_end, verdict)
               VALUES ('val', ?, ?, ?, 'unlisted')""",
            (ID, start, end),
        )
        connection.execute(
            """UPDATE clips SET path = 'somewhere', name = ?, sha256 = 'x', check_level = 'probe',
               verdict = iif(listed, 'ok', 'unlisted') WHERE youtube_id = ? AND time_start = ?""",
            (name, ID, start),
        )

    ledger.write(put).result()


def rows(ledger: Ledger) -> list[tuple[object, ...]]:
    found = ledger.rows(
        "SELECT time_start, time_end, class_dir, verdict, path FROM clips ORDER BY time_start"
    )
    return [tuple(row) for row in found]


def test_one_row_of_an_id_is_meant_and_of_two_neither(ledger: Ledger) -> None:
    annotate(ledger, (3, 13))
    assert meant_by_id(ledger.reader(), key(None, None)) == [key(3, 13)]
    annotate(ledger, (3, 13), (40, 50))
    assert meant_by_id(ledger.reader(), key(None, None)) == [key(3, 13), key(40, 50)]


def test_what_is_listed_no_more_is_meant_where_nothing_else_is(ledger: Ledger) -> None:
    annotate(ledger, (3, 13))
    bring(ledger, key(3, 13), f"{ID}.mkv")
    annotate(ledger)
    assert meant_by_id(ledger.reader(), key(None, None)) == [key(3, 13)]


@pytest.mark.parametrize(
    "before", [(), ((90, 100),), ((3, 13), (40, 50))], ids=["not listed", "other times", "listed twice"]
)
def test_a_new_annotation_claims_the_file(ledger: Ledger, before: tuple[tuple[int, int], ...]) -> None:
    annotate(ledger, *before)
    bring(ledger, key(*before[0]) if len(before) == 1 else key(None, None), f"{ID}.mp4.mkv")
    annotate(ledger, (3, 13))
    assert rows(ledger) == [(3, 13, "folder_a", "unchecked", "somewhere")]
    row = find_clip(ledger.reader(), key(3, 13))
    assert row is not None
    assert (row["name"], row["label"], row["check_level"]) == (f"{ID}.mp4.mkv", "a", None)


def test_nothing_is_claimed_that_is_not_beyond_doubt(ledger: Ledger) -> None:
    bring(ledger, key(None, None), f"{ID}.mp4")
    annotate(ledger, (3, 13), (40, 50))
    assert [row[3] for row in rows(ledger)] == ["unlisted", "pending", "pending"]
    bring(ledger, key(3, 13), f"{ID}.mkv")
    annotate(ledger, (3, 13))
    assert [row[3:] for row in rows(ledger)] == [("unlisted", "somewhere"), ("ok", "somewhere")]


def test_a_name_with_times_keeps_to_them(ledger: Ledger) -> None:
    bring(ledger, key(90, 100), f"{ID}_000090_000100.mp4")
    annotate(ledger, (3, 13))
    assert [row[3] for row in rows(ledger)] == ["pending", "unlisted"]
