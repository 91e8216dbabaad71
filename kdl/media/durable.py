"""Puts a derivative on disk from the machine that wrote it, where that is not the coordinator's."""

from __future__ import annotations

import ctypes
import os
import sys
from pathlib import Path

from kdl.diskerrors import disk_error


def flush(path: Path) -> None:
    """Return once a file, or a folder of files, is on disk under its name. Raises DiskFull, MachineError.

    A folder's many files go with one syncfs(2) of their file system.
    """
    try:
        if path.is_dir():
            _syncfs(path)
        else:
            _fsync(path)
            _fsync(path.parent)
    except OSError as error:
        raise disk_error(error, path) from error


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _syncfs(folder: Path) -> None:
    if sys.platform != "linux":
        os.sync()
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        if ctypes.CDLL(None, use_errno=True).syncfs(descriptor) != 0:
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))
    finally:
        os.close(descriptor)
