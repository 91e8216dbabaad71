"""Before anything is fetched: is what the ledger calls present really there?"""

from __future__ import annotations

from pathlib import Path

from kdl.check.hashes import sha256_file
from kdl.jobs.run import Run
from kdl.ledger.clips import ClipRow, Scope, clips_where
from kdl.ledger.replacements import replacement_rows
from kdl.settings import MirrorPaths
from kdl.values import Finding, Verdict

_BATCH = 500


def home_of(row: ClipRow, verdict: Verdict) -> str:
    """Where a clip of this verdict lies, relative to the mirror."""
    name = row.name or ""
    if verdict is Verdict.CORRUPT:
        return str(Path(".kdl/quarantine", row.key.split, row.class_dir, name))
    if not row.listed:
        return str(Path("unlisted", row.key.split, name))
    return str(Path("videos", row.key.split, row.class_dir, name))


def restore(run: Run, scope: Scope) -> int:
    """Stat every clip on record; what has gone or changed is marked, so that its shard is read again.

    Returns how many have gone. A file that a killed run had moved and not recorded is found where it
    went. Runs in a thread.
    """
    where, parameters = scope.where()
    gone = 0
    batch: list[tuple[str, tuple[object, ...]]] = []
    condition = f"path IS NOT NULL AND verdict <> 'missing' AND {where}"
    for row in clips_where(run.ledger.reader(), condition, parameters):
        change = _look(run, row)
        if change is None:
            continue
        gone += "'missing'" in change[0]
        batch.append(change)
        if len(batch) >= _BATCH:
            _apply(run, batch)
            batch = []
    _apply(run, batch)
    _restore_replacements(run)
    return gone


def _apply(run: Run, batch: list[tuple[str, tuple[object, ...]]]) -> None:
    def op(connection):  # type: ignore[no-untyped-def]
        for sql, parameters in batch:
            connection.execute(sql, parameters)

    if batch:
        run.ledger.write(op).result()


def _look(run: Run, row: ClipRow) -> tuple[str, tuple[object, ...]] | None:
    """The change to the ledger that this clip's file calls for, if any."""
    base = run.paths.base
    assert row.path is not None
    try:
        stat = (base / row.path).stat()
    except (FileNotFoundError, NotADirectoryError):
        return _find_again(row, run.paths)
    if (stat.st_size, stat.st_mtime_ns) == (row.size, row.mtime_ns):
        wanted = home_of(row, row.verdict)
        if row.path != wanted and row.verdict is not Verdict.CORRUPT:
            return _move(base, row, wanted)
        return None
    if stat.st_size == row.size and sha256_file(str(base / row.path)) == row.sha256:
        return "UPDATE clips SET mtime_ns = ? WHERE id = ?", (stat.st_mtime_ns, row.id)
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


def _find_again(row: ClipRow, paths: MirrorPaths) -> tuple[str, tuple[object, ...]]:
    """A killed run moves first and records after: look where else the clip may lie."""
    for verdict in (Verdict.CORRUPT, Verdict.OK):
        place = home_of(row, verdict)
        try:
            stat = (paths.base / place).stat()
        except OSError:
            continue
        if (stat.st_size, stat.st_mtime_ns) == (row.size, row.mtime_ns):
            return "UPDATE clips SET path = ? WHERE id = ?", (place, row.id)
    if row.verdict is Verdict.CORRUPT:
        # Emptying the quarantine loses nothing that anybody wants back.
        return "UPDATE clips SET path = NULL WHERE id = ?", (row.id,)
    if row.origin == "replacement":
        return (
            """UPDATE clips SET path = NULL, origin = NULL, verdict = 'missing', cause = replaced_cause
               WHERE id = ?""",
            (row.id,),
        )
    return _missing(row, None)


def _missing(row: ClipRow, cause: str | None) -> tuple[str, tuple[object, ...]]:
    return (
        """UPDATE clips SET verdict = 'missing', cause = ?, check_level = NULL, checked_at = NULL
           WHERE id = ?""",
        (cause, row.id),
    )


def _restore_replacements(run: Run) -> None:
    """Clips of the replacement archive that have gone are fetched again with it."""
    reader = run.ledger.reader()
    lost = [row.id for row in replacement_rows(reader) if not (run.paths.base / row.path).is_file()]
    if lost:

        def op(connection):  # type: ignore[no-untyped-def]
            connection.executemany("DELETE FROM replacements WHERE id = ?", [(i,) for i in lost])
            connection.execute("UPDATE objects SET state = 'new' WHERE kind = 'replacement'")

        run.ledger.write(op).result()
