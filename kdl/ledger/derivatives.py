"""Reading and writing the ``derivatives`` table."""

from __future__ import annotations

import sqlite3
import time
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from kdl.ledger.clips import ClipRow, Scope, clip_row


@dataclass(frozen=True, slots=True)
class DerivativeRow:
    """One derivative of a clip, made or failed."""

    clip_id: int
    recipe: str
    fingerprint: str
    clip_sha256: str
    state: str
    path: str
    bytes: int
    frames: int | None
    error: str | None
    sha256: str | None = None
    """As :func:`kdl.check.hashes.sha256_tree` gives it."""


def record_derivatives(connection: sqlite3.Connection, rows: Iterable[DerivativeRow]) -> None:
    connection.executemany(
        "INSERT OR REPLACE INTO derivatives VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        (
            (
                r.clip_id,
                r.recipe,
                r.fingerprint,
                r.clip_sha256,
                r.state,
                r.path,
                r.bytes,
                r.frames,
                r.error,
                time.time(),
                r.sha256,
            )
            for r in rows
        ),
    )


Judged = tuple[float, int]
"""When a clip was judged (Unix seconds), and its id: how far a walk over the sound clips has come."""
NEVER: Judged = (-1.0, 0)
"""Before all of them."""


def clips_to_derive(
    connection: sqlite3.Connection,
    scope: Scope,
    recipes: Sequence[tuple[str, str]],
    after: Judged,
    count: int,
) -> tuple[list[tuple[ClipRow, frozenset[str]]], Judged | None]:
    """The next ``count`` sound clips in the order in which they were judged: those of them that lack a
    derivative, each with the recipes that it has, and where to go on; None at the end.

    ``recipes`` are (name, fingerprint) pairs; a derivative counts only if it was made with this
    fingerprint from the clip's present bytes. A failure is a result too: it is not tried again
    before the recipe or the clip changes. What is judged later comes later, so a walk that goes on
    where it stood meets every clip, and none of the finished ones twice.
    """
    where, parameters = scope.where("clips.")
    wanted = [f"{name}:{fingerprint}" for name, fingerprint in recipes]
    matching = f"""FROM derivatives AS d WHERE d.clip_id = clips.id AND d.clip_sha256 = clips.sha256
                   AND d.recipe || ':' || d.fingerprint IN ({", ".join("?" * len(wanted))})"""
    walked = connection.execute(
        f"""SELECT checked_at, id, path IS NOT NULL AND {where} AND (SELECT count(*) {matching}) < ?
            FROM clips INDEXED BY clips_sound WHERE verdict IN ('ok', 'short') AND (checked_at, id) > (?, ?)
            ORDER BY checked_at, id LIMIT ?""",
        (*parameters, *wanted, len(wanted), *after, count),
    ).fetchall()
    if not walked:
        return [], None
    found = []
    for _, clip_id, lacking in walked:
        if lacking:
            row = connection.execute(
                f"SELECT *, (SELECT group_concat(d.recipe, '|') {matching}) AS have FROM clips WHERE id = ?",
                (*wanted, clip_id),
            ).fetchone()
            found.append((clip_row(row), frozenset((row["have"] or "").split("|")) - {""}))
    return found, (walked[-1][0], walked[-1][1])


def done_derivatives(connection: sqlite3.Connection, recipe: str) -> Iterator[tuple[int, str]]:
    """(clip id, path) of everything made by a recipe, streamed in pages."""
    after = 0
    while True:
        rows = connection.execute(
            """SELECT clip_id, path FROM derivatives WHERE recipe = ? AND state = 'done' AND clip_id > ?
               ORDER BY clip_id LIMIT 2000""",
            (recipe, after),
        ).fetchall()
        if not rows:
            return
        yield from ((row[0], row[1]) for row in rows)
        after = rows[-1][0]


class Misplaced(NamedTuple):
    """A derivative that lies under another class than its clip has now."""

    clip_id: int
    path: str
    split: str
    class_dir: str
    name: str


def misplaced_derivatives(connection: sqlite3.Connection, recipe: str) -> list[Misplaced]:
    """What a recipe made of clips whose class has changed since."""
    rows = connection.execute(
        """WITH homes AS (
               SELECT id, split, class_dir, name,
                      split || '/' || iif(class_dir = '', '', class_dir || '/') AS folder FROM clips)
           SELECT d.clip_id, d.path, split, class_dir, name
           FROM homes JOIN derivatives AS d ON d.clip_id = homes.id
           WHERE d.recipe = ? AND d.state = 'done' AND name IS NOT NULL
           AND (substr(d.path, 1, length(folder)) <> folder
                OR instr(substr(d.path, length(folder) + 1), '/'))""",
        (recipe,),
    )
    return [Misplaced(*row) for row in rows]


def displaced_by(connection: sqlite3.Connection, rows: Iterable[DerivativeRow]) -> list[tuple[str, str]]:
    """(recipe, path) of what lies elsewhere and will not be known any more once these are recorded."""
    found = []
    for row in rows:
        before = connection.execute(
            """SELECT recipe, path FROM derivatives
               WHERE clip_id = ? AND recipe = ? AND path <> ? AND state = 'done'""",
            (row.clip_id, row.recipe, row.path),
        )
        found += [(recipe, path) for recipe, path in before]
    return found


