"""What differs between this mirror and another copy, as a list of digests tells it."""

from __future__ import annotations

import csv
import json
import re
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath
from typing import Any

from kdl.dataset.clipname import clip_stem
from kdl.dataset.specs import Manifest
from kdl.diskerrors import disk_errors
from kdl.errors import ToolMissing, UsageError
from kdl.jobs.clipkeys import key_of
from kdl.jobs.run import Run
from kdl.jobs.verify_combined import Combined
from kdl.jobs.verify_look import Mark
from kdl.ledger.against import Listed, compare
from kdl.ledger.clips import Scope
from kdl.values import Finding

_SUM = re.compile(r"(\\?)([0-9a-fA-F]{64}) [ *](.+)")
_ROWS = 10_000


def check_against(
    run: Run, manifest: Manifest, scope: Scope, path: Path, combined: Combined
) -> dict[str, int]:
    """A finding for each clip that differs; how many do, and how many are alike. Runs in a thread.

    ``combined`` is told of each, with the list as the source and this mirror as the copy. Raises UsageError
    for a file that is no list of digests, LedgerError and MachineError.
    """
    counts = Counter(dict.fromkeys(("same", "differ", "only_here", "only_there"), 0))
    listed = _nonempty(read_list(path, manifest, run.ledger.reader()), path)
    for item in compare(run.ledger.path, run.tmp / "against.db", listed, scope):
        run.checkpoint()
        if item.here == item.there:
            counts["same"] += 1
            combined.add([(Mark.SAME, item.path)])
            continue
        if item.here is None:
            counts["only_there"] += 1
            combined.add([(Mark.GONE, item.path)])
            fix = f"{run.command('repair')} where it is missing here; else this dataset does not list it"
            run.find(Finding("only_there", item.path, "the other copy has it, this mirror has not", fix), 1)
        elif item.there is None:
            counts["only_here"] += 1
            combined.add([(Mark.ONLY_HERE, item.path)])
            fix = "nothing to mend here"
            run.find(Finding("only_here", item.path, "this mirror has it, the other copy has not", fix))
        else:
            counts["differ"] += 1
            combined.add([(Mark.OTHER, item.path)])
            said = f"sha256 here {item.here[:16]}…, there {item.there[:16]}…"
            fix = f"{run.command('verify', '--level', 'hash')} tells whether this one is as it came"
            run.find(Finding("copy_differs", item.path, said, fix), 1)
    return dict(counts)


def _nonempty(listed: Iterator[Listed], path: Path) -> Iterator[Listed]:
    first = next(listed, None)
    if first is None:
        raise UsageError("it names no clip of this dataset", subject=str(path))
    yield first
    yield from listed


def read_list(path: Path, manifest: Manifest, reader: sqlite3.Connection) -> Iterator[Listed]:
    """The clips of ``sha256sum``'s output, or of ``kdl export`` in any of its formats; told by content.

    ``reader``, of the mirror's ledger, tells the times that names lack.
    Raises UsageError for anything else, MachineError where the file can not be read, ToolMissing.
    """
    with disk_errors(path):
        with path.open("rb") as file:
            head = file.read(64)
        if head.startswith(b"PAR1"):
            yield from _of_rows(_parquet_rows(path), path)
            return
        with path.open(encoding="utf-8", errors="surrogateescape", newline="") as lines:
            if head.lstrip().startswith(b"{"):
                yield from _of_rows(map(json.loads, lines), path)
            elif head.startswith(b"split,"):
                yield from _of_rows(csv.DictReader(lines), path)
            else:
                yield from _of_sums(lines, path, manifest, reader)


def _of_sums(
    lines: Iterable[str], path: Path, manifest: Manifest, reader: sqlite3.Connection
) -> Iterator[Listed]:
    for number, line in enumerate(lines, start=1):
        text = line.rstrip("\r\n")
        if not text or text.startswith("#"):
            continue
        match = _SUM.fullmatch(text)
        if match is None:
            raise UsageError(
                f"line {number} is no line of sha256sum: {text[:80]!r}",
                subject=str(path),
                fix="give what sha256sum or kdl export wrote",
            )
        name = match[3] if not match[1] else match[3].replace("\\n", "\n").replace("\\\\", "\\")
        if (found := _clip_of(PurePosixPath(name), manifest, reader)) is not None:
            split, stem = found
            yield Listed(split, stem, match[2].lower(), name)


def _clip_of(path: PurePosixPath, manifest: Manifest, reader: sqlite3.Connection) -> tuple[str, str] | None:
    """(split, stem) of a path in whatever layout; the split is empty where no folder is called by one."""
    folders = {part.removeprefix("videos_") for part in path.parts[:-1]}
    split = next((name for name in manifest.split_names if name in folders), "")
    for name in (split,) if split else manifest.split_names:
        key = key_of(reader, manifest.split(name), path.name)
        if key is not None:
            return split, clip_stem(key)
    return None


def _of_rows(rows: Iterable[dict[str, Any]], path: Path) -> Iterator[Listed]:
    """What ``kdl export`` wrote; rows without a file have no path."""
    try:
        for row in rows:
            if not row["path"] or not row["sha256"]:
                continue
            stem = str(row["youtube_id"])
            if row["time_start"] not in (None, ""):
                stem += f"_{int(row['time_start']):06d}_{int(row['time_end']):06d}"
            yield Listed(row["split"], stem, row["sha256"], row["path"])
    except (KeyError, TypeError, ValueError) as error:
        raise UsageError(
            f"it is no export of kdl ({type(error).__name__}: {error})",
            subject=str(path),
            fix="kdl export writes one, and sha256sum a list that is read as well",
        ) from error


def _parquet_rows(path: Path) -> Iterator[dict[str, Any]]:
    try:
        import pyarrow.parquet
    except ImportError as error:
        raise ToolMissing(
            "parquet needs the pyarrow package", subject="pyarrow", fix='pip install "kdl[parquet]"'
        ) from error
    with pyarrow.parquet.ParquetFile(path) as file:
        for batch in file.iter_batches(_ROWS):
            yield from batch.to_pylist()
