"""One object's bytes, whole and in order, over whatever the network does meanwhile."""

from __future__ import annotations

import asyncio
import os
from collections import deque
from collections.abc import AsyncGenerator, Callable
from contextlib import AsyncExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from kdl.diskerrors import disk_errors
from kdl.errors import FetchError, KdlError, RetryCause, SourceChanged, TransientError
from kdl.events import Event, TransferProgress
from kdl.fetch.limits import RateLimit
from kdl.fetch.pages import HEAD, refuse_misfit
from kdl.fetch.route import Route
from kdl.fetch.source import Opened, RemoteStat, Source, same_object
from kdl.fetch.spool import Spool, clear_stale, resumable, spool_path, spools_of
from kdl.settings import CHUNK

_PROGRESS_S = 0.25


@dataclass(frozen=True, slots=True)
class Wanted:
    """The object to transfer."""

    url: str
    """Its own URL, before any ``--origin``."""
    name: str
    """For events, and for people who look into the spool folder."""
    kind: str
    split: str = ""
    spool_dir: Path | None = None
    """Where its bytes are kept while they arrive; ``None`` to keep none."""
    expect: RemoteStat | None = None
    """What a server told of it earlier: spares a request where there is a spool."""
    known_etag: str | None = None
    """Of the copy that is there already: an unchanged object is not sent again."""
    sha256: str | None = None
    """What a list says that it has."""


