"""Every kind of place that bytes come from, behind one :class:`~kdl.fetch.source.Source`."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from kdl.errors import PermanentError
from kdl.fetch.http import HttpSource
from kdl.fetch.source import Lister, Opened, Prefetcher, RemoteFile, RemoteStat, Source
from kdl.settings import CONNECT_S, STALL_S


@dataclass(frozen=True, slots=True)
class SourceOptions:
    """How sources that need more than a URL are to behave. Picklable: a cluster's workers get them too."""

    stall_s: float = STALL_S
    """Seconds without a byte that are borne."""
    connect_s: float = CONNECT_S
    """Seconds for a connection to stand."""


class _Held(Source, AbstractAsyncContextManager["Source"], Protocol):
    """A source that holds something while it is used: connections, a process."""


def _http(options: SourceOptions) -> _Held:
    return HttpSource(stall_s=options.stall_s, connect_s=options.connect_s)


def _drive(options: SourceOptions) -> _Held:
    from kdl.fetch.drive import DriveSource

    return DriveSource(stall_s=options.stall_s, connect_s=options.connect_s)


KINDS: Mapping[str, Callable[[SourceOptions], _Held]] = {
    "http": _http,
    "https": _http,
    "gdrive": _drive,
}
"""What makes the source of each scheme."""


class Sources:
    """Sends each URL to the source of its scheme; a source is opened when it is first needed.

    An async context manager. Raises PermanentError for a scheme that nothing serves, and what the
    sources raise.
    """

    def __init__(self, options: SourceOptions) -> None:
        self._options = options
        self._stack = AsyncExitStack()
        self._open: dict[Callable[[SourceOptions], _Held], Source] = {}
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

    async def _of(self, url: str) -> Source:
        scheme = url.partition(":")[0]
        make = KINDS.get(scheme)
        if make is None:
            known = ", ".join(KINDS)
            raise PermanentError(f"kdl fetches nothing over {scheme!r}; it knows {known}", subject=url)
        async with self._opening:
            if make not in self._open:
                self._open[make] = await self._stack.enter_async_context(make(self._options))
            return self._open[make]
