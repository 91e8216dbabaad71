"""From a finished section to a clip in its place: nothing half-written ever has a clip's name."""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from pathlib import Path

from kdl.check.hashes import sha256_file
from kdl.dataset.clipname import clip_stem
from kdl.diskerrors import disk_errors
from kdl.jobs.repair_put import link_or_copy
from kdl.jobs.restore import place_of
from kdl.jobs.run import Run
from kdl.ledger.clips import ClipRow
from kdl.ledger.youtube import Came
from kdl.values import ClipKey

_SUFFIX = ".mp4"


def inbox_name(key: ClipKey) -> str:
    """The name under which a section waits that is whole and not in its place yet."""
    return f"{key.split}-{clip_stem(key)}{_SUFFIX}"


def place(run: Run, arrived: Sequence[tuple[ClipRow, Path]]) -> list[Came]:
    """Let the sections be in their clips' places as well. Runs in a thread.

    They keep the names they came with until the ledger knows them: a killed run's are found again.
    """
    came = []
    for row, path in arrived:
        run.checkpoint()
        name = f"{clip_stem(row.key)}{_SUFFIX}"
        home = place_of(row.key.split, row.class_dir, name, listed=True, corrupt=False)
        target = run.paths.base / home
        with disk_errors(target):
            sha256 = sha256_file(str(path))
            temp = run.tmp / path.name
            link_or_copy(path, temp)
            target.parent.mkdir(parents=True, exist_ok=True)
            temp.replace(target)
            stat = target.stat()
        came.append(Came(row, home, name, stat.st_size, stat.st_mtime_ns, sha256))
    return came


def let_go(run: Run, came: Sequence[Came], waited: Sequence[Path]) -> None:
    """The ledger knows: the names they waited under go, and the bad files that they stand in for."""
    bad = (run.paths.base / each.row.path for each in came if each.row.path not in (None, each.path))
    for path in (*waited, *bad):
        with disk_errors(path), contextlib.suppress(FileNotFoundError, NotADirectoryError):
            path.unlink()
