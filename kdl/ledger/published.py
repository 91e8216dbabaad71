"""A published list of clips held against those that are here, in a scratch database: memory stays flat."""

from __future__ import annotations

import contextlib
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from kdl.errors import LedgerError
from kdl.ledger.clips import time_of
from kdl.values import ClipKey


class Theirs(NamedTuple):
    """A row of the list."""

    key: ClipKey
    clip: str
    """``<class folder>/<file name>`` as it stands there."""
    class_id: int
    frames: int | None
    """None in a list of videos."""


class Ours(NamedTuple):
    """A clip that is annotated."""

    key: ClipKey
    clip: str
    """``<class folder>/<file name>``; the folder alone and the id where nothing is here."""
    class_id: int | None
    frames: int | None
    """Pictures in its folder of frames; None where there is none."""
    verdict: str
    sound: bool
    """Here, and fit for trainers."""


class Difference(NamedTuple):
    """One clip that the two do not agree on."""

    what: str
    """``only_there``, ``only_here``, ``class``, ``frames`` or ``twice``."""
    clip: str
    there: str
    here: str


@dataclass(slots=True)
class Counts:
    """What the list was found to hold."""

    rows: int = 0
    waiting: int = 0
    """Rows of clips whose shards were not read yet: nothing is known of them."""


_TABLES = """
    PRAGMA journal_mode = OFF;
    PRAGMA synchronous = OFF;
    CREATE TABLE there (id TEXT, start INTEGER, stop INTEGER, clip TEXT, class INTEGER, frames INTEGER);
    CREATE TABLE here (id TEXT, start INTEGER, stop INTEGER, clip TEXT, class INTEGER, frames INTEGER,
                       verdict TEXT, sound INTEGER, PRIMARY KEY (id, start, stop)) WITHOUT ROWID;
"""
_JOIN = "here.id = there.id AND here.start = there.start AND here.stop = there.stop"
_QUESTIONS = f"""
    SELECT 'only_there', there.clip, there.class, coalesce(here.verdict, 'not annotated')
    FROM there LEFT JOIN here ON {_JOIN}
    WHERE coalesce(here.sound, 0) = 0 AND coalesce(here.verdict, '') <> 'pending'
    UNION ALL
    SELECT 'only_here', here.clip, '-', here.class FROM here
    WHERE here.sound AND NOT EXISTS (SELECT 1 FROM there WHERE {_JOIN})
    UNION ALL
    SELECT 'class', there.clip, there.class, here.class FROM there JOIN here ON {_JOIN}
    WHERE here.sound AND there.class IS NOT here.class
    UNION ALL
    SELECT 'frames', there.clip, there.frames, here.frames FROM there JOIN here ON {_JOIN}
    WHERE here.sound AND there.frames <> here.frames
    UNION ALL
    SELECT 'twice', min(clip), max(clip), count(*) FROM there GROUP BY id, start, stop HAVING count(*) > 1
    ORDER BY 1, 2
"""


def differences(
    scratch: Path, theirs: Iterable[Theirs], ours: Iterable[Ours], counts: Counts
) -> Iterator[Difference]:
    """What the list and the mirror do not agree on, sorted; ``counts`` is filled before the first.

    ``scratch`` is a file to be made, for the caller to drop. Raises LedgerError where there is no room.
    """
    try:
        with contextlib.closing(sqlite3.connect(scratch, isolation_level=None)) as connection:
            connection.executescript(_TABLES)
            connection.execute("BEGIN")
            connection.executemany("INSERT INTO there VALUES (?, ?, ?, ?, ?, ?)", map(_there, theirs))
            connection.executemany("INSERT INTO here VALUES (?, ?, ?, ?, ?, ?, ?, ?)", map(_here, ours))
            connection.execute("COMMIT")
            connection.execute("CREATE INDEX there_by_key ON there (id, start, stop)")
            counts.rows, counts.waiting = connection.execute(
                f"""SELECT count(*), count(*) FILTER (WHERE here.verdict = 'pending')
                    FROM there LEFT JOIN here ON {_JOIN}"""
            ).fetchone()
            for what, *told in connection.execute(_QUESTIONS):
                yield Difference(what, *map(str, told))
    except sqlite3.Error as error:
        raise LedgerError(
            f"the lists could not be compared ({error})", subject=str(scratch), fix="make room on this disk"
        ) from error


def _key(key: ClipKey) -> tuple[str, int, int]:
    return key.youtube_id, time_of(key.start), time_of(key.end)


def _there(row: Theirs) -> tuple[object, ...]:
    return (*_key(row.key), row.clip, row.class_id, row.frames)


def _here(row: Ours) -> tuple[object, ...]:
    return (*_key(row.key), row.clip, row.class_id, row.frames, row.verdict, row.sound)
