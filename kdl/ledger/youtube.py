"""Clips that are asked for from YouTube: which ones, which came, and why others did not.

Functions that write are meant for :meth:`Ledger.write`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterator
from typing import NamedTuple

from kdl.ledger.clips import ClipRow, Scope, clips_where, key_of
from kdl.values import ClipKey

_LACKING = "verdict IN ('pending', 'never_hosted', 'missing', 'corrupt')"
"""Of whatever source."""
_UNHOSTED = "(verdict IN ('never_hosted', 'corrupt') OR verdict = 'missing' AND shard_id IS NULL)"
"""What no shard can bring."""


def wanted_clips(
    connection: sqlite3.Connection, scope: Scope, *, unhosted: bool, again: bool
) -> Iterator[ClipRow]:
    """The annotated clips of the scope that are not here and sound, in order of id.

    ``unhosted``: only those that no shard can bring. ``again``: also those that YouTube has refused for good,
    and those that it gave and that are corrupt.
    """
    return clips_where(connection, *_wanted(scope, unhosted=unhosted, again=again))


def count_wanted(connection: sqlite3.Connection, scope: Scope, *, unhosted: bool, again: bool) -> int:
    """How many these are."""
    condition, parameters = _wanted(scope, unhosted=unhosted, again=again)
    return int(connection.execute(f"SELECT count(*) FROM clips WHERE {condition}", parameters).fetchone()[0])


def _wanted(scope: Scope, *, unhosted: bool, again: bool) -> tuple[str, tuple[str, ...]]:
    where, parameters = scope.where()
    condition = f"listed > 0 AND time_start >= 0 AND {_UNHOSTED if unhosted else _LACKING} AND {where}"
    if not again:
        condition += """ AND NOT (origin IS 'youtube' AND verdict = 'corrupt') AND NOT EXISTS
            (SELECT 1 FROM youtube_failures WHERE clip_id = clips.id AND permanent)"""
    return condition, parameters


class Came(NamedTuple):
    """A clip that lies in its place."""

    row: ClipRow
    """As it was."""
    path: str
    """Relative to the mirror."""
    name: str
    size: int
    mtime_ns: int
    sha256: str


def record_came(connection: sqlite3.Connection, came: Came) -> None:
    """The clip lies under its path, and the barrier that puts it on disk is behind us.

    Where it stands in for a corrupt one of a shard, that one's cause and digest are kept.
    """
    stands_in = "verdict = 'corrupt' AND origin = 'shard'"
    connection.execute(
        f"""UPDATE clips SET replaced_cause = iif({stands_in}, coalesce(cause, 'corrupt'), replaced_cause),
            replaced_sha256 = iif({stands_in}, sha256, replaced_sha256),
            origin = 'youtube', path = ?, name = ?, size = ?, mtime_ns = ?, sha256 = ?, verdict = 'unchecked',
            cause = NULL, detail = NULL, provisional = 0, checked_at = NULL, check_level = NULL,
            duration = NULL, width = NULL, height = NULL, fps = NULL, frames = NULL, vcodec = NULL,
            acodec = NULL, pix_fmt = NULL, rotation = NULL WHERE id = ?""",
        (came.path, came.name, came.size, came.mtime_ns, came.sha256, came.row.id),
    )
    connection.execute("DELETE FROM youtube_failures WHERE clip_id = ?", (came.row.id,))


def record_refused(
    connection: sqlite3.Connection, clip_id: int, cause: str, detail: str, *, permanent: bool
) -> None:
    """YouTube did not give the clip, the last time that it was asked for it."""
    connection.execute(
        """INSERT INTO youtube_failures VALUES (?, ?, ?, ?, 1, ?)
           ON CONFLICT (clip_id) DO UPDATE SET cause = excluded.cause, permanent = excluded.permanent,
           detail = excluded.detail, asked = asked + 1, asked_at = excluded.asked_at""",
        (clip_id, cause, int(permanent), detail, time.time()),
    )


class Told(NamedTuple):
    """What is known of a clip that YouTube was asked for, or is to be."""

    id: int
    key: ClipKey
    label: str | None
    path: str | None
    """Where it lies, if it is here and YouTube gave it."""
    cause: str | None
    """Why it did not come."""
    permanent: bool
    detail: str
    asked: int
    asked_at: float | None


def told_clips(connection: sqlite3.Connection, scope: Scope) -> Iterator[Told]:
    """Every clip of the scope that YouTube gave or refused, in order of id, streamed."""
    where, parameters = scope.where()
    rows = connection.execute(
        f"""SELECT clips.*, f.cause AS why, f.permanent, f.detail AS words, f.asked, f.asked_at
            FROM clips LEFT JOIN youtube_failures AS f ON f.clip_id = clips.id
            WHERE (origin = 'youtube' OR f.clip_id IS NOT NULL) AND {where} ORDER BY clips.id""",
        parameters,
    )
    for row in rows:
        yield Told(
            row["id"],
            key_of(row),
            row["label"],
            row["path"] if row["origin"] == "youtube" and row["verdict"] != "missing" else None,
            row["why"],
            bool(row["permanent"]),
            row["words"] or "",
            row["asked"] or 0,
            row["asked_at"],
        )


def refusals(connection: sqlite3.Connection, scope: Scope) -> list[tuple[str, bool, int]]:
    """(cause, permanent, clips) of what YouTube did not give, most frequent first."""
    where, parameters = scope.where()
    rows = connection.execute(
        f"""SELECT f.cause, f.permanent, count(*) FROM youtube_failures AS f
            JOIN clips ON clips.id = f.clip_id WHERE {where} GROUP BY 1, 2 ORDER BY 3 DESC, 1""",
        parameters,
    )
    return [(row[0], bool(row[1]), row[2]) for row in rows]
