"""Reading and writing ``replacements`` (the replacement archive's clips) and ``duplicates``."""

from __future__ import annotations

import dataclasses
import json
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kdl.ledger.clips import NO_TIME, ClipRow, Scope, clips_where, find_clip
from kdl.values import ClipKey, Facts, Judgement, Level, Verdict


@dataclass(frozen=True, slots=True)
class ReplacementRow:
    """One clip of the replacement archive, on disk under ``path`` (relative to the mirror)."""

    id: int
    youtube_id: str
    start: int
    end: int
    name: str
    path: str
    size: int
    mtime_ns: int
    sha256: str
    verdict: Verdict
    cause: str | None
    detail: str
    check_level: str | None
    facts: Facts


def _replacement(row: sqlite3.Row) -> ReplacementRow:
    facts = json.loads(row["facts"]) if row["facts"] else {}
    return ReplacementRow(
        row["id"],
        row["youtube_id"],
        row["time_start"],
        row["time_end"],
        row["name"],
        row["path"],
        row["size"],
        row["mtime_ns"],
        row["sha256"],
        Verdict(row["verdict"]),
        row["cause"],
        row["detail"] or "",
        row["check_level"],
        Facts(**{**facts, "errors": tuple(facts.get("errors", ()))}),
    )


def record_replacement(
    connection: sqlite3.Connection,
    object_id: int,
    key: ClipKey,
    *,
    name: str,
    path: str,
    size: int,
    mtime_ns: int,
    sha256: str,
) -> None:
    """A clip of the replacement archive arrived; known bytes keep what was judged of them."""
    connection.execute(
        """INSERT INTO replacements (youtube_id, time_start, time_end, object_id, name, path, size,
                                     mtime_ns, sha256)
           VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
           ON CONFLICT (youtube_id, time_start, time_end) DO UPDATE SET
               object_id = excluded.object_id, name = excluded.name, path = excluded.path,
               size = excluded.size, mtime_ns = excluded.mtime_ns,
               verdict = iif(sha256 = excluded.sha256 AND cause IS NOT 'changed', verdict, 'unchecked'),
               cause = nullif(cause, 'changed'), sha256 = excluded.sha256,
               check_level = iif(cause IS 'changed', NULL, check_level)""",
        (
            key.youtube_id,
            NO_TIME if key.start is None else key.start,
            NO_TIME if key.end is None else key.end,
            object_id,
            name,
            path,
            size,
            mtime_ns,
            sha256,
        ),
    )


def judge_replacement(
    connection: sqlite3.Connection, row_id: int, judgement: Judgement, level: Level, facts: Facts
) -> None:
    connection.execute(
        "UPDATE replacements SET verdict = ?, cause = ?, detail = ?, check_level = ?, facts = ? WHERE id = ?",
        (
            judgement.verdict,
            judgement.cause,
            judgement.detail,
            level,
            json.dumps(dataclasses.asdict(facts)),
            row_id,
        ),
    )


def spoil_replacement(connection: sqlite3.Connection, row_id: int) -> None:
    """Its file is not what it was: it stands in for nothing until it is fetched again."""
    connection.execute(
        "UPDATE replacements SET verdict = 'corrupt', cause = 'changed', detail = NULL WHERE id = ?",
        (row_id,),
    )


def replacement_rows(connection: sqlite3.Connection) -> list[ReplacementRow]:
    return [_replacement(row) for row in connection.execute("SELECT * FROM replacements ORDER BY id")]


def lose_replacements(connection: sqlite3.Connection, ids: Iterable[int]) -> None:
    """These clips of the archive are not to be used any more: it is fetched again."""
    connection.executemany("DELETE FROM replacements WHERE id = ?", ((row_id,) for row_id in ids))
    connection.execute("UPDATE objects SET state = 'new' WHERE kind = 'replacement'")


