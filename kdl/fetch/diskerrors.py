"""Errors of the operating system, in kdl's words."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from kdl.errors import DiskFull, MachineError

_FULL = (errno.ENOSPC, errno.EDQUOT)


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn what goes wrong on disk into DiskFull (no room, quota) or MachineError, naming ``path``."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFull(
                "no room left on the disk" if error.errno == errno.ENOSPC else "the disk quota is used up",
                subject=str(path),
                fix="make room and run the same command again: it goes on where it stopped",
            ) from error
        raise MachineError(error.strerror or str(error), subject=str(path)) from error
