"""A mirror in numbers, for reports: every question is one pass at most, answered in aggregates.

Rows of ``clips`` are wide, so what no index holds is read in the table's own order (``NOT INDEXED``):
through an index the same questions take ten times as long.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator
from typing import Any

from kdl.ledger.clips import NO_TIME
from kdl.tallies import (
    DAY_S,
    Ages,
    Cell,
    Derived,
    FoundGroup,
    Measures,
    Named,
    Objects,
    Overview,
    PastRun,
    Reason,
    Spread,
    Trouble,
)
from kdl.values import Finding, Verdict

RUNS = 30
"""Of the last runs, those that are told."""
TROUBLES = 100
EXAMPLES = 20
"""Findings of a kind that are told in full."""
NAMED = 200
"""Clips of a kind that are told by name."""
_HERE = "path IS NOT NULL AND verdict <> 'missing'"
_DURATION, _SIZE, _FPS = 0.25, 10_000, 0.01
"""The steps of the measures: seconds, bytes, frames a second."""


def overview(connection: sqlite3.Connection, now: float) -> Overview:
    """Everything that a report tells in numbers, as of one state of the ledger.

    Where the journal is not WAL, a reader that stays makes a run's writer wait: there each question is
    asked by itself, and a run that goes on meanwhile may come between two.
    """
    at_once = connection.execute("PRAGMA journal_mode").fetchone()[0] == "wal"
    if at_once:
        connection.execute("BEGIN")
    try:
        runs = last_runs(connection, RUNS)
        by_cause = _replaced_by_cause(connection)
        in_all = connection.execute(f"SELECT count(*) FROM objects WHERE {_TROUBLED}").fetchone()[0]
        return Overview(
            taken=now,
            cells=cells(connection),
            reasons=_reasons(connection),
            ages=ages(connection, now),
            measures=_measures(connection),
            objects=_objects(connection),
            troubles=_troubles(connection),
            troubles_in_all=in_all,
            derived=_derived(connection),
            runs=runs,
            satisfied=satisfied(connection),
            found=_found(connection),
            replaced=tuple(named_clips(connection, "origin = 'replacement'", (), NAMED)) if by_cause else (),
            replaced_by_cause=by_cause,
        )
    finally:
        if at_once:
            connection.execute("ROLLBACK")


def cells(connection: sqlite3.Connection) -> tuple[Cell, ...]:
    """The clips by split, class and verdict."""
    rows = connection.execute(
        f"""SELECT split, class_dir, max(label), verdict, count(*), sum(listed > 0),
                   coalesce(sum(origin = 'replacement'), 0), coalesce(sum(iif({_HERE}, size, 0)), 0),
                   coalesce(sum(iif({_HERE}, duration, 0)), 0)
            FROM clips NOT INDEXED GROUP BY split, class_dir, verdict"""
    )
    return tuple(
        Cell(split, folder, label, Verdict(word), *rest) for split, folder, label, word, *rest in rows
    )


def ages(connection: sqlite3.Connection, now: float) -> Ages:
    """When the clips that have a file were last looked at."""
    row = connection.execute(
        f"""WITH looks AS (
                SELECT nullif(max(coalesce(checked_at, 0), coalesce(stat_at, 0)), 0) AS at
                FROM clips NOT INDEXED LEFT JOIN checks ON clip_id = clips.id WHERE {_HERE})
            SELECT coalesce(sum(at >= :now - :day), 0),
                   coalesce(sum(at >= :now - 7 * :day), 0),
                   coalesce(sum(at >= :now - 30 * :day), 0),
                   coalesce(sum(at < :now - 30 * :day), 0),
                   coalesce(sum(at IS NULL), 0), min(at)
            FROM looks""",
        {"now": now, "day": DAY_S},
    ).fetchone()
    return Ages(*row)


def _reasons(connection: sqlite3.Connection) -> tuple[Reason, ...]:
    rows = connection.execute(
        "SELECT verdict, cause, count(*) FROM clips NOT INDEXED GROUP BY 1, 2 ORDER BY 3 DESC"
    )
    return tuple(Reason(Verdict(verdict), cause, count) for verdict, cause, count in rows)


def _measures(connection: sqlite3.Connection) -> Measures:
    sizes = connection.execute(
        f"""SELECT width, height, count(*) FROM clips NOT INDEXED
            WHERE {_HERE} AND width IS NOT NULL AND height IS NOT NULL GROUP BY 1, 2"""
    )
    return Measures(
        duration=_spread(connection, "duration", _DURATION),
        size=_spread(connection, "size", _SIZE),
        fps=_spread(connection, "fps", _FPS),
        resolution={(width, height): count for width, height, count in sizes},
    )


def _spread(connection: sqlite3.Connection, column: str, step: float) -> Spread:
    """A value on a step's lower edge belongs to that step, whatever floating point makes of it."""
    rows = connection.execute(
        f"""SELECT CAST({column} / ? + 0.01 AS INTEGER), count(*) FROM clips NOT INDEXED
            WHERE {_HERE} AND {column} >= 0 GROUP BY 1 ORDER BY 1""",
        (step,),
    )
    return {round(at * step, 2): count for at, count in rows}


def _objects(connection: sqlite3.Connection) -> tuple[Objects, ...]:
    rows = connection.execute(
        """SELECT kind, split, state, count(*), coalesce(sum(size), 0) FROM objects
           GROUP BY kind, split, state ORDER BY kind, split, state"""
    )
    return tuple(Objects(*row) for row in rows)


_TROUBLED = "state IN ('failed', 'broken')"


def _troubles(connection: sqlite3.Connection) -> tuple[Trouble, ...]:
    rows = connection.execute(
        f"""SELECT name, split, state, coalesce(error, '') FROM objects WHERE {_TROUBLED}
            ORDER BY state DESC, split, idx LIMIT ?""",
        (TROUBLES,),
    )
    return tuple(Trouble(*row) for row in rows)


