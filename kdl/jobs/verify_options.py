"""What a person asks of ``kdl verify``, and the words in which they do."""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from kdl.errors import UsageError
from kdl.fetch.timetable import Timetable
from kdl.jobs.options import ALL, Choice
from kdl.jobs.repair_options import RepairOptions
from kdl.settings import WATCHDOG_S, parse_size
from kdl.values import Level

_UNITS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 7 * 86_400.0}
_SPAN = re.compile(r"(\d+(?:\.\d+)?)([smhdw])", re.IGNORECASE)
_PART = re.compile(r"(\d+)/(\d+)")
_MOST_PARTS = 10_000


@dataclass(frozen=True, slots=True)
class Subset:
    """How much of the mirror a run looks at: a part of it, a share, or bytes."""

    part: int = 1
    """The one to begin with, from 1."""
    parts: int = 1
    """Equal parts by the clips' keys; a run takes the one that was longest not gone through."""
    share: float | None = None
    """Of all clips, the least recently checked."""
    volume: int | None = None
    """Bytes of the least recently checked."""


WHOLE = Subset()


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """Everything ``kdl verify`` takes."""

    dataset: str
    root: Path
    level: Level = Level.HASH
    choice: Choice = ALL
    """Splits and classes; shards have no say here."""
    max_age_s: float | None = None
    """Clips looked at within this time are left out."""
    max_duration_s: float | None = None
    """After so long no further clip is begun."""
    subset: Subset = WHOLE
    since: float | None = None
    """Unix seconds: only clips whose file came or was touched since."""
    combined: Path | None = None
    against: Path | None = None
    limit_rate: int | Timetable | None = None
    """Bytes a second that are read for hashing."""
    io_nice: bool = False
    workers: int = 0
    """Threads that hash and processes that probe; 0 for one a core."""
    prober: str = "auto"
    repair: RepairOptions | None = None
    """How to mend what was found bad, in the same run; None to leave it."""
    ledger: Path | None = None
    watchdog_s: float = WATCHDOG_S

    @property
    def worker_count(self) -> int:
        return self.workers or len(os.sched_getaffinity(0))


def parse_span(text: str) -> float:
    """``90m``, ``2h``, ``30d``, ``2w`` as seconds. Raises UsageError for anything else."""
    match = _SPAN.fullmatch(text.strip())
    if match is None:
        raise UsageError("not a span of time; write 90m, 2h, 30d or 2w", subject=text)
    return float(match[1]) * _UNITS[match[2].lower()]


def parse_moment(text: str, now: float) -> float:
    """``7d`` (that long before ``now``) or ``2026-03-01[T02:00]`` (local) as Unix seconds.

    Raises UsageError for anything else.
    """
    if _SPAN.fullmatch(text.strip()):
        return now - parse_span(text)
    try:
        return datetime.fromisoformat(text.strip()).timestamp()
    except (ValueError, OverflowError):
        raise UsageError("not a time; write 7d, 2026-03-01 or 2026-03-01T02:00", subject=text) from None


def parse_subset(text: str) -> Subset:
    """``1/7``, ``10%`` or ``50G``. Raises UsageError for anything else."""
    text = text.strip()
    if match := _PART.fullmatch(text):
        part, parts = int(match[1]), int(match[2])
        if not 1 <= part <= parts <= _MOST_PARTS:
            raise UsageError(f"no part of a whole; write 1/7, or up to {_MOST_PARTS:,} parts", subject=text)
        return Subset(part, parts)
    if text.endswith("%"):
        try:
            share = float(text[:-1]) / 100
        except ValueError:
            share = 0.0
        if not 0 < share <= 1:
            raise UsageError("not a share; write 10%", subject=text)
        return Subset(share=share)
    try:
        return Subset(volume=parse_size(text))
    except UsageError:
        raise UsageError("write a part (1/7), a share (10%) or a size (50G)", subject=text) from None
