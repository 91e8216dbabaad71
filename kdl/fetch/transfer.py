"""The fetcher of a run: every object it needs, small or large, through one set of connections."""

from __future__ import annotations

import asyncio
import hashlib
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType
from typing import TypeVar
from urllib.parse import quote

import aiofiles

from kdl.diskerrors import disk_errors
from kdl.errors import FetchError, PermanentError, RetryCause, SourceChanged
from kdl.events import Event
from kdl.fetch.bundle import BundleSource
from kdl.fetch.evidence import Evidence, Proof
from kdl.fetch.health import Health
from kdl.fetch.limits import RateLimit
from kdl.fetch.origins import Origins
from kdl.fetch.parts import Part
from kdl.fetch.pressure import CALM_S, Pressure
from kdl.fetch.ranges import RangedSource
from kdl.fetch.retry import DEFAULT_POLICY, RetryPolicy, retry_after, scheduled
from kdl.fetch.route import Patience, Route
from kdl.fetch.source import RemoteFile, RemoteStat, Source
from kdl.fetch.sources import SourceOptions, Sources
from kdl.fetch.stream import Transfer, Wanted
from kdl.settings import CONNECT_S, MIB, REFUSED_S, STALL_S, human_size
from kdl.values import Stretch

__all__ = ["Fetcher", "Saved", "Transfer"]

T = TypeVar("T")

_READ_CAP = 64 * MIB
_CONNECT_S = min(CONNECT_S, 60.0 - REFUSED_S)
"""So that the last try at an origin that refuses every connection ends within 60 s of the first."""


@dataclass(frozen=True, slots=True)
class Saved:
    """A small object on disk."""

    size: int
    sha256: str
    etag: str | None
    """As the server sent it."""
    fetched: int
    """Bytes that came over the network."""
    changed: bool
    """False where the copy on disk was still the server's and nothing was written."""


