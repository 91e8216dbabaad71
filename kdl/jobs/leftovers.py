"""What a killed run leaves, put right by the next one before it does anything else.

Files are moved before or after the ledger is told, never at the same instant. Where a clip was moved
and not recorded, :mod:`kdl.jobs.restore` finds it again; the rest is here.
"""

from __future__ import annotations

from pathlib import Path

from kdl.jobs.run import Run
from kdl.ledger.clips import ClipRow, Scope, clips_where
from kdl.values import bare_name


def place_copies(run: Run) -> None:
    """A copy that the ledger has chosen takes its place; one that it knows nothing of is dropped.

    The ledger is told of the choice first: the copy's file names the shard and the position in it that
    the chosen clip has then.
    """
    base, known = run.paths.base, {row[0] for row in run.ledger.rows("SELECT path FROM duplicates")}
    for path in run.paths.duplicates.glob("*/*"):
        if str(path.relative_to(base)) in known:
            continue
        row = _chosen(run, path)
        if row is None or row.path is None:
            path.unlink()
        else:
            _drop_other_classes(run, row, row.path)
            (base / row.path).parent.mkdir(parents=True, exist_ok=True)
            path.replace(base / row.path)


def _drop_other_classes(run: Run, row: ClipRow, path: str) -> None:
    """Remove the clip that stood before the chosen copy, where classes or extensions differ."""
    top, chosen = run.paths.videos / row.key.split, run.paths.base / path
    for folder in top.iterdir() if top.is_dir() else ():
        for before in folder.iterdir() if folder.is_dir() else ():
            if bare_name(before.name) == bare_name(chosen.name) and before != chosen:
                before.unlink(missing_ok=True)


def _chosen(run: Run, copy: Path) -> ClipRow | None:
    """The clip that this file was chosen for, going by its shard, its position and its stat."""
    seq, _, name = copy.name.partition("_")
    stat = copy.stat()
    found = clips_where(
        run.ledger.reader(),
        "shard_id = ? AND seq = ? AND name = ? AND size = ? AND mtime_ns = ?",
        (copy.parent.name, seq, name, stat.st_size, stat.st_mtime_ns),
    )
    return next(found, None)


def sweep_quarantine(run: Run, scope: Scope) -> None:
    """Remove corrupt clips in whose place something better stands: the ledger knows nothing of them.

    To be called when every clip of the scope has been looked for.
    """
    rows = run.ledger.rows("SELECT path FROM clips WHERE path GLOB '.kdl/quarantine/*'")
    kept = {row[0] for row in rows}
    for split in scope.splits:
        top = run.paths.quarantine / split
        folders = [top] if scope.class_dirs is None else [top / name for name in scope.class_dirs]
        for folder in folders:
            for path in folder.rglob("*"):
                if path.is_file() and str(path.relative_to(run.paths.base)) not in kept:
                    path.unlink()
