"""Sections of videos from YouTube, each by yt-dlp in a process of its own that can be ended at once."""

from __future__ import annotations

import asyncio
import contextlib
import importlib.util
import json
import shutil
import socket
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path

from kdl.diskerrors import disk_errors
from kdl.errors import (
    DiskFull,
    FetchError,
    PermanentError,
    RetryCause,
    ToolMissing,
    TransientError,
    UsageError,
)
from kdl.fetch.youtube_causes import VideoCause, Why
from kdl.fetch.youtube_child import DISK_FULL, SECTION, Answer, Request
from kdl.fetch.youtube_options import YoutubeOptions
from kdl.settings import STALL_S
from kdl.tether import tethered
from kdl.urls import encode_url

VIDEO_S = 300.0
"""Seconds for one section, from the question to the file: some thirty times what it takes."""
_MINE = "youtube="
_EXAMPLE = "write it like --origin youtube=https://videos.example.org/whole/"


@dataclass(frozen=True, slots=True)
class Videos:
    """Where the video of an id is found."""

    before: str
    """``https://www.youtube.com/watch?v=``, or the folder that stands in for YouTube."""
    after: str = ""

    def url(self, youtube_id: str) -> str:
        return f"{self.before}{youtube_id}{self.after}"


def videos_at(address: str, overrides: Sequence[str]) -> tuple[Videos, tuple[str, ...]]:
    """Where videos are found, and the ``--origin`` values that are of something else.

    ``address`` is the manifest's; ``youtube=URL`` among the overrides takes its place: a folder on a web
    server that holds whole videos as ``<id>.mp4``. Raises UsageError.
    """
    mine = [each for each in overrides if each.startswith(_MINE)]
    others = tuple(each for each in overrides if each not in mine)
    if not mine:
        return Videos(address), others
    try:
        folder = encode_url(mine[-1].removeprefix(_MINE))
    except ValueError as error:
        raise UsageError(str(error), subject=f"--origin {mine[-1]}", fix=_EXAMPLE) from error
    return Videos(f"{folder.rstrip('/')}/", ".mp4"), others


@dataclass(frozen=True, slots=True)
class Section:
    """A part of a video."""

    url: str
    start: float
    """Seconds into the video."""
    end: float


class VideoError(PermanentError):
    """A section that can not be had now; ``why`` sorts it. Network troubles are TransientErrors instead."""

    def __init__(self, why: Why, *, subject: str) -> None:
        super().__init__(why.detail, subject=subject)
        self.why = why


def require_youtube() -> None:
    """Raise ToolMissing unless yt-dlp is installed."""
    if importlib.util.find_spec("yt_dlp") is None:
        raise ToolMissing(
            "not installed, and videos are fetched by it",
            subject="yt-dlp",
            fix="pip install 'kdl[youtube]'",
        )


class Sections:
    """Fetches sections, each in a process of its own, ``options.jobs`` at a time. A context manager."""

    def __init__(
        self, options: YoutubeOptions, work: Path, *, stall_s: float = STALL_S, limit_s: float = VIDEO_S
    ) -> None:
        """``work`` is a folder for what is not whole yet; ``limit_s`` seconds end a process."""
        self._options = options
        self._work = work
        self._stall_s = stall_s
        self._limit_s = limit_s
        # Threads that wait for minutes are no business of the loop's own executor.
        self._threads = ThreadPoolExecutor(options.jobs, "youtube")

    def __enter__(self) -> Sections:
        return self

    def __exit__(self, *_: object) -> None:
        self._threads.shutdown()

    async def fetch(self, section: Section, out: Path) -> None:
        """Have the section at ``out``, which lies on the file system of the working folder.

        Cancelled, it ends the process first. Raises VideoError, TransientError where another try may help,
        DiskFull, MachineError.
        """
        with disk_errors(self._work):
            folder = await asyncio.to_thread(tempfile.mkdtemp, dir=self._work)
        try:
            answer = await self._ask(section, Path(folder))
            if answer.cause:
                raise _error(answer, section)
            with disk_errors(out):
                await asyncio.to_thread((Path(folder) / SECTION).replace, out)
        finally:
            await asyncio.shield(asyncio.to_thread(shutil.rmtree, folder, ignore_errors=True))

    async def _ask(self, section: Section, folder: Path) -> Answer:
        request = Request(
            url=section.url,
            start=section.start,
            end=section.end,
            folder=str(folder),
            cut=self._options.cut,
            max_height=self._options.max_height,
            cookies=self._own_cookies(folder),
            stall_s=self._stall_s,
        )
        ours, theirs = socket.socketpair()
        with ours:
            asking = asyncio.get_running_loop().run_in_executor(
                self._threads, _converse, ours, theirs, request, self._limit_s
            )
            try:
                return await asyncio.shield(asking)
            except asyncio.CancelledError:
                with contextlib.suppress(OSError):
                    ours.shutdown(socket.SHUT_RDWR)
                await asyncio.wait([asking])
                raise

    def _own_cookies(self, folder: Path) -> str | None:
        """A copy of the cookies: yt-dlp writes back what a site has set, and the file is the user's."""
        if self._options.cookies is None:
            return None
        copy = folder / "cookies"
        with disk_errors(self._options.cookies):
            copy.touch(0o600)
            copy.write_bytes(self._options.cookies.read_bytes())
        return str(copy)


def _converse(ours: socket.socket, theirs: socket.socket, request: Request, seconds: float) -> Answer:
    """Runs in a thread: start the process, hand the request over, wait for the answer, see it gone.

    The answer says so where the process gave none; one whose end of the line was closed ends at once.
    """
    with theirs, Connection(ours.dup().detach()) as line:
        quiet = subprocess.DEVNULL
        argv = [sys.executable, "-m", "kdl.fetch.youtube_child", str(theirs.fileno())]
        with tethered(argv, stdout=quiet, stderr=quiet, pass_fds=[theirs.fileno()]):
            theirs.close()
            try:
                line.send_bytes(json.dumps(asdict(request)).encode())
                if not line.poll(seconds):
                    return Answer(VideoCause.NETWORK, f"nothing came of it within {seconds:g} s")
                return Answer(**json.loads(line.recv_bytes()))
            except (EOFError, OSError):
                return Answer(VideoCause.TOOL, "yt-dlp's process ended without an answer")


def _error(answer: Answer, section: Section) -> FetchError | DiskFull:
    if answer.cause == DISK_FULL:
        return DiskFull(answer.detail, subject=section.url, fix="make room, then run the same again")
    cause = VideoCause(answer.cause)
    if cause is VideoCause.NETWORK:
        return TransientError(answer.detail, subject=section.url, cause=RetryCause.OTHER)
    return VideoError(Why(cause, answer.detail), subject=section.url)
