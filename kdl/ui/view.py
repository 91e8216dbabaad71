"""The picture of a run: a pure drawing of :meth:`kdl.jobs.runstate.RunState.snapshot`.

It never takes more lines than it is given: shards that find no room are counted, not shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from rich.console import Console, ConsoleOptions, RenderResult
from rich.measure import Measurement
from rich.segment import Segment
from rich.style import Style
from rich.table import Table
from rich.text import Text

from kdl.settings import human_size
from kdl.ui.text import counted, human_duration, object_name, percent, safe, tally

VERDICT_STYLES = {
    "ok": "green",
    "short": "yellow",
    "corrupt": "bold red",
    "missing": "bold red",
    "replaced": "cyan",
}
_STAGE_WORDS = {
    "check": ("checked", "corrupt"),
    "derive": ("derived", "failed"),
    "verify": ("verified", "bad"),
    "youtube": ("cut out of videos", "not to be had"),
    "adopt": ("taken in", "not"),
}


@dataclass(frozen=True, slots=True)
class Bar:
    """A bar as wide as its cell: what an earlier run left, what came since, what is to come."""

    resumed: float
    done: float
    """The earlier part included."""
    total: float | None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        width = options.max_width
        old_glyph, new_glyph, rest_glyph = "=#-" if options.ascii_only else "╍━─"
        done = _cells(self.done, self.total, width)
        old = min(_cells(self.resumed, self.total, width), done)
        yield Segment(old_glyph * old, Style.parse("cyan"))
        yield Segment(new_glyph * (done - old), Style.parse("green"))
        yield Segment(rest_glyph * (width - done), Style.parse("bright_black"))

    def __rich_measure__(self, console: Console, options: ConsoleOptions) -> Measurement:
        return Measurement(4, options.max_width)


def _cells(amount: float, total: float | None, width: int) -> int:
    return int(width * min(amount / total, 1.0)) if total else 0


@dataclass(frozen=True, slots=True)
class View:
    """Draws a snapshot within ``height`` lines, or within the console's where that is ``None``."""

    snapshot: dict[str, Any]
    height: int | None = None

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        # One line stays free: a picture as tall as the terminal scrolls it with every refresh.
        room = self.height if self.height is not None else max(console.height - 1, 1)
        options = options.update(height=None)
        head = console.render_lines(_head(self.snapshot), options, pad=False)
        foot = console.render_lines(_foot(self.snapshot), options, pad=False)
        running = self.snapshot["running"]
        free = max(room - len(head) - len(foot) - (2 if running else 1), 1 if running else 0)
        table = _transfers(running, free)
        body = [[], *console.render_lines(table, options, pad=False)] if running else []
        lines = [*head, *body, [], *foot][:room]
        for number, line in enumerate(lines):
            yield from line
            if number < len(lines) - 1:
                yield Segment.line()


def _row(*styles_and_cells: tuple[str, str]) -> Text:
    """A line of parts, two blanks between them; empty parts are left out."""
    parts = [Text(cell, style) for cell, style in styles_and_cells if cell]
    return Text("  ").join(parts)


def _head(snapshot: dict[str, Any]) -> Table:
    bytes_, shards = snapshot["bytes"], snapshot["shards"]
    elapsed = (snapshot["finished"] or snapshot["updated"]) - snapshot["started"]
    grid = _grid()
    grid.add_row(
        _row(
            (f"kdl {safe(snapshot['verb'])} {safe(snapshot['dataset'])}", "bold"),
            (safe(snapshot["phase"]), "cyan"),
            (human_duration(elapsed), "bright_black"),
        )
    )
    if bytes_["total"]:
        grid.add_row(Bar(0, bytes_["done"], bytes_["total"]))
    grid.add_row(_bytes_line(bytes_))
    if shards["total"] or shards["running"]:
        of = "" if shards["total"] is None else f" of {shards['total']:,}"
        grid.add_row(
            _row(
                (f"shards  {shards['done']:,}{of} done", ""),
                (f"{shards['running']:,} running", ""),
                (f"{shards['failed']:,} failed" if shards["failed"] else "", "bold red"),
            )
        )
    return grid


