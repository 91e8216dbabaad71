"""A folder of nightly reports: ``2026-03-14.json`` and ``.html``, and the same as ``latest``."""

from __future__ import annotations

import contextlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from kdl.diskerrors import disk_errors
from kdl.report.wholefile import whole_file

LATEST = "latest"
_NAME = re.compile(r"(\d{4}-\d\d-\d\d)(?:-(\d+))?\.(?:json|html)")


def next_name(folder: Path, date: str) -> str:
    """The name, without an ending, of the next report of a day (``2026-03-14``): the second is ``…-2``."""
    with disk_errors(folder):
        there = [order for order, _ in _reports(folder) if order[0] == date]
    count = max((number for _, number in there), default=0) + 1
    return date if count == 1 else f"{date}-{count}"


def write_report(folder: Path, name: str, told: Mapping[str, Any]) -> Path:
    """Write the JSON of a night, and the same as ``latest.json``, each whole or not at all; its path.

    Raises MachineError and DiskFull.
    """
    text = json.dumps(told, indent=1).encode() + b"\n"
    with disk_errors(folder):
        folder.mkdir(parents=True, exist_ok=True)
    for path in (folder / f"{name}.json", folder / f"{LATEST}.json"):
        with whole_file(path) as stream:
            stream.write(text)
    return folder / f"{name}.json"


def publish_page(page: Path) -> None:
    """The page of a night, written already, as ``latest.html`` too. Raises MachineError and DiskFull."""
    with disk_errors(page):
        text = page.read_bytes()
    with whole_file(page.with_name(f"{LATEST}.html")) as stream:
        stream.write(text)


def prune_reports(folder: Path, keep: int) -> int:
    """Remove the reports of all nights but the last ``keep``; how many files. Other files stay.

    Raises MachineError.
    """
    gone = 0
    with disk_errors(folder):
        reports = _reports(folder)
        kept = set(sorted({order for order, _ in reports})[-keep:])
        for order, path in reports:
            if order not in kept:
                with contextlib.suppress(FileNotFoundError):
                    path.unlink()
                    gone += 1
    return gone


def _reports(folder: Path) -> list[tuple[tuple[str, int], Path]]:
    """Each file of a night with its date and its number on that day."""
    files = folder.iterdir() if folder.is_dir() else ()
    found = ((_NAME.fullmatch(path.name), path) for path in files)
    return [((match[1], int(match[2] or 1)), path) for match, path in found if match]
