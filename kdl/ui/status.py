"""``kdl status``: a run's published picture, and what the ledger counts."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kdl.errors import EXIT_CODES
from kdl.jobs.statusfile import condition
from kdl.ui.text import human_duration, safe, tally
from kdl.ui.view import View

_PICTURE_LINES = 40


def render_status(
    snapshot: dict[str, Any] | None, ledger_counts: Mapping[str, Any] | None, *, now: float | None = None
) -> RenderableType:
    """The last run, as published, then the ledger's counts.

    ``ledger_counts`` maps a name to a number, or to numbers by name (``{"clips": {"ok": 3}}``).
    ``now`` is Unix seconds, the present if not given.
    """
    parts: list[RenderableType] = []
    if snapshot is None:
        parts.append(Text("no run has been recorded here", "bright_black"))
    else:
        now = time.time() if now is None else now
        state = condition(snapshot, now=now)
        parts.append(run_headline(snapshot, state, now))
        if state == "live":
            parts.append(View(snapshot, height=_PICTURE_LINES))
    if ledger_counts:
        parts += [Text(""), counts_table(ledger_counts)]
    return Group(*parts)


def run_headline(snapshot: dict[str, Any], state: str, now: float) -> Text:
    """What has become of a run, in a line: it goes on, has ended, or was cut off (``state``)."""
    run = f"kdl {safe(snapshot['verb'])} {safe(snapshot['dataset'])}"
    where = f"pid {snapshot['pid']} on {safe(snapshot['host'])}"
    if state == "live":
        return Text(f"running: {run}, since {_moment(snapshot['started'])}, {where}", "bold green")
    if state == "stale":
        silent = human_duration(now - snapshot["updated"])
        return Text(
            f"cut off: {run}, {where}, was last heard of {silent} ago in step {safe(snapshot['phase'])!r}\n"
            "try: the same command again; it goes on from there",
            "bold red",
        )
    code = snapshot["exit_code"]
    took = human_duration(snapshot["finished"] - snapshot["started"])
    said = f"ended: {run}, {_moment(snapshot['finished'])}, after {took}, exit code {code}"
    return Text(f"{said}: {EXIT_CODES[code]}" if code in EXIT_CODES else said, "red" if code else "green")


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(seconds))


def counts_table(counts: Mapping[str, Any]) -> Table:
    """A line a name, with a number or with numbers by name."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bright_black", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in counts.items():
        words = tally(value) or "none" if isinstance(value, Mapping) else f"{value:,}"
        grid.add_row(safe(name).replace("_", " "), words)
    return grid
