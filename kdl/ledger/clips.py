"""Reading and writing the ``clips`` table: plain functions over a connection.

Those that write are meant for :meth:`Ledger.write`; those that read take any connection.
"""

from __future__ import annotations

import sqlite3
import time
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, NamedTuple

from kdl.values import ClipKey, Facts, Judgement, Level, Verdict

NO_TIME = -1
LEVELS = tuple(Level)
_PAGE = 500


@dataclass(frozen=True, slots=True)
class ClipRow:
    """A clip as the ledger has it, as far as jobs need it."""

    id: int
    key: ClipKey
    label: str | None
    listed: bool
    class_dir: str
    name: str | None
    path: str | None
    origin: str | None
    shard_id: int | None
    size: int | None
    mtime_ns: int | None
    sha256: str | None
    verdict: Verdict
    cause: str | None
    detail: str | None
    facts: Facts
    replaced_cause: str | None
    replaced_sha256: str | None


@dataclass(frozen=True, slots=True)
class Scope:
    """Which clips a question is about: whole splits, or some class folders of them."""

    splits: tuple[str, ...]
    class_dirs: tuple[str, ...] | None = None

    def where(self, prefix: str = "") -> tuple[str, tuple[str, ...]]:
        """An SQL condition and its parameters."""
        sql = f"{prefix}split IN ({', '.join('?' * len(self.splits))})"
        if self.class_dirs is None:
            return sql, self.splits
        marks = ", ".join("?" * len(self.class_dirs))
        return f"{sql} AND {prefix}class_dir IN ({marks})", (*self.splits, *self.class_dirs)


def time_of(value: int | None) -> int:
    return NO_TIME if value is None else value


def key_of(row: sqlite3.Row) -> ClipKey:
    start, end = row["time_start"], row["time_end"]
    return ClipKey(
        row["split"],
        row["youtube_id"],
        None if start == NO_TIME else start,
        None if end == NO_TIME else end,
    )


def clip_row(row: sqlite3.Row) -> ClipRow:
    return ClipRow(
        id=row["id"],
        key=key_of(row),
        label=row["label"],
        listed=bool(row["listed"]),
        class_dir=row["class_dir"],
        name=row["name"],
        path=row["path"],
        origin=row["origin"],
        shard_id=row["shard_id"],
        size=row["size"],
        mtime_ns=row["mtime_ns"],
        sha256=row["sha256"],
        verdict=Verdict(row["verdict"]),
        cause=row["cause"],
        detail=row["detail"],
        facts=facts_of(row),
        replaced_cause=row["replaced_cause"],
        replaced_sha256=row["replaced_sha256"],
    )


def facts_of(row: sqlite3.Row) -> Facts:
    return Facts(
        size=row["size"] or 0,
        duration=row["duration"],
        width=row["width"],
        height=row["height"],
        fps=row["fps"],
        frames=row["frames"],
        vcodec=row["vcodec"],
        acodec=row["acodec"],
        pix_fmt=row["pix_fmt"],
        rotation=row["rotation"] or 0,
    )


def find_clip(connection: sqlite3.Connection, key: ClipKey) -> sqlite3.Row | None:
    row: sqlite3.Row | None = connection.execute(
        "SELECT * FROM clips WHERE split = ? AND youtube_id = ? AND time_start = ? AND time_end = ?",
        (key.split, key.youtube_id, time_of(key.start), time_of(key.end)),
    ).fetchone()
    return row


def set_meta(connection: sqlite3.Connection, key: str, value: str) -> None:
    connection.execute(
        "INSERT INTO meta VALUES (?, ?) ON CONFLICT (key) DO UPDATE SET value = excluded.value", (key, value)
    )


def remember_manifest(connection: sqlite3.Connection, path: Path) -> None:
    """The mirror is of this manifest, for those who open it without naming one."""
    set_meta(connection, "manifest", str(path.absolute()))


def record_check(
    connection: sqlite3.Connection,
    clip_id: int,
    sha256: str | None,
    judgement: Judgement,
    facts: Facts,
    level: Level,
    path: str | None,
) -> bool:
    """What a check of the bytes with this digest found, and where the clip lies after it.

    An unlisted clip stays unlisted. False if the clip has other bytes by now: then nothing is recorded.
    """
    recorded = connection.execute(
        """UPDATE clips SET verdict = iif(verdict = 'unlisted', 'unlisted', ?), cause = ?, detail = ?,
           path = ?, checked_at = ?, check_level = ?, duration = ?, width = ?, height = ?, fps = ?,
           frames = ?, vcodec = ?, acodec = ?, pix_fmt = ?, rotation = ? WHERE id = ? AND sha256 IS ?""",
        (
            judgement.verdict,
            judgement.cause,
            judgement.detail or None,
            path,
            time.time(),
            level,
            *_facts_values(facts),
            clip_id,
            sha256,
        ),
    )
    return recorded.rowcount == 1


