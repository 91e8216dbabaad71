"""The torrent source: ``torrent://<infohash>/<path>`` in a torrent's folder, fetched by aria2.

A file is read from the disk once every piece that holds it has come and matched its hash, so what it says
of its bytes is the torrent's own word. Only wanted files are fetched, and the pieces that they share with
their neighbours.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Sequence
from contextlib import AsyncExitStack, aclosing, asynccontextmanager, suppress
from dataclasses import replace
from datetime import datetime
from http import HTTPStatus
from pathlib import Path
from tempfile import TemporaryDirectory
from types import TracebackType
from urllib.parse import quote, unquote

from kdl.diskerrors import disk_errors
from kdl.errors import KdlError, PermanentError, RetryCause, SourceChanged, TransientError
from kdl.events import Event, Noted
from kdl.fetch.aria2 import Aria2
from kdl.fetch.metainfo import Metainfo, parse_infohash
from kdl.fetch.metalookup import MetaLookup
from kdl.fetch.source import Opened, RemoteFile, RemoteStat
from kdl.fetch.swarm import Swarm
from kdl.fetch.timetable import Timetable
from kdl.fetch.torrentoptions import TorrentOptions
from kdl.settings import MIB, human_size

_PACE_S = 30.0
_TOP_SHOWN = 5


class TorrentSource:
    """A :class:`~kdl.fetch.source.Source` of files in torrents, as an async context manager."""

    def __init__(
        self,
        options: TorrentOptions,
        *,
        stall_s: float,
        connect_s: float,
        tell: Callable[[Event], None],
    ) -> None:
        self._options = options
        self._stall_s = stall_s
        self._connect_s = connect_s
        self._tell = tell
        self._stack = AsyncExitStack()
        self._aria2: Aria2 | None = None
        self._starting = asyncio.Lock()
        self._lookup: MetaLookup | None = None
        self._swarms: dict[str, Swarm] = {}

    async def __aenter__(self) -> TorrentSource:
        folder = self._options.folder
        if folder is None:
            folder = Path(self._stack.enter_context(TemporaryDirectory(prefix="kdl-torrent-")))
        self._folder = folder
        self._lookup = MetaLookup(
            folder,
            self._options,
            self._running,
            stall_s=self._stall_s,
            connect_s=self._connect_s,
            tell=self._tell,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._stack.aclose()

    async def stat(self, url: str) -> RemoteStat:
        """Size and validator, by the torrent's metadata."""
        metainfo, index = await self._find(url)
        return _told(url, metainfo, index)

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
        """See :meth:`kdl.fetch.source.Source.open`. Waits until the file is whole."""
        metainfo, index = await self._find(url)
        stat = _told(url, metainfo, index)
        size = metainfo.size(index)
        if offset > size or (offset and validator is not None and validator != stat.etag):
            raise SourceChanged("the file is another one now", subject=url)
        end = size if last is None else min(last + 1, size)
        ranged = size and (offset or last is not None)
        status = HTTPStatus.PARTIAL_CONTENT if ranged else HTTPStatus.OK
        path = None
        if known_etag is not None and known_etag == stat.etag:
            status, end = HTTPStatus.NOT_MODIFIED, offset
            stat = replace(stat, size=None)  # no bytes of any size follow
        elif offset and offset == size:
            status = HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE
        elif end > offset:
            path = await (await self._swarm(metainfo)).whole(index, url)
        async with aclosing(_read(url, path, offset, end)) as chunks:
            yield Opened(stat, offset, status, chunks, paid=True)

    async def listing(self, url: str) -> list[RemoteFile]:
        """See :meth:`kdl.fetch.source.Lister.listing`. Knows sizes."""
        metainfo = await self._metainfo(url)
        below = _path(url)
        found = [
            RemoteFile(
                f"torrent://{metainfo.infohash}/{quote(path)}", path[len(below) :], metainfo.size(index)
            )
            for path, index in metainfo.indices.items()
            if path.startswith(below)
        ]
        if not found:
            raise _absent("folder", url, metainfo)
        return sorted(found, key=lambda file: file.path)

    async def prefetch(self, urls: Sequence[str]) -> None:
        """See :meth:`kdl.fetch.source.Prefetcher.prefetch`: they are fetched from now on, all together."""
        for metainfo, indices in await self._grouped(urls):
            (await self._swarm(metainfo)).want(indices)

    async def release(self, urls: Sequence[str]) -> None:
        """See :meth:`kdl.fetch.source.Prefetcher.release`: they go, unless they are given to others."""
        held = [url for url in urls if parse_infohash(url.split("/")[2], url) in self._swarms]
        for metainfo, indices in await self._grouped(held):
            await self._swarms[metainfo.infohash].release(indices)

    async def finish(self) -> None:
        """Give to others, where that was asked for."""
        if not self._options.seeds:
            return
        for swarm in self._swarms.values():
            self._tell(Noted(f"{swarm.name}: gives what is here to others, as was asked"))
            given = await swarm.give()
            self._tell(Noted(f"{swarm.name}: gave {human_size(given)} to others"))

    async def _find(self, url: str) -> tuple[Metainfo, int]:
        metainfo = await self._metainfo(url)
        index = metainfo.indices.get(_path(url))
        if index is None:
            raise _absent("file", url, metainfo)
        return metainfo, index

    async def _metainfo(self, url: str) -> Metainfo:
        assert self._lookup is not None
        return await self._lookup.find(parse_infohash(url.split("/")[2], url), url)

    async def _grouped(self, urls: Iterable[str]) -> list[tuple[Metainfo, list[int]]]:
        groups: dict[str, tuple[Metainfo, list[int]]] = {}
        for url in urls:
            metainfo, index = await self._find(url)
            groups.setdefault(metainfo.infohash, (metainfo, []))[1].append(index)
        return list(groups.values())

    async def _swarm(self, metainfo: Metainfo) -> Swarm:
        aria2 = await self._running()
        if metainfo.infohash not in self._swarms:
            folder = self._folder / metainfo.infohash
            swarm = Swarm(aria2, metainfo, folder, self._options, stall_s=self._stall_s, tell=self._tell)
            self._swarms[metainfo.infohash] = swarm
            await self._stack.enter_async_context(swarm)
        return self._swarms[metainfo.infohash]

    async def _running(self) -> Aria2:
        """aria2, started when it is first needed."""
        async with self._starting:
            if self._aria2 is None:
                aria2 = Aria2(self._folder, _aria2_options(self._folder, self._options))
                self._aria2 = await self._stack.enter_async_context(aria2)
                if isinstance(self._options.limit_rate, Timetable):
                    pacing = asyncio.create_task(self._pace(aria2, self._options.limit_rate))
                    self._stack.callback(pacing.cancel)
            return self._aria2

    async def _pace(self, aria2: Aria2, rates: Timetable) -> None:
        while True:
            rate = rates.rate_at(datetime.now().time())
            with suppress(KdlError):  # whoever waits for a file hears of it
                await aria2.call("aria2.changeGlobalOption", {"max-overall-download-limit": str(rate or 0)})
            await asyncio.sleep(_PACE_S)


