"""``kdl export --format index``: a mirror's seek indexes in one file, for those who want a part of it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from kdl.archive.seekindex import SeekIndex, index_path, load_index, packed
from kdl.dataset.manifest import load_manifest
from kdl.diskerrors import disk_errors
from kdl.jobs.run import mirror_paths
from kdl.jobs.views import read_only
from kdl.ledger.ledger import Ledger
from kdl.ledger.objects import shard_rows
from kdl.ledger.repairs import shard_digests
from kdl.settings import MirrorPaths


def export_indexes(
    dataset: str,
    root: Path,
    out: Path | BinaryIO,
    *,
    splits: tuple[str, ...] = (),
    ledger_path: Path | None = None,
) -> int:
    """Every index with the digests of its clips, to a file or stream; how many. Raises KdlError."""
    manifest = load_manifest(dataset)
    for name in splits:
        manifest.split(name)
    paths = mirror_paths(root, manifest.name)
    count = 0
    with ExitStack() as stack:
        ledger = stack.enter_context(read_only(dataset, root, ledger_path))
        if isinstance(out, Path):
            stack.enter_context(disk_errors(out))
            out = stack.enter_context(out.open("wb"))
        for index in _indexes(ledger, paths, splits or manifest.split_names):
            out.write(packed(index))
            count += 1
    return count


def _indexes(ledger: Ledger, paths: MirrorPaths, splits: tuple[str, ...]) -> Iterator[SeekIndex]:
    """Of shards that were read whole and are still what was indexed."""
    for row in shard_rows(ledger.reader(), splits).values():
        index = load_index(index_path(paths.index, row.split, row.name))
        if row.state == "done" and index is not None and index.fits(row.url, row.size, row.etag):
            known = shard_digests(ledger.reader(), row.id)
            yield index.with_digests(known.get((clip.name, clip.size)) for clip in index.clips)
