"""Seek indexes: one is kept of each large shard, so that ``kdl repair`` can fetch a clip and not a shard."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from kdl.archive.indexing import build_index
from kdl.archive.seekindex import index_path, load_index, save_index
from kdl.errors import ArchiveError
from kdl.fetch.source import RemoteStat
from kdl.fetch.spool import spool_path
from kdl.jobs.planning import shown_name
from kdl.jobs.run import Run
from kdl.settings import MIB
from kdl.values import Shard

SMALL = 8 * MIB
"""Shards no larger are read whole at little cost."""


async def keep_index(
    run: Run, shard: Shard, stat: RemoteStat, archive: Path | None, is_clip: Callable[[str], bool]
) -> None:
    """Keep the index of a shard that was read whole and whose bytes are still here.

    They are at ``archive``, or in the spool. None is kept of a small shard, nor where nothing vouches for
    the version: no strong ETag. What hinders is a note: a repair then reads the shard again.
    """
    if stat.strong_etag is None or stat.size is None or stat.size <= SMALL:
        return
    path = index_path(run.paths.index, shard.split, shard.name)
    held = archive or spool_path(run.paths.spool, shown_name(shard), shard.url, stat)
    try:
        await run.in_thread(_make, run, path, held, shard.url, stat.size, stat.strong_etag, is_clip)
    except ArchiveError as error:
        run.note(str(error))


def _make(
    run: Run, path: Path, held: Path, url: str, size: int, etag: str, is_clip: Callable[[str], bool]
) -> None:
    known = load_index(path)
    if (known is not None and known.fits(url, size, etag)) or not held.is_file():
        return
    index = build_index(held, url, etag, is_clip=is_clip, beat=run.checkpoint)
    if index is not None and index.size == size:
        save_index(index, path)