def move_derivatives(connection: sqlite3.Connection, moved: Iterable[tuple[str, int, str]]) -> None:
    """(path, clip id, recipe): where they lie now."""
    connection.executemany("UPDATE derivatives SET path = ? WHERE clip_id = ? AND recipe = ?", moved)


def stray_derivatives(connection: sqlite3.Connection, recipe: str) -> list[tuple[int, str]]:
    """(clip id, path) of what a recipe made of clips that turned out not to be for trainers."""
    rows = connection.execute(
        """SELECT d.clip_id, d.path FROM clips JOIN derivatives AS d ON d.clip_id = clips.id
           WHERE clips.verdict IN ('corrupt', 'unlisted', 'never_hosted', 'pending') AND d.recipe = ?
           AND d.state = 'done'""",
        (recipe,),
    )
    return [(row[0], row[1]) for row in rows]


def count_lacking(connection: sqlite3.Connection, scope: Scope, recipe: str, fingerprint: str) -> int:
    """Clips of the scope that are on disk, not known to be bad, and lack what the recipe makes."""
    where, parameters = scope.where("clips.")
    row = connection.execute(
        f"""SELECT count(*) FROM clips
            WHERE path IS NOT NULL AND verdict IN ('ok', 'short', 'unchecked') AND {where} AND NOT EXISTS (
                SELECT 1 FROM derivatives AS d WHERE d.clip_id = clips.id AND d.recipe = ?
                AND d.fingerprint = ? AND d.clip_sha256 = clips.sha256 AND d.state = 'done')""",
        (*parameters, recipe, fingerprint),
    ).fetchone()
    return int(row[0])


def count_derivatives(connection: sqlite3.Connection, scope: Scope, recipe: str) -> dict[str, int]:
    """``done`` and ``failed`` of a recipe."""
    where, parameters = scope.where("clips.")
    rows = connection.execute(
        f"""SELECT d.state, count(*) FROM derivatives AS d JOIN clips ON clips.id = d.clip_id
            WHERE d.recipe = ? AND {where} GROUP BY d.state""",
        (recipe, *parameters),
    )
    return {"done": 0, "failed": 0} | dict(map(tuple, rows))


def drop_derivatives(connection: sqlite3.Connection, keys: Iterable[tuple[int, str]]) -> None:
    """Forget (clip id, recipe) pairs, so that they are made again."""
    connection.executemany("DELETE FROM derivatives WHERE clip_id = ? AND recipe = ?", keys)


def drop_failed(connection: sqlite3.Connection, recipe: str) -> None:
    """Forget the failures of a recipe, so that they are tried again."""
    connection.execute("DELETE FROM derivatives WHERE recipe = ? AND state = 'failed'", (recipe,))


class Made(NamedTuple):
    """A derivative as it should be."""

    clip_id: int
    recipe: str
    path: str
    """Relative to the recipe's folder."""
    bytes: int
    frames: int | None
    sha256: str | None


def made_of(connection: sqlite3.Connection, clips: Sequence[int]) -> list[Made]:
    """What was made of these clips as they are now."""
    rows = connection.execute(
        f"""SELECT {", ".join(f"d.{name}" for name in Made._fields)}
            FROM clips JOIN derivatives AS d ON d.clip_id = clips.id
            WHERE clips.id IN ({", ".join("?" * len(clips))}) AND d.state = 'done'
            AND d.clip_sha256 = clips.sha256 ORDER BY d.clip_id, d.recipe""",
        tuple(clips),
    )
    return list(map(Made._make, rows))


def record_damaged(connection: sqlite3.Connection, damaged: Iterable[tuple[Made, str]]) -> None:
    """These are no good any more, and why: failed until they are made anew, which needs no asking."""
    connection.executemany(
        """UPDATE derivatives SET state = 'failed', clip_sha256 = '', error = ?
           WHERE clip_id = ? AND recipe = ?""",
        ((why, made.clip_id, made.recipe) for made, why in damaged),
    )


def learn_digests(connection: sqlite3.Connection, digests: Iterable[tuple[Made, str]]) -> None:
    """Digests of what was made before any were kept."""
    connection.executemany(
        "UPDATE derivatives SET sha256 = ? WHERE clip_id = ? AND recipe = ?",
        ((digest, made.clip_id, made.recipe) for made, digest in digests),
    )


def damaged_derivatives(connection: sqlite3.Connection, scope: Scope) -> Iterator[tuple[str, str, str]]:
    """(recipe, path, why) of what :func:`record_damaged` marked and nobody made anew."""
    where, parameters = scope.where("clips.")
    rows = connection.execute(
        f"""SELECT d.recipe, d.path, d.error FROM derivatives AS d JOIN clips ON clips.id = d.clip_id
            WHERE d.state = 'failed' AND d.clip_sha256 = '' AND {where} ORDER BY d.recipe, d.path""",
        parameters,
    )
    return ((row[0], row[1], row[2]) for row in rows)
