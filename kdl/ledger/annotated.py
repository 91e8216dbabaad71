"""Taking annotations into the ``clips`` table, for :meth:`Ledger.write`.

A load has a number, its generation; a clip carries that of the last load that listed it.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Iterable, Sequence

from kdl.ledger.clips import NO_TIME, set_meta, time_of
from kdl.values import Annotation, ClipKey


def next_generation(connection: sqlite3.Connection, split: str) -> int:
    """A number for the next load of a split's annotations that no clip has, of a load cut short either."""
    row = connection.execute(
        "SELECT coalesce(max(listed), 0) FROM clips NOT INDEXED WHERE split = ?", (split,)
    )
    return int(row.fetchone()[0]) + 1


def load_annotations(
    connection: sqlite3.Connection,
    generation: int,
    rows: Sequence[Annotation],
    class_dir: Callable[[str], str],
    *,
    decides: bool,
) -> None:
    """Take in one chunk of a split's annotations; the first row of a key wins.

    ``decides``: nothing but the annotation tells a clip's class, so that a clip on disk follows it; so does
    one whose class nothing has told yet.
    """
    connection.executemany(
        """INSERT INTO clips (split, youtube_id, time_start, time_end, label, listed, class_dir, verdict)
           VALUES (?, ?, ?, ?, ?, ?, ?, 'pending')
           ON CONFLICT (split, youtube_id, time_start, time_end) DO UPDATE SET
               label = excluded.label, listed = excluded.listed,
               class_dir = iif(path IS NULL OR class_dir = '' OR ?, excluded.class_dir, class_dir)
           WHERE listed <> excluded.listed""",
        (
            (
                row.key.split,
                row.key.youtube_id,
                time_of(row.key.start),
                time_of(row.key.end),
                row.label,
                generation,
                class_dir(row.label) if row.label else "",
                decides,
            )
            for row in rows
        ),
    )


def meant_by_id(connection: sqlite3.Connection, key: ClipKey) -> list[ClipKey]:
    """The clips that a name without times may mean: those that are listed, else those that once were."""
    rows = connection.execute(
        """SELECT time_start, time_end, listed > 0 FROM clips
           WHERE split = ? AND youtube_id = ? AND time_start <> ?""",
        (key.split, key.youtube_id, NO_TIME),
    ).fetchall()
    listed = [row for row in rows if row[2]]
    return [ClipKey(key.split, key.youtube_id, row[0], row[1]) for row in listed or rows]


def claim_untimed(connection: sqlite3.Connection, split: str) -> None:
    """Files named after their YouTube id alone, which the annotation did not list, and now does once.

    The listed clip, of which nothing is here, becomes theirs: with its times, its class, to be judged anew.
    """
    waiting = connection.execute(
        """SELECT id, youtube_id FROM clips NOT INDEXED
           WHERE split = ? AND listed = 0 AND path IS NOT NULL
           AND substr(name, 1, length(youtube_id) + 1) = youtube_id || '.'""",
        (split,),
    ).fetchall()
    for clip_id, youtube_id in waiting:
        found = connection.execute(
            """SELECT id, time_start, time_end, label, listed, class_dir, path FROM clips
               WHERE split = ? AND youtube_id = ? AND listed > 0""",
            (split, youtube_id),
        ).fetchall()
        if len(found) != 1 or found[0]["path"] is not None:
            continue
        row = found[0]
        connection.execute("DELETE FROM clips WHERE id = ?", (row["id"],))
        connection.execute(
            """UPDATE clips SET time_start = ?, time_end = ?, label = ?, listed = ?, class_dir = ?,
               verdict = 'unchecked', check_level = NULL WHERE id = ?""",
            (
                row["time_start"], row["time_end"], row["label"], row["listed"], row["class_dir"], clip_id,
            ),
        )  # fmt: skip


def finish_annotations(
    connection: sqlite3.Connection, split: str, generation: int, digest: str, never_hosted: Iterable[ClipKey]
) -> None:
    """Close a load: what is no longer listed, what newly is, and what is known to be hosted nowhere."""
    connection.execute(
        """DELETE FROM clips NOT INDEXED
           WHERE split = ? AND listed <> ? AND path IS NULL AND shard_id IS NULL""",
        (split, generation),
    )
    connection.execute(
        """UPDATE clips NOT INDEXED SET listed = 0, label = NULL, verdict = 'unlisted'
           WHERE split = ? AND listed <> ?""",
        (split, generation),
    )
    connection.execute(
        """UPDATE clips SET verdict = iif(path IS NULL, 'pending', 'unchecked'), check_level = NULL
           WHERE split = ? AND listed = ? AND verdict = 'unlisted'""",
        (split, generation),
    )
    connection.executemany(
        """UPDATE clips SET verdict = 'never_hosted' WHERE verdict = 'pending' AND shard_id IS NULL
           AND split = ? AND youtube_id = ? AND time_start = ? AND time_end = ?""",
        ((key.split, key.youtube_id, time_of(key.start), time_of(key.end)) for key in never_hosted),
    )
    set_meta(connection, f"annotations.{split}", f"{generation} {digest}")
