"""The clips of a ledger, one row each, for whoever reads them: exports and programs."""

from __future__ import annotations

import sqlite3
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from kdl.ledger.clips import NO_TIME
from kdl.ledger.ledger import Ledger
from kdl.values import Verdict

_PAGE = 500
_ROWS = "SELECT c.*, o.name AS shard, {derived} AS derived FROM clips AS c NOT INDEXED {joins}"
_ORDER = "c.split, c.class_dir, c.youtube_id, c.time_start"
_SHARD = "LEFT JOIN objects AS o ON o.id = c.shard_id"
_MADE = """JOIN derivatives AS d ON d.clip_id = c.id AND d.state = 'done' AND d.recipe = ?
           AND d.fingerprint = ? AND d.clip_sha256 = c.sha256"""


@dataclass(frozen=True, slots=True)
class ClipQuery:
    """Which clips."""

    splits: tuple[str, ...]
    verdicts: tuple[str, ...] = tuple(Verdict)
    class_dirs: tuple[str, ...] | None = None
    """None for all."""
    recipe: tuple[str, str] | None = None
    """Only clips of which this recipe, by name and fingerprint, has made a derivative."""


def clip_rows(ledger: Ledger, query: ClipQuery) -> Iterator[sqlite3.Row]:
    """Rows of ``clips`` with ``shard``, its archive's name, and ``derived``, the derivative's path in its
    recipe's folder; by split, class and YouTube id.

    Which they are is asked once, at 8 bytes a clip, and they are read page by page: a slow reader keeps no
    run from writing, and sees of each clip what holds when its page is read.
    """
    made, parameters = (_MADE, query.recipe) if query.recipe else ("", ())
    where, wanted = _where(query)
    asked = f"SELECT c.id FROM clips AS c {made} WHERE {where} ORDER BY {_ORDER}"
    ids = array("q", (row[0] for row in ledger.rows(asked, (*parameters, *wanted))))
    rows = _ROWS.format(derived="d.path" if query.recipe else "NULL", joins=f"{_SHARD} {made}")
    for at in range(0, len(ids), _PAGE):
        page = ids[at : at + _PAGE]
        marks = ", ".join("?" * len(page))
        sql = f"{rows} WHERE c.id IN ({marks}) AND {where} ORDER BY {_ORDER}"
        yield from list(ledger.rows(sql, (*parameters, *page, *wanted)))


def _where(query: ClipQuery) -> tuple[str, tuple[str, ...]]:
    parts = {"split": query.splits, "verdict": query.verdicts, "class_dir": query.class_dirs}
    asked = {column: values for column, values in parts.items() if values is not None}
    where = (f"c.{column} IN ({', '.join('?' * len(values))})" for column, values in asked.items())
    return " AND ".join(where), tuple(value for values in asked.values() for value in values)


def has_file(row: sqlite3.Row) -> bool:
    return row["path"] is not None and row["verdict"] != "missing"


def export_row(row: sqlite3.Row) -> dict[str, Any]:
    """The columns of :data:`kdl.report.export.SCHEMA`."""
    return {
        "split": row["split"],
        "label": row["label"],
        "youtube_id": row["youtube_id"],
        "time_start": None if row["time_start"] == NO_TIME else row["time_start"],
        "time_end": None if row["time_end"] == NO_TIME else row["time_end"],
        "path": row["path"] if has_file(row) else None,
        "size": row["size"],
        "sha256": row["sha256"],
        "duration": row["duration"],
        "width": row["width"],
        "height": row["height"],
        "fps": row["fps"],
        "vcodec": row["vcodec"],
        "verdict": row["verdict"],
        "cause": row["cause"],
        "replaced": row["origin"] == "replacement",
        "shard": row["shard"],
    }
