"""One shard: fetched, unpacked while it arrives, and proved whole, broken at its source, or given up."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from kdl import events
from kdl.archive.sniff import Kind
from kdl.errors import FetchError, KdlError, RetryCause, SourceChanged, TransientError
from kdl.fetch.evidence import Proof
from kdl.fetch.retry import RetryPolicy, retry_after, scheduled
from kdl.fetch.transfer import Fetcher
from kdl.jobs.shardpass import Pass, ShardTask, Sink, read_pass

_PROVED = (Proof.SHA256, Proof.LISTED, Proof.PIECES, Proof.MD5, Proof.MULTIPART)


@dataclass(frozen=True, slots=True)
class ShardResult:
    """What became of a shard: ``state`` is done, broken or failed."""

    state: str
    last: Pass | None
    """The last complete reading."""
    reason: str = ""
    error: KdlError | None = None
    fetched: int = 0
    """Bytes that came over the network."""
    lost: tuple[FetchError, ...] = ()
    """Why clips of a bundle could not be had; the others have come."""


def judge_pass(current: Pass, previous: Pass | None) -> str:
    """``done``, ``broken`` (so at the source), ``failed`` (altered on the way) or ``again``.

    What is not whole is the source's fault only if the host's digest, or a second fetch, gives the same
    bytes. Two fetches that agree against the digest say that it is none, if the archive's own checksums hold
    (a plain tar has none of its data); else that something between us alters them: the host may well be
    right, so it is asked anew in the next run.
    """
    same = previous is not None and previous.sha256 == current.sha256
    if current.proof is Proof.MISMATCH:
        sound = current.reading.whole and current.reading.kind is not Kind.TAR
        sound = sound and current.stat.sha256 is None  # somebody has said what it is to be
        return "again" if not same else "done" if sound else "failed"
    if current.reading.whole:
        return "done"
    return "broken" if same or current.proof in _PROVED else "again"


def settled_proof(last: Pass) -> Proof:
    """What is known of a shard's bytes in the end: a tag that two fetches agreed against proves nothing."""
    return Proof.UNVERIFIED if last.proof is Proof.MISMATCH else last.proof


async def bring_shard(
    task: ShardTask,
    fetcher: Fetcher,
    policy: RetryPolicy,
    threads: ThreadPoolExecutor,
    sink: Callable[[], Sink],
    emit: events.Listener,
) -> ShardResult:
    """Read a shard until it is proved whole, broken at its source, or given up.

    ``sink`` makes a receiver for each pass. Whatever is wrong with the shard or the network is in the
    result; MachineError and cancellation are raised, the spool then keeps what has arrived.
    """
    fetched, attempt = 0, 0
    previous: Pass | None = None
    while True:
        attempt += 1
        try:
            async with fetcher.transfer(
                task.shard.url,
                name=task.shown,
                kind=task.kind,
                split=task.shard.split,
                spool_dir=task.spool,
                expect=task.expect,
                sha256=task.shard.sha256,
                bundle=task.shard.bundle,
            ) as transfer:
                try:
                    current = await read_pass(task, transfer, threads, sink(), emit)
                finally:
                    fetched += transfer.fetched
                outcome = judge_pass(current, previous)
                if outcome == "done" and task.archive is not None and not transfer.lost:
                    await transfer.keep(task.archive)
                if outcome == "failed":
                    altered = _altered(current, transfer.origin_url)
                    await transfer.drop_spool()
                    return ShardResult(outcome, current, altered.message, altered, fetched)
                if outcome != "again":
                    lost = tuple(transfer.lost.values())
                    return ShardResult(outcome, current, current.reading.reason, fetched=fetched, lost=lost)
                await transfer.drop_spool()
                previous = current
                again: KdlError = _doubt(current, task.shard.url)
        except SourceChanged as error:
            again = error
        except FetchError as error:
            return ShardResult("failed", previous, error.message, error, fetched)
        delay = retry_after(again, attempt, policy)
        if delay is None:
            return ShardResult("failed", previous, again.message, again, fetched)
        emit(scheduled(task.shown, again, delay, attempt, policy))
        await asyncio.sleep(delay)


def _doubt(current: Pass, url: str) -> TransientError:
    """Why the pass proves nothing yet."""
    if current.reading.whole:
        words, cause = "its bytes do not match the host's digest", RetryCause.MISMATCH
    else:
        words, cause = f"not whole: {current.reading.reason}", RetryCause.DAMAGED
    return TransientError(words, subject=url, cause=cause)


def _altered(current: Pass, url: str) -> TransientError:
    """What to tell of a pass that was the same twice, and neither whole nor as the host's digest has it."""
    return TransientError(
        f"it comes altered: {current.reading.reason or 'a tar without checksums'}, and twice the same bytes "
        "are not those of the host's digest",
        subject=url,
        fix="something on the way alters it; try another network, or another --origin",
    )