class Transfer:
    """An object on its way, as an async context manager and iterator.

    Entering opens it: ``stat`` is known then and its first bytes were judged. Iterating gives pieces of
    any size from byte 0 on, the first of at least HEAD bytes where there are so many, the spool's before
    the network's; they are as they came, never joined. What came is in the spool before it is handed on.
    Interruptions are mended on the way, at the same origin or at the next. Leaving keeps the spool with
    every byte received, unless it was dropped or kept.

    Raises PermanentError or TransientError when the object is given up, SourceChanged when it became
    another one (the spool is gone then; start afresh), DiskFull and MachineError.
    """

    def __init__(
        self, wanted: Wanted, source: Source, route: Route, rate: RateLimit, emit: Callable[[Event], None]
    ) -> None:
        self.wanted = wanted
        self.stat = RemoteStat(wanted.url)
        self.resumed = 0
        """Bytes that the spool of an earlier run gave."""
        self.fetched = 0
        """Bytes that came over the network, those that were dropped included."""
        self.received = 0
        """Bytes held, from byte 0 on: where a resume begins."""
        self.lost: dict[str, FetchError] = {}
        """Of a bundle: by its URL, why a file could not be had; zeros have come in its place."""
        self.unchanged = False
        """The copy with ``known_etag`` is still the object; there are no bytes to read."""
        self._source = source
        self._route = route
        self._rate = rate
        self._emit = emit
        self._response = AsyncExitStack()
        self._opened: Opened | None = None
        self._skip = 0
        self._pending: list[bytes] = []
        self._pending_size = 0
        self._failure: FetchError | None = None
        self._ready: deque[bytes] = deque()
        self._ended = False
        self._spool: Spool | None = None
        self._replay: AsyncGenerator[bytes] | None = None
        self._told = 0
        self._told_at = 0.0

    @property
    def origin_url(self) -> str:
        """The URL in use."""
        return self._route.current

    @property
    def spool_path(self) -> Path | None:
        """The file that holds what came so far, if one is kept."""
        return self._spool.path if self._spool else None

    async def __aenter__(self) -> Transfer:
        try:
            await self._route.run(self._begin)
        except BaseException:
            await self._close()
            raise
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._close()

    def __aiter__(self) -> Transfer:
        return self

    async def __anext__(self) -> bytes:
        if self._replay is not None:
            async for chunk in self._replay:
                return chunk
            self._replay = None
        if not self._ready:
            try:
                self._ready.extend(await self._route.run(self._pull))
            except SourceChanged:
                await self.drop_spool()
                raise
        if not self._ready:
            raise StopAsyncIteration
        return self._ready.popleft()

    async def drop_spool(self) -> None:
        """Delete the spool."""
        self._forget_pending()
        if self._spool is not None:
            spool, self._spool = self._spool, None
            await spool.close()
            with disk_errors(spool.path):
                await asyncio.to_thread(spool.path.unlink, missing_ok=True)

    async def keep(self, path: Path) -> None:
        """Make the spool of the whole object the file ``path``, on the disk before it has that name."""
        if self._spool is None or not self._ended:
            raise ValueError("only a whole, spooled object can be kept")
        spool = self._spool
        with disk_errors(path):
            await spool.sync()
            await spool.close()
            self._spool = None
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            await asyncio.to_thread(os.replace, spool.path, path)

    async def _begin(self, url: str) -> None:
        """One attempt to open the object: after the spool's bytes if they fit, else from byte 0."""
        await self._hang_up()
        self._ready.clear()
        self.received, self._ended, self._failure = 0, False, None
        folder, known = self.wanted.spool_dir, self.wanted.expect
        if folder is not None:
            found = await asyncio.to_thread(spools_of, folder, self.wanted.name, self.wanted.url)
            if found and known is None:
                known = await self._source.stat(url)
            if found and known is not None and await self._continue(url, replace(known, url=url), folder):
                return
        self._ready.extend(await self._pull(url))

    async def _continue(self, url: str, known: RemoteStat, folder: Path) -> bool:
        """Whether the spool of an earlier run holds the beginning of the object as it is now.

        A name that fits tells that the bytes came from this URL or with this strong ETag; the server
        is asked again in any case.
        """
        path = spool_path(folder, self.wanted.name, self.wanted.url, known)
        length = await asyncio.to_thread(resumable, path, known)
        if length == 0:
            return False
        self.stat, self.received = known, length
        try:
            if length < (known.size or 0):
                fresh = (await self._open(url)).stat
            else:
                fresh = await self._source.stat(url)
                self._ended = True
            if not same_object(known, fresh):
                raise SourceChanged("the object at the server is another one now", subject=url)
        except SourceChanged:
            await self._hang_up()
            self.received, self._ended = 0, False
            return False
        # What was known may come from a ledger that does not tell whose tags are digests.
        told = self.wanted.sha256 or known.sha256 or fresh.sha256
        self.stat = replace(known, s3=known.s3 or fresh.s3, sha256=told)
        await asyncio.to_thread(clear_stale, folder, self.wanted.name, self.wanted.url, path)
        self._spool = await Spool.open(path, length)
        self._replay, self.resumed = self._spool.read(), length
        return True

    async def _pull(self, url: str) -> list[bytes]:
        """One attempt to get about CHUNK bytes more; none at the object's end.

        A failure after some bytes hands on the bytes first: the next call then fails, as a first time.
        """
        if self._failure is not None:
            error, self._failure = self._failure, None
            raise error
        if self._ended:
            return []
        try:
            await self._gather(url)
        except FetchError as failure:
            await self._hang_up()
            if isinstance(failure, SourceChanged) or not self._worth_keeping():
                self._forget_pending()
                self._tell_progress(at_once=True)
                raise
            self._failure = failure
        return await self._secure()

    async def _gather(self, url: str) -> None:
        """Collect about CHUNK bytes from the network, or all that is left."""
        opened = self._opened or await self._open(url)
        async for piece in opened.chunks:
            self._take(piece)
            if not opened.paid:
                await self._rate.pay(len(piece))
            if self._pending_size >= CHUNK:
                return
        await self._hang_up()
        held, size = self.received + self._pending_size, self.stat.size
        if self._skip or (size is not None and held < size and not self.unchanged):
            words = f"ended after {held} of {size or 'more'} bytes"
            raise TransientError(words, subject=url, cause=RetryCause.TRUNCATED)
        self._ended = True

    async def _open(self, url: str) -> Opened:
        """Ask for the object from ``received`` on."""
        validator = self.stat.validator if self.received else None
        opened = await self._response.enter_async_context(
            self._source.open(url, self.received, validator, known_etag=self.wanted.known_etag)
        )
        if self.received == 0:
            self.stat = replace(opened.stat, sha256=self.wanted.sha256 or opened.stat.sha256)
            self.unchanged = opened.status == 304
        elif not same_object(self.stat, opened.stat):
            raise SourceChanged("the object at the server is another one now", subject=url)
        elif self.stat.size is None:
            self.stat = replace(self.stat, size=opened.stat.size)
        self._skip = self.received - opened.offset
        self._opened = opened
        return opened

    def _take(self, piece: bytes) -> None:
        """Put what is new of ``piece`` to what is pending."""
        self.fetched += len(piece)
        fresh = piece[self._skip :]
        self._skip -= len(piece) - len(fresh)
        size, held = self.stat.size, self.received + self._pending_size + len(fresh)
        if size is not None and held > size:
            raise SourceChanged(f"sends more than the {size} bytes it told of", subject=self.origin_url)
        if fresh:
            self._pending.append(fresh)
            self._pending_size += len(fresh)

    async def _secure(self) -> list[bytes]:
        """Judge what is pending if it is the object's beginning, spool it, count it and give it."""
        pieces, size = self._pending, self._pending_size
        self._forget_pending()
        if not size:
            self._tell_progress()  # where the end came behind the last bytes
            return pieces
        if self.received == 0:
            pieces = _with_whole_head(pieces)
            refuse_misfit(pieces[0], self.stat)
            await self._start_spool()
        self.received += size
        if self._spool is not None and not self.lost:  # behind a lost file the next run begins again
            await self._spool.append(pieces)
        self._tell_progress()
        return pieces

    async def _start_spool(self) -> None:
        folder = self.wanted.spool_dir
        if folder is not None:
            path = spool_path(folder, self.wanted.name, self.wanted.url, self.stat)
            await asyncio.to_thread(clear_stale, folder, self.wanted.name, self.wanted.url, path)
            self._spool = await Spool.open(path)

    def _worth_keeping(self) -> bool:
        """Bytes came, and if they are the object's first, enough of them to be judged."""
        return self._pending_size > 0 and (self.received > 0 or self._pending_size >= HEAD)

    def _forget_pending(self) -> None:
        self._pending, self._pending_size = [], 0

    def _tell_progress(self, *, at_once: bool = False) -> None:
        """Now and then; ``at_once`` where nothing more may come for a while."""
        if self.received == self._told:
            return
        now = asyncio.get_running_loop().time()
        at_once = at_once or self._ended or self._failure is not None
        if at_once or now - self._told_at >= _PROGRESS_S:
            self._told, self._told_at = self.received, now
            self._emit(TransferProgress(self.wanted.name, self.received))

    async def _hang_up(self) -> None:
        self._opened, self._skip = None, 0
        await self._response.aclose()

    async def _close(self) -> None:
        """Put every byte that came into the spool and let all go."""
        if self._worth_keeping() and self.wanted.spool_dir is not None:
            with suppress(KdlError):  # what is on disk already is right, and that is enough
                await self._secure()
        await self._hang_up()
        if self._replay is not None:
            await self._replay.aclose()
        if self._spool is not None:
            await self._spool.close()


def _with_whole_head(pieces: list[bytes]) -> list[bytes]:
    """The pieces with so many of the first joined that these hold HEAD bytes, or all there are."""
    count, size = 0, 0
    while count < len(pieces) and size < HEAD:
        size += len(pieces[count])
        count += 1
    return [b"".join(pieces[:count]), *pieces[count:]]
