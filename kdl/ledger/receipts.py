"""What a receipt holds, and giving it back."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable
from typing import NamedTuple


class MemberRow(NamedTuple):
    """A clip of a shard."""

    seq: int | None
    """Its position; None where that is not known."""
    name: str


class ReplacedRow(NamedTuple):
    """A clip in whose place a replacement stands."""

    split: str
    youtube_id: str
    start: int
    end: int
    cause: str | None
    sha256: str | None
    """Of the shard's own clip."""


def receipt_rows(connection: sqlite3.Connection) -> list[sqlite3.Row]:
    """The objects that were read whole."""
    return connection.execute(
        "SELECT * FROM objects WHERE kind IN ('shard', 'replacement') AND state = 'done' ORDER BY id"
    ).fetchall()


def members_of(connection: sqlite3.Connection, object_id: int, kind: str) -> list[MemberRow]:
    """The clips of a shard, those included that another one holds as well; of the replacement archive all."""
    if kind == "replacement":
        rows = connection.execute("SELECT NULL, name FROM replacements WHERE object_id = ?", (object_id,))
    else:
        rows = connection.execute(
            """SELECT seq, name FROM clips WHERE shard_id = ? AND name IS NOT NULL UNION ALL
               SELECT NULL, name FROM held JOIN clips ON clips.id = clip_id
               WHERE held.shard_id = ? AND name IS NOT NULL""",
            (object_id, object_id),
        )
    return [MemberRow(*row) for row in rows]


def replaced_rows(connection: sqlite3.Connection) -> list[ReplacedRow]:
    rows = connection.execute(
        """SELECT split, youtube_id, time_start, time_end, replaced_cause, replaced_sha256
           FROM clips INDEXED BY clips_replaced WHERE origin = 'replacement' ORDER BY id"""
    )
    return [ReplacedRow(*row) for row in rows]


def record_replaced_again(connection: sqlite3.Connection, rows: Iterable[ReplacedRow]) -> None:
    """These clips are replacements, as far as the bytes that are there are still theirs."""
    connection.executemany(
        """UPDATE clips SET origin = 'replacement', replaced_cause = ?, replaced_sha256 = ?
           WHERE split = ? AND youtube_id = ? AND time_start = ? AND time_end = ? AND path IS NOT NULL
           AND sha256 = (SELECT r.sha256 FROM replacements AS r WHERE r.youtube_id = clips.youtube_id
                         AND r.time_start = clips.time_start AND r.time_end = clips.time_end)""",
        ((row.cause, row.sha256, row.split, row.youtube_id, row.start, row.end) for row in rows),
    )
