"""``kdl status --watch``: a mirror at a glance, drawn again and again."""

from __future__ import annotations

import io
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Never

from rich.console import Console, Group, RenderableType
from rich.live import Live
from rich.text import Text

from kdl.jobs.statusfile import condition
from kdl.jobs.watching import Glance
from kdl.report.health import Tone
from kdl.tallies import Ages
from kdl.ui.consoles import console_on
from kdl.ui.status import counts_table, run_headline
from kdl.ui.streams import wait_while_read
from kdl.ui.text import counted, safe
from kdl.ui.view import View

_STYLES = {Tone.GOOD: "bold green", Tone.NOTE: "bold", Tone.WARN: "bold yellow", Tone.BAD: "bold red"}
_PROBLEMS = 6
"""Shown at the most; the rest is counted."""


def render_glance(glance: Glance, *, now: float | None = None) -> list[RenderableType]:
    """Its parts from the top: is it sound, what is to be done, the counts, and what a run does."""
    now = time.time() if now is None else now
    parts: list[RenderableType] = []
    if glance.health is not None:
        parts += [Text(glance.health.headline, _STYLES[glance.health.tone]), *_problems(glance), Text("")]
    rows: dict[str, Any] = {
        name: glance.counts[name] for name in ("clips", "shards") if glance.counts.get(name)
    }
    rows |= {f"derived {recipe}": made for recipe, made in glance.counts.get("derived", {}).items()}
    if glance.ages is not None:
        rows["looked at"] = _ages(glance.ages)
    parts += [counts_table(rows), Text("")]
    if glance.run is None:
        parts.append(Text("no run has been recorded here", "bright_black"))
    else:
        parts.append(run_headline(glance.run, condition(glance.run, now=now), now))
    return parts


def _problems(glance: Glance) -> Iterator[Text]:
    problems = (
        [each for each in glance.health.problems if each.tone is not Tone.NOTE] if glance.health else []
    )
    for problem in problems[:_PROBLEMS]:
        line = Text("  ").join([Text(problem.what), Text(safe(problem.command), "cyan")])
        line.no_wrap, line.overflow = True, "ellipsis"
        yield line
    if len(problems) > _PROBLEMS:
        yield Text(
            f"and {counted(len(problems) - _PROBLEMS, 'thing')} more: kdl report tells all", "bright_black"
        )


def _ages(ages: Ages) -> Mapping[str, int]:
    return {
        "in a day": ages.day,
        "in 7 days": ages.week,
        "in 30 days": ages.month,
        "longer ago": ages.older,
        "never": ages.never,
    }


class _Screen:
    """The glance, no taller than the terminal: a run's picture gets the lines that are left."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._size = console.size

    def draw(self, glance: Glance) -> RenderableType:
        """A resized terminal has wrapped the old picture out of reach: begin on a clean one."""
        if self._console.size != self._size:
            self._size = self._console.size
            self._console.clear()
        parts = render_glance(glance)
        if glance.run is not None and condition(glance.run) == "live":
            used = len(self._console.render_lines(Group(*parts), pad=False))
            parts.append(View(glance.run, height=max(self._console.height - used - 1, 1)))
        return Group(*parts)


def watch_live(look: Callable[[], Glance], interval_s: float) -> Never:
    """Redraw until interrupted. The last picture stays on the terminal, and the cursor comes back."""
    console = console_on(sys.stdout)
    screen = _Screen(console)
    with Live(screen.draw(look()), console=console, auto_refresh=False) as live:
        while True:
            live.update(screen.draw(look()), refresh=True)
            time.sleep(interval_s)


def watch_plain(look: Callable[[], Glance], interval_s: float, say: Callable[[str], None]) -> Never:
    """Say each glance that differs from the last, under the time, until interrupted."""
    last = ""
    while True:
        text = _plain(look())
        if text != last:
            say(f"{time.strftime('%Y-%m-%d %H:%M:%S')}\n{text}")
            last = text
        wait_while_read(sys.stdout, interval_s)


def watch_json(
    look: Callable[[], Glance], interval_s: float, dataset: str, say: Callable[[Mapping[str, Any]], None]
) -> Never:
    """Say each glance that differs from the last as one object, until interrupted."""
    last: Mapping[str, Any] = {}
    while True:
        glance = look()
        health = glance.health
        known = {"headline": health.headline, "next": health.command or None} if health else {}
        found = {
            "dataset": dataset,
            "exit_code": 0,
            "run": glance.run,
            **glance.counts,
            **known,
            "findings": [],
        }
        if found != last:
            say(found)
            last = found
        wait_while_read(sys.stdout, interval_s)


def _plain(glance: Glance) -> str:
    parts = render_glance(glance)
    if glance.run is not None and condition(glance.run) == "live":
        parts.append(View(glance.run, height=40))
    out = io.StringIO()
    console_on(out).print(Group(*parts))
    return "\n".join(line.rstrip() for line in out.getvalue().splitlines()) + "\n"
