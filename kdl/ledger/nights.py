"""Reading and writing what ``kdl nightly`` remembers from one night to the next: ``night_bad``, ``runs``."""

from __future__ import annotations

import json
import sqlite3
from dataclasses import dataclass
from typing import Any, NamedTuple

from kdl.ledger.clips import LEVELS, Scope
from kdl.values import Level

_BAD = "verdict IN ('missing', 'corrupt')"
_HAS_FILE = "verdict IN ('ok', 'short', 'unchecked', 'unlisted') AND path IS NOT NULL"


def note_bad(connection: sqlite3.Connection, scope: Scope, now: float) -> None:
    """Remember every clip of the scope that is bad at this moment, until :func:`tell_bad`."""
    where, parameters = scope.where("clips.")
    connection.execute(
        f"""INSERT INTO night_bad (clip_id, kind, detail, found_at)
            SELECT clips.id,
                   coalesce(checks.kind, iif(verdict = 'corrupt', 'corrupt_clip', 'missing_clip')),
                   coalesce(checks.detail, nullif(clips.detail, '')), ?
            FROM clips LEFT JOIN checks ON checks.clip_id = clips.id WHERE {_BAD} AND {where}
            ON CONFLICT (clip_id) DO UPDATE SET kind = excluded.kind, detail = excluded.detail""",
        (now, *parameters),
    )


class BadClip(NamedTuple):
    """A clip that a night found bad."""

    path: str
    """Relative to the mirror; the clip's name where it has none."""
    kind: str
    """Of the finding."""
    detail: str
    mended: bool


@dataclass(frozen=True, slots=True)
class Difference:
    """What has changed since the last night told of bad clips."""

    before: int
    """Clips that were bad then."""
    new: int
    """Found bad since, mended or not."""
    mended: int
    """Of both, those that are not bad any more."""
    newly_bad: tuple[BadClip, ...]
    """The first of the new ones."""
    repaired: tuple[BadClip, ...]
    """The first of those mended."""
    still_bad: tuple[BadClip, ...]
    """The first of those left."""

    @property
    def left(self) -> int:
        """Clips that are bad now."""
        return self.before + self.new - self.mended


def difference(connection: sqlite3.Connection, shown: int) -> Difference:
    """At the most ``shown`` clips of each sort are named, by path."""
    before, new, mended = connection.execute(
        f"""SELECT coalesce(sum(told), 0), coalesce(sum(NOT told), 0), coalesce(sum(NOT {_BAD}), 0)
            FROM night_bad JOIN clips ON clips.id = clip_id"""
    ).fetchone()

    def named(condition: str) -> tuple[BadClip, ...]:
        rows = connection.execute(
            f"""SELECT coalesce(path, split || '/' || coalesce(name, youtube_id)) AS place, kind,
                       coalesce(night_bad.detail, ''), NOT {_BAD}
                FROM night_bad JOIN clips ON clips.id = clip_id WHERE {condition} ORDER BY place LIMIT ?""",
            (shown,),
        )
        return tuple(BadClip(path, kind, detail, bool(mended)) for path, kind, detail, mended in rows)

    return Difference(before, new, mended, named("NOT told"), named(f"NOT {_BAD}"), named(_BAD))


def tell_bad(connection: sqlite3.Connection) -> None:
    """A report has told: what is mended is forgotten, and what is bad is not new to the next night."""
    connection.execute(
        f"DELETE FROM night_bad WHERE clip_id IN (SELECT id FROM clips WHERE id = clip_id AND NOT {_BAD})"
    )
    connection.execute("UPDATE night_bad SET told = 1 WHERE NOT told")


class LastNight(NamedTuple):
    """The last night that came to its end."""

    run_id: str
    started: float
    """Unix seconds."""
    clips: dict[str, int]
    """By verdict."""


_NIGHTS = "command GLOB 'nightly*' AND exit_code IS NOT NULL"


def last_night(connection: sqlite3.Connection) -> LastNight | None:
    """None before the first."""
    row = connection.execute(
        f"SELECT id, started, summary FROM runs WHERE {_NIGHTS} ORDER BY started DESC, rowid DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    summary: dict[str, Any] = json.loads(row["summary"] or "{}")
    return LastNight(row["id"], row["started"], summary.get("clips", {}))


def last_success(connection: sqlite3.Connection) -> float | None:
    """When a night last went through (exit code 0 or 1), in Unix seconds."""
    row = connection.execute(
        f"SELECT max(ended) FROM runs WHERE {_NIGHTS} AND exit_code IN (0, 1)"
    ).fetchone()
    found: float | None = row[0]
    return found


class Checked(NamedTuple):
    """How old the looks at the clips that have a file are."""

    files: int
    bytes: int
    never: int
    """Clips that were not looked at so deep yet."""
    oldest: float | None
    """When the one that waits longest was, in Unix seconds; None where none was."""


def checked(connection: sqlite3.Connection, level: Level) -> Checked:
    """Looks of ``level`` or deeper count, those of ``kdl mirror`` as well."""
    deep = LEVELS[LEVELS.index(level) :]
    marks = ", ".join("?" * len(deep))
    row = connection.execute(
        f"""SELECT count(*), coalesce(sum(size), 0), coalesce(sum(at < 0), 0), min(iif(at < 0, NULL, at))
            FROM (SELECT size, max(coalesce({level}_at, -1),
                                   iif(check_level IN ({marks}), coalesce(checked_at, -1), -1)) AS at
                  FROM clips LEFT JOIN checks ON clip_id = id WHERE {_HAS_FILE})""",
        deep,
    ).fetchone()
    return Checked(*row)
