"""A part of an object: its own bytes, of the version that was asked for, or an error."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest
from hostile import Act, HostileOrigin

from kdl.errors import FetchError, PermanentError, RetryCause, SourceChanged, TransientError
from kdl.events import Event, RetryScheduled
from kdl.fetch.source import RemoteStat
from kdl.fetch.transfer import Fetcher

MakeFetcher = Callable[..., Fetcher]
BODY = random.Random(21).randbytes(900_001)
OTHER = random.Random(22).randbytes(900_001)
BEGIN, END = 300_000, 800_000


async def part(fetcher: Fetcher, url: str, known: RemoteStat, begin: int = BEGIN, end: int = END) -> bytes:
    return await fetcher.part(url, known, begin, end, name="a.tar")


@pytest.mark.parametrize(("begin", "end"), [(0, 1), (0, len(BODY)), (BEGIN, END), (900_000, 900_001), (5, 5)])
async def test_its_own_bytes_come(
    origin: HostileOrigin, fetcher_of: MakeFetcher, begin: int, end: int
) -> None:
    url = origin.put("a.tar", BODY)
    counted: list[int] = []
    async with fetcher_of() as fetcher:
        known = await fetcher.stat(url)
        got = await fetcher.part(url, known, begin, end, name="a.tar", on_bytes=counted.append)
    assert (got, sum(counted)) == (BODY[begin:end], end - begin)
    conditions = [request.headers.get("if-range") for request in origin.gets()]
    assert conditions == ([known.etag] if end > begin else [])


@pytest.mark.parametrize(
    "act",
    [Act(close_after=100_000), Act(reset_after=100_000), Act(stall_after=100_000), Act(status=503)],
    ids=["closed", "reset", "stalled", "busy"],
)
async def test_what_breaks_off_is_gone_on_with(
    origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event], act: Act
) -> None:
    url = origin.put("a.tar", BODY, act)
    async with fetcher_of() as fetcher:
        assert await part(fetcher, url, await fetcher.stat(url)) == BODY[BEGIN:END]
    assert sum(isinstance(event, RetryScheduled) for event in told) == 1
    first, again = (request.range_start for request in origin.gets())
    assert first == BEGIN
    assert again is not None
    # A reset may take bytes along that had come already.
    assert BEGIN <= again <= BEGIN + (0 if act.status else 100_000)


@pytest.mark.parametrize("begin", [0, BEGIN])
async def test_another_version_gives_nothing(
    origin: HostileOrigin, fetcher_of: MakeFetcher, begin: int
) -> None:
    url = origin.put("a.tar", BODY)
    async with fetcher_of() as fetcher:
        known = await fetcher.stat(url)
        origin.put("a.tar", OTHER)
        with pytest.raises(SourceChanged, match="another one now"):
            await part(fetcher, url, known, begin)


async def test_a_host_without_ranges_is_told_apart(origin: HostileOrigin, fetcher_of: MakeFetcher) -> None:
    url = origin.put("a.tar", BODY, always=Act(ignore_range=True))
    async with fetcher_of() as fetcher:
        with pytest.raises(PermanentError, match="gives no ranges"):
            await part(fetcher, url, await fetcher.stat(url))
    assert len(origin.gets()) == 1


async def test_another_origin_helps_only_with_the_same_version(
    origin: HostileOrigin, mirror: HostileOrigin, fetcher_of: MakeFetcher
) -> None:
    hosts = {"lab": "http://lab.invalid/"}
    for body in (BODY, OTHER):
        origin.put("a.tar", BODY)
        async with fetcher_of(hosts, (f"{origin.base}/", f"{mirror.base}/")) as fetcher:
            known = await fetcher.stat("http://lab.invalid/a.tar")
            origin.put("a.tar", BODY, always=Act(status=404))
            mirror.put("a.tar", body)
            if body is BODY:
                assert await part(fetcher, "http://lab.invalid/a.tar", known) == BODY[BEGIN:END]
            else:
                with pytest.raises(FetchError):
                    await part(fetcher, "http://lab.invalid/a.tar", known)


async def test_more_bytes_than_asked_for_are_refused(origin: HostileOrigin, fetcher_of: MakeFetcher) -> None:
    wrong = Act(content_range=f"bytes {BEGIN}-{END + 9}/{len(BODY)}")
    url = origin.put("a.tar", BODY, always=wrong)
    async with fetcher_of() as fetcher:
        with pytest.raises(TransientError) as caught:
            await part(fetcher, url, await fetcher.stat(url))
    assert caught.value.status == 206
    assert caught.value.cause in (None, RetryCause.RANGE)