def _aria2_options(folder: Path, options: TorrentOptions) -> dict[str, str]:
    def switch(on: bool) -> str:
        return "true" if on else "false"

    rate = options.limit_rate
    return {
        "listen-port": options.listen,
        "dht-listen-port": options.listen,
        "enable-dht": switch(options.dht),
        "enable-dht6": "false",
        "dht-entry-point": options.dht_entry,
        "dht-file-path": str(folder / "dht.dat"),
        "bt-enable-lpd": switch(options.lsd),
        "enable-peer-exchange": switch(options.pex),
        "max-overall-download-limit": str(rate if isinstance(rate, int) else 0),
        "max-overall-upload-limit": str(options.limit_upload or 0),
        "max-concurrent-downloads": "64",
        "seed-ratio": "0.0",  # it is stopped by us
        "check-integrity": "true",
        "file-allocation": "none",
        "disk-cache": "0",  # what counts as here is on the disk
    }


def _told(url: str, metainfo: Metainfo, index: int) -> RemoteStat:
    tag = f'"{metainfo.infohash}-{index}"'
    return RemoteStat(url, size=metainfo.size(index), etag=tag, pieces=True)


def _path(url: str) -> str:
    """Below the torrent's folder, unquoted."""
    return unquote(url.partition("?")[0].split("/", 3)[3]) if url.count("/") > 2 else ""


def _absent(kind: str, url: str, metainfo: Metainfo) -> PermanentError:
    top = sorted({path.partition("/")[0] for path in metainfo.indices})
    named = ", ".join(repr(name) for name in top[:_TOP_SHOWN]) + (", …" if len(top) > _TOP_SHOWN else "")
    words = f"the torrent has no such {kind}; at its top it has {named}"
    return PermanentError(words, subject=url, status=HTTPStatus.NOT_FOUND)


async def _read(url: str, path: Path | None, begin: int, end: int) -> AsyncGenerator[bytes]:
    """The bytes from ``begin`` up to ``end`` of a file that is whole."""
    if path is None or begin >= end:
        return
    try:
        file = await asyncio.to_thread(path.open, "rb")
    except FileNotFoundError as error:
        words = "it was removed while it was to be read"
        raise TransientError(words, subject=url, cause=RetryCause.TRUNCATED) from error
    with file, disk_errors(path):
        await asyncio.to_thread(file.seek, begin)
        while begin < end:
            piece = await asyncio.to_thread(file.read, min(MIB, end - begin))
            if not piece:
                words = f"ended after {begin} of {end} bytes"
                raise TransientError(words, subject=url, cause=RetryCause.TRUNCATED)
            yield piece
            begin += len(piece)
