"""Rates that change with the time of day, as ``--limit-rate`` takes them."""

from __future__ import annotations

import re
from bisect import bisect_right
from dataclasses import dataclass
from datetime import time

from kdl.errors import UsageError
from kdl.settings import parse_size

OFF = "off"
"""Stands for no limit."""
_ENTRY = re.compile(r"(\d{1,2}):(\d\d),(\S+)")
_FORM = "write 50M, or a timetable like '08:00,20M 20:00,off'"


@dataclass(frozen=True, slots=True)
class Timetable:
    """Rates in bytes a second, each from its time of day on; None is no limit."""

    entries: tuple[tuple[time, int | None], ...]
    """Sorted by time, no time twice, at least one."""

    def rate_at(self, moment: time) -> int | None:
        """The rate at a time of day. Before the day's first entry its last one holds, from the day before."""
        return self.entries[bisect_right(self.entries, moment, key=lambda entry: entry[0]) - 1][1]


def parse_limit(text: str) -> int | Timetable:
    """``50M`` -> 50,000,000; ``08:00,20M 20:00,off`` -> a Timetable of local times.

    Raises UsageError for anything else.
    """
    if "," not in text and ":" not in text:
        return parse_size(text)
    rates: dict[time, int | None] = {}
    for word in text.split():
        moment, rate = _entry(word)
        if moment in rates:
            raise UsageError(f"{moment:%H:%M} stands in it twice", subject=text, fix=_FORM)
        rates[moment] = rate
    return Timetable(tuple(sorted(rates.items(), key=lambda entry: entry[0])))


def share(limit: int | Timetable | None, count: int) -> int | Timetable | None:
    """The even share of a limit that each of ``count`` has, at least a byte a second."""
    if isinstance(limit, Timetable):
        return Timetable(tuple((moment, rate and max(1, rate // count)) for moment, rate in limit.entries))
    return limit and max(1, limit // count)


def _entry(word: str) -> tuple[time, int | None]:
    match = _ENTRY.fullmatch(word)
    if match is None:
        raise UsageError(f"no entry of a timetable: {_FORM}", subject=word)
    hour, minute, rate = int(match[1]), int(match[2]), match[3]
    if hour > 23 or minute > 59:
        raise UsageError("no time of a day; they go from 00:00 to 23:59", subject=f"{match[1]}:{match[2]}")
    return time(hour, minute), None if rate.lower() == OFF else parse_size(rate)
