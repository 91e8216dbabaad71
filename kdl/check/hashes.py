"""Digests of files."""

from __future__ import annotations

import hashlib

from kdl.settings import MIB


def sha256_file(path: str, *, chunk: int = MIB) -> str:
    """The SHA-256 of the file at ``path``, lower-case hex, read ``chunk`` bytes at a time.

    Releases the interpreter lock while reading and hashing, so it may run in threads. Raises OSError.
    """
    digest = hashlib.sha256()
    buffer = bytearray(chunk)
    view = memoryview(buffer)
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        while count := file.readinto(buffer):
            digest.update(view[:count])
    return digest.hexdigest()
