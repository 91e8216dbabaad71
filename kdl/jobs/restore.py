"""Before anything is fetched: is what the ledger calls present really there?"""

from __future__ import annotations

import os
import sqlite3
from pathlib import Path

from kdl.check.hashes import sha256_file
from kdl.jobs.leftovers import place_copies, sweep_quarantine
from kdl.jobs.run import Run
from kdl.ledger.checked import Known
from kdl.ledger.clips import ClipRow, FileRow, Scope, clips_where, files_where
from kdl.ledger.ledger import Ledger
from kdl.ledger.replacements import replacement_rows
from kdl.settings import MirrorPaths
from kdl.values import Cause, Finding, Verdict

_BATCH = 500
_PRESENT = "'ok', 'short', 'corrupt', 'unchecked', 'unlisted'"
"""Verdicts of clips that may have a file: named one by one, they are found by an index."""


def home_of(row: ClipRow, verdict: Verdict) -> str:
    """Where a clip of this verdict lies, relative to the mirror."""
    return place_of(row.key.split, row.class_dir, row.name, bool(row.listed), verdict is Verdict.CORRUPT)


def place_of(split: str, class_dir: str, name: str | None, listed: bool, corrupt: bool) -> str:
    """The same, told one by one."""
    folder = f"{split}/{class_dir}" if class_dir else split
    if corrupt:
        return f".kdl/quarantine/{folder}/{name or ''}"
    return f"videos/{folder}/{name or ''}" if listed else f"unlisted/{split}/{name or ''}"


def _as_recorded(base: str, row: FileRow) -> bool:
    """The quick look: nearly every clip is as it was, and where it belongs."""
    try:
        stat = os.stat(f"{base}/{row.path}")  # noqa: PTH116 - six hundred thousand times
    except OSError:
        return False
    corrupt = row.verdict == Verdict.CORRUPT
    return (stat.st_size, stat.st_mtime_ns) == (row.size, row.mtime_ns) and (
        corrupt or row.path == place_of(row.split, row.class_dir, row.name, bool(row.listed), corrupt)
    )


def restore(run: Run, scope: Scope, *, rehash: bool = False, leave: bool = False) -> int:
    """Stat every clip on record; what has gone or changed is marked, so that its shard is read again.

    ``rehash``: read every file and compare its digest as well. ``leave``: a changed file stays where it is,
    and is not told of. A file that a killed run had moved and not recorded is found where it went. Returns
    how many have gone. Runs in a thread.
    """
    where, parameters = scope.where()
    gone = 0
    batch: list[tuple[str, tuple[object, ...]]] = []
    place_copies(run)
    condition = f"verdict IN ({_PRESENT}) AND {where}"
    base = str(run.paths.base)
    for file in files_where(run.ledger.reader(), condition, parameters):
        run.checkpoint()
        if not rehash and _as_recorded(base, file):
            continue
        row = next(clips_where(run.ledger.reader(), "id = ?", (file.id,)))
        change = _look(run, row, file, rehash=rehash, leave=leave)
        if change is None:
            continue
        gone += "'missing'" in change[0]
        batch.append(change)
        if len(batch) >= _BATCH:
            _apply(run, batch)
            batch = []
    _apply(run, batch)
    sweep_quarantine(run, scope)
    restore_replacements(run)
    return gone


def _apply(run: Run, batch: list[tuple[str, tuple[object, ...]]]) -> None:
    def op(connection: sqlite3.Connection) -> None:
        for sql, parameters in batch:
            connection.execute(sql, parameters)

    if batch:
        run.ledger.write(op).result()


