"""Runs the real command in a process of its own, as people do."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

KDL = (sys.executable, "-m", "kdl")


@dataclass(frozen=True)
class Ran:
    """A finished run."""

    code: int
    out: str
    err: str

    @property
    def result(self) -> dict[str, Any]:
        """The one object that ``--json`` prints."""
        found: dict[str, Any] = json.loads(self.out)
        assert found["exit_code"] == self.code
        return found

    def kinds(self) -> set[str]:
        return {finding["kind"] for finding in self.result["findings"]}


def kdl(*arguments: object, timeout: float = 170, **environment: str) -> Ran:
    """``kdl arguments``; a traceback is a failure whatever else happens."""
    done = subprocess.run(
        [*KDL, *map(str, arguments)],
        capture_output=True,
        text=True,
        timeout=timeout,
        stdin=subprocess.DEVNULL,
        env={**os.environ, **environment},
    )
    assert "Traceback" not in done.stderr, done.stderr
    return Ran(done.returncode, done.stdout, done.stderr)


def clips(dataset: object, root: Path, *arguments: object) -> dict[tuple[str, str], dict[str, str]]:
    """The exported rows by split and clip name."""
    done = kdl("export", dataset, "--root", root, "--format", "csv", *arguments)
    assert done.code == 0, done.err
    return {
        (
            row["split"],
            f"{row['youtube_id']}_{int(row['time_start']):06d}_{int(row['time_end']):06d}.mp4",
        ): row
        for row in csv.DictReader(io.StringIO(done.out))
    }


def tree(folder: Path) -> dict[str, str]:
    """Every file that a user sees, with its digest; the mirror's own state is left out."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and ".kdl" not in path.relative_to(folder).parts
    }
