"""Digests of files."""

from __future__ import annotations

import hashlib
import os
import threading
from collections.abc import Callable

from kdl.settings import MIB

_own = threading.local()


def sha256_file(path: str, *, chunk: int = MIB, passed: Callable[[int], object] | None = None) -> str:
    """The SHA-256 of the file at ``path``, lower-case hex, read ``chunk`` bytes at a time.

    ``passed`` is told of the bytes of each piece; what it raises ends the reading. Releases the
    interpreter lock while reading and hashing, so it may run in threads. Raises OSError.
    """
    digest = hashlib.sha256()
    view = _buffer(chunk)
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        while count := file.readinto(view):
            digest.update(view[:count])
            if passed is not None:
                passed(count)
    return digest.hexdigest()


def sha256_tree(path: str, *, passed: Callable[[int], object] | None = None) -> str:
    """One digest of a file, or of a folder's files: of their names and digests in the order of the names.

    Folders in the folder are not followed. Raises OSError.
    """
    if not os.path.isdir(path):  # noqa: PTH112 - for every derivative there is
        return sha256_file(path, passed=passed)
    with os.scandir(path) as entries:
        names = sorted(entry.name for entry in entries if entry.is_file())
    digest = hashlib.sha256()
    for name in names:
        digest.update(os.fsencode(f"{sha256_file(f'{path}/{name}', passed=passed)}  {name}\n"))
    return digest.hexdigest()


def _buffer(size: int) -> memoryview:
    """This thread's own: to clear a new one for each clip costs a tenth of the hashing."""
    buffer: bytearray | None = getattr(_own, "buffer", None)
    if buffer is None or len(buffer) < size:
        buffer = _own.buffer = bytearray(size)
    return memoryview(buffer)[:size]
