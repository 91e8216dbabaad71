"""Clips that were unpacked somewhere first, and a list of them, to be put where they belong later.

A worker of a cluster unpacks a shard into a folder of its own: ``<seq>`` for each clip, and a
:class:`Journal` of all that it met. The coordinator goes through it and gives each clip its place, as
:class:`kdl.archive.intake.Intake` does with one that comes from a stream.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

from kdl.archive.intake import move, settled, time_of
from kdl.archive.members import Member, Placement, Skip
from kdl.diskerrors import disk_errors
from kdl.values import ClipFile


@dataclasses.dataclass(frozen=True, slots=True)
class Skipped:
    """A member that is no clip."""

    member: str
    reason: Skip


Entry = ClipFile | Skipped


class Journal:
    """What one reading of an archive met, in order: a JSON array a line, read by :func:`entries`.

    There is no file before the first entry. Both methods raise DiskFull and MachineError.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._file: TextIO | None = None

    def add(self, entry: Entry) -> None:
        with disk_errors(self._path):
            if self._file is None:
                self._file = self._path.open("w", encoding="utf-8")
            self._file.write(json.dumps(_words(entry)) + "\n")

    def close(self) -> None:
        if self._file is not None:
            with disk_errors(self._path):
                self._file.close()


def _words(entry: Entry) -> list[object]:
    if isinstance(entry, Skipped):
        return [entry.member, entry.reason.value]
    return [getattr(entry, field.name) for field in dataclasses.fields(entry)]


def entries(path: Path) -> Iterator[Entry]:
    """What a :class:`Journal` holds; nothing where there is none. Raises MachineError."""
    with disk_errors(path):
        if not path.exists():
            return
        with path.open(encoding="utf-8") as file:
            for line in file:
                words = json.loads(line)
                yield Skipped(words[0], Skip(words[1])) if len(words) == 2 else ClipFile(*words)


def member_of(clip: ClipFile) -> Member:
    """The clip as it was met, before its bytes were read."""
    return Member(clip.member, clip.name, clip.folder, clip.seq, clip.size)


def put(clip: ClipFile, placement: Placement) -> ClipFile | None:
    """Give a staged clip its place. None where it is wanted and is not there any more.

    A clip that was not staged is one that nobody wanted, or the same as the file at ``clip.path``. Raises
    DiskFull and MachineError.
    """
    if placement.path is None:
        return dataclasses.replace(clip, path=None, sha256=None, mtime_ns=None, written=False)
    if clip.path is None or clip.sha256 is None:
        return None
    with disk_errors(placement.path):
        path, wanted = settled(placement, placement.path, clip.sha256)
        if wanted:
            if not clip.written:
                return None
            move(Path(clip.path), path)
    return dataclasses.replace(
        clip, path=str(path.absolute()), mtime_ns=time_of(path, clip.mtime_ns), written=wanted
    )
