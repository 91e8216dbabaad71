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
from kdl.errors import UsageError
from kdl.lists.links import link_text


class Staging:
    """Writes files beside their final names and renames all of them at :meth:`commit`.

    Names are relative to ``folder`` and may lie in folders below it. Leaving the ``with`` block without
    a commit takes back everything, new folders included. Raises MachineError, or DiskFull, for whatever
    the file system refuses.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._temps: dict[str, Path] = {}
        self._links: dict[str, Path] = {}
        self._dropped: list[str] = []
        self._made: list[Path] = []

    def __enter__(self) -> Self:
        self._make(self._folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for temp in self._temps.values():
            temp.unlink(missing_ok=True)
        if error is not None:
            for folder in reversed(self._made):
                with contextlib.suppress(OSError):
                    folder.rmdir()

    @contextlib.contextmanager
    def open(self, name: str) -> Iterator[TextIO]:
        """A new file that will be called ``name``; on disk when the block is left."""
        final = self._folder / name
        self._make(final.parent)
        self._sweep(final)
        temp = self._temps[name] = final.with_name(f".{final.name}.{os.getpid()}.tmp")
        with self._refusals(), temp.open("w", encoding="utf-8", newline="\n") as out:
            yield out
            out.flush()
            os.fsync(out.fileno())

    def link(self, name: str, target: Path) -> None:
        """At the commit ``name`` is a relative link to ``target``, in place of an older link.

        Raises UsageError where something else has that name.
        """
        place = self._folder / name
        if place.exists() and not place.is_symlink():
            raise UsageError(
                "a link to the clips belongs here, and this is none", subject=str(place), fix="move it away"
            )
        self._links[name] = target

    def drop(self, name: str) -> None:
        """There shall be no ``name``: forget what was staged, and remove an older one at the commit."""
        if name in self._temps:
            self._temps.pop(name).unlink(missing_ok=True)
        self._dropped.append(name)

    def commit(self) -> None:
        """Everything staged takes its final name."""
        with self._refusals():
            for name, target in self._links.items():
                self._point(self._folder / name, target)
            for name in list(self._temps):
                self._temps.pop(name).replace(self._folder / name)
            for name in self._dropped:
                self._drop(self._folder / name)

    def _point(self, place: Path, target: Path) -> None:
        self._make(place.parent)
        text = link_text(target, place.parent)
        if place.is_symlink() and str(place.readlink()) == text:
            return
        temp = place.with_name(f".{place.name}.{os.getpid()}.tmp")
        temp.symlink_to(text)
        temp.replace(place)

    def _drop(self, place: Path) -> None:
        if place.is_symlink() or place.is_file():
            place.unlink()
        if place.parent != self._folder:
            with contextlib.suppress(OSError):  # others have something there
                place.parent.rmdir()

    def _make(self, folder: Path) -> None:
        missing = [each for each in (folder, *folder.parents) if not each.exists()]
        with self._refusals():
            folder.mkdir(parents=True, exist_ok=True)
        self._made += reversed(missing)

    def _sweep(self, final: Path) -> None:
        """Removes what a killed run left of this file."""
        for temp in final.parent.glob(f".{glob.escape(final.name)}.*.tmp"):
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
