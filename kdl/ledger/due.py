"""Which clips ``kdl verify`` is to look at, and in which order."""

from __future__ import annotations

import math
import sqlite3
from array import array
from dataclasses import dataclass
from zlib import crc32

from kdl.ledger.clips import LEVELS, Scope
from kdl.values import Level

FILED = "('ok', 'short', 'unchecked', 'unlisted', 'corrupt', 'missing')"
"""Verdicts of clips that have a file or had one."""


@dataclass(frozen=True, slots=True)
class Window:
    """Which clips of a scope a look is about."""

    level: Level
    before: float | None = None
    """Only those not looked at since (Unix seconds); new and bad ones whatever their age."""
    since: float | None = None
    """Only those whose file came or was touched since then (Unix seconds), and bad ones."""
    parts: int = 1
    chosen: frozenset[int] = frozenset((0,))
    """Of so many equal parts of all clips, by their keys, those with these numbers; bad ones of every."""
    share: float | None = None
    """At the most this part of all clips, the least recently checked; bad ones on top."""
    volume: int | None = None
    """At the most so many bytes of them; bad ones on top."""


def due_clips(connection: sqlite3.Connection, scope: Scope, window: Window) -> array[int]:
    """Ids of the clips to look at: bad ones first, then new ones, then the least recently checked.

    A check counts if it was as deep as asked or deeper; that of ``kdl mirror`` counts as well. 8 bytes a
    clip are held, and no more.
    """
    where, parameters = scope.where()
    deep = LEVELS[LEVELS.index(window.level) :]
    judged = f"iif(check_level IN ({', '.join('?' * len(deep))}), coalesce(checked_at, -1), -1)"
    rows = connection.execute(
        f"""SELECT id, split, youtube_id, time_start, time_end, size,
                   verdict IN ('missing', 'corrupt') OR result IS NOT NULL AND result <> 'sound' AS bad,
                   max(coalesce({window.level}_at, -1), {judged}) AS at
            FROM clips NOT INDEXED LEFT JOIN checks ON clip_id = id
            WHERE verdict IN {FILED} AND path IS NOT NULL AND {where}
            AND (bad OR at < ?) AND (bad OR mtime_ns >= ?)
            ORDER BY bad DESC, at, id""",
        (
            *deep,
            *parameters,
            float("inf") if window.before is None else window.before,
            0 if window.since is None else int(window.since * 1e9),
        ),
    )
    if window.parts == 1 and window.share is None and window.volume is None:
        return array("q", (row[0] for row in rows))
    room = _Room(connection, scope, window)
    return array("q", (row["id"] for row in rows if row["bad"] or room.takes(row)))


class _Room:
    """What a window leaves room for."""

    def __init__(self, connection: sqlite3.Connection, scope: Scope, window: Window) -> None:
        self._window = window
        self._clips: float = float("inf")
        if window.share is not None:
            where, parameters = scope.where()
            (total,) = connection.execute(
                f"SELECT count(*) FROM clips WHERE verdict IN {FILED} AND path IS NOT NULL AND {where}",
                parameters,
            ).fetchone()
            self._clips = math.ceil(round(total * window.share, 6))
        self._bytes: float = float("inf") if window.volume is None else window.volume

    def takes(self, row: sqlite3.Row) -> bool:
        key = f"{row['split']}/{row['youtube_id']}/{row['time_start']}/{row['time_end']}"
        if self._window.parts > 1 and crc32(key.encode()) % self._window.parts not in self._window.chosen:
            return False
        if self._clips < 1 or self._bytes <= 0:
            return False
        self._clips -= 1
        self._bytes -= row["size"] or 0
        return True
