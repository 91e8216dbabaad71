"""A set of small text files that appear together, or not at all."""

from __future__ import annotations

import contextlib
import glob
import os
from collections.abc import Iterator
from pathlib import Path
from types import TracebackType
from typing import Self, TextIO

from kdl.diskerrors import disk_errors


class Staging:
    """Writes files beside their final names and renames all of them at :meth:`commit`.

    Leaving the ``with`` block without a commit takes back everything, a new folder included.
    Raises MachineError, or DiskFull, for whatever the file system refuses.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temps: dict[str, Path] = {}
        self._dropped: list[str] = []
        self._made = False

    def __enter__(self) -> Self:
        with self._refusals():
            self._made = not self._folder.exists()
            self._folder.mkdir(parents=True, exist_ok=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for temp in self._temps.values():
            temp.unlink(missing_ok=True)
        if self._made and error is not None:
            with contextlib.suppress(OSError):
                self._folder.rmdir()

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[TextIO]:
        """A new file that will be called ``name``; on disk when the block is left."""
        self._sweep(name)
        temp = self._temps[name] = self._folder / f".{name}.{os.getpid()}.tmp"
        with self._refusals(), temp.open("w", encoding="utf-8", newline="\n") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())

    def drop(self, name: str) -> None:
        """There shall be no ``name``: forget what was staged, and remove an older one at the commit."""
        self._temps.pop(name).unlink(missing_ok=True)
        self._dropped.append(name)

    def commit(self) -> None:
        """Everything staged takes its final name."""
        with self._refusals():
            for name in list(self._temps):
                self._temps.pop(name).replace(self._folder / name)
            for name in self._dropped:
                (self._folder / name).unlink(missing_ok=True)

    def _sweep(self, name: str) -> None:
        """Removes what a killed run left of this file."""
        for temp in self._folder.glob(f".{glob.escape(name)}.*.tmp"):
            pid = temp.name.split(".")[-2]
            if not (pid.isdigit() and _alive(int(pid))):
                temp.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _refusals(self) -> Iterator[None]:
        with disk_errors(self._folder):
            yield


def _alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
