"""Rates by the time of day: read, asked, and heeded by those who wait already."""

from __future__ import annotations

import asyncio
import time as clocks
from datetime import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdl.errors import UsageError
from kdl.fetch.limits import RateLimit
from kdl.fetch.timetable import Timetable, parse_limit, share

OFFICE = parse_limit("08:00,20M 20:00,off")
MB = 1_000_000


@pytest.mark.parametrize(
    ("moment", "rate"),
    [
        (time(0, 0), None),
        (time(7, 59, 59, 999_999), None),
        (time(8, 0), 20 * MB),
        (time(12, 30), 20 * MB),
        (time(19, 59, 59), 20 * MB),
        (time(20, 0), None),
        (time(23, 59, 59), None),
    ],
)
def test_an_entry_holds_until_the_next_one_over_midnight_too(moment: time, rate: int | None) -> None:
    assert isinstance(OFFICE, Timetable)
    assert OFFICE.rate_at(moment) == rate


@given(st.times(), st.dictionaries(st.times(), st.integers(1, 10**9), min_size=1))
def test_the_rate_is_that_of_the_last_entry_before(moment: time, rates: dict[time, int]) -> None:
    before = [each for each in rates if each <= moment]
    expected = rates[max(before or rates)]
    assert Timetable(tuple(sorted(rates.items()))).rate_at(moment) == expected


def test_how_limits_are_written() -> None:
    assert parse_limit("50M") == 50 * MB
    assert parse_limit("  22:30,OFF   6:15,512Ki ") == Timetable(
        ((time(6, 15), 524_288), (time(22, 30), None))
    )
    assert parse_limit("00:00,1M") == Timetable(((time(0, 0), MB),))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("", "not a size"),
        ("fast", "not a size"),
        ("off", "not a size"),
        ("08:00", "no entry of a timetable"),
        ("08:00,", "no entry of a timetable"),
        ("8,20M", "no entry of a timetable"),
        ("08:00,20M,20:00,off", "not a size"),
        ("08:00 ,20M", "no entry of a timetable"),
        ("08:00,20M; 20:00,off", "not a size"),
        ("24:00,20M", "from 00:00 to 23:59"),
        ("08:60,20M", "from 00:00 to 23:59"),
        ("08:00,0", "not a size"),
        ("08:00,on", "not a size"),
        ("08:00,1M 8:00,2M", "stands in it twice"),
    ],
)
def test_what_is_no_limit_is_named(text: str, words: str) -> None:
    with pytest.raises(UsageError, match=words):
        parse_limit(text)


class Clocks:
    """Seconds, and with them the time of day from 19:59:50 on."""

    def __init__(self) -> None:
        self.now = 0.0

    def seconds(self) -> float:
        return self.now

    def of_day(self) -> time:
        whole = 19 * 3600 + 59 * 60 + 50 + int(self.now)
        return time(whole // 3600 % 24, whole // 60 % 60, whole % 60)


def test_the_line_moves_at_the_rate_of_the_hour() -> None:
    clocks = Clocks()
    limit = RateLimit(parse_limit("08:00,1000 20:00,100"), clock=clocks.seconds, time_of_day=clocks.of_day)
    assert limit.reserve(5_000) == pytest.approx(4.9)
    clocks.now = 5.0
    assert limit.reserve(1_000) == pytest.approx(0.9)
    clocks.now = 9.0
    assert limit.reserve(0) == 0.0
    clocks.now = 10.0
    assert limit.reserve(1_000) == pytest.approx(9.9)


async def test_who_waits_hears_of_a_new_rate() -> None:
    began = clocks.monotonic()

    def of_day() -> time:
        return time(20, 0) if clocks.monotonic() - began > 0.5 else time(12, 0)

    limit = RateLimit(parse_limit("08:00,1K 20:00,off"), time_of_day=of_day)
    paying = [asyncio.create_task(limit.pay(1_000_000)) for _ in range(3)]  # a thousand seconds each
    await asyncio.sleep(0)
    assert limit.waiting == 3
    await asyncio.wait_for(asyncio.gather(*paying), 60)
    assert limit.waiting == 0


def test_a_share_of_a_limit_is_even_and_never_nothing() -> None:
    assert share(None, 4) is None
    assert share(10 * MB, 4) == 2_500_000
    assert share(3, 4) == 1
    assert share(OFFICE, 4) == parse_limit("08:00,5M 20:00,off")