class Fetcher:
    """Brings objects in: an async context manager that holds the run's connections."""

    def __init__(
        self,
        origins: Origins,
        *,
        emit: Callable[[Event], None],
        retry: RetryPolicy = DEFAULT_POLICY,
        rate: RateLimit | None = None,
        stall_s: float = STALL_S,
        connections: int = 16,
        connections_per_file: int = 1,
        jobs: int = 1,
        calm_s: float = CALM_S,
        pressure: Pressure | None = None,
        sources: SourceOptions | None = None,
    ) -> None:
        """``rate`` is shared by all transfers; ``connections`` bounds how many :meth:`stat` ask at a time.

        A large object of :meth:`transfer` comes over ``connections_per_file``. :attr:`pressure` begins
        with ``jobs`` slots and adds one to what is left of them after each ``calm_s`` seconds of calm,
        unless ``pressure`` is given.
        """
        self._origins = origins
        self.pressure = pressure or Pressure(jobs, emit=emit, calm_s=calm_s)
        """Slots for those who run transfers side by side."""
        self._patience = Patience(retry, Health(origins.origin), self.pressure, emit)
        self._rate = rate or RateLimit(None)
        options = replace(sources or SourceOptions(), stall_s=stall_s, connect_s=_CONNECT_S)
        self._source = Sources(options, emit)
        self._parallel: RangedSource | None = None
        if connections_per_file > 1:
            self._parallel = RangedSource(self._source, connections_per_file, self._rate.pay)
        self._asking = asyncio.Semaphore(connections)
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> Fetcher:
        await self._stack.enter_async_context(self._source)
        self._stack.callback(self.pressure.close)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def stat(self, url: str, *, bundle: Stretch | None = None) -> RemoteStat:
        """What the first origin that has the object tells of it. Raises FetchError."""
        source = self._source if bundle is None else self._bundle(url, bundle)

        async def ask(candidate: str) -> RemoteStat:
            async with self._asking:
                return await source.stat(candidate)

        return await self._route(url, url).run(ask)

    async def listing(self, url: str) -> list[RemoteFile]:
        """The files under a folder (``url`` ends in a slash), by path, of the first origin that has it.

        Their URLs are below ``url``, whichever origin it was. Raises FetchError.
        """

        async def look(candidate: str) -> list[RemoteFile]:
            found = await self._source.listing(candidate)
            if candidate == url:
                return found
            return [replace(file, url=url + quote(file.path)) for file in found]

        return await self._route(url, url).run(look)

    async def release(self, url: str, bundle: Stretch) -> None:
        """The clips of the bundle are on record: what a source holds of them may go."""
        source = BundleSource(self._source, url, bundle)
        for candidate in self._origins.candidates(url):
            await self._source.release(await source.places(candidate))

    async def finish(self) -> None:
        """All is on record; sources that give what they have to others do so now, as they were asked to."""
        await self._source.finish()

    def refusal(self, url: str) -> FetchError | None:
        """Why the object is not worth asking for, where every origin that may have it is given up."""
        given_up: FetchError | None = None
        for candidate in self._origins.candidates(url):
            try:
                self._patience.health.check(candidate)
            except FetchError as error:
                given_up = error
            else:
                return None
        return given_up

    def transfer(
        self,
        url: str,
        *,
        name: str,
        kind: str,
        split: str = "",
        spool_dir: Path | None = None,
        expect: RemoteStat | None = None,
        sha256: str | None = None,
        bundle: Stretch | None = None,
    ) -> Transfer:
        """The object as a stream, to be used with ``async with``; see :class:`Transfer`.

        ``sha256`` is what it is to have by a list; ``bundle``: loose files, as the tar that holds them.
        """
        wanted = Wanted(url, name, kind, split, spool_dir=spool_dir, expect=expect, sha256=sha256)
        if bundle is not None:
            source = self._bundle(url, bundle)
            transfer = self._transfer(wanted, source)
            transfer.lost = source.lost
            return transfer
        if self._parallel is None:
            return self._transfer(wanted)
        # What comes over several connections is paid for where it comes in.
        return self._transfer(wanted, self._parallel, RateLimit(None))

    async def part(
        self,
        url: str,
        known: RemoteStat,
        begin: int,
        end: int,
        *,
        name: str,
        on_bytes: Callable[[int], None] = lambda count: None,
    ) -> bytes:
        """Bytes ``begin`` to ``end`` (exclusive) of the object that ``known`` tells of; a few MB, in memory.

        Raises FetchError: SourceChanged where the object is another one by now.
        """
        part = Part(known, begin, end, self._source, self._rate, on_bytes)
        await self._route(name, url).run(part.bring)
        return bytes(part.data)

    async def read(self, url: str, *, name: str, kind: str) -> bytes:
        """A small object, whole. Raises FetchError."""

        async def once() -> bytes:
            body = bytearray()
            async with self._transfer(Wanted(url, name, kind)) as transfer:
                evidence = Evidence(transfer.stat)
                async for chunk in transfer:
                    await asyncio.to_thread(evidence.update, chunk)
                    body += chunk
                    if len(body) > _READ_CAP:
                        raise PermanentError(f"larger than {human_size(_READ_CAP)}, no {kind}", subject=url)
                _refuse_mismatch(evidence, transfer)
            return bytes(body)

        return await self._afresh(name, once)

    async def save(
        self,
        url: str,
        path: Path,
        *,
        name: str,
        kind: str,
        split: str = "",
        spool_dir: Path | None = None,
        known_etag: str | None = None,
    ) -> Saved:
        """A small object into ``path``, which always holds a whole version of it or nothing.

        With the ``known_etag`` of the file that is there, an unchanged object is not sent again. A spool
        in ``spool_dir`` stays, whole, for the caller to drop once the file is on record.
        Raises FetchError, DiskFull, MachineError.
        """
        known = known_etag if await asyncio.to_thread(path.is_file) else None

        async def once() -> Saved:
            wanted = Wanted(url, name, kind, split, spool_dir=spool_dir, known_etag=known)
            async with self._transfer(wanted) as transfer:
                if transfer.unchanged:
                    return await asyncio.to_thread(_saved_before, path, transfer.stat.etag or known)
                try:
                    sha256 = await _write(transfer, path)
                except SourceChanged:
                    await transfer.drop_spool()
                    raise
                return Saved(transfer.received, sha256, transfer.stat.etag, transfer.fetched, changed=True)

        return await self._afresh(name, once)

    def _transfer(
        self, wanted: Wanted, source: Source | None = None, rate: RateLimit | None = None
    ) -> Transfer:
        route = self._route(wanted.name, wanted.url)
        return Transfer(wanted, source or self._source, route, rate or self._rate, self._patience.emit)

    def _bundle(self, url: str, bundle: Stretch) -> BundleSource:
        candidates, tries = self._origins.candidates(url), self._patience.policy.tries
        return BundleSource(self._source, url, bundle, candidates, tries)

    def _route(self, name: str, url: str) -> Route:
        return Route(name, url, self._origins.candidates(url), self._patience)

    async def _afresh(self, name: str, once: Callable[[], Awaitable[T]]) -> T:
        """Run ``once`` again, within the policy, while the object changes under our hands."""
        policy, attempt = self._patience.policy, 1
        while True:
            try:
                return await once()
            except SourceChanged as error:
                delay = retry_after(error, attempt, policy)
                if delay is None:
                    raise
                self._patience.emit(scheduled(name, error, delay, attempt, policy))
            await asyncio.sleep(delay)
            attempt += 1


def _refuse_mismatch(evidence: Evidence, transfer: Transfer) -> None:
    """Raise SourceChanged if the server's own digest says that the bytes are wrong."""
    if evidence.prove() is Proof.MISMATCH:
        words = "the bytes are not those of the server's digest"
        raise SourceChanged(words, subject=transfer.origin_url, cause=RetryCause.MISMATCH)


async def _write(transfer: Transfer, path: Path) -> str:
    """Write the object to a sibling, then give it its name; its sha256."""
    evidence = Evidence(transfer.stat)
    async with _replacing(path) as temp:
        with disk_errors(path):
            async with aiofiles.open(temp, "wb") as file:
                async for chunk in transfer:
                    await asyncio.to_thread(evidence.update, chunk)
                    await file.write(chunk)
                _refuse_mismatch(evidence, transfer)
                await file.flush()
                await asyncio.to_thread(os.fsync, file.fileno())
    return evidence.sha256


@asynccontextmanager
async def _replacing(path: Path) -> AsyncIterator[Path]:
    """A sibling file that becomes ``path`` if all goes well, and vanishes if not."""
    temp = path.with_name(f".{path.name}.tmp")  # always the same: a killed run leaves one at most
    with disk_errors(path):
        await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
    try:
        yield temp
        with disk_errors(path):
            await asyncio.to_thread(_rename, temp, path)
    finally:
        await asyncio.to_thread(temp.unlink, missing_ok=True)


def _rename(temp: Path, path: Path) -> None:
    temp.replace(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _saved_before(path: Path, etag: str | None) -> Saved:
    with disk_errors(path), path.open("rb") as file:
        sha256 = hashlib.file_digest(file, "sha256").hexdigest()
        return Saved(file.tell(), sha256, etag, 0, changed=False)