def _derived(connection: sqlite3.Connection) -> tuple[Derived, ...]:
    rows = connection.execute(
        "SELECT recipe, state, count(*), sum(bytes) FROM derivatives NOT INDEXED GROUP BY 1, 2 ORDER BY 1, 2"
    )
    return tuple(Derived(*row) for row in rows)


def last_runs(connection: sqlite3.Connection, count: int) -> tuple[PastRun, ...]:
    """The last ``count`` runs, the latest first."""
    rows = connection.execute("SELECT * FROM runs ORDER BY started DESC, id DESC LIMIT ?", (count,))
    return tuple(map(_run, rows))


def satisfied(connection: sqlite3.Connection) -> bool:
    """Whether the last run that fetches ended with all that it was asked for, as far as it is hosted."""
    row = connection.execute(
        """SELECT exit_code FROM runs WHERE command LIKE 'mirror %' OR command LIKE 'fetch %'
           ORDER BY started DESC, id DESC LIMIT 1"""
    ).fetchone()
    return row is not None and row[0] in (0, 1)


def _run(row: sqlite3.Row) -> PastRun:
    return PastRun(
        row["id"],
        row["command"],
        row["host"],
        row["started"],
        row["ended"],
        row["exit_code"],
        _moved(row["summary"]),
    )


def _moved(summary: str | None) -> int | None:
    """``bytes`` of a run's summary: a number, or ``fetched`` among several."""
    found: Any = json.loads(summary).get("bytes") if summary else None
    if isinstance(found, dict):
        found = found.get("fetched")
    return found if isinstance(found, int) else None


def last_findings(connection: sqlite3.Connection) -> Iterator[Finding]:
    """What the last ended run of each verb found, the latest run first, in the order in which it did."""
    for run in _last_of_each(connection):
        rows = connection.execute(
            "SELECT kind, subject, detail, fix FROM findings WHERE run_id = ? ORDER BY id", (run.id,)
        )
        yield from (Finding(*row) for row in rows.fetchall())


def _found(connection: sqlite3.Connection) -> tuple[FoundGroup, ...]:
    return tuple(group for run in _last_of_each(connection) for group in _groups(connection, run))


def _last_of_each(connection: sqlite3.Connection) -> Iterable[PastRun]:
    """The last ended run of each verb: a later one of the same verb has looked again."""
    ended = connection.execute("SELECT * FROM runs WHERE ended IS NOT NULL ORDER BY started DESC, id DESC")
    latest: dict[str, PastRun] = {}
    for run in map(_run, ended):
        latest.setdefault(run.verb, run)
    return latest.values()


def _groups(connection: sqlite3.Connection, run: PastRun) -> Iterator[FoundGroup]:
    kinds = connection.execute(
        "SELECT kind, count(*) FROM findings WHERE run_id = ? GROUP BY kind ORDER BY 2 DESC, 1", (run.id,)
    ).fetchall()
    for kind, count in kinds:
        rows = connection.execute(
            """SELECT kind, subject, detail, fix FROM findings WHERE run_id = ? AND kind = ?
               ORDER BY id LIMIT ?""",
            (run.id, kind, EXAMPLES),
        )
        yield FoundGroup(kind, run, count, tuple(Finding(*row) for row in rows))


def _replaced_by_cause(connection: sqlite3.Connection) -> dict[str, int]:
    rows = connection.execute(
        """SELECT coalesce(replaced_cause, 'unknown'), count(*) FROM clips
           WHERE origin = 'replacement' GROUP BY 1 ORDER BY 2 DESC, 1"""
    )
    return dict(rows.fetchall())


def named_clips(
    connection: sqlite3.Connection, condition: str, parameters: tuple[Any, ...], count: int
) -> list[Named]:
    """The first ``count`` clips that fulfil an SQL condition, by split and class."""
    rows = connection.execute(
        f"SELECT * FROM clips WHERE {condition} ORDER BY split, class_dir LIMIT ?", (*parameters, count)
    )
    return [_named(row) for row in rows]


def suspects(connection: sqlite3.Connection, count: int) -> list[Named]:
    """Clips with a file that a person should look at: corrupt, short, replaced and unlisted ones.

    ``count`` at most, and no kind crowds out the next.
    """
    kinds = (
        "verdict = 'corrupt'",
        "verdict = 'short'",
        "verdict = 'ok' AND origin = 'replacement'",
        "verdict = 'unlisted'",
    )
    found: list[Named] = []
    for left, condition in zip(range(len(kinds), 0, -1), kinds, strict=True):
        room = (count - len(found)) // left
        found += named_clips(connection, f"{condition} AND path IS NOT NULL", (), room)
    return found


def samples(connection: sqlite3.Connection, split: str, class_dir: str, count: int) -> list[Named]:
    """The same few sound clips of a class each time it is asked."""
    condition = "verdict = 'ok' AND split = ? AND class_dir = ? AND origin <> 'replacement'"
    return named_clips(connection, condition, (split, class_dir), count)


def _named(row: sqlite3.Row) -> Named:
    stem = row["youtube_id"]
    if row["time_start"] != NO_TIME:
        stem = f"{stem}_{row['time_start']:06d}_{row['time_end']:06d}"
    replaced = row["origin"] == "replacement"
    return Named(
        split=row["split"],
        label=row["label"] or row["class_dir"].replace("_", " "),
        name=row["name"] or stem,
        verdict=Verdict(row["verdict"]),
        cause=(row["replaced_cause"] if replaced else row["cause"]) or "",
        detail=row["detail"] or "",
        path=row["path"],
        sha256=row["sha256"],
        replaced=replaced,
    )
