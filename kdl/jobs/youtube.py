"""Clips that are cut out of YouTube's videos: asked for one by one, slowly, and remembered where refused."""

from __future__ import annotations

import asyncio
import sqlite3
import time
from collections import Counter, deque
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path

from kdl import events
from kdl.dataset.clipname import clip_stem
from kdl.errors import FetchError, TransientError
from kdl.fetch.limits import RateLimit
from kdl.fetch.retry import RetryPolicy, retry_after, retrying, scheduled
from kdl.fetch.youtube import VIDEO_S, Section, Sections, VideoError, Videos
from kdl.fetch.youtube_causes import BARRED, PERMANENT, VideoCause, Why
from kdl.fetch.youtube_options import YoutubeOptions
from kdl.jobs.run import Run
from kdl.jobs.youtube_place import inbox_name, let_go, place
from kdl.ledger.clips import ClipRow, Scope
from kdl.ledger.youtube import count_wanted, record_came, record_refused, wanted_clips
from kdl.settings import STALL_S
from kdl.values import Finding

_PAGE = 500
_BATCH = 16
_BATCH_S = 5.0
"""So many clips, or so many seconds' worth, go behind one barrier."""
_STRIKES = {VideoCause.NETWORK: 3, VideoCause.TOOL: 5}
"""So many videos in a row that fail for this: it is none of them."""
_WAY_OUT = {
    VideoCause.RATE_LIMIT: (
        "wait an hour, then run the same again with a longer --sleep; "
        "an account, by --cookies FILE, is allowed more"
    ),
    VideoCause.BOT_CHECK: (
        "--cookies FILE, written by a browser that is signed in to YouTube; "
        "or run the same again later, or from another network"
    ),
    VideoCause.NETWORK: "look at the network, then run the same again",
    VideoCause.TOOL: (
        "pip install --upgrade 'yt-dlp[default]', which YouTube outdates every few weeks; "
        "kdl doctor tells what else it needs"
    ),
}


