"""Spools: an object's bytes on disk while they arrive, so that a killed run goes on from the last one.

A spool's file name binds it to one version of one object. A file whose name does not fit the object as
the server has it now is never read. And what is written goes to its own place in the file: where two
processes hold the same spool, as when a worker of a cluster that was taken for lost comes back to life, both
write the same bytes there.
"""

from __future__ import annotations

import asyncio
import hashlib
import os
import re
from collections.abc import AsyncGenerator, Iterable, Sequence
from pathlib import Path

import aiofiles
from aiofiles.threadpool.binary import AsyncFileIO

from kdl.diskerrors import disk_errors
from kdl.errors import MachineError
from kdl.fetch.source import RemoteStat
from kdl.settings import CHUNK

SUFFIX = ".part"
_READABLE = re.compile(r"[^A-Za-z0-9._-]+")
_READABLE_CAP = 80
_IOV_MAX = 64
"""Pieces given to the kernel at a time; POSIX promises no more than 16, all systems take 1,024."""


def spool_path(folder: Path, name: str, url: str, stat: RemoteStat) -> Path:
    """Where the bytes of one version of an object are spooled.

    ``url`` is the object's own, before any ``--origin``; ``name`` is for people who look into the folder.
    A strong ETag makes the version known wherever it is served; a date only at the URL that told it.
    """
    version = stat.strong_etag or f"{stat.url} {stat.validator}"
    bound = _digest(f"{url}\n{version}\n{stat.size}", 12)
    return folder / f"{_prefix(name, url)}{bound}{SUFFIX}"


def spools_of(folder: Path, name: str, url: str) -> list[Path]:
    """All spools of an object, of whichever version."""
    prefix = _prefix(name, url)
    with disk_errors(folder):
        found = folder.iterdir() if folder.is_dir() else ()
        return sorted(path for path in found if path.name.startswith(prefix) and path.suffix == SUFFIX)


def clear_stale(folder: Path, name: str, url: str, current: Path | None) -> None:
    """Delete the spools of other versions of an object than ``current``."""
    for path in spools_of(folder, name, url):
        if path != current:
            with disk_errors(path):
                path.unlink(missing_ok=True)


def drop_spools(folder: Path, finished: Iterable[tuple[str, str]]) -> None:
    """Delete every spool of the objects, given by (name, URL), that need none any more."""
    prefixes = {_prefix(name, url) for name, url in finished}
    with disk_errors(folder):
        for path in folder.iterdir() if folder.is_dir() else ():
            if path.suffix == SUFFIX and path.name.removesuffix(SUFFIX).rpartition(".")[0] + "." in prefixes:
                path.unlink(missing_ok=True)


def resumable(path: Path, stat: RemoteStat) -> int:
    """Bytes of ``path`` that the object ``stat`` can be resumed after; 0 to start afresh.

    Nothing is resumed that no validator vouches for, nor a file longer than the object.
    """
    if stat.validator is None or stat.size is None:
        return 0
    try:
        length = path.stat().st_size
    except FileNotFoundError:
        return 0
    return length if length <= stat.size else 0


class Spool:
    """One open spool file, only ever added to. Each write is whole before the next begins."""

    def __init__(self, path: Path, file: AsyncFileIO, length: int) -> None:
        self.path = path
        self.length = length
        """Bytes of the object on disk, from byte 0."""
        self._file = file
        self._busy: asyncio.Task[None] | None = None

    @classmethod
    async def open(cls, path: Path, keep: int = 0) -> Spool:
        """Open ``path`` to add to its first ``keep`` bytes. Raises DiskFull, MachineError.

        To begin afresh is to make another file: in the old one somebody may still be writing, and bytes of
        his behind a hole would look like the object's.
        """
        with disk_errors(path):
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            if not keep and await asyncio.to_thread(path.is_file):
                await asyncio.to_thread(path.unlink, missing_ok=True)
            # Unbuffered: what append() has written is the kernel's, and outlives a kill.
            file = await aiofiles.open(path, "r+b" if keep else "w+b", buffering=0)
        return cls(path, file, keep)

    async def append(self, pieces: Sequence[bytes]) -> None:
        """Add ``pieces``. Where it is cancelled, the write still ends before anything else is done."""
        self._busy = asyncio.create_task(self._write(pieces))
        await asyncio.shield(self._busy)

    async def read(self) -> AsyncGenerator[bytes]:
        """The bytes that are there when it is called, in pieces of at most CHUNK."""
        left = self.length
        with disk_errors(self.path):
            async with aiofiles.open(self.path, "rb", buffering=0) as file:
                while left > 0 and (chunk := await file.read(min(CHUNK, left))):
                    left -= len(chunk)
                    yield chunk
        if left > 0:
            raise MachineError("became shorter while it was read", subject=str(self.path))

    async def sync(self) -> None:
        """Wait until the bytes are on the disk itself."""
        with disk_errors(self.path):
            await asyncio.to_thread(os.fsync, self._file.fileno())

    async def close(self) -> None:
        """Let the file go; it stays on disk."""
        if self._busy is not None:
            # Who appended was told if it failed; what did reach the disk is right in any case.
            await asyncio.gather(self._busy, return_exceptions=True)
        await self._file.close()

    async def _write(self, pieces: Sequence[bytes]) -> None:
        with disk_errors(self.path):
            await asyncio.to_thread(self._write_all, [memoryview(piece) for piece in pieces])

    def _write_all(self, views: list[memoryview]) -> None:
        while views:
            # An almost full disk takes a part only; the rest then fails with its reason.
            written = os.pwritev(self._file.fileno(), views[:_IOV_MAX], self.length)
            self.length += written
            while views and written >= len(views[0]):
                written -= len(views.pop(0))
            if written:
                views[0] = views[0][written:]


def _prefix(name: str, url: str) -> str:
    readable = _READABLE.sub("_", name).strip("._")[-_READABLE_CAP:] or "object"
    return f"{readable}.{_digest(url, 8)}."


def _digest(text: str, length: int) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:length]
