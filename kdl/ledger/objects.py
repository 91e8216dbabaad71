"""Reading and writing the ``objects`` table: everything that is fetched."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

from kdl.ledger.clips import Scope
from kdl.values import Shard


@dataclass(frozen=True, slots=True)
class ObjectRow:
    """One remote object as the ledger has it."""

    id: int
    url: str
    name: str
    kind: str
    split: str
    state: str
    size: int | None
    etag: str | None
    sha256: str | None
    proof: str | None
    clips: int | None
    error: str | None


def _row(row: sqlite3.Row) -> ObjectRow:
    return ObjectRow(*(row[name] for name in ObjectRow.__dataclass_fields__))


def register_shards(connection: sqlite3.Connection, shards: Iterable[Shard]) -> None:
    """Make every shard of a link list known; what is known of it already stays."""
    connection.executemany(
        """INSERT INTO objects (url, name, kind, split, idx, class_hint) VALUES (?, ?, 'shard', ?, ?, ?)
           ON CONFLICT (url, split) DO UPDATE SET idx = excluded.idx, class_hint = excluded.class_hint""",
        ((s.url, s.name, s.split, s.index, s.class_hint) for s in shards),
    )


def forget_shards(connection: sqlite3.Connection, split: str, listed: set[str]) -> None:
    """Shards that the link list no longer names and that were not read whole are forgotten.

    What they gave stays on disk, provisional.
    """
    for row in connection.execute(
        "SELECT id, url FROM objects WHERE kind = 'shard' AND split = ? AND state <> 'done'", (split,)
    ).fetchall():
        if row["url"] not in listed:
            connection.execute("DELETE FROM objects WHERE id = ?", (row["id"],))


def register_object(connection: sqlite3.Connection, url: str, name: str, kind: str, split: str = "") -> int:
    """The id of an object that is no shard, made known if it was not."""
    connection.execute(
        """INSERT INTO objects (url, name, kind, split) VALUES (?, ?, ?, ?)
           ON CONFLICT (url, split) DO NOTHING""",
        (url, name, kind, split),
    )
    found = connection.execute("SELECT id FROM objects WHERE url = ? AND split = ?", (url, split)).fetchone()
    return int(found[0])


def find_object(connection: sqlite3.Connection, url: str, split: str = "") -> ObjectRow | None:
    """What is known of an object; those that several splits share are known once for each."""
    row = connection.execute("SELECT * FROM objects WHERE url = ? AND split = ?", (url, split)).fetchone()
    return None if row is None else _row(row)


def forget_failed(connection: sqlite3.Connection, url: str, split: str = "") -> None:
    """Forget an object that was given up and that the mirror does not need: it is no trouble of its own."""
    connection.execute("DELETE FROM objects WHERE url = ? AND split = ? AND state = 'failed'", (url, split))


def object_by_id(connection: sqlite3.Connection, object_id: int) -> ObjectRow:
    """What is known of the object with this id, which a clip names as its shard."""
    return _row(connection.execute("SELECT * FROM objects WHERE id = ?", (object_id,)).fetchone())


def object_of(connection: sqlite3.Connection, object_id: int) -> ObjectRow | None:
    """What is known of the object of this id."""
    row = connection.execute("SELECT * FROM objects WHERE id = ?", (object_id,)).fetchone()
    return None if row is None else _row(row)


def set_object(
    connection: sqlite3.Connection,
    object_id: int,
    state: str,
    *,
    size: int | None = None,
    etag: str | None = None,
    sha256: str | None = None,
    proof: str | None = None,
    clips: int | None = None,
    error: str | None = None,
) -> None:
    """Record a state change; values that are None keep what was there, ``error`` is always set."""
    connection.execute(
        """UPDATE objects SET state = ?, size = coalesce(?, size), etag = coalesce(?, etag),
           sha256 = coalesce(?, sha256), proof = coalesce(?, proof), clips = coalesce(?, clips), error = ?,
           attempts = attempts + (? = 'partial'), updated_at = ? WHERE id = ?""",
        (state, size, etag, sha256, proof, clips, error, state, time.time(), object_id),
    )


def shard_rows(connection: sqlite3.Connection, splits: tuple[str, ...]) -> dict[tuple[str, str], ObjectRow]:
    """Every known shard of the splits, by URL and split, in the order of the link lists."""
    marks = ", ".join("?" * len(splits))
    rows = connection.execute(
        f"SELECT * FROM objects WHERE kind = 'shard' AND split IN ({marks}) ORDER BY split, idx", splits
    )
    return {(row["url"], row["split"]): _row(row) for row in rows}


def unwritten_by_shard(connection: sqlite3.Connection, scope: Scope) -> Counter[int]:
    """Shard id -> clips of the scope that it is known to hold and that are not on disk, or not sound
    while another shard has a copy.

    A replaced clip that has gone is none of them: the replacement archive holds it, not the shard.
    """
    where, parameters = scope.where()
    rows = connection.execute(
        f"""SELECT shard_id, count(*) FROM clips
            WHERE shard_id IS NOT NULL AND {where}
                  AND verdict IN ('missing', 'pending', 'unlisted', 'unchecked')
                  AND iif(verdict = 'missing', replaced_cause IS NULL, path IS NULL)
            GROUP BY shard_id""",
        parameters,
    )
    unwritten = Counter({row[0]: row[1] for row in rows})
    of_clips, parameters = scope.where("clips.")
    rows = connection.execute(
        f"""SELECT held.shard_id, count(*) FROM held JOIN clips ON clips.id = held.clip_id
            WHERE {of_clips} AND (clips.verdict IN ('missing', 'corrupt')
                  OR clips.path IS NULL AND clips.verdict IN ('pending', 'unlisted'))
            GROUP BY held.shard_id""",
        parameters,
    )
    return unwritten + Counter({row[0]: row[1] for row in rows})


def splits_read_whole(connection: sqlite3.Connection, splits: Iterable[str]) -> list[str]:
    """The splits of which every shard in the link list was read whole."""
    return [
        split
        for split in splits
        if connection.execute(
            """SELECT count(*) > 0 AND sum(state <> 'done') = 0 FROM objects
               WHERE kind = 'shard' AND split = ?""",
            (split,),
        ).fetchone()[0]
    ]
