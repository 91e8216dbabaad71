"""The barrier after which what was written survives a power cut."""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import socket
from pathlib import Path

from kdl.errors import DiskFull, MachineError

WIDTH = 4
"""Bytes of a number on the socket of :func:`serve`."""

_LIBC = ctypes.CDLL(None, use_errno=True)


def sync_filesystem(path: Path) -> None:
    """Put everything written to the file system of ``path`` on disk. Blocks, and nothing interrupts it.

    One call for a batch of clips, not an fsync for each. Linux has syncfs(2) for it, which since 5.8
    also tells of writes that failed in the background; elsewhere all file systems are synced and such
    failures stay unseen. Raises DiskFull or MachineError: then none of the batch may be called safe.
    """
    if number := errno_of_barrier(path):
        raise barrier_error(path, number)


def errno_of_barrier(path: Path) -> int:
    """:func:`sync_filesystem`, with the errno in place of an exception; 0 where all is on disk."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError as error:
        return error.errno or errno.EIO
    try:
        failed = _syncfs(fd)
    finally:
        os.close(fd)
    if failed == errno.ENOSYS:
        os.sync()
        return 0
    return failed


def _syncfs(fd: int) -> int:
    """0, or the errno; ENOSYS where there is no such call."""
    if not hasattr(_LIBC, "syncfs"):
        return errno.ENOSYS
    return 0 if _LIBC.syncfs(fd) == 0 else ctypes.get_errno()


def barrier_error(path: Path, number: int) -> MachineError:
    """What to raise where the barrier failed with an errno: DiskFull or MachineError."""
    message = f"what was written is not safely on disk: {os.strerror(number)}"
    if number in (errno.ENOSPC, errno.EDQUOT):
        return DiskFull(message, subject=str(path), fix="make room and run the same again")
    return MachineError(message, subject=str(path), fix="look for disk errors in the system's log")


def serve(fd: int) -> None:
    """The life of the process: paths from the socket ``fd``, errnos back, until it is closed."""
    os.set_inheritable(fd, False)
    with (
        socket.socket(fileno=fd) as owner,
        owner.makefile("rb") as asked,
        contextlib.suppress(ConnectionError),  # an owner that has let go left an answer unread
    ):
        while length := asked.read(WIDTH):
            path = Path(os.fsdecode(asked.read(int.from_bytes(length))))
            owner.sendall(errno_of_barrier(path).to_bytes(WIDTH))
