"""Reading and writing what ``kdl repair`` needs: which clips are bad, and that one is whole again."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from kdl.ledger.clips import ClipRow, Scope, clips_where, record_check, record_replaced
from kdl.values import Facts, Judgement, Level

_BAD = "verdict IN ('missing', 'corrupt')"


class Batch(NamedTuple):
    """The bad clips that one shard is known to hold, or that none is known to hold."""

    shard_id: int | None
    clips: int
    last_seq: int | None
    """Greatest position of one of them among the shard's clips."""


def bad_batches(connection: sqlite3.Connection, scope: Scope) -> list[Batch]:
    """The bad clips of the scope, counted by the shard that gave them."""
    where, parameters = scope.where()
    rows = connection.execute(
        f"SELECT shard_id, count(*), max(seq) FROM clips WHERE {_BAD} AND {where} GROUP BY 1 ORDER BY 1",
        parameters,
    )
    return list(map(Batch._make, rows))


def bad_clips(connection: sqlite3.Connection, scope: Scope, batch: Batch) -> list[ClipRow]:
    """The clips of a batch, as they are now."""
    where, parameters = scope.where()
    condition = f"{_BAD} AND {where} AND shard_id IS ?"
    return list(clips_where(connection, condition, (*parameters, batch.shard_id)))


def bad_names(connection: sqlite3.Connection, scope: Scope) -> Iterator[str]:
    """The file names of the scope's bad clips."""
    where, parameters = scope.where()
    rows = connection.execute(
        f"SELECT name FROM clips WHERE {_BAD} AND name IS NOT NULL AND {where}", parameters
    )
    return (row[0] for row in rows)


def clips_found(connection: sqlite3.Connection, scope: Scope) -> list[tuple[int, str]]:
    """Missing clips whose bytes a check met under another name, with that name, relative to the mirror."""
    where, parameters = scope.where()
    rows = connection.execute(
        f"""SELECT id, found_path FROM clips JOIN checks ON clip_id = id
            WHERE verdict = 'missing' AND found_path IS NOT NULL AND {where} ORDER BY id""",
        parameters,
    )
    return [(row[0], row[1]) for row in rows]


def clips_by_id(connection: sqlite3.Connection, ids: Sequence[int]) -> list[ClipRow]:
    marks = ", ".join("?" * len(ids))
    return list(clips_where(connection, f"id IN ({marks})", tuple(ids)))


def is_on_record(connection: sqlite3.Connection, path: str) -> bool:
    """Whether a clip of the ledger belongs at this path, relative to the mirror."""
    return connection.execute("SELECT 1 FROM clips WHERE path = ? LIMIT 1", (path,)).fetchone() is not None


def shard_digests(connection: sqlite3.Connection, shard_id: int) -> dict[tuple[str, int], str]:
    """(name, bytes) -> digest of the shard's clips, as far as just one digest is known for the pair.

    A clip that a replacement stands in for has another size now; its own digest is told for no size.
    """
    rows = connection.execute(
        """SELECT name, size, min(sha256) FROM clips
           WHERE shard_id = ? AND origin = 'shard' AND sha256 IS NOT NULL
           GROUP BY name, size HAVING count(DISTINCT sha256) = 1""",
        (shard_id,),
    )
    return {(row[0], row[1]): row[2] for row in rows}


def record_repaired(
    connection: sqlite3.Connection,
    row: ClipRow,
    *,
    path: str,
    name: str,
    mtime_ns: int,
    sha256: str,
    judgement: Judgement,
    facts: Facts,
    level: Level,
) -> None:
    """The clip has good bytes again; where they are not those on record, they stand in for them."""
    if row.sha256 is not None and sha256 != row.sha256:
        record_replaced(
            connection,
            row.id,
            path=path,
            name=name,
            size=facts.size,
            mtime_ns=mtime_ns,
            sha256=sha256,
            judgement=judgement,
            level=level,
            facts=facts,
        )
        return
    connection.execute(
        """UPDATE clips SET path = ?, name = ?, size = ?, mtime_ns = ?, sha256 = ?,
           origin = coalesce(origin, 'shard'), cause = NULL,
           verdict = iif(listed = 0, 'unlisted', 'unchecked') WHERE id = ?""",
        (path, name, facts.size, mtime_ns, sha256, row.id),
    )
    record_check(connection, row.id, sha256, judgement, facts, level, path)
