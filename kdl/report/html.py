"""The report as one HTML page that needs nothing beside itself: no server, no font, no script of others.

A content security policy in the page's head holds it to that.
"""

from __future__ import annotations

import base64
import hashlib
import re
import shlex
import time
from collections.abc import Callable
from dataclasses import dataclass
from importlib import resources
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from kdl.report.charts import Histogram, bars, commonest, histogram
from kdl.report.coverage import SHOWN, by_class, by_split
from kdl.report.health import Command, Health, Tone
from kdl.settings import human_size
from kdl.tallies import Named, Overview
from kdl.values import Verdict

_MEANINGS = {
    Verdict.OK: "sound",
    Verdict.SHORT: "sound, but shorter than its name says",
    Verdict.UNCHECKED: "bytes whole, not judged",
    Verdict.PENDING: "annotated, its shards not read yet",
    Verdict.MISSING: "was here; gone or changed",
    Verdict.CORRUPT: "does not open, lacks data or does not decode",
    Verdict.NEVER_HOSTED: "annotated, in none of the shards",
    Verdict.UNLISTED: "in a shard, in no annotation",
}


_PLACEHOLDER = re.compile(r"[A-Z]{3,}$")


@dataclass(frozen=True, slots=True)
class Picture:
    """One clip of the contact sheet."""

    clip: Named
    jpeg: bytes | None
    """``None`` where none can be had of it."""

    @property
    def uri(self) -> str:
        return f"data:image/jpeg;base64,{base64.b64encode(self.jpeg or b'').decode()}"


@dataclass(frozen=True, slots=True)
class Page:
    """Everything a report shows."""

    dataset: str
    title: str
    """The dataset's name as people write it."""
    place: str
    """The mirror's folder."""
    version: str
    overview: Overview
    health: Health
    command: Command
    running: str
    """What a run is doing now, in words; empty where none is."""
    suspects: tuple[Picture, ...]
    samples: tuple[Picture, ...]


def render(page: Page) -> str:
    """The page. Every name from outside is escaped."""
    view = page.overview
    script = _template_text("report.js")
    environment = Environment(
        loader=PackageLoader("kdl.report"),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=StrictUndefined,
    )
    filters: dict[str, Callable[..., Any]] = {
        "n": lambda count: f"{count:,}",
        "size": human_size,
        "percent": _percent,
        "moment": _moment,
        "stamp": _stamp,
        "clock": _clock,
        "hours": _hours,
        "words": lambda text: str(text).replace("_", " "),
        "ago": lambda then: _ago(view.taken - then),
        "short": lambda number: f"{number:.3g}",
        "way_out": split_fix,
    }
    environment.filters |= filters
    return environment.get_template("report.html").render(
        page=page,
        view=view,
        health=page.health,
        splits=by_split(view.cells),
        classes=by_class(view.cells),
        shown=SHOWN,
        meanings=_MEANINGS,
        histograms=_histograms(view),
        resolutions=commonest((f"{w} × {h}", count) for (w, h), count in view.measures.resolution.items()),
        rates=commonest((f"{fps:g} fps", count) for fps, count in view.measures.fps.items()),
        causes=bars(list(view.replaced_by_cause.items())),
        fetched=[run for run in view.runs if run.rate],
        absent=view.clips(Verdict.NEVER_HOSTED),
        Verdict=Verdict,
        Tone=Tone,
        style=_template_text("report.css"),
        script=script,
        script_hash=base64.b64encode(hashlib.sha256(script.encode()).digest()).decode(),
    )


def split_fix(fix: str) -> tuple[str, str]:
    """A finding's way out as a sentence and a command to be pasted; either may be empty.

    >>> split_fix("it is hosted so; kdl status k400 --show corrupt")
    ('it is hosted so', 'kdl status k400 --show corrupt')
    """
    before, _, last = fix.rpartition("; ")
    if _is_command(last):
        return before, last
    return fix, ""


def _is_command(text: str) -> bool:
    """Whether all of it is a call of kdl: a verb, one name at the most, and options with their values."""
    try:
        first, *words = shlex.split(text)
    except ValueError:
        return False
    names = [
        word
        for before, word in zip(["", *words], words, strict=False)
        if not word.startswith("-") and not before.startswith("-")
    ]
    whole = not any(map(_PLACEHOLDER.match, words))
    return first == "kdl" and 1 <= len(names) <= 2 and words[0] == names[0] and whole


def _template_text(name: str) -> str:
    return resources.files("kdl.report").joinpath("templates", name).read_text(encoding="utf-8").strip()


def _histograms(view: Overview) -> list[tuple[str, str, Histogram]]:
    made = (
        ("Duration", "s", histogram(view.measures.duration, 0.25, "s")),
        ("Size of a clip", "MB", histogram(view.measures.size, 10_000, "MB", 1e-6)),
    )
    return [(name, unit, drawn) for name, unit, drawn in made if drawn is not None]


def _percent(share: float) -> str:
    """Never 100 % before all of it, never 0 % of something: rounded towards the middle."""
    if share in (0.0, 1.0):
        return f"{share:.0%}"
    return f"{min(max(share, 0.001), 0.999):.1%}"


def _moment(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M", time.localtime(seconds))


def _stamp(seconds: float) -> str:
    """For programs: ISO 8601, UTC."""
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds))


def _clock(seconds: float) -> str:
    """``8123`` -> ``2:15:23``."""
    whole = round(seconds)
    return f"{whole // 3600}:{whole % 3600 // 60:02}:{whole % 60:02}"


def _hours(seconds: float) -> str:
    return f"{seconds / 3600:,.0f} h" if seconds >= 36_000 else f"{seconds / 60:,.0f} min"


def _ago(seconds: float) -> str:
    days, hours, minutes = int(seconds // 86_400), int(seconds // 3_600), int(seconds // 60)
    if days:
        return f"{days:,} {'day' if days == 1 else 'days'} ago"
    if hours or minutes:
        return f"{hours} h ago" if hours else f"{minutes} min ago"
    return "just now"
