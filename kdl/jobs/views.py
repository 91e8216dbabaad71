"""What the ledger tells without touching anything: ``kdl status``, ``kdl export``, ``kdl datasets``."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO

from kdl.dataset.manifest import load_manifest, shipped_manifests
from kdl.dataset.summary import describe
from kdl.errors import KdlError, LedgerError, UsageError
from kdl.jobs.cliprows import ClipQuery, clip_rows, export_row
from kdl.jobs.run import find_ledger, mirror_paths
from kdl.jobs.statusfile import condition, read_status
from kdl.ledger.clips import NO_TIME, Scope, count_clips
from kdl.ledger.ledger import Ledger, open_ledger
from kdl.report.export import export
from kdl.settings import MirrorPaths
from kdl.values import Verdict

SHOWABLE = (*(verdict.value for verdict in Verdict), "replaced")
"""What ``kdl status --show`` takes."""


def dataset_name(dataset: str) -> str:
    """The name of a mirror's folder. Raises UsageError for a dataset that is not known."""
    return load_manifest(dataset).name


def datasets(names: tuple[str, ...] = ()) -> list[dict[str, Any]]:
    """The shipped manifests, or the named ones, in numbers."""
    return [describe(load_manifest(name)) for name in names or shipped_manifests()]


def read_only(dataset: str, root: Path, ledger: Path | None) -> Ledger:
    """The ledger of a mirror, for readers; a run may go on meanwhile. Raises KdlError."""
    paths = mirror_paths(root, dataset_name(dataset))
    return open_ledger(ledger or find_ledger(paths, dataset), read_only=True)


def status(dataset: str, root: Path, ledger_path: Path | None = None) -> dict[str, Any]:
    """``run``: the last run's picture, None without one; ``clips``, ``shards``, ``derived``: counts."""
    paths = mirror_paths(root, dataset_name(dataset))
    return status_of(paths, lambda: read_only(dataset, root, ledger_path))


def status_of(paths: MirrorPaths, opened: Callable[[], Ledger]) -> dict[str, Any]:
    """:func:`status` of the mirror there, whose ledger is had by ``opened`` and closed again."""
    picture = read_status(paths.status)
    counts: dict[str, Any] = {}
    try:
        with opened() as ledger:
            counts = _counts(ledger)
    except KdlError as error:
        # A run that has just begun has a picture and no ledger yet; a damaged one is always told.
        if picture is None or (isinstance(error, LedgerError) and condition(picture) != "live"):
            raise
    return {"run": picture, **counts}


def _counts(ledger: Ledger) -> dict[str, Any]:
    reader = ledger.reader()
    splits = tuple(
        row[0] for row in reader.execute("SELECT DISTINCT split FROM objects WHERE kind = 'shard'")
    )
    shards = reader.execute(
        "SELECT state, count(*) FROM objects WHERE kind = 'shard' GROUP BY state ORDER BY state"
    ).fetchall()
    derived: dict[str, dict[str, int]] = {}
    for recipe, state, count in reader.execute(
        "SELECT recipe, state, count(*) FROM derivatives GROUP BY recipe, state"
    ):
        derived.setdefault(recipe, {"done": 0, "failed": 0})[state] = count
    return {
        "clips": count_clips(reader, Scope(splits)) if splits else {},
        "shards": {row[0]: row[1] for row in shards},
        "derived": derived,
    }


def show(dataset: str, root: Path, what: str, ledger_path: Path | None = None) -> Iterator[dict[str, Any]]:
    """Clips of a verdict, or the replaced ones with what they stand in for, one row each."""
    if what not in SHOWABLE:
        raise UsageError("nothing of that name", subject=what, fix=f"choose one of {', '.join(SHOWABLE)}")
    condition = "c.origin = 'replacement'" if what == "replaced" else "c.verdict = ?"
    parameters = () if what == "replaced" else (what,)
    with read_only(dataset, root, ledger_path) as ledger:
        for row in ledger.rows(
            f"""SELECT c.*, o.name AS shard, r.name AS source FROM clips AS c
                LEFT JOIN objects AS o ON o.id = c.shard_id
                LEFT JOIN replacements AS p ON p.youtube_id = c.youtube_id AND p.time_start = c.time_start
                    AND p.time_end = c.time_end AND c.origin = 'replacement'
                LEFT JOIN objects AS r ON r.id = p.object_id
                WHERE {condition} ORDER BY c.split, c.class_dir, c.name""",
            parameters,
        ):
            yield {
                "split": row["split"],
                "label": row["label"],
                "clip": row["name"] or _stem(row),
                "path": row["path"],
                "verdict": row["verdict"],
                "cause": row["cause"],
                "detail": row["detail"],
                "shard": row["shard"],
                "replaced_cause": row["replaced_cause"],
                "replaced_by": row["source"],
            }


def _stem(row: Any) -> str:
    if row["time_start"] == NO_TIME:
        return str(row["youtube_id"])
    return f"{row['youtube_id']}_{row['time_start']:06d}_{row['time_end']:06d}"


def export_clips(
    dataset: str,
    root: Path,
    format: str,
    out: Path | BinaryIO,
    *,
    splits: tuple[str, ...] = (),
    verdicts: tuple[str, ...] = (),
    ledger_path: Path | None = None,
) -> int:
    """One row a clip to a file or stream; how many. Raises KdlError."""
    manifest = load_manifest(dataset)
    for name in splits:
        manifest.split(name)
    with read_only(dataset, root, ledger_path) as ledger:
        query = ClipQuery(splits or manifest.split_names, verdicts or tuple(Verdict))
        return export(map(export_row, clip_rows(ledger, query)), format, out)