def record_replaced(
    connection: sqlite3.Connection,
    clip_id: int,
    *,
    path: str,
    name: str,
    size: int,
    mtime_ns: int,
    sha256: str,
    judgement: Judgement,
    level: str,
    facts: Facts,
) -> None:
    """A replacement stands in for the clip; why, and the digest of what it stands in for, are kept."""
    connection.execute(
        """UPDATE clips SET replaced_cause = coalesce(replaced_cause, cause, verdict),
           replaced_sha256 = iif(origin = 'replacement', replaced_sha256,
                                 coalesce(replaced_sha256, sha256)),
           origin = 'replacement', path = ?, name = ?, size = ?, mtime_ns = ?, sha256 = ?, verdict = ?,
           cause = ?, detail = ?, checked_at = ?, check_level = ?, provisional = 0, duration = ?,
           width = ?, height = ?, fps = ?, frames = ?, vcodec = ?, acodec = ?, pix_fmt = ?, rotation = ?
           WHERE id = ?""",
        (
            path,
            name,
            size,
            mtime_ns,
            sha256,
            judgement.verdict,
            judgement.cause,
            judgement.detail or None,
            time.time(),
            level,
            *_facts_values(facts),
            clip_id,
        ),
    )


def _facts_values(facts: Facts) -> tuple[Any, ...]:
    return (
        facts.duration,
        facts.width,
        facts.height,
        facts.fps,
        facts.frames,
        facts.vcodec,
        facts.acodec,
        facts.pix_fmt,
        facts.rotation,
    )


def fresh_clips(connection: sqlite3.Connection, scope: Scope, count: int) -> list[ClipRow]:
    """Clips with a file that no check has seen, at most ``count``."""
    where, parameters = scope.where()
    # Word for word the condition of the index, which holds nothing else.
    rows = connection.execute(
        f"""SELECT * FROM clips INDEXED BY clips_to_check
            WHERE path IS NOT NULL AND (verdict = 'unchecked' OR verdict = 'unlisted' AND check_level IS NULL)
            AND {where} LIMIT ?""",
        (*parameters, count),
    )
    return [clip_row(row) for row in rows]


def shallow_clips(connection: sqlite3.Connection, scope: Scope, level: Level) -> Iterator[ClipRow]:
    """Sound clips that were checked, but never as deep as ``level``."""
    where, parameters = scope.where()
    below = LEVELS[: LEVELS.index(level)]
    condition = f"""verdict IN ('ok', 'short', 'unlisted') AND {where}
                    AND check_level IN ({", ".join("?" * len(below))})"""
    return clips_where(connection, condition, (*parameters, *below), with_file=True)


def mark_never_hosted(connection: sqlite3.Connection, split: str) -> int:
    """Every shard of the split was read whole: what none of them held was never hosted."""
    cursor = connection.execute(
        """UPDATE clips SET verdict = 'never_hosted'
           WHERE split = ? AND verdict = 'pending' AND shard_id IS NULL""",
        (split,),
    )
    return cursor.rowcount


def count_clips(connection: sqlite3.Connection, scope: Scope) -> dict[str, int]:
    """Clips by verdict, every verdict present, and ``replaced``."""
    where, parameters = scope.where()
    # Each is counted along an index of its own, where GROUP BY would sort all clips.
    asked = {verdict.value: f"verdict = '{verdict}'" for verdict in Verdict}
    asked["replaced"] = "origin = 'replacement'"
    counts = (f"SELECT '{name}', count(*) FROM clips WHERE {how} AND {where}" for name, how in asked.items())
    rows = connection.execute(" UNION ALL ".join(counts), parameters * len(asked))
    return {row[0]: row[1] for row in rows}


def clips_where(
    connection: sqlite3.Connection,
    condition: str,
    parameters: tuple[Any, ...] = (),
    *,
    with_file: bool = False,
) -> Iterator[ClipRow]:
    """Clips that fulfil an SQL condition, in order of id, streamed in pages so that writers may go on.

    ``with_file``: only those with a path.
    """
    again = f"({condition}) AND path IS NOT NULL" if with_file else condition
    return map(clip_row, _rows_where(connection, "*", condition, again, parameters))


class FileRow(NamedTuple):
    """A clip's file as the ledger has it, and what says where it belongs."""

    id: int
    path: str
    size: int | None
    mtime_ns: int | None
    verdict: str
    split: str
    class_dir: str
    name: str | None
    listed: int
    shard_id: int | None
    origin: str | None


def files_where(
    connection: sqlite3.Connection, condition: str, parameters: tuple[Any, ...] = ()
) -> Iterator[FileRow]:
    """The files of clips, as :func:`clips_where`: what a look at every one of them needs, and no more."""
    again = f"({condition}) AND path IS NOT NULL"
    columns = ", ".join(FileRow._fields)
    return map(FileRow._make, _rows_where(connection, columns, condition, again, parameters))


def _rows_where(
    connection: sqlite3.Connection, columns: str, condition: str, again: str, parameters: tuple[Any, ...]
) -> Iterator[sqlite3.Row]:
    """Rows that fulfil ``condition``, and ``again`` when their page is read.

    Which they are is asked once, at 8 bytes a clip: a search repeated for each page would cost the
    square of their number.
    """
    found = connection.execute(f"SELECT id FROM clips WHERE {condition} ORDER BY id", parameters)
    ids = array("q", (row[0] for row in found))
    for at in range(0, len(ids), _PAGE):
        page = ids[at : at + _PAGE]
        marks = ", ".join("?" * len(page))
        yield from connection.execute(
            f"SELECT {columns} FROM clips NOT INDEXED WHERE id IN ({marks}) AND ({again}) ORDER BY id",
            (*page, *parameters),
        ).fetchall()