def replacement_for(connection: sqlite3.Connection, key: ClipKey) -> ReplacementRow | None:
    """The sound replacement for a clip, if there is one."""
    row = connection.execute(
        """SELECT * FROM replacements WHERE youtube_id = ? AND time_start = ? AND time_end = ?
           AND verdict IN ('ok', 'short')""",
        (
            key.youtube_id,
            NO_TIME if key.start is None else key.start,
            NO_TIME if key.end is None else key.end,
        ),
    ).fetchone()
    return None if row is None else _replacement(row)


def is_spoiled(connection: sqlite3.Connection, key: ClipKey) -> bool:
    """Whether the archive has a replacement for the clip whose file here is not what it was."""
    times = (NO_TIME if key.start is None else key.start, NO_TIME if key.end is None else key.end)
    found = connection.execute(
        """SELECT 1 FROM replacements WHERE youtube_id = ? AND time_start = ? AND time_end = ?
           AND verdict = 'corrupt' AND cause = 'changed'""",
        (key.youtube_id, *times),
    ).fetchone()
    return found is not None


_READY = """EXISTS (SELECT 1 FROM replacements AS r WHERE r.youtube_id = clips.youtube_id
             AND r.time_start = clips.time_start AND r.time_end = clips.time_end
             AND r.verdict IN ('ok', 'short'))"""


def replaceable_clips(connection: sqlite3.Connection, scope: Scope) -> Iterator[ClipRow]:
    """Corrupt, missing or never hosted clips for which a sound replacement lies ready."""
    where, parameters = scope.where()
    condition = f"verdict IN ('corrupt', 'missing', 'never_hosted') AND {where} AND {_READY}"
    return clips_where(connection, condition, parameters)


def beyond_doubt(
    connection: sqlite3.Connection, *, shard_id: int | None = None, ids: Iterable[int] = ()
) -> list[ClipRow]:
    """Those of a shard's clips, or of these, that a replacement may stand in for at once.

    They are corrupt in a shard that was proved whole, and no other copy was met.
    """
    numbers = list(ids)
    which = "shard_id = ?" if shard_id is not None else f"id IN ({', '.join('?' * len(numbers))})"
    condition = f"""{which} AND verdict = 'corrupt' AND provisional = 0 AND {_READY}
                    AND id NOT IN (SELECT clip_id FROM duplicates)
                    AND id NOT IN (SELECT clip_id FROM held)"""
    return list(clips_where(connection, condition, (shard_id,) if shard_id is not None else tuple(numbers)))


@dataclass(frozen=True, slots=True)
class DuplicateRow:
    """A further copy of a clip, kept aside under ``path`` (relative to the mirror)."""

    clip_id: int
    shard_id: int
    seq: int
    class_dir: str
    path: str
    size: int
    mtime_ns: int
    sha256: str
    order: tuple[int, int]
    """(position of its shard in the link list, position in the shard)."""

    @property
    def name(self) -> str:
        """As its shard has it: two copies of a clip may differ in their extensions."""
        return self.path.rpartition("/")[2].partition("_")[2]


def record_duplicate(
    connection: sqlite3.Connection,
    shard_id: int,
    key: ClipKey,
    *,
    class_dir: str,
    listed: bool,
    seq: int,
    path: str,
    size: int,
    mtime_ns: int,
    sha256: str,
) -> None:
    """Remember a copy kept aside, whatever becomes of the clip that stands for it."""
    row = find_clip(connection, key)
    if row is None:
        cursor = connection.execute(
            """INSERT INTO clips (split, youtube_id, time_start, time_end, class_dir, verdict, listed)
               VALUES (?, ?, ?, ?, ?, ?, ?)""",
            (
                key.split,
                key.youtube_id,
                NO_TIME if key.start is None else key.start,
                NO_TIME if key.end is None else key.end,
                class_dir,
                "pending" if listed else "unlisted",
                int(listed),
            ),
        )
        clip_id = cursor.lastrowid
    else:
        clip_id = row["id"]
    connection.execute("DELETE FROM held WHERE clip_id = ? AND shard_id = ?", (clip_id, shard_id))
    connection.execute(
        "INSERT OR REPLACE INTO duplicates VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
        (clip_id, shard_id, seq, class_dir, path, size, mtime_ns, sha256),
    )


