"""Small pictures of clips for a report: chosen by the ledger, made in the worker pool, kept in a cache.

A page holds :data:`MOST` pictures and :data:`MOST_BYTES` of JPEG at the most; the cache holds those of the
last page and no others.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import sqlite3
from collections.abc import Iterable, Sequence
from pathlib import Path

from kdl import events
from kdl.check.limits import bound_this_process, regular_size
from kdl.errors import MachineError, WorkerLost
from kdl.ledger.overview import samples, suspects
from kdl.media.pool import WorkerPool
from kdl.report.html import Picture
from kdl.settings import DRAIN_S, MirrorPaths
from kdl.tallies import Cell, Named
from kdl.values import Verdict

SUSPECTS = 120
EACH = 3
"""Sound clips of a class."""
MOST = 1_200
MOST_BYTES = 3_500_000


_SECONDS = 30.0
"""For one picture."""


def _glimpse(path: str) -> bytes | None:
    """Runs in a worker, whose memory is bounded from its first clip on: libav reads hostile files in it."""
    from kdl.check.glimpse import glimpse

    bound_this_process()
    return glimpse(path)


def choose(connection: sqlite3.Connection, cells: Iterable[Cell]) -> tuple[list[Named], list[Named]]:
    """The clips to look at: suspicious ones, and a few sound ones of each class.

    A class is shown by its largest split; where there are more classes than room, those that are first in
    the order of names.
    """
    largest: dict[str, Cell] = {}
    for cell in cells:
        if cell.verdict is Verdict.OK:
            held = largest.get(cell.class_dir)
            if held is None or cell.clips > held.clips:
                largest[cell.class_dir] = cell
    doubtful = suspects(connection, SUSPECTS)
    room = MOST - len(doubtful)
    each = min(max(room // max(len(largest), 1), 1), EACH)
    chosen = [
        clip
        for folder in sorted(largest)[:room]
        for clip in samples(connection, largest[folder].split, folder, each)
    ]
    return doubtful, chosen


async def pictures(paths: MirrorPaths, clips: Sequence[Named], emit: events.Listener) -> tuple[Picture, ...]:
    """A picture of each clip, in their order, those that the bound on bytes leaves out without one.

    A clip whose decoder dies, or that is never done, has none. Raises MachineError where no worker can be
    started.
    """
    workers = len(os.sched_getaffinity(0))
    pool = WorkerPool(workers, emit=emit)
    left = iter(enumerate(clips))
    found: dict[int, bytes | None] = {}

    async def take() -> None:
        for number, clip in left:
            found[number] = await _picture(paths, pool, clip)
            emit(events.StageProgress("pictures", len(found), 0, len(clips) - len(found)))

    try:
        await asyncio.gather(*(take() for _ in range(2 * workers)))
    finally:
        await asyncio.shield(pool.close(DRAIN_S / 4))
    await asyncio.to_thread(_forget_others, paths.thumbs, clips)
    room = MOST_BYTES
    shown = []
    for number, clip in enumerate(clips):
        jpeg = found[number]
        room -= len(jpeg or b"")
        shown.append(Picture(clip, jpeg if room >= 0 else None))
    return tuple(shown)


async def _picture(paths: MirrorPaths, pool: WorkerPool, clip: Named) -> bytes | None:
    kept = _place(paths.thumbs, clip)
    if kept is not None and (known := await asyncio.to_thread(_read, kept)) is not None:
        return known or None
    path = str(paths.base / str(clip.path))
    try:
        await asyncio.to_thread(regular_size, path)
    except MachineError:  # it can not be read now: that says nothing of the next time
        return None
    try:
        jpeg = await pool.run(_glimpse, path, timeout=_SECONDS)
    except WorkerLost:
        return None
    if kept is not None:
        await asyncio.to_thread(_keep, kept, jpeg or b"")
    return jpeg


def _place(folder: Path, clip: Named) -> Path | None:
    return folder / f"{clip.sha256}.jpg" if clip.sha256 else None


def _read(path: Path) -> bytes | None:
    """What the cache has; nothing at all stands for a clip of which no picture decodes."""
    try:
        return path.read_bytes()
    except OSError:
        return None


def _keep(path: Path, jpeg: bytes) -> None:
    """A cache that can not be written costs time, and nothing else."""
    temp = path.with_name(f".{path.name}.{os.getpid()}.tmp")
    with contextlib.suppress(OSError):
        path.parent.mkdir(exist_ok=True)
        temp.write_bytes(jpeg)
        temp.replace(path)


def _forget_others(folder: Path, clips: Iterable[Named]) -> None:
    used = {_place(folder, clip) for clip in clips}
    with contextlib.suppress(OSError):
        for path in folder.iterdir():
            if path not in used:
                path.unlink(missing_ok=True)
