"""Taking what shards bring into the ``clips`` table, for :meth:`Ledger.write`."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Sequence
from dataclasses import dataclass

from kdl.ledger.clips import time_of
from kdl.values import Cause, ClipKey, Level, Verdict


@dataclass(frozen=True, slots=True)
class Arrival:
    """One clip of a shard, as the unpacker left it."""

    key: ClipKey
    label: str | None
    """Its class, where the split has no annotation to say it."""
    listed: bool
    """Annotated, or in a split without annotations."""
    name: str
    class_dir: str
    path: str | None
    """Relative to the mirror; None where it was not selected."""
    seq: int
    size: int
    mtime_ns: int | None
    sha256: str | None
    fresh: bool
    """Its bytes are new to the ledger: whatever was judged of it is void."""


def record_arrivals(connection: sqlite3.Connection, shard_id: int, arrivals: Sequence[Arrival]) -> None:
    """Clips of a shard that is being read: provisional until it is proved whole."""
    for item in arrivals:
        key = (item.key.split, item.key.youtube_id, time_of(item.key.start), time_of(item.key.end))
        # In videos/ it lies over an earlier version: the check moves it away, as any other corrupt clip.
        zero = item.size == 0 and item.path is not None and item.path.startswith(".kdl/")
        verdict = Verdict.CORRUPT if zero else Verdict.UNCHECKED if item.path else Verdict.PENDING
        connection.execute(
            """INSERT INTO clips (split, youtube_id, time_start, time_end, label, class_dir, verdict, listed)
               VALUES (?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING""",
            (*key, item.label, item.class_dir, "pending" if item.listed else "unlisted", int(item.listed)),
        )
        where = "split = ? AND youtube_id = ? AND time_start = ? AND time_end = ?"
        if item.path is None:
            recorded = connection.execute(
                f"""UPDATE clips SET shard_id = ?, seq = ?, name = ?, class_dir = ?,
                    verdict = iif(verdict = 'never_hosted', 'pending', verdict)
                    WHERE {where} AND path IS NULL AND (shard_id IS NULL OR shard_id = ?)""",
                (shard_id, item.seq, item.name, item.class_dir, *key, shard_id),
            )
            if not recorded.rowcount:
                connection.execute(
                    f"""INSERT OR IGNORE INTO held SELECT id, ? FROM clips
                        WHERE {where} AND shard_id IS NOT ?""",
                    (shard_id, *key, shard_id),
                )
            continue
        connection.execute(
            f"DELETE FROM held WHERE shard_id = ? AND clip_id = (SELECT id FROM clips WHERE {where})",
            (shard_id, *key),
        )
        if not item.fresh:
            connection.execute(
                f"UPDATE clips SET shard_id = ?, seq = ? WHERE {where}", (shard_id, item.seq, *key)
            )
        else:
            connection.execute(
                f"""UPDATE clips SET shard_id = ?, seq = ?, name = ?, class_dir = ?, path = ?, size = ?,
                    mtime_ns = ?, sha256 = ?, origin = 'shard', provisional = 1,
                    verdict = iif(listed = 0, 'unlisted', ?),
                    cause = ?, detail = NULL, checked_at = ?, check_level = ?, duration = NULL, width = NULL,
                    height = NULL, fps = NULL, frames = NULL, vcodec = NULL, acodec = NULL, pix_fmt = NULL,
                    rotation = NULL, replaced_cause = NULL, replaced_sha256 = NULL
                    WHERE {where}""",
                (
                    shard_id,
                    item.seq,
                    item.name,
                    item.class_dir,
                    item.path,
                    item.size,
                    item.mtime_ns,
                    item.sha256,
                    verdict,
                    Cause.ZERO_BYTES if zero else None,
                    time.time() if zero else None,
                    Level.DECODE if zero else None,
                    *key,
                ),
            )


def settle_shard(connection: sqlite3.Connection, shard_id: int) -> None:
    """The shard is proved whole: its clips are no longer provisional."""
    connection.execute("UPDATE clips SET provisional = 0 WHERE shard_id = ? AND provisional = 1", (shard_id,))