class YoutubeStage:
    """Asks for every clip that is wanted, so many at a time, and brings in what comes."""

    def __init__(
        self,
        run: Run,
        videos: Videos,
        options: YoutubeOptions,
        scope: Scope,
        *,
        policy: RetryPolicy,
        rate: RateLimit,
        stall_s: float = STALL_S,
        unhosted: bool,
        again: bool,
        limit: int | None,
        on_arrival: Callable[[], None],
    ) -> None:
        """``unhosted``: only what no shard can bring; ``again``: also what was refused for good.

        ``limit``: ask for so many clips at the most. ``on_arrival``: there are clips to check.
        """
        self._run = run
        self._videos = videos
        self._options = options
        self._scope = scope
        self._policy = policy
        self._rate = rate
        self._sections = Sections(options, run.tmp, stall_s=stall_s)
        self._unhosted = unhosted
        self._again = again
        self._limit = limit
        self._on_arrival = on_arrival
        self._inbox = run.paths.spool / "youtube"
        self._rows: Iterator[ClipRow] = iter(())
        self._queue: deque[ClipRow] = deque()
        self._turning = asyncio.Lock()
        """Pages of rows are turned by one job at a time."""
        self._arrived: list[tuple[ClipRow, Path]] = []
        self._since = 0.0
        self._strikes: Counter[VideoCause] = Counter()
        self._resting = 0
        self._asking = 0
        self._waiting = 0
        self.barred: Why | None = None
        """Why asking was given up for this run."""
        self.came: set[int] = set()
        """Ids of the clips that this run brought."""
        self.failed: Counter[str] = Counter()
        """By cause."""
        self.written = 0
        """Bytes."""

    async def work(self) -> None:
        """Ask for all. Raises DiskFull and MachineError; other troubles are recorded, and told at the end."""
        run = self._run
        run.phase("YouTube")
        run.pulse.excuse(lambda: self._resting > 0 and self._resting == self._asking)
        await asyncio.to_thread(self._inbox.mkdir, parents=True, exist_ok=True)
        await self._take_left()
        self._waiting = await asyncio.to_thread(self._count)
        self._rows = await asyncio.to_thread(self._wanted)
        self._tell_progress()
        with self._sections:
            async with asyncio.TaskGroup() as group:
                for _ in range(self._options.jobs):
                    group.create_task(self._lane())
        await self._settle()
        if self.barred is not None:
            self._tell_barred(self.barred)

    def _wanted(self) -> Iterator[ClipRow]:
        reader = self._run.ledger.reader()
        return wanted_clips(reader, self._scope, unhosted=self._unhosted, again=self._again)

    def _count(self) -> int:
        reader = self._run.ledger.reader()
        count = count_wanted(reader, self._scope, unhosted=self._unhosted, again=self._again)
        return count if self._limit is None else min(count, self._limit)

    async def _take_left(self) -> None:
        """What a killed run had whole and not in its place is not asked for again."""
        left = await asyncio.to_thread(lambda: {path.name: path for path in self._inbox.iterdir()})
        for row in await asyncio.to_thread(self._wanted) if left else ():
            path = left.pop(inbox_name(row.key), None)
            if path is not None:
                await self._arrive(row, path)
        for path in left.values():
            await asyncio.to_thread(path.unlink)
        await self._settle()

    async def _lane(self) -> None:
        asked = False
        self._asking += 1
        try:
            while self.barred is None and (row := await self._next()) is not None:
                if asked:
                    await self._rest()
                if self.barred is not None:
                    break
                await self._bring(row)
                asked = True
        finally:
            self._asking -= 1

    async def _next(self) -> ClipRow | None:
        async with self._turning:
            if not self._queue:
                self._queue.extend(await asyncio.to_thread(lambda: list(islice(self._rows, _PAGE))))
        if not self._queue or self._limit == 0:
            return None
        if self._limit is not None:
            self._limit -= 1
        return self._queue.popleft()

    async def _rest(self) -> None:
        self._resting += 1
        try:
            await asyncio.sleep(self._options.sleep_s)
        finally:
            self._resting -= 1

    async def _bring(self, row: ClipRow) -> None:
        start, end = row.key.start, row.key.end
        assert start is not None
        assert end is not None, "only clips with times are wanted"
        out = self._inbox / inbox_name(row.key)
        section = Section(self._videos.url(row.key.youtube_id), start, end)

        async def ask() -> None:
            with self._run.pulse.bounded(VIDEO_S + 1):
                await self._sections.fetch(section, out)

        def decide(error: FetchError, attempt: int) -> float | None:
            return retry_after(error, attempt, self._policy)

        def tell(error: FetchError, delay: float, attempt: int) -> None:
            self._run.emit(scheduled(clip_stem(row.key), error, delay, attempt, self._policy))

        try:
            await retrying(ask, decide, tell)
        except VideoError as error:
            await self._refused(row, error.why)
        except TransientError as error:
            await self._refused(row, Why(VideoCause.NETWORK, error.message))
        else:
            self._strikes.clear()
            await self._arrive(row, out)
        self._waiting -= 1
        self._tell_progress()

    async def _refused(self, row: ClipRow, why: Why) -> None:
        self.failed[why.cause.value] += 1
        permanent = why.cause in PERMANENT
        await self._run.ledger.do(
            lambda c: record_refused(c, row.id, why.cause, why.detail, permanent=permanent)
        )
        strikes = self._strikes[why.cause] + 1
        self._strikes.clear()
        self._strikes[why.cause] = strikes
        if why.cause in BARRED or strikes >= _STRIKES.get(why.cause, strikes + 1):
            self.barred = self.barred or why

    async def _arrive(self, row: ClipRow, path: Path) -> None:
        self._since = self._since if self._arrived else time.monotonic()
        self._arrived.append((row, path))
        size = (await asyncio.to_thread(path.stat)).st_size
        self.written += size
        self.came.add(row.id)
        if len(self._arrived) >= _BATCH or time.monotonic() - self._since >= _BATCH_S:
            await self._settle()
        await self._rate.pay(size)

    async def _settle(self) -> None:
        """Put what has arrived in its place, on the disk, and into the ledger, in this order."""
        batch, self._arrived = self._arrived, []
        if not batch:
            return
        run = self._run
        came = await run.in_thread(place, run, batch)
        await run.on_disk(run.paths.videos)

        def record(connection: sqlite3.Connection) -> None:
            for each in came:
                record_came(connection, each)

        await run.ledger.do(record)
        await run.in_thread(let_go, run, came, [path for _, path in batch])
        self._on_arrival()

    def _tell_progress(self) -> None:
        self._run.emit(
            events.StageProgress("youtube", len(self.came), self.failed.total(), max(self._waiting, 0))
        )

    def _tell_barred(self, why: Why) -> None:
        detail = f"{why.cause}: {why.detail}; {self._waiting} clips are not asked for"
        code = 1 if why.cause is VideoCause.TOOL else 4
        self._run.find(Finding("youtube_stopped", "YouTube", detail, _WAY_OUT[why.cause]), code)

    def result(self) -> dict[str, object]:
        """What the run's summary says of it."""
        return {
            "came": len(self.came),
            "failed": dict(sorted(self.failed.items())),
            "not_asked": max(self._waiting, 0),
        }
