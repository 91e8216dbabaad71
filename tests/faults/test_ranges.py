"""One object over several connections: in order, within its window, and no wrong byte whatever happens."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest
from hostile import Act, HostileOrigin, Request
from hypothesis import given
from hypothesis import strategies as st

from kdl.errors import PermanentError, RetryCause, SourceChanged
from kdl.events import Event, RetryScheduled, TransferProgress
from kdl.fetch.limits import RateLimit
from kdl.fetch.ranges import SMALL, WINDOW, piece_size, pieces
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.transfer import Fetcher
from kdl.settings import MIB

MakeFetcher = Callable[..., Fetcher]
WIDTH = 8
PIECE = piece_size(WIDTH)
SIZE = 12 * PIECE + 4_321
BODY = random.Random(11).randbytes(SIZE)
OTHER = random.Random(12).randbytes(SIZE)


async def collect(fetcher: Fetcher, url: str, spool: Path | None = None) -> bytes:
    async with fetcher.transfer(url, name="a.tar", kind="shard", spool_dir=spool) as transfer:
        return b"".join([chunk async for chunk in transfer])


def causes(told: list[Event]) -> list[str]:
    return [event.cause for event in told if isinstance(event, RetryScheduled)]


def ranges(origin: HostileOrigin) -> list[str]:
    return [request.headers.get("range", "") for request in origin.gets()]


def good_ranges() -> list[str]:
    return [f"bytes={begin}-{end - 1}" for begin, end in pieces(0, SIZE, WIDTH)]


@given(st.integers(0, 1 << 41), st.integers(0, 1 << 31), st.integers(2, 16))
def test_pieces_cover_the_object_and_begin_and_end_small(begin: int, left: int, connections: int) -> None:
    planned = list(pieces(begin, begin + left, connections))
    at = begin
    for first, end in planned:
        assert first == at < end
        assert end - first <= piece_size(connections)
        at = end
    assert at == begin + left
    if planned:
        assert planned[0] == (begin, begin + min(SMALL, left))
        assert planned[-1][1] - planned[-1][0] <= MIB // 2


@pytest.mark.parametrize("size", [0, 1, SMALL - 1, SMALL, SMALL + 1, SIZE])
async def test_every_size_comes_whole(
    size: int, origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event], tmp_path: Path
) -> None:
    url = origin.put("a.tar", BODY[:size])
    async with fetcher_of(connections_per_file=WIDTH) as fetcher:
        assert await collect(fetcher, url, tmp_path) == BODY[:size]
    assert [path.read_bytes() for path in tmp_path.iterdir()] == ([BODY[:size]] if size else [])
    assert causes(told) == []
    if size > 0:
        assert len(origin.gets()) == len(list(pieces(0, size, WIDTH)))


async def test_each_piece_is_asked_for_once_over_as_many_connections_and_bound_to_the_first(
    origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event]
) -> None:
    url = origin.put("a.tar", BODY)
    async with fetcher_of(connections_per_file=WIDTH) as fetcher:
        assert await collect(fetcher, url) == BODY
    assert sorted(ranges(origin), key=good_ranges().index) == good_ranges()
    conditions = [request.headers.get("if-range") for request in origin.gets()]
    assert conditions == [None, *[origin.things["a.tar"].etag] * (len(conditions) - 1)]
    assert 1 < origin.connections <= WIDTH
    counts = [event.received for event in told if isinstance(event, TransferProgress)]
    assert counts[-1] == SIZE
    assert all(before < after for before, after in pairwise(counts))


async def test_who_does_not_read_stops_the_fetching(origin: HostileOrigin, fetcher_of: MakeFetcher) -> None:
    url = origin.put("a.tar", BODY + OTHER)
    async with (
        fetcher_of(connections_per_file=WIDTH) as fetcher,
        fetcher.transfer(url, name="a.tar", kind="shard") as transfer,
    ):
        first = await anext(transfer)
        first_pieces = -(-len(first) // SMALL)
        asked = 0
        while asked < (now := len(origin.gets())):
            asked = now
            await asyncio.sleep(0.2)
        assert 2 * WIDTH <= asked <= 2 * WIDTH + first_pieces
        rest = b"".join([chunk async for chunk in transfer])
    assert first + rest == BODY + OTHER


def test_the_window_of_eight_jobs_is_small() -> None:
    for connections in range(2, 9):
        assert 2 * connections * piece_size(connections) <= WINDOW
    assert 8 * WINDOW <= 128 * MIB


BREAKS = {
    "closed": (Act(close_after=SMALL // 2), RetryCause.TRUNCATED),
    "reset": (Act(reset_after=SMALL // 2), RetryCause.RESET),
    "stalled": (Act(stall_after=SMALL // 2), RetryCause.STALL),
    "503": (Act(status=503), RetryCause.HTTP_503),
    "another part": (Act(content_range=f"bytes 0-{SMALL - 1}/{SIZE}"), RetryCause.RANGE),
    "a longer part": (Act(content_range=f"bytes 0-{SIZE - 1}/{SIZE}"), RetryCause.RANGE),
    "no Content-Range": (Act(headers=(("Content-Range", ""),)), RetryCause.RANGE),
    "everything": (Act(ignore_range=True), RetryCause.RANGE),
}


@pytest.mark.parametrize("name", BREAKS)
@pytest.mark.parametrize("at", [0, 1, 5])
async def test_a_piece_that_fails_costs_nothing_but_itself(
    name: str, at: int, origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event], tmp_path: Path
) -> None:
    act, cause = BREAKS[name]
    if at == 0 and name not in ("closed", "reset", "stalled", "503"):
        pytest.skip("of the first answer it is judged like any other")
    url = origin.put("a.tar", BODY, *[Act()] * at, act)
    async with fetcher_of(connections_per_file=WIDTH) as fetcher:
        assert await collect(fetcher, url, tmp_path) == BODY
    assert causes(told) == [cause]
    assert [path.read_bytes() for path in tmp_path.iterdir()] == [BODY]
    wrong_about_ranges = cause is RetryCause.RANGE
    open_ended = [each for each in ranges(origin) if each.endswith("-")]
    assert len(open_ended) == (1 if wrong_about_ranges else 0)


async def test_more_bytes_than_a_part_has_are_not_taken(
    origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event]
) -> None:
    serve = origin._answer

    async def generous(request: Request, writer: asyncio.StreamWriter) -> bool:
        begin = request.range_start
        if begin == 2 * SMALL and not request.headers["range"].endswith("-"):
            told = f"bytes {begin}-{begin + SMALL - 1}/{SIZE}"
            more = Act(status=206, chunked=True, body=BODY[begin:][: SMALL + 9], content_range=told)
            origin.things["a.tar"].script.insert(0, more)
        return await serve(request, writer)

    origin._answer = generous  # type: ignore[method-assign]
    url = origin.put("a.tar", BODY)
    async with fetcher_of(connections_per_file=WIDTH) as fetcher:
        assert await collect(fetcher, url) == BODY
    assert causes(told) == [RetryCause.RANGE]


@pytest.mark.parametrize("name", ["closed", "reset"])
async def test_breaks_without_end_are_borne_as_long_as_bytes_come(
    name: str, origin: HostileOrigin, fetcher_of: MakeFetcher
) -> None:
    body = BODY[: 2 * MIB + 9]
    url = origin.put("a.tar", body, always=BREAKS[name][0])
    async with fetcher_of(connections_per_file=2) as fetcher:
        assert await collect(fetcher, url) == body


async def test_an_origin_without_ranges_is_read_over_one_connection(
    origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event]
) -> None:
    url = origin.put("a.tar", BODY, always=Act(ignore_range=True))
    async with fetcher_of(connections_per_file=WIDTH) as fetcher:
        assert await collect(fetcher, url) == BODY
    assert (len(origin.gets()), origin.connections, causes(told)) == (1, 1, [])


@pytest.mark.parametrize(
    "act", [Act(etag="", headers=(("Last-Modified", ""),)), Act(etag='W/"weak"')], ids=["nothing", "weak"]
)
async def test_what_nothing_vouches_for_is_read_over_one_connection(
    act: Act, origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event]
) -> None:
    url = origin.put("a.tar", BODY, always=act)
    async with fetcher_of(connections_per_file=WIDTH) as fetcher:
        assert await collect(fetcher, url) == BODY
    assert ranges(origin) == [good_ranges()[0], ""]
    assert causes(told) == []


@pytest.mark.parametrize("at", [1, 6])
async def test_another_version_is_never_joined(
    at: int, origin: HostileOrigin, fetcher_of: MakeFetcher, tmp_path: Path
) -> None:
    new = Act(body=OTHER, etag='"new"')
    url = origin.put("a.tar", BODY, *[Act()] * at, always=new)
    async with fetcher_of(connections_per_file=WIDTH) as fetcher:
        with pytest.raises(SourceChanged):
            await collect(fetcher, url, tmp_path)
        assert list(tmp_path.iterdir()) == []
        assert await collect(fetcher, url) == OTHER


async def test_a_server_that_lies_about_if_range_is_found_by_its_tag(
    origin: HostileOrigin, fetcher_of: MakeFetcher
) -> None:
    url = origin.put("a.tar", BODY, Act(), Act())
    origin.things["a.tar"].always = Act(body=OTHER, headers=(("ETag", '"new"'),))
    async with fetcher_of(connections_per_file=WIDTH) as fetcher:
        with pytest.raises(SourceChanged):
            await collect(fetcher, url)


async def test_what_is_not_there_is_not_asked_for_twice(
    origin: HostileOrigin, fetcher_of: MakeFetcher
) -> None:
    async with fetcher_of(connections_per_file=WIDTH) as fetcher:
        with pytest.raises(PermanentError):
            await collect(fetcher, origin.url("nowhere.tar"))
    assert len(origin.gets()) == 1


async def test_a_spool_goes_on_where_it_ended(
    origin: HostileOrigin, fetcher_of: MakeFetcher, tmp_path: Path
) -> None:
    url = origin.put("a.tar", BODY)
    async with fetcher_of(connections_per_file=WIDTH) as fetcher:
        async with fetcher.transfer(url, name="a.tar", kind="shard", spool_dir=tmp_path) as transfer:
            while transfer.received < 3 * PIECE:
                await anext(transfer)
        [spool] = tmp_path.iterdir()
        held = spool.stat().st_size
        assert held >= 3 * PIECE
        origin.requests.clear()
        assert await collect(fetcher, url, tmp_path) == BODY
    starts = {request.range_start for request in origin.gets()}
    assert starts == {begin for begin, _ in pieces(held, SIZE, WIDTH)}
    assert {request.headers["if-range"] for request in origin.gets()} == {origin.things["a.tar"].etag}


async def test_a_server_short_of_connections_is_asked_over_fewer(
    origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event]
) -> None:
    """It serves two at a time and refuses more."""
    busy = asyncio.Semaphore(2)
    serve = origin._answer

    async def narrow(request: Request, writer: asyncio.StreamWriter) -> bool:
        if busy.locked():
            origin.things["a.tar"].script.insert(0, Act(status=503))
            return await serve(request, writer)
        async with busy:
            origin.things["a.tar"].script.insert(0, Act(rate=20 * MIB))
            return await serve(request, writer)

    origin._answer = narrow  # type: ignore[method-assign]
    url = origin.put("a.tar", BODY)
    patient = RetryPolicy(tries=30, base=0.1, cap=0.2)  # what was broken off is busy for a while yet
    async with fetcher_of(connections_per_file=WIDTH, retry=patient) as fetcher:
        assert await collect(fetcher, url) == BODY
    assert causes(told)
    assert set(causes(told)) == {RetryCause.HTTP_503}
    assert len(origin.gets()) < 3 * len(good_ranges())


async def test_the_rate_limit_holds_for_all_connections_together(
    origin: HostileOrigin, fetcher_of: MakeFetcher
) -> None:
    body, rate = BODY[: 2 * PIECE + 7], 2 * MIB
    url = origin.put("a.tar", body)
    began = time.monotonic()
    async with fetcher_of(connections_per_file=WIDTH, rate=RateLimit(rate)) as fetcher:
        assert await collect(fetcher, url) == body
    assert time.monotonic() - began > 0.75 * len(body) / rate