def _look(
    run: Run, row: ClipRow, file: FileRow, *, rehash: bool, leave: bool
) -> tuple[str, tuple[object, ...]] | None:
    """The change to the ledger that this clip's file calls for, if any."""
    base = run.paths.base
    assert row.path is not None
    try:
        stat = (base / row.path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return _find_again(row, file, run.paths)
    untouched = (stat.st_size, stat.st_mtime_ns) == (row.size, row.mtime_ns)
    if untouched and not (rehash and sha256_file(str(base / row.path)) != row.sha256):
        wanted = home_of(row, row.verdict)
        if row.path != wanted and row.verdict is not Verdict.CORRUPT:
            return _move(base, row, wanted)
        return None
    if not untouched and stat.st_size == row.size and sha256_file(str(base / row.path)) == row.sha256:
        return "UPDATE clips SET mtime_ns = ? WHERE id = ?", (stat.st_mtime_ns, row.id)
    if leave:
        return _missing(row, "changed")
    aside = base / ".kdl/quarantine/changed" / row.key.split / (row.name or str(row.id))
    aside.parent.mkdir(parents=True, exist_ok=True)
    (base / row.path).replace(aside)
    run.find(
        Finding(
            "clip_changed",
            row.path,
            "its bytes are not those recorded; it is fetched again",
            f"the changed file is kept: {aside.relative_to(base)}",
        )
    )
    return _missing(row, "changed")


def _move(base: Path, row: ClipRow, wanted: str) -> tuple[str, tuple[object, ...]]:
    """The annotations or a killed run left it in another place than it belongs to."""
    target = base / wanted
    target.parent.mkdir(parents=True, exist_ok=True)
    (base / str(row.path)).replace(target)
    return "UPDATE clips SET path = ? WHERE id = ?", (wanted, row.id)


def moved_place(base: Path, row: FileRow | Known) -> str | None:
    """A killed run moves first and records after: where else the file lies, relative to the mirror."""
    for corrupt in (True, False):
        place = place_of(row.split, row.class_dir, row.name, bool(row.listed), corrupt)
        try:
            stat = (base / place).stat()
        except OSError:
            continue
        if (stat.st_size, stat.st_mtime_ns) == (row.size, row.mtime_ns):
            return place
    return None


def _find_again(row: ClipRow, file: FileRow, paths: MirrorPaths) -> tuple[str, tuple[object, ...]]:
    place = moved_place(paths.base, file)
    if place is not None:
        return "UPDATE clips SET path = ? WHERE id = ?", (place, row.id)
    if row.verdict is Verdict.CORRUPT:
        # Emptying the quarantine loses nothing that anybody wants back.
        return "UPDATE clips SET path = NULL WHERE id = ?", (row.id,)
    return _missing(row, None)


def _missing(row: ClipRow, cause: str | None) -> tuple[str, tuple[object, ...]]:
    if row.origin == "replacement":
        return (
            """UPDATE clips SET path = NULL, origin = NULL, sha256 = NULL, verdict = 'missing',
               cause = replaced_cause WHERE id = ?""",
            (row.id,),
        )
    if row.origin == "youtube" and row.replaced_cause is not None:
        # Its shard has nothing better than what it stood in for.
        return (
            """UPDATE clips SET path = NULL, origin = 'shard', sha256 = replaced_sha256, verdict = 'corrupt',
               cause = replaced_cause, detail = NULL, replaced_cause = NULL, replaced_sha256 = NULL
               WHERE id = ?""",
            (row.id,),
        )
    return (
        """UPDATE clips SET verdict = 'missing', cause = ?, check_level = NULL, checked_at = NULL
           WHERE id = ?""",
        (cause, row.id),
    )


def restore_replacements(run: Run) -> None:
    """Clips of the replacement archive that have gone or changed are fetched again with it."""
    lost, touched = [], []
    for row in replacement_rows(run.ledger.reader()):
        path = run.paths.base / row.path
        try:
            stat = path.stat()
        except (FileNotFoundError, NotADirectoryError):
            lost.append((row.id,))
            continue
        if row.cause == Cause.CHANGED:  # found by reading it: size and time do not tell
            lost.append((row.id,))
            continue
        if (stat.st_size, stat.st_mtime_ns) == (row.size, row.mtime_ns):
            continue
        # The clip that it stands in for is the same file by another name, where there are hard links.
        if stat.st_size == row.size and sha256_file(str(path)) == row.sha256:
            touched.append((stat.st_mtime_ns, row.id))
        else:
            lost.append((row.id,))

    def op(connection: sqlite3.Connection) -> None:
        connection.executemany("UPDATE replacements SET mtime_ns = ? WHERE id = ?", touched)
        connection.executemany("DELETE FROM replacements WHERE id = ?", lost)
        if lost:
            connection.execute("UPDATE objects SET state = 'new' WHERE kind = 'replacement'")

    if lost or touched:
        run.ledger.write(op).result()


def lost_clips(ledger: Ledger, paths: MirrorPaths, scope: Scope) -> dict[int, int]:
    """Id -> shard id of clips that are not on disk as they were; :func:`restore` would mark them."""
    where, parameters = scope.where()
    condition = f"verdict IN ({_PRESENT}) AND verdict <> 'corrupt' AND {where}"
    lost: dict[int, int] = {}
    base = str(paths.base)
    for row in files_where(ledger.reader(), condition, parameters):
        if row.origin != "shard" or row.shard_id is None:
            continue
        try:
            there = os.stat(f"{base}/{row.path}").st_size == row.size  # noqa: PTH116 - as above
        except (FileNotFoundError, NotADirectoryError):
            there = False
        if not there:
            lost[row.id] = row.shard_id
    return lost
