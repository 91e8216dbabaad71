"""A torrent's files on the disk, where aria2 puts them."""

from __future__ import annotations

import os
from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from kdl.diskerrors import disk_errors
from kdl.fetch.metainfo import Metainfo


class SwarmDisk:
    """The folder of a torrent. Its methods are for threads, all but :meth:`path`; they raise MachineError."""

    def __init__(self, metainfo: Metainfo, folder: Path) -> None:
        """``folder`` has the torrent's metadata as well, as ``INFOHASH.torrent``."""
        self._metainfo = metainfo
        self._folder = folder

    def path(self, index: int) -> Path:
        """Where a file lies."""
        return self._folder / self._metainfo.place(index)

    def sized(self, indices: Iterable[int]) -> list[int]:
        """Those that lie here in their full size; an empty file need not."""
        sizes = self._metainfo.size
        return [index for index in indices if not sizes(index) or _size(self.path(index)) == sizes(index)]

    def present(self) -> list[int]:
        """Files of earlier runs that may be whole."""
        places = {str(self.path(index)): index for index in self._metainfo.indices.values()}
        return self.sized(places[path] for path in self._files() if path in places)

    def touched(self, indices: Iterable[int]) -> set[int]:
        """These files, and those that share a piece with one."""
        length, ends = self._metainfo.piece_length, self._metainfo.ends
        touched: set[int] = set()
        for index in indices:
            span = self._metainfo.span(index)
            first, last = bisect_right(ends, span.start * length), bisect_left(ends, span.stop * length)
            touched.update(range(first, min(last + 1, len(ends))))
        return touched

    def remove(self, indices: Iterable[int]) -> None:
        """These files go, and folders that are empty then."""
        self._unlink(self.path(index) for index in indices)

    def sweep(self) -> None:
        """All that was fetched goes, and aria2's notes of it."""
        keep = str(self._folder / f"{self._metainfo.infohash}.torrent")
        self._unlink(Path(path) for path in self._files() if path != keep)

    def _unlink(self, paths: Iterable[Path]) -> None:
        for path in paths:
            with disk_errors(path):
                path.unlink(missing_ok=True)
            with suppress(OSError):  # others are in it
                for parent in path.relative_to(self._folder).parents:
                    (self._folder / parent).rmdir()

    def _files(self) -> list[str]:
        walk = os.walk(self._folder)
        return [os.path.join(where, name) for where, _, names in walk for name in names]  # noqa: PTH118


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None
