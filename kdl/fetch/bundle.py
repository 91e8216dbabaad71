"""Loose files as one object: a plain tar that is made on the way, the same in every run.

What it will hold is known before the first file is fetched, so it has a size and an ETag, can be read from
any byte on, and everything behind it (the spool, the unpacking, the ledger) is the same as for an archive. A
few small files are fetched ahead, so that the line is not idle between them.
"""

from __future__ import annotations

import asyncio
import hashlib
from bisect import bisect_right
from collections import defaultdict, deque
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager
from dataclasses import replace
from http import HTTPStatus
from itertools import accumulate

from kdl.errors import FetchError, PermanentError, RetryCause, SourceChanged, TransientError
from kdl.fetch.members import (
    BLOCK,
    END,
    Member,
    header_of,
    lost_name,
    read_stretch,
    room_of,
    told_of,
)
from kdl.fetch.source import Opened, RemoteStat, nothing
from kdl.fetch.sources import Sources
from kdl.settings import LARGE, MIB
from kdl.urls import folder_of
from kdl.values import Stretch

_AHEAD = 4
"""Files that are on their way at a time."""
_SMALL = 4 * MIB
"""A larger file is handed on while it comes, and nothing is fetched ahead of it."""
_ASKS = 16
"""Files whose sizes are asked for at a time, where the list does not tell."""
_GONE = (HTTPStatus.NOT_FOUND, HTTPStatus.GONE)
_MISFITS = 3
"""So often is a file asked for that is not what the list says; twice, if it is the same both times."""
_OTHER = "its bytes are not those of the digest listed"
_ROW = 32
"""So many files are lost from the begin on before it is asked whether any is there."""


class _Misfit(TransientError):
    """A file is not of the size or the digest that the list says; ``seen`` is what it is."""

    def __init__(self, message: str, *, subject: str, seen: str, cause: RetryCause) -> None:
        super().__init__(message, subject=subject, cause=cause)
        self.seen = seen


