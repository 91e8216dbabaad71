"""The channel: order, bounds, and an end for both sides however the other one ends."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdl.archive.channel import Channel, ChannelClosed


def read_all(channel: Channel, n: int = 1000) -> bytes:
    parts = []
    with channel:
        while chunk := channel.read(n):
            assert len(chunk) <= n
            parts.append(chunk)
    return b"".join(parts)


@settings(max_examples=50, deadline=None)
@given(chunks=st.lists(st.binary(max_size=50)), limit=st.integers(1, 100), n=st.integers(1, 120))
async def test_bytes_arrive_in_order(chunks: list[bytes], limit: int, n: int) -> None:
    channel = Channel(limit)
    reading = asyncio.create_task(asyncio.to_thread(read_all, channel, n))
    async with channel:
        for chunk in chunks:
            await channel.put(chunk)
    assert await reading == b"".join(chunks)


async def test_chunks_are_cut_where_they_are_too_large_and_never_joined_or_copied() -> None:
    channel = Channel(100)
    for chunk in (b"ab", b"cd", b"efgh"):
        await channel.put(chunk)
    assert [channel.read(3) for _ in range(4)] == [b"ab", b"cd", b"efg", b"h"]
    whole = b"x" * 80
    await channel.put(whole)
    assert channel.read(80) is whole


async def pending_put(channel: Channel, chunk: bytes) -> asyncio.Task[None]:
    task = asyncio.create_task(channel.put(chunk))
    for _ in range(5):
        await asyncio.sleep(0)
    assert not task.done()
    return task


async def test_no_more_than_the_limit_waits() -> None:
    channel = Channel(10)
    await channel.put(b"12345678")
    waiting = await pending_put(channel, b"abc")
    assert channel.read(3) == b"123"
    await waiting
    more = await pending_put(channel, b"12345678")
    assert [channel.read(100), channel.read(100)] == [b"45678", b"abc"]
    await more


async def test_a_chunk_larger_than_the_limit_goes_alone() -> None:
    channel = Channel(10)
    await channel.put(b"x" * 50)
    waiting = await pending_put(channel, b"y")
    channel.read(50)
    await waiting


async def test_several_putters_all_get_through() -> None:
    channel = Channel(4)
    tasks = [asyncio.create_task(channel.put(bytes([n]) * 4)) for n in range(20)]
    reading = asyncio.create_task(asyncio.to_thread(read_all, channel, 3))
    await asyncio.gather(*tasks)
    await channel.finish()
    assert len(await reading) == 80


async def test_the_failure_reaches_a_waiting_reader() -> None:
    channel = Channel(10)
    reading = asyncio.create_task(asyncio.to_thread(channel.read, 5))
    error = OSError("stalled")
    channel.fail(error)
    with pytest.raises(OSError, match="stalled") as caught:
        await reading
    assert caught.value is error
    with pytest.raises(ChannelClosed):
        await channel.put(b"x")


async def test_a_failure_overtakes_what_waits_and_the_end_does_not() -> None:
    failed, ended = Channel(10), Channel(10)
    for channel in (failed, ended):
        await channel.put(b"x")
    failed.fail(ValueError())
    with pytest.raises(ValueError):
        failed.read(5)
    await ended.finish()
    ended.fail(ValueError())
    assert (ended.read(5), ended.read(5), ended.read(5)) == (b"x", b"", b"")


async def test_closing_ends_pending_and_later_puts() -> None:
    channel = Channel(3)
    await channel.put(b"123")
    waiting = await pending_put(channel, b"4")
    await asyncio.to_thread(channel.close)
    with pytest.raises(ChannelClosed):
        await waiting
    with pytest.raises(ChannelClosed):
        await channel.put(b"5")
    with pytest.raises(ChannelClosed):
        channel.read(1)
    await channel.finish()


async def test_a_cancelled_put_hands_over_nothing_and_blocks_nobody() -> None:
    channel = Channel(3)
    await channel.put(b"123")
    cancelled = await pending_put(channel, b"no")
    other = await pending_put(channel, b"yes")
    cancelled.cancel()
    with pytest.raises(asyncio.CancelledError):
        await cancelled
    assert channel.read(3) == b"123"
    await other
    await channel.finish()
    assert (channel.read(9), channel.read(9)) == (b"yes", b"")


async def test_a_cancelled_feeder_ends_its_reader() -> None:
    channel = Channel(3)
    started = asyncio.Event()

    async def feed() -> None:
        async with channel:
            await channel.put(b"123")
            started.set()
            await asyncio.Event().wait()

    feeder = asyncio.create_task(feed())
    await started.wait()
    reading = asyncio.create_task(asyncio.to_thread(read_all, channel))
    feeder.cancel()
    with pytest.raises(asyncio.CancelledError):
        await feeder
    with pytest.raises(asyncio.CancelledError):
        await reading


async def test_a_reader_that_dies_ends_its_feeder() -> None:
    channel = Channel(3)

    def die() -> None:
        with channel:
            channel.read(1)
            raise LookupError

    async def feed() -> None:
        async with channel:
            while True:
                await channel.put(b"123")

    reading = asyncio.create_task(asyncio.to_thread(die))
    with pytest.raises(ChannelClosed):
        await feed()
    with pytest.raises(LookupError):
        await reading


def test_a_reader_outlives_the_loop() -> None:
    channel = Channel(3)

    async def leave_a_put_behind() -> asyncio.Task[None]:
        await channel.put(b"123")
        return await pending_put(channel, b"4")

    loop = asyncio.new_event_loop()
    task = loop.run_until_complete(leave_a_put_behind())
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)
    loop.close()
    channel.fail(ConnectionAbortedError())
    with pytest.raises(ConnectionAbortedError):
        read_all(channel)
