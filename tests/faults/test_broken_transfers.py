"""Bodies that break off, stall or change: the bytes are exact in the end, or the error says why not."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest
from hostile import Act, HostileOrigin

from kdl.errors import PermanentError, SourceChanged, TransientError
from kdl.events import Event, RetryScheduled, TransferProgress
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.stream import Transfer
from kdl.fetch.transfer import Fetcher

MakeFetcher = Callable[..., Fetcher]
CUT = 700_000


async def collect(fetcher: Fetcher, url: str, spool: Path | None = None) -> tuple[bytes, Transfer]:
    async with fetcher.transfer(url, name="a.tar", kind="shard", spool_dir=spool) as transfer:
        body = b"".join([chunk async for chunk in transfer])
    return body, transfer


def parts(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in folder.iterdir()] if folder.exists() else []


BREAKS = {
    "closed": Act(close_after=CUT),
    "closed at once": Act(close_after=0),
    "closed after the first byte": Act(close_after=1),
    "reset": Act(reset_after=CUT),
    "stalled": Act(stall_after=CUT),
    "stalled at once": Act(stall_after=0),
    "chunked and cut": Act(chunked=True, close_after=CUT),
    "no answer": Act(hang_up=True),
    "silent": Act(silent=True),
    "garbage status line": Act(garbage=b"\x00\x16\x03 what is this\r\n\r\n"),
    "garbage headers": Act(garbage=b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n"),
    "408": Act(status=408),
    "429": Act(status=429),
    "500": Act(status=500),
    "503": Act(status=503, body=b"<Error><Code>SlowDown</Code></Error>"),
    "connection closed after the answer": Act(status=503, close=True),
}


@pytest.mark.parametrize("act", [pytest.param(act, id=name) for name, act in BREAKS.items()])
async def test_one_break_is_mended(
    act: Act, origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event], data: bytes, tmp_path: Path
) -> None:
    # aiohttp itself asks once more, at once, where a connection closes without an answer.
    asked = 2 if act.hang_up else 1
    url = origin.put("a.tar", data, *[act] * asked)
    async with fetcher_of() as fetcher:
        body, transfer = await collect(fetcher, url, tmp_path)
    assert body == data
    assert transfer.received == len(data)
    assert transfer.resumed == 0
    assert parts(tmp_path) == [data]
    assert [event.attempt for event in told if isinstance(event, RetryScheduled)] == [1]
    assert len(origin.gets()) == asked + 1


async def test_a_resume_asks_for_the_rest_of_the_same_version(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes
) -> None:
    url = origin.put("a.tar", data, Act(close_after=CUT))
    async with fetcher_of() as fetcher:
        body, transfer = await collect(fetcher, url)
    assert body == data
    second = origin.gets()[1]
    assert second.range_start is not None
    assert 0 < second.range_start <= CUT
    assert second.headers["if-range"] == origin.things["a.tar"].etag
    assert second.headers["accept-encoding"] == "identity"
    assert transfer.fetched == len(data)


async def test_attempts_that_bring_bytes_start_the_count_again(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes
) -> None:
    url = origin.put("a.tar", data, always=Act(close_after=100_000))
    async with fetcher_of() as fetcher:
        body, _ = await collect(fetcher, url)
    assert body == data
    assert len(origin.gets()) > 10


async def test_attempts_without_a_byte_use_the_tries_up(
    origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event], data: bytes, tmp_path: Path
) -> None:
    url = origin.put("a.tar", data, Act(close_after=CUT), always=Act(status=500))
    async with fetcher_of() as fetcher:
        with pytest.raises(TransientError, match="HTTP 500 Internal Server Error"):
            await collect(fetcher, url, tmp_path)
    # The break itself counts as the first failure in a row.
    assert [event.attempt for event in told if isinstance(event, RetryScheduled)] == [1, 2]
    assert len(origin.gets()) == 3
    [kept] = parts(tmp_path)
    assert 0 < len(kept) <= CUT
    assert data.startswith(kept)


async def test_a_server_without_ranges_is_read_from_the_start_and_nothing_is_doubled(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes, tmp_path: Path
) -> None:
    url = origin.put("a.tar", data, Act(close_after=CUT), always=Act(ignore_range=True))
    async with fetcher_of() as fetcher:
        body, transfer = await collect(fetcher, url, tmp_path)
    assert body == data
    assert parts(tmp_path) == [data]
    assert transfer.fetched > len(data)


@pytest.mark.parametrize(
    "told_range", ["bytes 5-9/10", "bytes 0-1700016/1700017", "nonsense", "", "bytes */*"]
)
async def test_a_part_that_was_not_asked_for_is_refused(
    told_range: str, origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes, tmp_path: Path
) -> None:
    url = origin.put("a.tar", data, Act(close_after=CUT), always=Act(content_range=told_range))
    async with fetcher_of() as fetcher:
        with pytest.raises(TransientError, match=r"part|asked for"):
            await collect(fetcher, url, tmp_path)
    [kept] = parts(tmp_path)
    assert data.startswith(kept)


CHANGES = {
    "another tag, whole body": Act(etag='"another"'),
    "another tag under a 206": Act(headers=(("ETag", '"another"'),)),
    # A server that ignores If-Range: its own tag or size tells.
    "another size": Act(body=b"x" * 1_000_000),
    "shorter than what we have": Act(status=416, headers=(("Content-Range", "bytes */10"),)),
    "no tag any more": Act(etag="", ignore_range=True),
}


@pytest.mark.parametrize("act", [pytest.param(act, id=name) for name, act in CHANGES.items()])
async def test_a_changed_object_ends_the_transfer_and_its_spool(
    act: Act, origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes, tmp_path: Path
) -> None:
    url = origin.put("a.tar", data, Act(close_after=CUT), act)
    async with fetcher_of() as fetcher:
        with pytest.raises(SourceChanged):
            await collect(fetcher, url, tmp_path)
    assert parts(tmp_path) == []
    assert len(origin.gets()) == 2


async def test_without_a_validator_a_break_is_mended_by_size_and_never_resumed_later(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes, tmp_path: Path
) -> None:
    url = origin.put("a.tar", data, Act(close_after=CUT), etag="", last_modified="")
    async with fetcher_of() as fetcher:
        body, _ = await collect(fetcher, url, tmp_path)
        assert body == data
        assert "if-range" not in origin.gets()[1].headers
        _, again = await collect(fetcher, url, tmp_path)
    assert again.resumed == 0


async def test_a_weak_tag_is_no_if_range(origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes) -> None:
    url = origin.put("a.tar", data, Act(close_after=CUT), etag='W/"weak"')
    async with fetcher_of() as fetcher:
        body, transfer = await collect(fetcher, url)
    assert body == data
    assert "if-range" not in origin.gets()[1].headers
    assert transfer.stat.validator is None


async def test_a_date_serves_where_there_is_no_tag(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes
) -> None:
    url = origin.put("a.tar", data, Act(close_after=CUT), etag="")
    async with fetcher_of() as fetcher:
        body, _ = await collect(fetcher, url)
    assert body == data
    assert origin.gets()[1].headers["if-range"] == origin.things["a.tar"].last_modified


async def test_a_body_shorter_than_told_is_never_taken_for_whole(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes, tmp_path: Path
) -> None:
    # The host's own idea of its size is wrong, so every resume ends at once.
    url = origin.put("a.tar", data, always=Act(claim=len(data) + 9, close_after=len(data)))
    async with fetcher_of() as fetcher:
        with pytest.raises(SourceChanged):
            await collect(fetcher, url, tmp_path)
    assert parts(tmp_path) == []


async def test_a_longer_body_than_told_is_cut_there(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes
) -> None:
    url = origin.put("a.tar", data + b"more", always=Act(claim=len(data)))
    origin.put("b.tar", b"next" * 1000)
    async with fetcher_of() as fetcher:
        body, _ = await collect(fetcher, url)
        following, _ = await collect(fetcher, origin.url("b.tar"))
    assert body == data
    assert following == b"next" * 1000


@pytest.mark.parametrize("size", [0, 1, 1023, 524_288, 1_048_576])
async def test_sizes(size: int, origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes) -> None:
    url = origin.put("a.tar", data[:size])
    async with fetcher_of() as fetcher:
        assert (await collect(fetcher, url))[0] == data[:size]


async def test_chunked_bodies_are_whole_and_their_size_is_learned_on_resume(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes
) -> None:
    url = origin.put("a.tar", data, Act(chunked=True, close_after=CUT))
    async with fetcher_of() as fetcher:
        body, transfer = await collect(fetcher, url)
    assert body == data
    assert transfer.stat.size == len(data)


async def test_a_break_behind_the_last_byte_of_a_body_of_unknown_size(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes
) -> None:
    # All bytes came, the end of the chunked body did not: the resume is answered with 416.
    url = origin.put("a.tar", data, Act(chunked=True, close_after=len(data)))
    async with fetcher_of() as fetcher:
        body, transfer = await collect(fetcher, url)
    assert body == data
    assert transfer.received == len(data)
    assert len(origin.gets()) == 2


async def test_retry_after_is_honoured_and_told(
    origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event], data: bytes
) -> None:
    busy = Act(status=429, headers=(("Retry-After", "1"),))
    url = origin.put("a.tar", data, busy)
    async with fetcher_of() as fetcher:
        assert (await collect(fetcher, url))[0] == data
    [event] = [event for event in told if isinstance(event, RetryScheduled)]
    assert (event.delay, event.subject, event.attempt, event.of) == (1.0, "a.tar", 1, 3)
    assert "429" in event.reason


async def test_connections_are_reused(origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes) -> None:
    urls = [origin.put(f"{n}.tar", data[:1000]) for n in range(20)]
    async with fetcher_of() as fetcher:
        for url in urls:
            await collect(fetcher, url)
    assert origin.connections == 1


async def test_a_connection_closed_between_requests_costs_no_try(
    origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event], data: bytes
) -> None:
    urls = [origin.put(f"{n}.tar", data[:1000], always=Act(close=True)) for n in range(5)]
    async with fetcher_of() as fetcher:
        for url in urls:
            assert (await collect(fetcher, url))[0] == data[:1000]
    assert not [event for event in told if isinstance(event, RetryScheduled)]


async def test_cancelling_keeps_what_came_and_a_later_run_goes_on_there(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes, tmp_path: Path
) -> None:
    url = origin.put("a.tar", data, Act(stall_after=1_500_000))
    seen = asyncio.Event()

    async def run(fetcher: Fetcher) -> None:
        async with fetcher.transfer(url, name="a.tar", kind="shard", spool_dir=tmp_path) as transfer:
            async for _ in transfer:
                if transfer.received >= 1_000_000:
                    seen.set()

    async with fetcher_of(stall_s=30.0) as fetcher:
        task = asyncio.create_task(run(fetcher))
        await seen.wait()
        while not any(len(kept) == 1_500_000 for kept in parts(tmp_path)):
            await asyncio.sleep(0.05)
            task.cancel()
            await asyncio.wait([task])
        assert task.cancelled()
    [kept] = parts(tmp_path)
    assert kept == data[:1_500_000]

    async with fetcher_of() as fetcher:
        body, transfer = await collect(fetcher, url, tmp_path)
    assert body == data
    assert (transfer.resumed, transfer.fetched) == (1_500_000, len(data) - 1_500_000)
    assert origin.gets()[-1].range_start == 1_500_000


async def test_a_whole_spool_needs_no_bytes(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes, tmp_path: Path
) -> None:
    url = origin.put("a.tar", data)
    async with fetcher_of() as fetcher:
        await collect(fetcher, url, tmp_path)
        body, transfer = await collect(fetcher, url, tmp_path)
    assert body == data
    assert transfer.fetched == 0
    assert len(origin.gets()) == 1


async def test_a_spool_of_an_older_version_is_cleared(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes, tmp_path: Path
) -> None:
    url = origin.put("a.tar", data)
    async with fetcher_of() as fetcher:
        old = await fetcher.stat(url)
        await collect(fetcher, url, tmp_path)
        origin.put("a.tar", data[::-1])
        spools = tmp_path.iterdir()
        assert len(list(spools)) == 1
        async with fetcher.transfer(
            url, name="a.tar", kind="shard", spool_dir=tmp_path, expect=old
        ) as transfer:
            body = b"".join([chunk async for chunk in transfer])
    assert body == data[::-1]
    assert transfer.resumed == 0
    assert parts(tmp_path) == [data[::-1]]


async def test_the_last_progress_tells_of_every_byte(
    origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event], data: bytes
) -> None:
    url = origin.put("a.tar", data)
    async with fetcher_of() as fetcher:
        await collect(fetcher, url)
    progress = [event for event in told if isinstance(event, TransferProgress)]
    assert progress[-1] == TransferProgress("a.tar", len(data))


async def test_keep_gives_the_archive_its_name(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes, tmp_path: Path
) -> None:
    url = origin.put("a.tar", data)
    final = tmp_path / "archives" / "a.tar"
    async with (
        fetcher_of() as fetcher,
        fetcher.transfer(url, name="a.tar", kind="shard", spool_dir=tmp_path / "spool") as transfer,
    ):
        with pytest.raises(ValueError, match="whole"):
            await transfer.keep(final)
        async for _ in transfer:
            pass
        await transfer.keep(final)
    assert final.read_bytes() == data
    assert parts(tmp_path / "spool") == []


async def test_dropping_the_spool(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes, tmp_path: Path
) -> None:
    url = origin.put("a.tar", data)
    async with (
        fetcher_of() as fetcher,
        fetcher.transfer(url, name="a.tar", kind="shard", spool_dir=tmp_path) as transfer,
    ):
        assert transfer.spool_path is not None
        await transfer.drop_spool()
        assert b"".join([chunk async for chunk in transfer]) == data
    assert parts(tmp_path) == []


async def test_one_try_only(origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes) -> None:
    url = origin.put("a.tar", data, always=Act(status=503))
    async with fetcher_of(retry=RetryPolicy(tries=1)) as fetcher:
        with pytest.raises(TransientError):
            await collect(fetcher, url)
    assert len(origin.gets()) == 1


async def test_a_permanent_error_in_the_middle_keeps_the_spool(
    origin: HostileOrigin, fetcher_of: MakeFetcher, data: bytes, tmp_path: Path
) -> None:
    url = origin.put("a.tar", data, Act(close_after=CUT), always=Act(status=403))
    async with fetcher_of() as fetcher:
        with pytest.raises(PermanentError, match="403 Forbidden"):
            await collect(fetcher, url, tmp_path)
    [kept] = parts(tmp_path)
    assert data.startswith(kept)


async def test_a_connection_that_idled_does_not_count_as_stalled(
    origin: HostileOrigin, fetcher_of: MakeFetcher, told: list[Event]
) -> None:
    """Read slowly, a body's last bytes wait in the client behind the end of the transfer."""
    data = bytes(3) * 310_000
    first, second = origin.put("a.tar", data), origin.put("b.tar", data)
    async with fetcher_of() as fetcher:
        async with fetcher.transfer(first, name="a.tar", kind="shard") as transfer:
            await asyncio.sleep(0.1)
            async for _ in transfer:
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.4)  # longer than a stall
        assert (await collect(fetcher, second))[0] == data
    assert [event for event in told if isinstance(event, RetryScheduled)] == []