class BundleSource:
    """A :class:`~kdl.fetch.source.Source` of one object: the bundle that a stretch of a list makes.

    A file that is gone from the host, or rotten there, does not cost the others: the next origin is asked
    for it; where none has it, zeros take its place, under a name that is no clip's, and :attr:`lost` tells.
    """

    def __init__(
        self,
        sources: Sources,
        url: str,
        stretch: Stretch,
        candidates: Sequence[str] = (),
        tries: int = _MISFITS,
    ) -> None:
        """``url`` is the bundle's own, before any ``--origin``; ``candidates`` are what it is by them."""
        self._sources = sources
        self._url = url
        self._stretch = stretch
        self._candidates = candidates
        self._tries = min(tries, _MISFITS)
        self._known: tuple[Member, ...] | None = None
        self._misfits: defaultdict[str, list[str]] = defaultdict(list)
        """By the place that a file came from, what it was in place of what the list says."""
        self._given = False
        """A file has come, so its host gives files to us."""
        self.lost: dict[str, FetchError] = {}
        """By the file's URL at the manifest's host, why it could not be had."""

    async def stat(self, url: str) -> RemoteStat:
        """What the tar will be. Asks for sizes that the list does not tell."""
        return told_of(url, await self._members(url))

    @asynccontextmanager
    async def open(
        self,
        url: str,
        offset: int = 0,
        validator: str | None = None,
        *,
        known_etag: str | None = None,
        last: int | None = None,
    ) -> AsyncIterator[Opened]:
        """See :meth:`kdl.fetch.source.Source.open`. Begins with the member that holds ``offset``.

        So each file comes whole, and can be held against its digest. ``last`` is not heeded.
        """
        members = await self._members(url)
        stat = told_of(url, members)
        assert stat.size is not None
        if offset and validator is not None and validator != stat.etag:
            raise SourceChanged("other files are listed now, or of other sizes", subject=url)
        if offset > stat.size:
            raise SourceChanged(f"it has no byte {offset} any more", subject=url)
        if offset == stat.size:
            async with aclosing(nothing()) as none:
                yield Opened(stat, offset, HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE, none)
            return
        begins = [0, *accumulate(room_of(member) for member in members)]
        first = min(bisect_right(begins, offset) - 1, len(members))
        status = HTTPStatus.PARTIAL_CONTENT if first else HTTPStatus.OK
        left = members[first:]
        await self._sources.prefetch([self._place(url, member) for member in left])
        async with aclosing(self._stream(url, left)) as chunks:
            yield Opened(stat, begins[first], status, chunks, paid=stat.pieces)

    async def places(self, url: str) -> list[str]:
        """Where the files lie, for the bundle at the candidate ``url``."""
        listed = await asyncio.to_thread(read_stretch, self._stretch)
        return [self._place(url, member) for member in listed]

    async def _members(self, url: str) -> tuple[Member, ...]:
        if self._known is None:
            listed = await asyncio.to_thread(read_stretch, self._stretch)
            gate = asyncio.Semaphore(_ASKS)

            async def sized(member: Member) -> Member:
                if member.size is not None:
                    return member
                async with gate:
                    return replace(member, size=await self._size(url, member))

            self._known = tuple(await asyncio.gather(*map(sized, listed)))
            if _ROW < len(self.lost) == len(listed):
                await self._refuse_ruin(url, self.lost[listed[0].url])
        return self._known

    async def _size(self, url: str, member: Member) -> int:
        """Bytes of a file by the first origin that has it; 0 of one that none has."""
        for candidate in self._from(url):
            try:
                size = (await self._sources.stat(self._place(candidate, member))).size
            except PermanentError as error:
                if error.status not in _GONE:
                    raise
                self.lost[member.url] = error
            else:
                self.lost.pop(member.url, None)
                if size is None:
                    raise PermanentError("the host does not tell its size", subject=member.url)
                return size
        return 0

    def _from(self, url: str) -> Sequence[str]:
        """The candidate ``url`` and those after it."""
        return self._candidates[self._candidates.index(url) :] if url in self._candidates else (url,)

    def _place(self, url: str, member: Member) -> str:
        """A file's URL where the bundle is read from ``url``: below its folder, with an own query or none."""
        here, there = folder_of(self._url), folder_of(url)
        return member.url if here == there else there + member.url.removeprefix(here).partition("?")[0]

    async def _stream(self, url: str, members: Sequence[Member]) -> AsyncGenerator[bytes]:
        """The tar from the first of these members on."""
        waiting = iter(members)
        ahead: deque[tuple[Member, asyncio.Task[bytes] | None]] = deque()

        def reach() -> None:
            while len(ahead) < _AHEAD and (member := next(waiting, None)) is not None:
                small = (member.size or 0) <= _SMALL
                ahead.append((member, asyncio.create_task(self._whole(url, member)) if small else None))

        try:
            reach()
            while ahead:
                member, task = ahead[0]
                async with aclosing(self._body(url, member, task)) as pieces:
                    async for piece in pieces:
                        yield piece
                ahead.popleft()
                reach()
            yield END
        finally:
            begun = [task for _, task in ahead if task is not None]
            for task in begun:
                task.cancel()
            await asyncio.gather(*begun, return_exceptions=True)

    async def _body(
        self, url: str, member: Member, task: asyncio.Task[bytes] | None
    ) -> AsyncGenerator[bytes]:
        """One member: its header, its bytes, and what fills up the last block."""
        assert member.size is not None
        async with AsyncExitStack() as stack:
            pieces = await self._pieces(stack, url, member, task)
            lost = member.url in self.lost
            yield header_of(replace(member, name=lost_name(member.name)) if lost else member)
            async for piece in pieces:
                yield piece
        if padding := -member.size % BLOCK:
            yield bytes(padding)

    async def _pieces(
        self, stack: AsyncExitStack, url: str, member: Member, task: asyncio.Task[bytes] | None
    ) -> AsyncGenerator[bytes]:
        """A file's bytes from the first origin that has it; zeros, and it is lost, where none has it."""
        if member.url in self.lost:
            return _zeros(member.size or 0)
        reason: FetchError | None = None
        for candidate in self._from(url):
            try:
                if task is not None and candidate == url:
                    pieces = _once(await task)
                else:
                    pieces = await self._large(stack, candidate, member)
            except FetchError as error:
                if candidate == url and not self._costs_it_alone(member, error):
                    raise
                reason = reason or error
            else:
                self._given = True
                return pieces
        assert reason is not None
        self.lost[member.url] = reason
        if not self._given and len(self.lost) == _ROW:
            await self._refuse_ruin(url, reason)
        return _zeros(member.size or 0)

    async def _refuse_ruin(self, url: str, reason: FetchError) -> None:
        """Raise PermanentError where none of the files is there: one thing to tell, and not a thousand."""
        assert self._known is not None
        try:
            await self._sources.stat(self._place(url, self._known[-1]))
        except PermanentError as error:
            if error.status not in _GONE:
                return
            self.lost.clear()
            words = f"none of its clips is there; of the first: {reason.message}"
            raise PermanentError(words, subject=url, fix=reason.fix, status=reason.status) from error

    def _costs_it_alone(self, member: Member, error: FetchError) -> bool:
        """Whether asking again is of no use, and asking for other files is."""
        if isinstance(error, _Misfit):
            seen = self._misfits[error.subject]
            again = error.seen in seen
            seen.append(error.seen)
            return again or len(seen) >= self._tries
        if isinstance(error, PermanentError):  # S3 says 403 of what is not there, where it lists nothing
            return error.status in _GONE or (error.status == HTTPStatus.FORBIDDEN and self._given)
        return False

    async def _whole(self, url: str, member: Member) -> bytes:
        """A file in memory, once it is of its size and digest."""
        if member.size == 0 or member.url in self.lost:
            return b""
        place = self._place(url, member)
        async with self._sources.open(place) as opened, aclosing(_sized(member, place, opened)) as pieces:
            data = b"".join([piece async for piece in pieces])
        if member.sha256 is not None:
            digest = hashlib.sha256(data) if len(data) < MIB // 4 else await asyncio.to_thread(_sha256, data)
            if digest.hexdigest() != member.sha256:
                raise _Misfit(_OTHER, subject=place, seen=digest.hexdigest(), cause=RetryCause.MISMATCH)
        return data

    async def _large(self, stack: AsyncExitStack, url: str, member: Member) -> AsyncGenerator[bytes]:
        """A large file's bytes; those with a digest come once all of them are in memory, up to LARGE."""
        if member.sha256 is not None and (member.size or 0) <= LARGE:
            return _once(await self._whole(url, member))
        place = self._place(url, member)
        opened = await stack.enter_async_context(self._sources.open(place))
        pieces = await stack.enter_async_context(aclosing(_sized(member, place, opened)))
        return pieces if member.sha256 is None else _proved(member, place, pieces)


