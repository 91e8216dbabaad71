"""One pass over one shard: its bytes unpacked while they arrive, hashed, and held against the host's word."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Protocol

from kdl import events
from kdl.archive.channel import Channel, ChannelClosed
from kdl.archive.members import Member, Placement, Reading, Skip
from kdl.archive.sniff import Kind, sniff
from kdl.archive.stream import Reader
from kdl.archive.unpack import unpack
from kdl.archive.zipped import unpack_zip
from kdl.errors import ArchiveError
from kdl.fetch.evidence import Evidence, Proof
from kdl.fetch.source import RemoteStat
from kdl.fetch.transfer import Transfer
from kdl.settings import MIB
from kdl.values import ClipFile, Shard

_CHANNEL = 2 * MIB


class Sink(Protocol):
    """What takes a shard's clips; its methods run in the unpacking thread."""

    def is_clip(self, base_name: str) -> bool: ...
    def place(self, member: Member) -> Placement: ...
    def clip(self, file: ClipFile) -> None: ...
    def skip(self, member: str, reason: Skip) -> None: ...
    def finish(self) -> None: ...


@dataclass(frozen=True, slots=True)
class ShardTask:
    """One shard to bring in."""

    shard: Shard
    kind: str
    """``shard`` or ``replacement``."""
    shown: str
    """Its name in this run: ``val/part_0.tar.gz``."""
    spool: Path | None
    """Folder for its bytes while they arrive; None to keep none."""
    archive: Path | None
    """Where the archive is kept for good; None to drop it."""
    tmp: Path
    """Folder on the clips' own file system."""
    cap: int
    """Bytes; a larger member is skipped."""
    expect: RemoteStat | None = None
    """What the plan was told of it."""


@dataclass(frozen=True, slots=True)
class Pass:
    """One reading of a shard from its first byte to its last."""

    stat: RemoteStat
    reading: Reading
    sha256: str
    proof: Proof
    received: int


class HashingReader:
    """Hands bytes on and keeps the evidence of what passed."""

    def __init__(self, source: Reader, evidence: Evidence) -> None:
        self._source = source
        self._evidence = evidence

    def read(self, n: int, /) -> bytes:
        chunk = self._source.read(n)
        if chunk:
            self._evidence.update(chunk)
        return chunk

    def drain(self) -> None:
        while self.read(MIB):
            pass


async def read_pass(
    task: ShardTask, transfer: Transfer, threads: ThreadPoolExecutor, sink: Sink, emit: events.Listener
) -> Pass:
    """Read an open transfer to its end, clips into ``sink`` while they arrive.

    A damaged archive is no error. Raises what the transfer and the sink raise; the sink is finished first.
    """
    split, stat = task.shard.split, transfer.stat
    emit(events.TransferStarted(task.shown, task.kind, split, stat.size, transfer.resumed))
    evidence = Evidence(stat)
    chunks = aiter(transfer)
    first = await anext(chunks, b"")
    if sniff(first) is Kind.ZIP:
        reading = await _read_zip(task, first, chunks, evidence, threads, sink)
    else:
        reading = await _read_stream(task, first, chunks, evidence, threads, sink)
    return Pass(stat, reading, evidence.sha256, evidence.prove(), transfer.received)


async def _read_stream(
    task: ShardTask,
    first: bytes,
    chunks: AsyncIterator[bytes],
    evidence: Evidence,
    threads: ThreadPoolExecutor,
    sink: Sink,
) -> Reading:
    """Unpack while the bytes arrive; whatever follows the archive's end is hashed as well."""
    channel = Channel(_CHANNEL)
    reader = HashingReader(channel, evidence)

    def work() -> Reading:
        with channel, _finishing(sink):
            try:
                reading = _unpacker(unpack, task, sink)(reader)
            except ArchiveError as error:
                reading = Reading(Kind.UNKNOWN, False, error.message, 0, 0, 0)
            reader.drain()
            return reading

    unpacking = threads.submit(work)
    try:
        async with channel:
            await channel.put(first)
            async for chunk in chunks:
                await channel.put(chunk)
    except ChannelClosed:
        pass  # the unpacker gave up; what it raised tells why
    except BaseException:
        await _ended(unpacking)
        raise
    return await asyncio.wrap_future(unpacking)


async def _read_zip(
    task: ShardTask,
    first: bytes,
    chunks: AsyncIterator[bytes],
    evidence: Evidence,
    threads: ThreadPoolExecutor,
    sink: Sink,
) -> Reading:
    """A zip's directory stands at its end: store the bytes, then unpack the file."""
    path = task.tmp / f"{task.shard.split}-{task.shard.index}.zip"

    def store(chunk: bytes) -> None:
        evidence.update(chunk)
        with path.open("ab") as file:
            file.write(chunk)

    def work() -> Reading:
        with _finishing(sink):
            try:
                return _unpacker(unpack_zip, task, sink)(path)
            except ArchiveError as error:
                return Reading(Kind.ZIP, False, error.message, 0, 0, 0)

    loop = asyncio.get_running_loop()
    path.unlink(missing_ok=True)
    await loop.run_in_executor(threads, store, first)
    async for chunk in chunks:
        await loop.run_in_executor(threads, store, chunk)
    unpacking = threads.submit(work)
    try:
        return await asyncio.wrap_future(unpacking)
    finally:
        await _ended(unpacking)
        path.unlink(missing_ok=True)


def _unpacker(
    function: Callable[..., Reading], task: ShardTask, sink: Sink
) -> Callable[[HashingReader | Path], Reading]:
    """``unpack`` or ``unpack_zip`` with all but the bytes given."""
    return partial(
        function,
        name=task.shard.name,
        is_clip=sink.is_clip,
        place=sink.place,
        on_clip=sink.clip,
        on_skip=sink.skip,
        tmp_dir=task.tmp,
        cap=task.cap,
    )


@contextmanager
def _finishing(sink: Sink) -> Iterator[None]:
    """However the unpacking ends, what was put on disk is recorded."""
    try:
        yield
    finally:
        sink.finish()


async def _ended(unpacking: Future[Reading]) -> None:
    """Wait for the thread, whatever it raises: its temporary files are gone then."""
    waiting = asyncio.ensure_future(asyncio.wrap_future(unpacking))
    await asyncio.wait([waiting])
    if not waiting.cancelled():
        waiting.exception()
