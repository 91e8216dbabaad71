"""Temporary files of runs that were killed."""

from __future__ import annotations

import contextlib
import shutil
from pathlib import Path

from kdl.settings import MirrorPaths


def clear_temps(paths: MirrorPaths) -> None:
    """Remove every file and folder that was not whole yet. The caller holds the mirror's lock."""
    shutil.rmtree(paths.tmp, ignore_errors=True)
    shutil.rmtree(paths.tasks, ignore_errors=True)  # a task that is still at it on a cluster stops then
    for folder in paths.derived.glob("*/.tmp-*"):
        shutil.rmtree(folder, ignore_errors=True)
    for pattern in (".*.tmp", ".*.part"):
        _unlink_all(paths.annotations, pattern)
    _unlink_all(paths.lists, "**/.*.tmp")
    _unlink_all(paths.state, f"{paths.status.name}.*.tmp")


def _unlink_all(folder: Path, pattern: str) -> None:
    for path in folder.glob(pattern):
        with contextlib.suppress(OSError):
            path.unlink()
