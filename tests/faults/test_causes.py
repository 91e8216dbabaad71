"""Each failure has one word for programs, in the event of its retry."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from hostile import Act, HostileOrigin

from kdl.errors import ArchiveError, FetchError, PermanentError, RetryCause, SourceChanged, TransientError
from kdl.events import Event, RetryScheduled
from kdl.fetch.limits import RateLimit
from kdl.fetch.retry import cause_of
from kdl.fetch.timetable import parse_limit
from kdl.fetch.transfer import Fetcher

MakeFetcher = Callable[..., Fetcher]
HALF = 800_000

CAUSES = {
    "closed half-way": (Act(close_after=HALF), RetryCause.TRUNCATED),
    "reset half-way": (Act(reset_after=HALF), RetryCause.RESET),
    "stalled": (Act(stall_after=HALF), RetryCause.STALL),
    "no answer": (Act(silent=True), RetryCause.STALL),
    "garbage": (Act(garbage=b"\x00\x01 no HTTP at all\r\n\r\n"), RetryCause.MALFORMED),
    "408": (Act(status=408), RetryCause.HTTP_408),
    "425": (Act(status=425), RetryCause.HTTP_425),
    "429": (Act(status=429), RetryCause.HTTP_429),
    "500": (Act(status=500), RetryCause.HTTP_500),
    "502": (Act(status=502), RetryCause.HTTP_502),
    "503": (Act(status=503), RetryCause.HTTP_503),
    "504": (Act(status=504), RetryCause.HTTP_504),
    "507": (Act(status=507), RetryCause.HTTP_5XX),
}


async def read(fetcher: Fetcher, url: str) -> bytes:
    async with fetcher.transfer(url, name="a.tar", kind="shard") as transfer:
        return b"".join([chunk async for chunk in transfer])


def causes(told: list[Event]) -> list[str]:
    return [event.cause for event in told if isinstance(event, RetryScheduled)]


@pytest.mark.parametrize("name", CAUSES)
async def test_a_failure_has_its_word(
    name: str, origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event], data: bytes
) -> None:
    act, cause = CAUSES[name]
    url = origin.put("a.tar", data, act)
    async with fetcher_of() as fetcher:
        assert await read(fetcher, url) == data
    assert causes(told) == [cause]


async def test_closed_without_an_answer(
    origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event], data: bytes
) -> None:
    url = origin.put("a.tar", data, *[Act(hang_up=True)] * 2)  # the client asks twice by itself
    async with fetcher_of() as fetcher:
        await read(fetcher, url)
    assert causes(told) == [RetryCause.CLOSED]


async def test_a_wrong_part(
    origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event], data: bytes
) -> None:
    url = origin.put("a.tar", data, Act(close_after=HALF), Act(content_range=f"bytes 0-9/{len(data)}"))
    async with fetcher_of() as fetcher:
        assert await read(fetcher, url) == data
    assert causes(told) == [RetryCause.TRUNCATED, RetryCause.RANGE]


async def test_nobody_listens(fetcher_of: MakeFetcher, told: list[Event]) -> None:
    with socket.socket() as taken:  # bound and not listening
        taken.bind(("127.0.0.1", 0))
        async with fetcher_of() as fetcher:
            with pytest.raises(FetchError):
                await read(fetcher, f"http://127.0.0.1:{taken.getsockname()[1]}/a.tar")
    assert set(causes(told)) == {RetryCause.REFUSED}


def test_what_no_request_tells() -> None:
    assert cause_of(SourceChanged("another one", status=200)) is RetryCause.CHANGED
    assert cause_of(SourceChanged("wrong digest", cause=RetryCause.MISMATCH)) is RetryCause.MISMATCH
    assert cause_of(TransientError("the server gives no ranges any more", status=200)) is RetryCause.RANGE
    assert cause_of(TransientError("?")) is RetryCause.OTHER
    assert cause_of(PermanentError("not there", status=404)) is RetryCause.OTHER
    assert cause_of(ArchiveError("no archive")) is RetryCause.OTHER


async def test_the_rate_of_a_run_changes_with_the_clock_on_the_wall(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The local time is made to stand two seconds before noon."""
    noon = datetime.now(UTC).replace(hour=12, minute=0, second=0, microsecond=0)
    ahead = int((noon - timedelta(seconds=2) - datetime.now(UTC)).total_seconds())
    hours, rest = divmod(abs(ahead), 3600)
    monkeypatch.setenv("TZ", f"LAB{'-' if ahead > 0 else '+'}{hours:02}:{rest // 60:02}:{rest % 60:02}")
    time.tzset()
    try:
        at = datetime.now()
        assert (at.hour, at.minute) in ((11, 59), (12, 0))
        slow = RateLimit(parse_limit("00:00,10K 12:00,off"))
        url = origin.put("a.tar", data)
        began = time.monotonic()
        async with fetcher_of(rate=slow, stall_s=30.0) as fetcher:
            assert await read(fetcher, url) == data
        took = time.monotonic() - began
    finally:
        monkeypatch.undo()
        time.tzset()
    left = 60 - at.second - 2 if at.hour == 11 else 0
    assert left <= took < len(data) / 10_000 / 2
