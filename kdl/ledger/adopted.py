"""What was taken in from elsewhere: clips, archives, and what they make needless to fetch.

Functions that write are meant for :meth:`Ledger.write`.
"""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kdl.ledger.clips import find_clip, set_meta, time_of
from kdl.ledger.objects import set_object
from kdl.values import ClipKey, Facts, Judgement, Level, Shard

ADOPTED = "adopted"
"""The proof of a shard that was not read from the host; also the scheme of an archive's address that no
link list has told yet."""
_WHERE = "split = ? AND youtube_id = ? AND time_start = ? AND time_end = ?"


@dataclass(frozen=True, slots=True)
class TakenClip:
    """One clip that lies in the mirror now, judged."""

    key: ClipKey
    label: str | None
    listed: bool
    name: str
    class_dir: str
    path: str
    """Relative to the mirror."""
    size: int
    mtime_ns: int
    sha256: str | None
    """None in a rehearsal, which reads nothing."""
    judgement: Judgement
    facts: Facts
    level: Level
    shard_id: int | None = None
    seq: int | None = None
    """Position among the clips of the archive that it came in."""


def _key(key: ClipKey) -> tuple[str, str, int, int]:
    return key.split, key.youtube_id, time_of(key.start), time_of(key.end)


def record_taken(connection: sqlite3.Connection, clips: Sequence[TakenClip]) -> None:
    """The clips lie under their paths, and the barrier that puts them on disk is behind us.

    Those of an archive stay provisional until it is known to be whole.
    """
    set_meta(connection, ADOPTED, "1")
    for clip in clips:
        key, facts, verdict = _key(clip.key), clip.facts, clip.judgement.verdict
        connection.execute(
            """INSERT INTO clips (split, youtube_id, time_start, time_end, label, class_dir, verdict, listed)
               VALUES (?, ?, ?, ?, ?, ?, 'pending', ?) ON CONFLICT DO NOTHING""",
            (*key, clip.label if clip.listed else None, clip.class_dir, int(clip.listed)),
        )
        connection.execute(
            f"""UPDATE clips SET name = ?, class_dir = ?, path = ?, size = ?, mtime_ns = ?, sha256 = ?,
                origin = 'shard', provisional = ?, verdict = iif(listed = 0, 'unlisted', ?), cause = ?,
                detail = ?, checked_at = ?, check_level = ?, duration = ?, width = ?, height = ?, fps = ?,
                frames = ?, vcodec = ?, acodec = ?, pix_fmt = ?, rotation = ?,
                shard_id = coalesce(?, shard_id), seq = coalesce(?, seq),
                replaced_cause = NULL, replaced_sha256 = NULL WHERE {_WHERE}""",
            (
                clip.name, clip.class_dir, clip.path, clip.size, clip.mtime_ns, clip.sha256,
                int(clip.shard_id is not None), verdict, clip.judgement.cause,
                clip.judgement.detail or None, time.time(), clip.level, facts.duration, facts.width,
                facts.height, facts.fps, facts.frames, facts.vcodec, facts.acodec, facts.pix_fmt,
                facts.rotation, clip.shard_id, clip.seq, *key,
            ),
        )  # fmt: skip


def doubt_taken(connection: sqlite3.Connection, since: float) -> None:
    """What was judged sound since then is to be judged again."""
    connection.execute(
        """UPDATE clips SET verdict = 'unchecked', check_level = NULL
           WHERE verdict IN ('ok', 'short') AND checked_at >= ?""",
        (since,),
    )


def attribute(
    connection: sqlite3.Connection, shard_id: int, members: Iterable[tuple[int | None, ClipKey]]
) -> None:
    """The shard holds these (position, clip), which came from elsewhere or are not here."""
    for seq, key in members:
        changed = connection.execute(
            f"UPDATE clips SET shard_id = ?, seq = ? WHERE {_WHERE} AND shard_id IS NULL",
            (shard_id, seq, *_key(key)),
        )
        if not changed.rowcount:
            connection.execute(
                f"INSERT OR IGNORE INTO held SELECT id, ? FROM clips WHERE {_WHERE} AND shard_id <> ?",
                (shard_id, *_key(key), shard_id),
            )


# -- archives


def open_archive(connection: sqlite3.Connection, split: str, name: str, class_hint: str | None) -> int | None:
    """The id of the shard that an archive of this name is; None if the link list has none like it.

    Where no link list was read yet, the archive is kept under an address of its own until one is.
    """
    rows = connection.execute(
        "SELECT id, name, class_hint, url FROM objects WHERE kind = 'shard' AND split = ?", (split,)
    ).fetchall()
    for row in rows:
        if row["name"] == name or (class_hint is not None and row["class_hint"] == class_hint):
            return int(row["id"])
    if any(not row["url"].startswith(f"{ADOPTED}:") for row in rows):
        return None
    cursor = connection.execute(
        "INSERT INTO objects (url, name, kind, split, class_hint) VALUES (?, ?, 'shard', ?, ?)",
        (f"{ADOPTED}:{split}/{name}", name, split, class_hint),
    )
    return cursor.lastrowid


