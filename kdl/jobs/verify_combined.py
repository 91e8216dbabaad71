"""One line for each path that was looked at, as ``rclone check --combined`` writes it."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import IO

from kdl.diskerrors import disk_errors
from kdl.errors import UsageError
from kdl.jobs.verify_look import Mark


class Combined:
    """Takes marks and paths from any thread. Made by :func:`open_combined`."""

    def __init__(self, out: IO[str] | None) -> None:
        self._out = out
        self._lock = threading.Lock()

    def add(self, lines: Iterable[tuple[Mark, str]]) -> None:
        """Raises DiskFull and MachineError."""
        if self._out is None:
            return
        text = "".join(f"{mark} {_line(path)}\n" for mark, path in lines)
        with self._lock, disk_errors(Path(self._out.name)):
            self._out.write(text)


def _line(path: str) -> str:
    """A line break in a name would make two lines of it."""
    return path.replace("\\", "\\\\").replace("\n", "\\n") if "\n" in path else path


@contextlib.contextmanager
def open_combined(path: Path | None) -> Iterator[Combined]:
    """What is written stands under ``path`` from the beginning: a run that is ended leaves what it saw.

    Raises UsageError for a folder, MachineError where it can not be written.
    """
    if path is None:
        yield Combined(None)
        return
    if path.is_dir():
        raise UsageError("is a folder; name a file", subject=str(path))
    with disk_errors(path):
        out = path.open("w", encoding="utf-8", errors="surrogateescape", newline="\n")
    try:
        yield Combined(out)
    finally:
        with disk_errors(path):
            out.close()
