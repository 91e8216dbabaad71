"""``--move``: the user's files go, once the mirror has what was in them, on disk and on record."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import IO

from kdl.jobs.run import Run
from kdl.ledger.clips import find_clip
from kdl.values import SOUND, ClipKey


class Journal:
    """What was taken in, a line of JSON a file, in a file of the run's own: memory stays flat."""

    def __init__(self, run: Run, *, kept: bool) -> None:
        """``kept``: there will be somebody to read it."""
        self._run = run
        self._path = run.tmp / "adopted.jsonl"
        self._file: IO[str] | None = self._path.open("w", encoding="utf-8") if kept else None

    def add(self, path: Path, stat: os.stat_result, key: ClipKey, sha256: str | None) -> None:
        if self._file is None or path.is_symlink():  # what a link points to is not the user's to lose here
            return
        entry = [
            str(path),
            stat.st_size,
            stat.st_mtime_ns,
            key.split,
            key.youtube_id,
            key.start,
            key.end,
            sha256,
        ]
        self._file.write(f"{json.dumps(entry)}\n")

    def release(self) -> int:
        """Remove each file that is still as it was read and whose clip is here, sound, with its bytes.

        To be called behind the barrier that put the clips on disk. Returns how many; runs in a thread.
        """
        if self._file is None:
            return 0
        self._file.close()
        gone = 0
        with self._path.open(encoding="utf-8") as lines:
            for line in lines:
                self._run.checkpoint()
                gone += self._remove(*json.loads(line))
        return gone

    def _remove(
        self,
        name: str,
        size: int,
        mtime_ns: int,
        split: str,
        youtube_id: str,
        start: int | None,
        end: int | None,
        sha256: str,
    ) -> bool:
        row = find_clip(self._run.ledger.reader(), ClipKey(split, youtube_id, start, end))
        if row is None or row["sha256"] != sha256 or row["verdict"] not in SOUND or row["path"] is None:
            return False
        path, home = Path(name), self._run.paths.base / row["path"]
        try:
            now, kept = path.stat(), home.stat()
        except OSError:
            return False
        if (
            (now.st_size, now.st_mtime_ns) != (size, mtime_ns)
            or kept.st_size != size
            or path.resolve() == home.resolve()
        ):
            return False
        path.unlink()
        return True
