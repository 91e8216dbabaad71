"""Where a torrent's metadata comes from: a person's file, the web, or the peers, by a magnet link."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from urllib.parse import urlencode

from kdl.diskerrors import disk_errors
from kdl.errors import FetchError, PermanentError, UsageError
from kdl.events import Event, Noted
from kdl.fetch.aria2 import Aria2
from kdl.fetch.http import HttpSource
from kdl.fetch.metainfo import Metainfo, parse_metainfo
from kdl.fetch.swarmwords import Quiet, quiet_error
from kdl.fetch.torrentoptions import TorrentOptions
from kdl.settings import MIB

_CAP = 256 * MIB
_LOOK_S = 0.25


class MetaLookup:
    """The metadata of torrents, each kept as ``FOLDER/INFOHASH/INFOHASH.torrent`` from then on."""

    def __init__(
        self,
        folder: Path,
        options: TorrentOptions,
        aria2: Callable[[], Awaitable[Aria2]],
        *,
        stall_s: float,
        connect_s: float,
        tell: Callable[[Event], None],
    ) -> None:
        self._folder = folder
        self._options = options
        self._aria2 = aria2
        self._stall_s = stall_s
        self._connect_s = connect_s
        self._tell = tell
        self._known: dict[str, Metainfo] = {}
        self._asked: dict[str, str] = {}
        """By infohash, aria2's name for the question to the peers."""
        self._finding = asyncio.Lock()

    async def find(self, infohash: str, url: str) -> Metainfo:
        """What the torrent holds. ``url`` is for messages.

        Raises UsageError for a file of another torrent, TransientError where no peer tells it.
        """
        if infohash not in self._known:
            async with self._finding:
                if infohash not in self._known:
                    self._known[infohash] = await self._bring(infohash, url)
        return self._known[infohash]

    async def _bring(self, infohash: str, url: str) -> Metainfo:
        path = self._folder / infohash / f"{infohash}.torrent"
        given = self._options.metainfo
        if given is not None:
            with disk_errors(given):
                data = await asyncio.to_thread(given.read_bytes)
            try:
                return await self._keep(path, data, infohash, str(given))
            except PermanentError as error:
                raise UsageError(error.message, subject=f"--torrent {given}", fix=error.fix) from error
        if path.is_file():
            try:
                with disk_errors(path):
                    data = await asyncio.to_thread(path.read_bytes)
                return await asyncio.to_thread(parse_metainfo, data, infohash, str(path))
            except PermanentError:  # a file that a crash has left
                await asyncio.to_thread(path.unlink)
        where = self._options.hints_of(infohash).metainfo_url
        if where is not None:
            try:
                return await self._keep(path, await self._download(where), infohash, where)
            except FetchError as error:
                self._tell(Noted(f"{where}: {error.message}; the peers are asked what the torrent holds"))
        await self._ask_peers(infohash, url, path)
        with disk_errors(path):
            data = await asyncio.to_thread(path.read_bytes)
        return await asyncio.to_thread(parse_metainfo, data, infohash, url)

    async def _keep(self, path: Path, data: bytes, infohash: str, subject: str) -> Metainfo:
        metainfo = await asyncio.to_thread(parse_metainfo, data, infohash, subject)
        with disk_errors(path):
            await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            await asyncio.to_thread(path.write_bytes, data)
        return metainfo

    async def _download(self, url: str) -> bytes:
        body = bytearray()
        source = HttpSource(stall_s=self._stall_s, connect_s=self._connect_s)
        async with source, source.open(url) as opened:
            async for piece in opened.chunks:
                body += piece
                if len(body) > _CAP:
                    raise PermanentError("too large for a torrent's metadata", subject=url)
        return bytes(body)

    async def _ask_peers(self, infohash: str, url: str, path: Path) -> None:
        """Wait until the peers have given the metadata, into ``path``.

        A question goes on beyond the time that a stall is borne, so the next try takes it up.
        """
        aria2 = await self._aria2()
        if infohash not in self._asked:
            trackers = [("tr", tracker) for tracker in self._options.hints_of(infohash).trackers]
            magnet = f"magnet:?xt=urn:btih:{infohash}" + ("&" + urlencode(trackers) if trackers else "")
            with disk_errors(path):  # aria2 keeps nothing in a folder that is not there, and says nothing
                await asyncio.to_thread(path.parent.mkdir, parents=True, exist_ok=True)
            how = {"dir": str(path.parent), "bt-metadata-only": "true", "bt-save-metadata": "true"}
            self._asked[infohash] = await aria2.call("aria2.addUri", [magnet], how)
        gid, loop = self._asked[infohash], asyncio.get_running_loop()
        until = loop.time() + self._stall_s
        while (await aria2.call("aria2.tellStatus", gid, ["status"]))["status"] != "complete":
            if loop.time() >= until:
                peers = await aria2.call("aria2.getPeers", gid)
                trackers_say = await asyncio.to_thread(aria2.tracker_errors)
                error = quiet_error(Quiet(url, self._stall_s, peers, 0, trackers_say), self._options)
                error.message = f"what the torrent holds is not known yet: {error.message}"
                error.fix = f"give its .torrent file with --torrent, or {error.fix}"
                raise error
            await asyncio.sleep(_LOOK_S)
