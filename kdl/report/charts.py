"""Numbers made ready to be drawn: bars and histograms, as plain geometry."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

BINS = 30
"""Bars of a histogram at the most, the open ones at its ends aside."""
LARGEST = 12
"""Values of a kind that are drawn one by one; the rest is one bar."""


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar: what it stands for, and how many clips."""

    label: str
    count: int
    share: float
    """Of the tallest bar, 0 to 1."""


@dataclass(frozen=True, slots=True)
class Histogram:
    """A measure's distribution."""

    bars: tuple[Bar, ...]
    low: float
    """Where the first bar begins that is not open."""
    high: float
    """Where the last bar ends that is not open."""
    below: bool
    """Whether a first bar holds everything under ``low``."""
    above: bool
    """Whether a last bar holds everything from ``high`` on."""
    median: float
    p5: float
    p95: float
    clips: int


def histogram(spread: Mapping[float, int], step: float, unit: str, scale: float = 1.0) -> Histogram | None:
    """Bars of one round width over what all but a hundredth of the clips have; ``None`` without clips.

    ``spread`` counts by the lower edge of steps as wide as ``step``. Labels are in ``unit``, of which
    ``scale`` make one of the spread's own.
    """
    values = sorted(spread)
    total = sum(spread.values())
    if not total:
        return None
    first, last = _quantile(spread, values, 0.005), _quantile(spread, values, 0.995)
    width = _round_width(max(last - first, step) / BINS, step)
    low = math.floor(first / width + 1e-9) * width
    high = (math.floor(last / width + 1e-9) + 1) * width
    counts = [0] * round((high - low) / width)
    under = over = 0
    for value, count in spread.items():
        at = math.floor((value - low) / width + 1e-9)
        if at < 0:
            under += count
        elif at >= len(counts):
            over += count
        else:
            counts[at] += count
    edges = [low + at * width for at in range(len(counts) + 1)]
    named = [
        (f"{_text(a * scale)} to {_text(b * scale)} {unit}", n)
        for a, b, n in zip(edges, edges[1:], counts, strict=False)
    ]
    named = [(f"under {_text(low * scale)} {unit}", under)] * bool(under) + named
    named += [(f"{_text(high * scale)} {unit} and more", over)] * bool(over)
    return Histogram(
        bars=bars(named),
        low=low * scale,
        high=high * scale,
        below=bool(under),
        above=bool(over),
        median=_quantile(spread, values, 0.5) * scale,
        p5=_quantile(spread, values, 0.05) * scale,
        p95=_quantile(spread, values, 0.95) * scale,
        clips=total,
    )


def bars(named: Sequence[tuple[str, int]]) -> tuple[Bar, ...]:
    """Each number as a bar, in the order given."""
    tallest = max((count for _, count in named), default=0) or 1
    return tuple(Bar(label, count, count / tallest) for label, count in named)


def commonest(named: Iterable[tuple[str, int]]) -> tuple[Bar, ...]:
    """The largest numbers one by one, the largest first, and the rest as one."""
    ordered = sorted(named, key=lambda item: -item[1])
    shown, rest = ordered[:LARGEST], ordered[LARGEST:]
    if rest:
        shown.append((f"{len(rest):,} others", sum(count for _, count in rest)))
    return bars(shown)


def _quantile(spread: Mapping[float, int], values: Sequence[float], part: float) -> float:
    left = part * sum(spread.values())
    for value in values:
        left -= spread[value]
        if left <= 0:
            return value
    return values[-1]


def _round_width(least: float, step: float) -> float:
    """The narrowest of 1, 2, 4, 10, 20, 40 … steps that is ``least`` wide."""
    width = step
    while True:
        for factor in (1, 2, 4):
            if width * factor >= least:
                return width * factor
        width *= 10


def _text(value: float) -> str:
    return f"{value:,.10g}" if value != round(value) else f"{value:,.0f}"
