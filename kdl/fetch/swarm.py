"""One torrent in a running aria2: which of its files are wanted, and which are here, whole.

aria2 holds every piece against its hash before it counts; what is on the disk is held against it again
whenever the choice of files changes, so files may be removed at any time. A change stops the torrent for
some seconds: wishes are gathered for a moment.
"""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

from kdl.diskerrors import disk_errors
from kdl.errors import DiskFull, KdlError, MachineError
from kdl.events import Event, SwarmProgress
from kdl.fetch.aria2 import Aria2, RpcError
from kdl.fetch.metainfo import Metainfo
from kdl.fetch.swarmdisk import SwarmDisk
from kdl.fetch.swarmwords import Quiet, quiet_error
from kdl.fetch.torrentoptions import TorrentHints, TorrentOptions

_GATHER_S = 0.3
_LOOK_S = 0.5
_TELL_S = 2.0
_STATE_LOOKS, _STATE_LOOK_S = 600, 0.05
_DISK_FULL = "9"
_KEYS = (
    "status",
    "bitfield",
    "completedLength",
    "totalLength",
    "uploadLength",
    "downloadSpeed",
    "connections",
    "verifiedLength",
    "verifyIntegrityPending",
    "errorCode",
    "errorMessage",
)


class Swarm:
    """A torrent being fetched, as an async context manager."""

    def __init__(
        self,
        aria2: Aria2,
        metainfo: Metainfo,
        folder: Path,
        options: TorrentOptions,
        *,
        stall_s: float,
        tell: Callable[[Event], None],
    ) -> None:
        """``folder`` takes its files, and has its metadata already, as ``INFOHASH.torrent``."""
        self._aria2 = aria2
        self._metainfo = metainfo
        self._folder = folder
        self._disk = SwarmDisk(metainfo, folder)
        self._options = options
        self._stall_s = stall_s
        self._tell = tell
        self._wanted: set[int] = set()
        self._whole: set[int] = set()
        self._selected: frozenset[int] = frozenset()
        self._gid = ""
        self._bits = 0
        self._width = 0
        """Of the bit field, in bits: the pieces, and padding after them."""
        self._most = 0
        """Bytes that were here at the most, since the choice of files changed."""
        self._spoilt = False
        self._seen = False
        """What is on the disk was checked since the choice changed."""
        self._moved_at = 0.0
        self._told_at = 0.0
        self._failure: KdlError | None = None
        self._wish = asyncio.Event()
        self._news = asyncio.Event()
        self._tending: asyncio.Task[None] | None = None

    async def __aenter__(self) -> Swarm:
        self._tending = asyncio.create_task(self._tend(), name="torrent")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._tending is not None:
            self._tending.cancel()
            await asyncio.wait([self._tending])
        if not self._options.seeds and not self._wanted:
            with suppress(KdlError):  # it costs room and no more, and the next run removes it
                await self._forget()
                await asyncio.to_thread(self._disk.sweep)

    @property
    def name(self) -> str:
        """The torrent's own."""
        return self._metainfo.name

    def want(self, indices: Iterable[int]) -> None:
        """Fetch these files beside the others that are wanted."""
        if not self._wanted.issuperset(indices := set(indices)):
            self._wanted |= indices
            self._wish.set()

    async def release(self, indices: Iterable[int]) -> None:
        """These files are not needed any more: they are removed, unless they are given to others."""
        if self._options.seeds:
            return
        gone = self._wanted.intersection(indices)
        self._wanted -= gone
        self._whole -= gone
        self._selected -= gone
        beside = self._disk.touched(gone) - self._disk.touched(self._wanted)
        await asyncio.to_thread(self._disk.remove, gone | beside)

    async def whole(self, index: int, url: str) -> Path:
        """The file, once every piece of it is here.

        Raises TransientError where nothing comes for as long as a stall is borne, saying why; what is
        wrong with aria2 or this machine as MachineError.
        """
        self.want([index])
        loop = asyncio.get_running_loop()
        since = loop.time()
        while index not in self._whole:
            if self._failure is not None:
                raise self._failure
            left = max(since, self._moved_at) + self._stall_s - loop.time()
            if not self._seen:  # what is here is not known yet, and that is nobody's fault
                left = self._stall_s
            elif left <= 0:
                raise await self._quiet(url)
            with suppress(TimeoutError):
                async with asyncio.timeout(left):
                    await self._news.wait()
        return self._disk.path(index)

    async def give(self) -> int:
        """Give what is here to others, for as long as was asked; the bytes that went out."""
        loop, options = asyncio.get_running_loop(), self._options
        self.want(await asyncio.to_thread(self._disk.present))
        began, out = loop.time(), 0
        while self._wanted and self._failure is None:
            status = await self._status() if self._gid else {}
            out = int(status.get("uploadLength", 0))
            held = int(status.get("completedLength", 0))
            if options.seed_min is not None and loop.time() - began >= options.seed_min * 60:
                break
            if options.seed_ratio is not None and held and out >= options.seed_ratio * held:
                break
            await asyncio.sleep(_LOOK_S)
        if self._failure is not None:
            raise self._failure
        return out

    async def _tend(self) -> None:
        """Change the choice of files as it is wished, and see what came. Fails for all who wait."""
        try:
            while True:
                if self._wanted - self._whole - self._selected:
                    await asyncio.sleep(_GATHER_S)
                    await self._select(frozenset(self._wanted))
                await self._look()
                if self._selected and (self._options.seeds or self._wanted - self._whole):
                    await asyncio.sleep(_LOOK_S)
                else:
                    await self._rest()
                    self._wish.clear()
                    if not self._wanted - self._whole:
                        await self._wish.wait()
        except KdlError as error:
            self._failure = error
            self._announce()

    async def _select(self, files: frozenset[int]) -> None:
        numbers, self._seen = _ranges(files), False
        if self._gid:
            await self._pause()
            await self._aria2.call("aria2.changeOption", self._gid, {"select-file": numbers})
            await self._aria2.call("aria2.unpause", self._gid)
        else:
            self._gid = await self._add(numbers)
        self._selected = files & self._wanted  # some may have been released meanwhile
        self._most, self._spoilt = 0, False

    async def _add(self, numbers: str) -> str:
        known = self._folder / f"{self._metainfo.infohash}.torrent"
        with disk_errors(known):
            encoded = b64encode(await asyncio.to_thread(known.read_bytes)).decode()
        hints = self._options.hints_of(self._metainfo.infohash)
        options = {"dir": str(self._folder), "select-file": numbers, **tracker_option(hints)}
        return str(await self._aria2.call("aria2.addTorrent", encoded, [], options))

    async def _pause(self) -> None:
        if (await self._status())["status"] != "paused":
            with suppress(RpcError):  # it is about to stop anyway
                await self._aria2.call("aria2.forcePause", self._gid)
        await self._until("paused")

    async def _rest(self) -> None:
        """Nothing is wanted: nothing is given either, if nobody asked for it."""
        if self._gid and not self._options.seeds:
            await self._pause()
            self._selected = frozenset()

    async def _forget(self) -> None:
        """Have aria2 let go of the torrent, so that it writes nothing more about it."""
        if self._gid:
            await self._aria2.call("aria2.forceRemove", self._gid)
            with suppress(RpcError):  # of one that was paused it knows nothing then
                await self._until("removed", "complete")

    async def _until(self, *states: str) -> None:
        for _ in range(_STATE_LOOKS):
            if (await self._status())["status"] in states:
                return
            await asyncio.sleep(_STATE_LOOK_S)
        words = f"a torrent does not become {states[0]}"
        raise MachineError(words, subject="aria2c", fix="run the same again")

    async def _look(self) -> None:
        """See how far it is."""
        if not self._gid:
            return
        status = await self._status()
        field = status.get("bitfield", "")
        if "verifiedLength" in status or status.get("verifyIntegrityPending") == "true" or not field:
            return
        if not self._seen:
            self._seen, self._moved_at = True, asyncio.get_running_loop().time()
        self._bits, self._width = int(field, 16), 4 * len(field)
        self._progress(status)
        came = [index for index in self._wanted - self._whole if not self._lacking([index])]
        if came:
            self._whole.update(await asyncio.to_thread(self._disk.sized, came))
            self._announce()

    def _progress(self, status: Mapping[str, Any]) -> None:
        here, now = int(status["completedLength"]), asyncio.get_running_loop().time()
        self._spoilt |= here < self._most
        if here <= self._most:
            return
        self._most, self._moved_at = here, now
        if now - self._told_at >= _TELL_S or here == int(status["totalLength"]):
            self._told_at = now
            peers, speed = int(status["connections"]), int(status["downloadSpeed"])
            total = int(status["totalLength"])
            self._tell(SwarmProgress(self._metainfo.name, here, total, peers, speed))

    async def _status(self) -> dict[str, Any]:
        status: dict[str, Any] = await self._aria2.call("aria2.tellStatus", self._gid, _KEYS)
        if status["status"] == "error":
            words = status.get("errorMessage") or f"error {status.get('errorCode')}"
            if status.get("errorCode") == _DISK_FULL:
                raise DiskFull(words, subject=str(self._folder), fix="make room, then run the same again")
            raise MachineError(f"it gave the torrent up: {words}", subject="aria2c", fix="kdl doctor")
        return status

    async def _quiet(self, url: str) -> KdlError:
        peers = await self._aria2.call("aria2.getPeers", self._gid) if self._gid else []
        trackers = await asyncio.to_thread(self._aria2.tracker_errors)
        missing = self._lacking(self._wanted - self._whole)
        return quiet_error(Quiet(url, self._stall_s, peers, missing, trackers, self._spoilt), self._options)

    def _lacking(self, indices: Iterable[int]) -> int:
        """The pieces of these files that are not here, as a bit field; 0 where none was seen yet."""
        wanted = 0
        if not self._width:
            return wanted
        for index in indices:
            span = self._metainfo.span(index)
            wanted |= ((1 << len(span)) - 1) << (self._width - span.stop)
        return wanted & ~self._bits

    def _announce(self) -> None:
        self._news.set()
        self._news = asyncio.Event()


def tracker_option(hints: TorrentHints) -> dict[str, str]:
    """What aria2 is told of the trackers that its metadata does not name."""
    return {"bt-tracker": ",".join(hints.trackers)} if hints.trackers else {}


def _ranges(indices: Iterable[int]) -> str:
    """Files as aria2 writes them, counted from 1: ``1-3,7``."""
    runs: list[list[int]] = []
    for index in sorted(indices):
        if runs and runs[-1][1] == index:
            runs[-1][1] = index + 1
        else:
            runs.append([index + 1, index + 1])
    return ",".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)
