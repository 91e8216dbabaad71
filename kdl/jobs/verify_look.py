"""One look at one clip's file: is it there, and does it hold its own bytes?"""

from __future__ import annotations

import errno
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path

from kdl.check.hashes import sha256_file
from kdl.jobs.restore import moved_place
from kdl.ledger.checked import Known
from kdl.values import Cause, Level, Verdict

_DENIED = (errno.EACCES, errno.EPERM)


class Mark(StrEnum):
    """What a look found; the signs are rclone's, with the ledger as the source and the disk as the copy."""

    SAME = "="
    ONLY_HERE = "-"
    """On the disk and not on record."""
    GONE = "+"
    """On record and not on the disk."""
    OTHER = "*"
    UNKNOWN = "!"
    """It could not be looked at."""


@dataclass(frozen=True, slots=True)
class Look:
    """What was found where a clip should be."""

    known: Known
    mark: Mark
    level: Level
    """How deep the look was."""
    kind: str = ""
    """Of the finding, where it is not the same."""
    cause: Cause | None = None
    detail: str = ""
    sha256: str | None = None
    """Of what is there, where that was read."""
    mtime_ns: int | None = None
    """The file's new time, where its bytes are the same."""
    moved: bool = False
    """It lay where a killed run had left it: ``known`` has the place."""


def sound_by_stat(prefix: str, known: Known) -> bool:
    """The quick look: size and time are as recorded, and the file may be read."""
    path = prefix + known.path
    try:
        found = os.stat(path)  # noqa: PTH116 - six hundred thousand times
    except OSError:
        return False
    same = (found.st_size, found.st_mtime_ns) == known[2:4]
    return same and stat.S_ISREG(found.st_mode) and may_read(path, found)


def look(base: Path, known: Known, level: Level, passed: Callable[[int], object]) -> Look:
    """Look at a clip's file: its size and time at level STAT, its bytes at any other.

    The bytes are read at STAT as well where size or time are other ones, or the last look found it bad or
    could not read it. ``passed`` is told of the bytes read, and ends the look with what it raises.
    """
    level = _depth(known, level)
    place = base / known.path
    try:
        found = place.stat()
        if not stat.S_ISREG(found.st_mode):
            return Look(known, Mark.OTHER, level, "clip_changed", Cause.CHANGED, "it is a file no more")
        if not may_read(str(place), found):
            mode = stat.S_IMODE(found.st_mode)
            raise PermissionError(errno.EACCES, f"we may not read it: its mode is {mode:03o}")
        same = (found.st_size, found.st_mtime_ns) == (known.size, known.mtime_ns)
        if same and level is Level.STAT:
            return Look(known, Mark.SAME, level)
        digest = sha256_file(str(place), passed=passed)
    except (FileNotFoundError, NotADirectoryError):
        return _gone(base, known, level, passed)
    except OSError as error:
        return hindered(known, level, error)
    if digest == known.sha256:
        return Look(known, Mark.SAME, Level.HASH, sha256=digest, mtime_ns=None if same else found.st_mtime_ns)
    return _other(Look(known, Mark.OTHER, Level.HASH, sha256=digest), found)


def _depth(known: Known, level: Level) -> Level:
    """STAT or HASH: what is suspected is cleared by its bytes alone."""
    suspected = known.verdict == Verdict.MISSING or (
        known.result == "could_not" and known.level != Level.STAT
    )
    return Level.STAT if level is Level.STAT and not suspected else Level.HASH


def _gone(base: Path, known: Known, level: Level, passed: Callable[[int], object]) -> Look:
    elsewhere = moved_place(base, known)
    if elsewhere is not None and elsewhere != known.path:
        again = look(base, known._replace(path=elsewhere), level, passed)
        if again.mark is Mark.SAME:  # what lies in quarantine may be the bad file that was set aside
            return replace(again, moved=True)
    return Look(known, Mark.GONE, level, "missing_clip", None, "the ledger has it, the disk has not")


def hindered(known: Known, level: Level, error: OSError) -> Look:
    """The look that this error ended."""
    if error.errno in _DENIED:
        return Look(known, Mark.UNKNOWN, level, "permission_lost", None, error.strerror or "not allowed")
    return Look(known, Mark.UNKNOWN, level, "not_checked", None, error.strerror or str(error))


def _other(found: Look, there: os.stat_result) -> Look:
    """Which way the bytes are other ones."""
    known = found.known
    if known.sha256 is None:
        said = "what lies there may be cut short: the machine went down while it was written"
        return replace(found, kind="clip_changed", cause=Cause.CHANGED, detail=said)
    if known.size is not None and there.st_size < known.size:
        said = f"{there.st_size:,} of its {known.size:,} bytes are there"
        return replace(found, kind="clip_truncated", cause=Cause.TRUNCATED, detail=said)
    if (there.st_size, there.st_mtime_ns) == (known.size, known.mtime_ns):
        said = "its bytes are not those recorded, its size and time are: the disk did that"
        return replace(found, kind="bit_rot", cause=Cause.CHANGED, detail=said)
    said = "somebody wrote to it: its bytes are not those recorded"
    return replace(found, kind="clip_changed", cause=Cause.CHANGED, detail=said)


def may_read(path: str, found: os.stat_result) -> bool:
    """Whether we may read a file or folder; root may what its mode allows anybody."""
    return bool(found.st_mode & 0o444) and (os.geteuid() == 0 or os.access(path, os.R_OK))
