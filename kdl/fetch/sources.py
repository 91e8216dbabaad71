"""Every kind of place that bytes come from, behind one :class:`~kdl.fetch.source.Source`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from types import TracebackType
from typing import Protocol

from kdl.errors import PermanentError, ToolMissing
from kdl.events import Event
from kdl.fetch.http import HttpSource
from kdl.fetch.source import Lister, Opened, Prefetcher, RemoteFile, RemoteStat, Source
from kdl.fetch.torrentoptions import TorrentOptions
from kdl.settings import CONNECT_S, STALL_S


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How sources that need more than a URL are to behave. Picklable: a cluster's workers get them too."""

    stall_s: float = STALL_S
    """Seconds without a byte that are borne."""
    connect_s: float = CONNECT_S
    """Seconds for a connection to stand."""
    torrent: TorrentOptions = field(default_factory=TorrentOptions)


Tell = Callable[[Event], None]


class _Held(Source, AbstractAsyncContextManager["Source"], Protocol):
    """A source that holds something while it is used: connections, a process."""


def _http(options: SourceOptions, tell: Tell) -> _Held:
    return HttpSource(stall_s=options.stall_s, connect_s=options.connect_s)


def _drive(options: SourceOptions, tell: Tell) -> _Held:
    from kdl.fetch.drive import DriveSource

    return DriveSource(stall_s=options.stall_s, connect_s=options.connect_s)


def _folder(options: SourceOptions, tell: Tell) -> _Held:
    from kdl.fetch.folder import FolderSource

    return FolderSource(stall_s=options.stall_s)


def _s3(options: SourceOptions, tell: Tell) -> _Held:
    try:
        from kdl.fetch.s3 import S3Source
    except ImportError as error:
        raise ToolMissing(
            "the package aiobotocore is not installed, and S3 is read with it",
            subject="aiobotocore",
            fix="pip install 'kdl[s3]'",
        ) from error
    return S3Source(stall_s=options.stall_s, connect_s=options.connect_s)


def _torrent(options: SourceOptions, tell: Tell) -> _Held:
    from kdl.fetch.torrent import TorrentSource

    return TorrentSource(options.torrent, stall_s=options.stall_s, connect_s=options.connect_s, tell=tell)


KINDS: Mapping[str, Callable[[SourceOptions, Tell], _Held]] = {
    "http": _http,
    "https": _http,
    "file": _folder,
    "s3": _s3,
    "gdrive": _drive,
    "torrent": _torrent,
}
"""What makes the source of each scheme."""


class Sources:
    """Sends each URL to the source of its scheme; a source is opened when it is first needed.

    An async context manager. Raises PermanentError for a scheme that nothing serves, and what the
    sources raise.
    """

    def __init__(self, options: SourceOptions, tell: Tell = lambda event: None) -> None:
        """``tell`` hears how far those are that bring many objects at a time."""
        self._options = options
        self._tell = tell
        self._stack = AsyncExitStack()
        self._open: dict[Callable[[SourceOptions, Tell], _Held], Source] = {}
        self._opening = asyncio.Lock()

    async def __aenter__(self) -> Sources:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def stat(self, url: str) -> RemoteStat:
        """See :meth:`kdl.fetch.source.Source.stat`."""
        return await (await self._of(url)).stat(url)

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
        """See :meth:`kdl.fetch.source.Source.open`."""
        source = await self._of(url)
        async with source.open(url, offset, validator, known_etag=known_etag, last=last) as opened:
            yield opened

    async def listing(self, url: str) -> list[RemoteFile]:
        """See :meth:`kdl.fetch.source.Lister.listing`. Raises PermanentError where nothing can be listed."""
        source = await self._of(url)
        if not isinstance(source, Lister):
            raise PermanentError("folders of this kind can not be listed", subject=url)
        return await source.listing(url)

    async def prefetch(self, urls: Sequence[str]) -> None:
        """Tell the source, if it cares, what will be opened next. All URLs are of one scheme."""
        if urls and isinstance(source := await self._of(urls[0]), Prefetcher):
            await source.prefetch(urls)

    async def release(self, urls: Sequence[str]) -> None:
        """Tell the source, if it cares, what is on record by now. All URLs are of one scheme."""
        make = KINDS.get(urls[0].partition(":")[0]) if urls else None
        source = self._open.get(make) if make else None
        if isinstance(source, Prefetcher):
            await source.release(urls)

    async def finish(self) -> None:
        """Tell the sources that care that all is on record."""
        for source in tuple(self._open.values()):
            if isinstance(source, Prefetcher):
                await source.finish()

    async def _of(self, url: str) -> Source:
        scheme = url.partition(":")[0]
        make = KINDS.get(scheme)
        if make is None:
            known = ", ".join(KINDS)
            raise PermanentError(f"kdl fetches nothing over {scheme!r}; it knows {known}", subject=url)
        async with self._opening:
            if make not in self._open:
                self._open[make] = await self._stack.enter_async_context(make(self._options, self._tell))
            return self._open[make]