def close_archive(
    connection: sqlite3.Connection, shard_id: int, *, size: int, sha256: str | None, clips: int
) -> None:
    """The archive was read whole. Whether it is the host's, its size there tells: till then it is partial."""
    set_meta(connection, ADOPTED, "1")
    connection.execute("UPDATE clips SET provisional = 0 WHERE shard_id = ? AND provisional = 1", (shard_id,))
    set_object(connection, shard_id, "partial", size=size, sha256=sha256, proof=ADOPTED, clips=clips)


def claim_archives(connection: sqlite3.Connection, split: str, shards: Iterable[Shard]) -> None:
    """A link list has come: archives that were taken in before it get the addresses it tells."""
    waiting = connection.execute(
        "SELECT id, name, class_hint FROM objects WHERE split = ? AND url GLOB ?", (split, f"{ADOPTED}:*")
    ).fetchall()
    for shard in shards if waiting else ():
        for row in waiting:
            same_class = shard.class_hint is not None and row["class_hint"] == shard.class_hint
            if row["name"] == shard.name or same_class:
                connection.execute(
                    "UPDATE OR IGNORE objects SET url = ?, name = ? WHERE id = ?",
                    (shard.url, shard.name, row["id"]),
                )


# -- what need not be fetched


class ClassState(NamedTuple):
    """The clips of one class of a split that somebody hosts."""

    label: str | None
    listed: int
    here: int
    """Sound and on disk, beyond doubt."""


def class_states(connection: sqlite3.Connection, split: str) -> list[ClassState]:
    """By class, in no order; a split without labels has the one class None."""
    rows = connection.execute(
        """SELECT label, count(*), sum(path IS NOT NULL AND verdict IN ('ok', 'short') AND provisional = 0)
           FROM clips NOT INDEXED WHERE split = ? AND listed > 0 AND verdict <> 'never_hosted'
           GROUP BY label""",
        (split,),
    )
    return [ClassState(*row) for row in rows]


def is_sound(connection: sqlite3.Connection, key: ClipKey) -> bool:
    """Whether the clip is here, sound, and beyond doubt; one that no annotation lists is not wanted."""
    row = find_clip(connection, key)
    if row is None or not row["listed"]:
        return True
    return row["path"] is not None and row["verdict"] in ("ok", "short") and not row["provisional"]


def is_here(row: sqlite3.Row, shard_id: int | None, sha256: str | None) -> bool:
    """Whether nothing is to be had of a clip that the bundle ``shard_id`` names: it is on disk, beyond doubt.

    ``sha256`` is the list's. A corrupt clip is to be had if the host has other bytes of it by now; a good one
    stays, whatever the host has. One that another shard gave stands for all of its name.
    """
    if row["path"] is None or row["verdict"] == "missing" or row["provisional"]:
        return False
    if row["verdict"] != "corrupt" or row["shard_id"] not in (None, shard_id):
        return True
    return row["shard_id"] is not None if sha256 is None else bool(sha256 == row["sha256"])


def knows_clips(connection: sqlite3.Connection) -> bool:
    """Whether any clip is on record."""
    return connection.execute("SELECT 1 FROM clips LIMIT 1").fetchone() is not None


def cover_class(connection: sqlite3.Connection, shard_id: int, split: str, label: str) -> None:
    """The shard of a class whose clips are all here is theirs from now on, and done."""
    connection.execute(
        """UPDATE clips SET shard_id = ?
           WHERE split = ? AND label = ? AND shard_id IS NULL AND path IS NOT NULL""",
        (shard_id, split, label),
    )
    set_object(connection, shard_id, "done", proof=ADOPTED)


def listed_elsewhere(connection: sqlite3.Connection, key: ClipKey, splits: Iterable[str]) -> list[ClipKey]:
    """The clip of the same source and times in those splits whose annotations list it."""
    found = []
    for split in splits:
        other = ClipKey(split, key.youtube_id, key.start, key.end)
        row = find_clip(connection, other)
        if row is not None and row["listed"]:
            found.append(other)
    return found


def listed_by_id(connection: sqlite3.Connection, split: str, youtube_id: str) -> list[ClipKey]:
    """The listed clips of a source: files that are named after it alone mean the only one."""
    rows = connection.execute(
        "SELECT time_start, time_end FROM clips WHERE split = ? AND youtube_id = ? AND listed > 0",
        (split, youtube_id),
    )
    return [ClipKey(split, youtube_id, row[0], row[1]) for row in rows]
