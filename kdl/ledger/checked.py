"""Reading and writing what ``kdl verify`` needs and remembers: the ``checks`` table, and verdicts."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kdl.ledger.clips import LEVELS, Scope
from kdl.ledger.due import FILED
from kdl.values import Level, Verdict


class Known(NamedTuple):
    """A clip's file as it should be, and what the last look at it found."""

    id: int
    path: str
    """Relative to the mirror."""
    size: int | None
    mtime_ns: int | None
    sha256: str | None
    verdict: str
    split: str
    class_dir: str
    name: str | None
    listed: int
    time_start: int
    time_end: int
    check_level: str | None
    """How deep it was ever judged."""
    result: str | None
    """``sound``, ``bad`` or ``could_not``; None: never looked at."""
    level: str | None
    """How deep that look was."""
    was: str | None
    """Its verdict before it was found bad."""


def known_files(connection: sqlite3.Connection, ids: Sequence[int]) -> list[Known]:
    """These clips, as far as they still have a path, in order of id."""
    rows = connection.execute(
        f"""SELECT {", ".join(Known._fields)} FROM clips LEFT JOIN checks ON clip_id = id
            WHERE id IN ({", ".join("?" * len(ids))}) AND path IS NOT NULL ORDER BY id""",
        tuple(ids),
    )
    return list(map(Known._make, rows))


def record_sound(
    connection: sqlite3.Connection, ids: Iterable[int], level: Level, at: float, *, corrupt: bool = False
) -> None:
    """Their files are as recorded, looked at so deep. ``corrupt``: what was recorded is no sound clip."""
    times = [at if known <= LEVELS.index(level) else None for known in range(len(LEVELS))]
    # One statement for all of them: a mirror has hundreds of thousands.
    connection.execute(
        """INSERT INTO checks (clip_id, result, kind, level, stat_at, hash_at, probe_at, decode_at)
           SELECT value, ?, ?, ?, ?, ?, ?, ? FROM json_each(?) WHERE true
           ON CONFLICT (clip_id) DO UPDATE SET result = excluded.result, kind = excluded.kind,
               level = excluded.level, stat_at = excluded.stat_at,
               hash_at = coalesce(excluded.hash_at, hash_at),
               probe_at = coalesce(excluded.probe_at, probe_at),
               decode_at = coalesce(excluded.decode_at, decode_at),
               was = NULL, found_sha256 = NULL, found_path = NULL, detail = NULL""",
        (
            "bad" if corrupt else "sound",
            "corrupt_clip" if corrupt else None,
            level,
            *times,
            json.dumps(list(ids)),
        ),
    )


def record_touched(connection: sqlite3.Connection, clip_id: int, mtime_ns: int) -> None:
    """The same bytes with another time."""
    connection.execute("UPDATE clips SET mtime_ns = ? WHERE id = ?", (mtime_ns, clip_id))


def record_back(connection: sqlite3.Connection, clip_id: int, verdict: str, mtime_ns: int) -> None:
    """A clip that was missing is there again with its own bytes."""
    connection.execute(
        """UPDATE clips SET verdict = ?, cause = NULL, mtime_ns = ?,
           check_level = iif(? = 'unlisted', NULL, check_level) WHERE id = ?""",
        (verdict, mtime_ns, verdict, clip_id),
    )


def record_moved(connection: sqlite3.Connection, clip_id: int, path: str | None) -> None:
    """Its file lies here, as a killed run left it; None: nowhere, and nobody wants it back."""
    connection.execute("UPDATE clips SET path = ? WHERE id = ?", (path, clip_id))


@dataclass(frozen=True, slots=True)
class Bad:
    """A clip whose own bytes are not in their place."""

    clip_id: int
    was: str
    """Its verdict until now."""
    level: Level
    kind: str
    """Of the finding."""
    cause: str | None
    """None: the file has gone."""
    detail: str
    found_sha256: str | None = None


def record_bad(connection: sqlite3.Connection, bad: Bad) -> None:
    """The clip is missing; what is known of its own bytes stays, so that they can be had again."""
    connection.execute(
        "UPDATE clips SET verdict = 'missing', cause = ? WHERE id = ?",
        (bad.cause, bad.clip_id),
    )
    connection.execute(
        """INSERT INTO checks (clip_id, result, level, was, found_sha256, kind, detail)
           VALUES (?, 'bad', ?, nullif(?, 'missing'), ?, ?, ?)
           ON CONFLICT (clip_id) DO UPDATE SET result = 'bad', level = excluded.level,
               was = coalesce(excluded.was, was), found_sha256 = excluded.found_sha256, found_path = NULL,
               kind = excluded.kind, detail = excluded.detail""",
        (bad.clip_id, bad.level, bad.was, bad.found_sha256, bad.kind, bad.detail),
    )


