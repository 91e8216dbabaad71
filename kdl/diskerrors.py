"""Errors of the operating system, in kdl's words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdl.errors import DiskFull, MachineError

_FULL = {errno.ENOSPC: "no room left on the disk", errno.EDQUOT: "the disk quota is used up"}


def disk_error(error: OSError, path: Path | None = None) -> MachineError:
    """DiskFull where there is no room or quota left, else MachineError; names ``path`` or the error's."""
    subject = str(path or error.filename or "")
    if error.errno in _FULL:
        fix = "make room and run the same command again: it goes on where it stopped"
        return DiskFull(_FULL[error.errno], subject=subject, fix=fix)
    if error.errno == errno.EXDEV:
        return MachineError(
            "lies on another file system than its mirror",
            subject=subject,
            fix="keep a mirror on one file system; --derived has a disk of its own",
        )
    if error.errno in (errno.EMFILE, errno.ENFILE):
        fix = "allow more open files (ulimit -n 1024), or use fewer --jobs and --workers"
    elif error.errno == errno.EFBIG:
        fix = "allow larger files (ulimit -f unlimited), or use a file system that takes them"
    else:
        fix = "look at its permissions and at the disk; kdl doctor --root ROOT tries it"
    return MachineError(error.strerror or str(error), subject=subject, fix=fix)


@contextmanager
def disk_errors(path: Path | None = None) -> Iterator[None]:
    """Raise what goes wrong with files inside the block as :func:`disk_error` has it."""
    try:
        yield
    except OSError as error:
        raise disk_error(error, path) from error
