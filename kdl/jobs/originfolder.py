"""The folder of an origin: made to hold what is due, while others may be reading it.

What kdl has put there is written down in parts, each a file of sums by path: so a run that makes some of the
parts leaves the others as they are, and memory does not grow with the clips.
"""

from __future__ import annotations

import errno
import hashlib
import heapq
import json
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from kdl.errors import UsageError

STATE = ".kdl-origin"
SUMS = "SHA256SUMS"
_MARK = "origin.json"
_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP, errno.EACCES)
_DIGEST = 64


class Part:
    """The files of one part, put there one by one in the order of their paths."""

    def __init__(self, folder: OriginFolder, sums: Path) -> None:
        self._folder = folder
        self._sums = sums.open("w", encoding="utf-8")

    def link(self, source: Path, place: str, sha256: str) -> None:
        """``source`` under another name; a copy of it where the file system has no such thing."""
        self._folder.link(source, place)
        self._note(place, sha256)

    def write(self, place: str, pieces: Iterable[bytes]) -> None:
        """A file of these bytes; one that has them already is not touched."""
        self._note(place, self._folder.write(place, pieces))

    def keep(self, place: str) -> None:
        """The file that is there stays."""
        with (self._folder.path / place).open("rb") as file:
            self._note(place, hashlib.file_digest(file, "sha256").hexdigest())

    def close(self) -> None:
        self._sums.close()

    def _note(self, place: str, sha256: str) -> None:
        self._sums.write(f"{sha256}  {place}\n")


class OriginFolder:
    """One folder, being made. Raises OSError for what the file system refuses."""

    def __init__(self, path: Path, dataset: str) -> None:
        """Raises UsageError where it holds something else than an origin of this dataset."""
        self.path = path
        self._state = path / STATE
        self._parts: list[str] = []
        self._made = ""
        self.marks = self._claim(dataset)
        """What earlier runs noted beside the files, by name."""

    @contextmanager
    def part(self, name: str) -> Iterator[Part]:
        """Make one part; what it had before and has no more goes in :meth:`finish`."""
        new = self._state / f"{name}.new"
        if new.exists():  # a run ended before it was done: what it put here counts as well
            with (self._state / f"{name}.left").open("ab") as left:
                left.write(_whole_lines(new.read_bytes()))
        part = Part(self, new)
        try:
            yield part
        finally:
            part.close()
        self._parts.append(name)

    def finish(self) -> None:
        """Write the sums of all parts, then remove what is due no more."""
        for name in self._parts:
            self._sweep(name)
        sums = sorted(self._state.glob("*.sums"))
        self.write(SUMS, (line for path in sums for line in _lines(path)))
        text = json.dumps(self.marks, indent=1, sort_keys=True)
        self.write(f"{STATE}/{_MARK}", [f"{text}\n".encode()])

    def link(self, source: Path, place: str) -> None:
        """See :meth:`Part.link`."""
        target, here = self.path / place, source.stat()
        with suppress(FileNotFoundError):
            there = target.stat()
            if os.path.samestat(here, there):
                return
            if here.st_dev != there.st_dev and _alike(here, there):
                return
        temp = self._temp(place)
        try:
            os.link(source, temp)
        except OSError as error:
            if error.errno not in _NO_LINK:
                raise
            shutil.copy2(source, temp)
        temp.replace(target)

    def write(self, place: str, pieces: Iterable[bytes]) -> str:
        """See :meth:`Part.write`; the file's sha256."""
        temp, digest = self._temp(place), hashlib.sha256()
        with temp.open("wb") as file:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
            file.flush()
            os.fsync(file.fileno())
        target = self.path / place
        if target.is_file() and _sha256(target) == digest.hexdigest():
            temp.unlink()
        else:
            temp.replace(target)
        return digest.hexdigest()

    def _sweep(self, name: str) -> None:
        new, sums, left = (self._state / f"{name}.{ext}" for ext in ("new", "sums", "left"))
        left_over = iter(sorted(_paths(left))) if left.exists() else iter(())
        before = heapq.merge(_paths(sums) if sums.exists() else (), left_over)
        for place in _not_in(before, _paths(new)):
            (self.path / place).unlink(missing_ok=True)
            with suppress(OSError):
                (self.path / place).parent.rmdir()
        new.replace(sums)
        left.unlink(missing_ok=True)

    def _temp(self, place: str) -> Path:
        target = self.path / place
        parent = str(target.parent)
        if parent != self._made:
            target.parent.mkdir(parents=True, exist_ok=True)
            self._made = parent
        temp = target.with_name(f".{target.name}.kdl-part")
        temp.unlink(missing_ok=True)
        return temp

    def _claim(self, dataset: str) -> dict[str, str]:
        mark = self._state / _MARK
        if mark.is_file():
            told: dict[str, str] = json.loads(mark.read_text(encoding="utf-8"))
            if told.get("dataset") == dataset:
                return told
        elif not self.path.exists() or not any(self.path.iterdir()):
            self._state.mkdir(parents=True, exist_ok=True)
            told = {"dataset": dataset}
            mark.write_text(json.dumps(told), encoding="utf-8")
            return told
        raise UsageError(
            "holds something else, and an origin has its folder to itself",
            subject=str(self.path),
            fix="give --out an empty folder, or one that is not there yet",
        )


def _alike(here: os.stat_result, there: os.stat_result) -> bool:
    """Whether one is a copy of the other, by what need not be read."""
    return (here.st_size, here.st_mtime_ns) == (there.st_size, there.st_mtime_ns)


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _whole_lines(data: bytes) -> bytes:
    return data[: data.rfind(b"\n") + 1]


def _lines(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        yield from file


def _paths(path: Path) -> Iterator[str]:
    return (line[_DIGEST + 2 : -1].decode() for line in _lines(path))


def _not_in(before: Iterable[str], now: Iterator[str]) -> Iterator[str]:
    """Those of ``before`` that ``now`` has not; both are in order."""
    current = next(now, None)
    for place in before:
        while current is not None and current < place:
            current = next(now, None)
        if current != place:
            yield place