def record_could_not(
    connection: sqlite3.Connection, clip_id: int, level: Level, kind: str, detail: str
) -> None:
    """This machine hindered the look: nothing is said of the clip, and the next run looks again."""
    connection.execute(
        """INSERT INTO checks (clip_id, result, level, kind, detail) VALUES (?, 'could_not', ?, ?, ?)
           ON CONFLICT (clip_id) DO UPDATE SET result = 'could_not', level = excluded.level,
               kind = excluded.kind, detail = excluded.detail""",
        (clip_id, level, kind, detail),
    )


def forget_probes(connection: sqlite3.Connection, since: float) -> None:
    """What was probed since then does not count."""
    connection.execute(
        "UPDATE checks SET probe_at = NULL, decode_at = NULL WHERE probe_at >= ? OR decode_at >= ?",
        (since, since),
    )


class Lost(NamedTuple):
    """A clip whose file has gone."""

    id: int
    path: str
    sha256: str


def lost_of_size(connection: sqlite3.Connection, size: int) -> list[Lost]:
    """Clips that had so many bytes and have no file: candidates for one of this size that turned up."""
    rows = connection.execute(
        """SELECT id, path, sha256 FROM clips INDEXED BY clips_lost
           WHERE verdict = 'missing' AND size = ? AND cause IS NULL
           AND path IS NOT NULL AND sha256 IS NOT NULL""",
        (size,),
    )
    return list(map(Lost._make, rows))


def record_found(connection: sqlite3.Connection, clip_id: int, path: str) -> None:
    """The bytes of a clip that had gone lie under another name."""
    connection.execute(
        """INSERT INTO checks (clip_id, result, level, kind, found_path)
           VALUES (?, 'bad', 'hash', 'clip_renamed', ?)
           ON CONFLICT (clip_id) DO UPDATE SET kind = excluded.kind, found_path = excluded.found_path""",
        (clip_id, path),
    )


def match_found(connection: sqlite3.Connection) -> None:
    """Where one bad clip's file holds another's bytes, say so: two of them may have been swapped."""
    # In this order each bad clip costs one look into an index, however many there are.
    pairs = connection.execute(
        """SELECT lost.id, place.path, mine.found_sha256 IS place.sha256, lost.cause
           FROM checks AS mine INDEXED BY checks_not_sound
           CROSS JOIN clips AS lost ON lost.id = mine.clip_id
           CROSS JOIN checks AS other INDEXED BY checks_found ON other.found_sha256 = lost.sha256
           CROSS JOIN clips AS place ON place.id = other.clip_id
           WHERE mine.result <> 'sound' AND lost.verdict = 'missing' AND place.id <> lost.id"""
    )
    for clip_id, path, swapped, cause in pairs.fetchall():
        connection.execute(
            """UPDATE checks SET found_path = ?, kind = iif(?, 'clip_swapped', iif(?, 'clip_renamed', kind))
               WHERE clip_id = ?""",
            (path, bool(swapped), cause is None, clip_id),
        )


def paths_in(connection: sqlite3.Connection, split: str, class_dir: str | None) -> set[str]:
    """Every path on record in a class folder of a split; in all of them for None."""
    sql = f"SELECT path FROM clips WHERE verdict IN {FILED} AND split = ? AND path IS NOT NULL"
    if class_dir is None:
        rows = connection.execute(f"{sql} AND listed = 0", (split,))
    else:
        rows = connection.execute(f"{sql} AND class_dir = ?", (split, class_dir))
    return {row[0] for row in rows}


class Trouble(NamedTuple):
    """A clip that is bad, or could not be looked at, as the ledger has it now."""

    path: str | None
    split: str
    class_dir: str
    name: str | None
    youtube_id: str
    verdict: str
    cause: str | None
    said: str | None
    """What was said when it was judged."""
    result: str | None
    kind: str | None
    detail: str | None
    found_path: str | None


def troubles(connection: sqlite3.Connection, scope: Scope) -> Iterator[Trouble]:
    """Every clip of the scope that is bad or could not be looked at, by path."""
    where, parameters = scope.where()
    columns = """path, split, class_dir, name, youtube_id, verdict, cause, clips.detail, result, kind,
                 checks.detail, found_path"""
    rows = connection.execute(
        f"""SELECT {columns} FROM clips LEFT JOIN checks ON clip_id = id
            WHERE verdict IN ('missing', 'corrupt') AND {where}
            UNION ALL
            SELECT {columns} FROM checks INDEXED BY checks_not_sound JOIN clips ON clip_id = id
            WHERE result <> 'sound' AND result = 'could_not'
            AND verdict NOT IN ('missing', 'corrupt') AND {where}
            ORDER BY 1""",
        (*parameters, *parameters),
    )
    return map(Trouble._make, rows)


def was_verdict(known: Known) -> Verdict:
    """The verdict that a clip returns to when its own bytes are back."""
    if known.was:
        return Verdict(known.was)
    if not known.listed:
        return Verdict.UNLISTED
    return Verdict.UNCHECKED
