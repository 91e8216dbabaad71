"""Which clips are due, and what looks leave behind in the ledger."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kdl.ledger.checked import (
    Bad,
    known_files,
    lost_of_size,
    match_found,
    record_back,
    record_bad,
    record_could_not,
    record_sound,
    troubles,
)
from kdl.ledger.clips import Scope
from kdl.ledger.due import Window, due_clips
from kdl.ledger.ledger import Ledger, open_ledger
from kdl.values import Level

SCOPE = Scope(("train", "val"))
COUNT = 700
DAY = 86_400.0


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    """Clips 1 to 700 of 1,000 bytes each, judged at level probe a hundred days ago, the newest last."""
    judged = time.time() - 100 * DAY

    def fill(connection: sqlite3.Connection) -> None:
        connection.executemany(
            """INSERT INTO clips (id, split, youtube_id, time_start, time_end, listed, class_dir, name, path,
               size, mtime_ns, sha256, verdict, checked_at, check_level)
               VALUES (?, ?, ?, 0, 10, 1, 'a', 'x', ?, 1000, ?, ?, 'ok', ?, 'probe')""",
            (
                (
                    n,
                    "val" if n % 10 == 0 else "train",
                    f"{n:011}",
                    f"videos/{n}",
                    n * 10**9,
                    f"{n}",
                    judged + n,
                )
                for n in range(1, COUNT + 1)
            ),
        )

    with open_ledger(tmp_path / "ledger.db", create=True) as ledger:
        ledger.write(fill).result()
        yield ledger


def due(ledger: Ledger, level: Level = Level.HASH, **window: Any) -> list[int]:
    return list(due_clips(ledger.reader(), SCOPE, Window(level, **window)))


def bad(clip_id: int, found: str | None = None, cause: str | None = "changed") -> Bad:
    return Bad(clip_id, "ok", Level.HASH, "clip_changed" if cause else "missing_clip", cause, "", found)


def test_bad_ones_come_first_then_new_ones_then_the_least_recently_checked(ledger: Ledger) -> None:
    ledger.write(lambda c: record_bad(c, bad(5))).result()
    ledger.write(lambda c: record_could_not(c, 7, Level.HASH, "not_checked", "")).result()
    ledger.write(lambda c: c.execute("UPDATE clips SET checked_at = NULL WHERE id = 9")).result()
    ledger.write(lambda c: record_sound(c, [1, 2], Level.HASH, time.time())).result()
    assert sorted(due(ledger)[:2]) == [5, 7]
    assert due(ledger)[2:5] == [9, 3, 4]
    assert due(ledger)[-2:] == [1, 2]
    # None of it is as deep as this:
    assert due(ledger, Level.DECODE)[2:5] == [1, 2, 3]
    assert sorted(due(ledger, before=time.time() - 200 * DAY)) == [5, 7, 9]
    assert len(due(ledger, before=time.time() - 50 * DAY)) == COUNT - 2


@pytest.mark.parametrize("parts", [2, 7, 30])
def test_parts_are_disjoint_whole_and_stable(ledger: Ledger, parts: int) -> None:
    each = [set(due(ledger, parts=parts, chosen=frozenset((part,)))) for part in range(parts)]
    assert sum(map(len, each)) == COUNT
    assert len(set().union(*each)) == COUNT
    assert max(map(len, each)) < 2.5 * COUNT / parts
    # Another row id, another class, another order: the same part.
    ledger.write(lambda c: c.execute("UPDATE clips SET id = id + 10000, class_dir = 'b'")).result()
    again = [set(due(ledger, parts=parts, chosen=frozenset((part,)))) for part in range(parts)]
    assert again == [{clip + 10_000 for clip in part} for part in each]


def test_shares_go_round(ledger: Ledger) -> None:
    ledger.write(lambda c: record_bad(c, bad(350))).result()
    seen: list[int] = []
    began = time.time()
    for night in range(10):
        tonight = due(ledger, share=0.1)
        assert tonight[0] == 350  # bad ones are on top
        seen += tonight[1:]
        ledger.write(
            lambda c, ids=tonight[1:], at=began + night: record_sound(c, ids, Level.HASH, at)
        ).result()  # type: ignore[misc]
    assert sorted(set(seen)) == [n for n in range(1, COUNT + 1) if n != 350]
    assert len(seen) == COUNT
    assert len(due(ledger, volume=5_500)) == 1 + 6
    assert due(ledger, since=690.0) == [350, *sorted(due(ledger, since=690.0)[1:])]
    assert len(due(ledger, since=691.0)) == 1 + 10


def test_what_is_due_of_a_big_mirror_is_numbers_alone(ledger: Ledger) -> None:
    found = due_clips(ledger.reader(), SCOPE, Window(Level.STAT))
    assert (found.itemsize, len(found)) == (8, COUNT)


def test_other_bytes_were_never_looked_at(ledger: Ledger) -> None:
    ledger.write(lambda c: record_sound(c, [1, 2, 3], Level.HASH, time.time())).result()
    ledger.write(lambda c: record_bad(c, bad(3))).result()
    ledger.write(lambda c: c.execute("UPDATE clips SET sha256 = 'new' WHERE id = 1")).result()
    ledger.write(lambda c: c.execute("UPDATE clips SET verdict = 'unchecked' WHERE id = 3")).result()
    ledger.write(
        lambda c: c.execute("UPDATE clips SET path = 'elsewhere', verdict = 'short' WHERE id = 2")
    ).result()
    assert [row[0] for row in ledger.rows("SELECT clip_id FROM checks")] == [2]


def test_swapped_renamed_and_copied_over(ledger: Ledger) -> None:
    def op(connection: sqlite3.Connection) -> None:
        for item in (
            bad(1, "2"),
            bad(2, "1"),
            bad(3, "4"),
            bad(4, None, None),
            bad(5, "unheard of"),
            bad(6, "7"),
        ):
            record_bad(connection, item)
        match_found(connection)

    ledger.write(op).result()
    told = {trouble.path: (trouble.kind, trouble.found_path) for trouble in troubles(ledger.reader(), SCOPE)}
    assert told == {
        "videos/1": ("clip_swapped", "videos/2"),
        "videos/2": ("clip_swapped", "videos/1"),
        "videos/3": ("clip_changed", None),
        "videos/4": ("clip_renamed", "videos/3"),
        "videos/5": ("clip_changed", None),
        "videos/6": ("clip_changed", None),
    }
    assert [lost.id for lost in lost_of_size(ledger.reader(), 1000)] == [4]
    assert lost_of_size(ledger.reader(), 999) == []


def test_a_clip_keeps_what_its_bytes_were(ledger: Ledger) -> None:
    before = ledger.one("SELECT * FROM clips WHERE id = 8")
    ledger.write(lambda c: record_bad(c, bad(8, "other"))).result()
    ledger.write(lambda c: record_bad(c, Bad(8, "missing", Level.HASH, "missing_clip", None, ""))).result()
    (known,) = known_files(ledger.reader(), [8])
    assert (known.verdict, known.was, known.result, known.sha256) == ("missing", "ok", "bad", "8")
    ledger.write(lambda c: record_back(c, 8, "ok", 8 * 10**9)).result()
    after = ledger.one("SELECT * FROM clips WHERE id = 8")
    assert tuple(after or ()) == tuple(before or ())
