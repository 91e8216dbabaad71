"""Publishers' lists made for tests: in files, and as tables."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterable, Mapping
from pathlib import Path

from kdl.dataset.manifest import load_manifest
from kdl.dataset.specs import Manifest
from kdl.jobs.annotation_files import ListFile
from kdl.jobs.annotation_table import Table, TableReader

HEAD = "label,youtube_id,time_start,time_end,split"
REAL = Path(__file__).parents[3] / "shared" / "data" / "annotations"
"""Whole files as the hosts have them, on machines that hold copies."""

Row = tuple[str, str, int, int, str]
"""Label, id, start, end, split."""


def write_csv(path: Path, rows: Iterable[Row], head: str = HEAD, end: str = "\n") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(
        "".join(f"{line}{end}" for line in (head, *(",".join(map(str, row)) for row in rows))).encode()
    )
    return path


def write_tar(path: Path, members: Mapping[str, bytes]) -> Path:
    """A tar.gz of these members."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    return path


def read_table(name: str, *files: ListFile, manifest: Manifest | None = None) -> Table:
    reader = TableReader(manifest or load_manifest("k400"), lambda: None)
    return reader.read(name, files)


def table_of(folder: Path, name: str, rows: Iterable[Row]) -> Table:
    """A publisher's table with these rows."""
    return read_table(name, ListFile(write_csv(folder / f"{name}.csv", rows), "csv"))


def rows_of(table: Table) -> list[tuple[object, ...]]:
    """The rows as plain values, ``None`` for what is absent."""
    frame = table.frame.astype(object)
    return list(frame.where(frame.notna(), None).itertuples(index=False, name=None))