def duplicated_clips(connection: sqlite3.Connection, splits: tuple[str, ...]) -> list[ClipRow]:
    marks = ", ".join("?" * len(splits))
    condition = f"split IN ({marks}) AND id IN (SELECT clip_id FROM duplicates)"
    return list(clips_where(connection, condition, splits))


def duplicates_of(connection: sqlite3.Connection, clip_id: int) -> list[DuplicateRow]:
    rows = connection.execute(
        """SELECT d.*, o.idx FROM duplicates AS d JOIN objects AS o ON o.id = d.shard_id
           WHERE clip_id = ? ORDER BY o.idx, d.seq""",
        (clip_id,),
    )
    return [
        DuplicateRow(
            row["clip_id"],
            row["shard_id"],
            row["seq"],
            row["class_dir"],
            row["path"],
            row["size"],
            row["mtime_ns"],
            row["sha256"],
            (row["idx"], row["seq"]),
        )
        for row in rows
    ]


def clip_order(connection: sqlite3.Connection, clip_id: int) -> tuple[int, int]:
    """Where the shards hold the clip that stands: (position of its shard, position in it)."""
    row = connection.execute(
        "SELECT o.idx, c.seq FROM clips AS c JOIN objects AS o ON o.id = c.shard_id WHERE c.id = ?",
        (clip_id,),
    ).fetchone()
    return (row[0], row[1]) if row else (1 << 40, 0)


def choose_duplicate(connection: sqlite3.Connection, copy: DuplicateRow, path: str) -> None:
    """The copy is the clip from now on, and its file on the way to ``path``; it is to be checked there."""
    connection.execute(
        """UPDATE clips SET class_dir = ?, path = ?, size = ?, mtime_ns = ?, sha256 = ?, name = ?,
           origin = 'shard', cause = NULL, detail = NULL, check_level = NULL, replaced_cause = NULL,
           replaced_sha256 = NULL, verdict = iif(verdict = 'unlisted', 'unlisted', 'unchecked')
           WHERE id = ?""",
        (copy.class_dir, path, copy.size, copy.mtime_ns, copy.sha256, copy.name, copy.clip_id),
    )
    attribute_clip(connection, copy)


def attribute_clip(connection: sqlite3.Connection, copy: DuplicateRow) -> None:
    """The clip is said to be the one that stands where the copy did."""
    connection.execute(
        """UPDATE clips SET shard_id = o.id, seq = ?, provisional = o.state <> 'done'
           FROM objects AS o WHERE o.id = ? AND clips.id = ?""",
        (copy.seq, copy.shard_id, copy.clip_id),
    )


def attribute_replaced(connection: sqlite3.Connection, copy: DuplicateRow, cause: str | None) -> None:
    """It is the copy, no more sound, that the clip's replacement stands in for."""
    connection.execute(
        """UPDATE clips SET shard_id = ?, seq = ?, replaced_cause = coalesce(?, replaced_cause),
           replaced_sha256 = ? WHERE id = ?""",
        (copy.shard_id, copy.seq, cause, copy.sha256, copy.clip_id),
    )


def lose_duplicate(connection: sqlite3.Connection, copy: DuplicateRow) -> None:
    """A copy that was kept aside has gone: its shard is to be read again."""
    connection.execute(
        "DELETE FROM duplicates WHERE clip_id = ? AND shard_id = ? AND seq = ?",
        (copy.clip_id, copy.shard_id, copy.seq),
    )
    connection.execute("UPDATE objects SET state = 'partial' WHERE id = ?", (copy.shard_id,))


def drop_duplicates(connection: sqlite3.Connection, clip_id: int) -> None:
    connection.execute("DELETE FROM duplicates WHERE clip_id = ?", (clip_id,))
