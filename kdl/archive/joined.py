"""Several files read as one stream: the pieces of an archive that was cut, without joining them on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import IO

from kdl.diskerrors import disk_errors


class Joined:
    """Reads ``paths`` one after the other, hashes what passes, and calls ``beat`` with each piece.

    A context manager. Raises MachineError for a file that can not be read, and what ``beat`` raises.
    """

    def __init__(self, paths: Sequence[Path], beat: Callable[[], None]) -> None:
        self._waiting = list(reversed(paths))
        self._beat = beat
        self._file: IO[bytes] | None = None
        self._path = Path()
        self._digest = hashlib.sha256()
        self.size = 0
        """Bytes read so far."""

    @property
    def sha256(self) -> str:
        """Of what was read so far."""
        return self._digest.hexdigest()

    def read(self, n: int, /) -> bytes:
        """Up to ``n`` bytes; ``b""`` at the end of the last file."""
        self._beat()
        while self._file is not None or self._waiting:
            if self._file is None:
                self._path = self._waiting.pop()
                with disk_errors(self._path):
                    self._file = self._path.open("rb", buffering=0)
            with disk_errors(self._path):
                chunk = self._file.read(n)
            if chunk:
                self._digest.update(chunk)
                self.size += len(chunk)
                return chunk
            self._file.close()
            self._file = None
        return b""

    def drain(self, step: int) -> None:
        """Read to the end, ``step`` bytes at a time."""
        while self.read(step):
            pass

    def __enter__(self) -> Joined:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, exc: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._file is not None:
            self._file.close()