async def _sized(member: Member, place: str, opened: Opened) -> AsyncGenerator[bytes]:
    """The bytes of a file, so many as are listed. Raises _Misfit where it has more or fewer."""
    held = 0
    assert member.size is not None
    async for piece in opened.chunks:
        held += len(piece)
        if held > member.size:
            words = f"it is larger than the {member.size} bytes listed"
            raise _Misfit(words, subject=place, seen="larger", cause=RetryCause.MISMATCH)
        yield piece
    if held < member.size:
        words = f"it ended after {held} of the {member.size} bytes listed"
        raise _Misfit(words, subject=place, seen=str(held), cause=RetryCause.TRUNCATED)


async def _proved(member: Member, place: str, pieces: AsyncGenerator[bytes]) -> AsyncGenerator[bytes]:
    """The bytes of a file that is too large to be held back until they are known to be right.

    Raises SourceChanged, so that all is fetched afresh, where they are not.
    """
    digest = hashlib.sha256()
    async for piece in pieces:
        await asyncio.to_thread(digest.update, piece)
        yield piece
    if digest.hexdigest() != member.sha256:
        raise SourceChanged(_OTHER, subject=place, cause=RetryCause.MISMATCH)


def _sha256(data: bytes) -> hashlib._Hash:
    return hashlib.sha256(data)


async def _once(data: bytes) -> AsyncGenerator[bytes]:
    if data:
        yield data


async def _zeros(size: int) -> AsyncGenerator[bytes]:
    for begin in range(0, size, MIB):
        yield bytes(min(MIB, size - begin))
