"""What YouTube gave and refused, told: findings, and two files under ``reports/``."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Collection, Iterable
from functools import partial
from pathlib import Path
from typing import Any

from kdl.dataset.clipname import clip_stem
from kdl.diskerrors import disk_errors
from kdl.fetch.youtube_causes import BARRED, VideoCause
from kdl.jobs.run import Run
from kdl.ledger.clips import Scope
from kdl.ledger.youtube import Told, refusals, told_clips
from kdl.report.wholefile import whole_file
from kdl.values import Finding

CRAWLERS = "download_report.json"
OURS = "youtube.json"
_CODES = dict.fromkeys((VideoCause.NETWORK, *BARRED), 4)


def tell_youtube(run: Run, scope: Scope, came: Collection[int], *, strict: bool) -> None:
    """Findings about what did not come, and the two reports. Runs in a thread.

    ``came``: ids of the clips that this run brought. What was refused for good counts only if ``strict``.
    """
    folder, reader = run.paths.base / "reports", run.ledger.reader()
    for cause, permanent, count in refusals(reader, scope):
        subject = f"{count} clip{'s' * (count != 1)}"
        if permanent:
            fix = f"{folder / OURS} names them; --retry-failed asks again, with --cookies as somebody else"
            run.find(Finding("youtube_unavailable", subject, f"{cause}: not to be had", fix), int(strict))
        else:
            fix = "run the same again; docs/youtube.md tells what helps against each cause"
            finding = Finding("youtube_failed", subject, f"{cause}: could not be had this time", fix)
            run.find(finding, _CODES.get(VideoCause(cause), 1))
    with disk_errors(folder):
        folder.mkdir(exist_ok=True)
    _write(folder / CRAWLERS, "[", map(partial(_crawlers_row, came), told_clips(reader, scope)), "]")
    counts = Counter(_state(came, each) for each in told_clips(reader, scope))
    head = {
        "dataset": run.dataset,
        "written_at": round(time.time(), 3),
        "counts": dict(sorted(counts.items())),
    }
    begin = f'{json.dumps(head).removesuffix("}")}, "clips": ['
    _write(folder / OURS, begin, map(partial(_our_row, came), told_clips(reader, scope)), "]}")


def _crawlers_row(came: Collection[int], told: Told) -> list[Any]:
    """As ActivityNet's crawler writes them: name, whether it is here, and why (not)."""
    reason = {"came": "Downloaded", "here": "Exists"}.get(_state(came, told))
    return [clip_stem(told.key), told.path is not None, reason or f"{_state(came, told)}: {told.detail}"]


def _our_row(came: Collection[int], told: Told) -> dict[str, Any]:
    return {
        "clip": clip_stem(told.key),
        "split": told.key.split,
        "class": told.label,
        "state": _state(came, told),
        "path": told.path,
        "permanent": told.permanent,
        "detail": told.detail,
        "asked": told.asked,
        "asked_at": told.asked_at,
    }


def _state(came: Collection[int], told: Told) -> str:
    """``came`` in this run, ``here`` since an earlier one, or the cause of a failure, or ``missing``."""
    if told.path is None:
        return told.cause or "missing"
    return "came" if told.id in came else "here"


def _write(path: Path, head: str, rows: Iterable[Any], tail: str) -> None:
    """One JSON text, a row a line, that is never in memory as a whole."""
    with whole_file(path) as file:
        file.write(head.encode())
        for number, row in enumerate(rows):
            file.write(f"{',' * (number > 0)}\n{json.dumps(row)}".encode())
        file.write(f"\n{tail}\n".encode())