def _bytes_line(bytes_: dict[str, Any]) -> Text:
    total = bytes_["total"]
    amount = (
        f"{human_size(bytes_['done'])} of {human_size(total)}"
        if total
        else f"{human_size(bytes_['fetched'])} fetched"
    )
    eta = bytes_["eta_s"]
    return _row(
        (percent(bytes_["done"], total), "bold"),
        (amount, ""),
        (f"{human_size(bytes_['rate'])}/s", ""),
        (f"ETA {human_duration(eta)}" if eta is not None and total else "", "bold"),
    )


def _grid() -> Table:
    grid = Table.grid(expand=True)
    grid.add_column(no_wrap=True, overflow="ellipsis")
    return grid


def _transfers(running: list[dict[str, Any]], lines: int) -> Table:
    """A bar a transfer; the last line counts those that ``lines`` has no room for."""
    shown = running if len(running) <= lines else running[: lines - 1]
    hidden = len(running) - len(shown)
    grid = Table.grid(expand=True, padding=(0, 1))
    grid.add_column(ratio=3, no_wrap=True, overflow="ellipsis")
    grid.add_column(ratio=4, no_wrap=True)
    grid.add_column(justify="right", no_wrap=True, min_width=17)
    grid.add_column(justify="right", no_wrap=True, min_width=10)
    for transfer in shown:
        grid.add_row(
            object_name(transfer["name"], transfer["split"]),
            Bar(transfer["resumed"], transfer["received"], transfer["size"]),
            f"{human_size(transfer['received'])} / {human_size(transfer['size'])}",
            f"{human_size(transfer['rate'])}/s",
        )
    if hidden:
        grid.add_row(
            Text(f"+{hidden} more" if shown else f"{counted(hidden, 'transfer')} running", "bright_black")
        )
    return grid


def _foot(snapshot: dict[str, Any]) -> Table:
    grid = Table.grid(expand=True, padding=(0, 1, 0, 0))
    grid.add_column(width=8, style="bright_black", no_wrap=True)
    grid.add_column(ratio=1, overflow="ellipsis")
    for name, text in _foot_rows(snapshot):
        grid.add_row(name, text)
    return grid


def _foot_rows(snapshot: dict[str, Any]) -> Iterator[tuple[str, Text]]:
    if snapshot["clips"]:
        yield "clips", clips_line(snapshot["clips"])
    for name, stage in snapshot["stages"].items():
        yield safe(name), _stage_line(name, stage)
    for disk in snapshot["disk_free"]:
        yield "disk", _cut(f"{human_size(disk['free'])} free on {safe(disk['path'])}")
    retries = snapshot["retries"]
    if retries["count"]:
        reasons = ", ".join(f"{safe(why)} ×{count:,}" for why, count in retries["by_reason"].items())
        yield "retries", _cut(f"{retries['count']:,}: {reasons}", "yellow")
    yield from _waiting_rows(snapshot)
    findings = snapshot["findings"]
    if findings["count"]:
        last = findings["last"][-1]
        said = f"{findings['count']:,}, the last: {safe(last['subject'])}: {safe(last['detail'])}"
        yield "findings", _cut(said, "yellow")


def _waiting_rows(snapshot: dict[str, Any], limit: int = 2) -> Iterator[tuple[str, Text]]:
    waiting = snapshot["waiting"]
    for wait in waiting[:limit]:
        left = max(0.0, wait["until"] - snapshot["updated"])
        said = (
            f"{human_duration(left)} for try {wait['attempt'] + 1} of {wait['of']}, "
            f"{safe(wait['reason'])}: {safe(wait['subject'])}"
        )
        yield "waiting", _cut(said, "yellow")
    if len(waiting) > limit:
        yield "", Text(f"+{len(waiting) - limit} more", "bright_black")


def _stage_line(name: str, stage: dict[str, int]) -> Text:
    good, bad = _STAGE_WORDS.get(name, ("done", "failed"))
    return _row(
        (f"{stage['done']:,} {good}", ""),
        (f"{stage['failed']:,} {bad}" if stage["failed"] else "", "bold red"),
        (f"{stage['waiting']:,} waiting" if stage["waiting"] else "up to date", "bright_black"),
    )


def clips_line(counts: dict[str, int]) -> Text:
    """Clips by verdict, the telling ones coloured, zeros left out."""
    return _row(
        *((tally({name: count}), VERDICT_STYLES.get(name, "")) for name, count in counts.items() if count)
    )


def _cut(text: str, style: str = "") -> Text:
    """One line, its end cut where the terminal is too narrow."""
    return Text(text, style, no_wrap=True, overflow="ellipsis")
