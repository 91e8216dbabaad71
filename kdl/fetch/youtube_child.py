"""The process that one video is asked for in: ``python -m kdl.fetch.youtube_child FD``.

yt-dlp blocks, may hang, and starts programs of its own; so it has a session to itself, which ends with the
connection ``FD`` to who asked. Over that comes one request and goes one answer, both JSON.
"""

from __future__ import annotations

import contextlib
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

from kdl.errors import DiskFull
from kdl.fetch.youtube_causes import VideoCause, Why, sort_error
from kdl.tether import outlive_parent

SECTION = "section"
"""Name, before the dot, of the file that is left in the request's folder."""
_TAIL = 16 * 1024
_CODECS = {
    # Cut between any two pictures: everything is encoded anew, as the annotators' own crawler does.
    "exact": ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-c:a", "aac"),
    "copy": (),
}
_LIVE = ("is_live", "is_upcoming", "post_live")


@dataclass(frozen=True, slots=True)
class Request:
    """One section of one video."""

    url: str
    start: float
    """Seconds into the video."""
    end: float
    folder: str
    """Where the section goes; nothing else lies there."""
    cut: str
    """``exact`` or ``copy``."""
    max_height: int
    """Lines of the picture's shorter side."""
    cookies: str | None
    stall_s: float
    """Seconds without a byte that are borne."""


@dataclass(frozen=True, slots=True)
class Answer:
    """What came of a request."""

    cause: str = ""
    """A :class:`VideoCause`; ``disk_full``; or empty where the section is there."""
    detail: str = ""


DISK_FULL = DiskFull.kind


def serve(fd: int) -> None:
    """Answer one request."""
    outlive_parent()
    line = Connection(fd)
    os.set_inheritable(fd, False)
    request = Request(**json.loads(line.recv_bytes()))
    threading.Thread(target=_end_with, args=(line,), daemon=True).start()
    line.send_bytes(json.dumps(asdict(_answer(request))).encode())


def _end_with(line: Connection) -> None:
    """Runs in a thread: nobody is left to hear the answer, so all of this session ends."""
    with contextlib.suppress(EOFError, OSError):
        line.recv_bytes()
    os.killpg(0, signal.SIGKILL)


def _answer(request: Request) -> Answer:
    folder = Path(request.folder)
    with _heard(folder / "said") as said:
        try:
            why = _download(request)
        except DiskFull as error:
            return Answer(DISK_FULL, error.message)
        except Exception as error:  # noqa: BLE001 - yt-dlp has a class for each of its troubles, and bugs
            try:
                why = sort_error(error, said())
            except DiskFull as full:
                return Answer(DISK_FULL, full.message)
    return Answer(why.cause, why.detail) if why else Answer()


@contextlib.contextmanager
def _heard(path: Path) -> Iterator[Any]:
    """Keep what this process and those it starts write to stdout and stderr; the end of it can be read."""
    with path.open("w+b") as file:
        for fd in (1, 2):
            os.dup2(file.fileno(), fd)

        def said() -> str:
            sys.stderr.flush()
            size = file.seek(0, os.SEEK_END)
            file.seek(max(0, size - _TAIL))
            return file.read().decode(errors="replace")

        yield said


def _download(request: Request) -> Why | None:
    """Why the section is not there, where yt-dlp does not raise it. Raises what yt-dlp raises."""
    from yt_dlp import YoutubeDL
    from yt_dlp.utils import DownloadCancelled

    refused: list[Why] = []

    def look(info: dict[str, Any], *, incomplete: bool) -> None:
        why = refusal(info, request)
        if why is not None:
            refused.append(why)
            raise DownloadCancelled(why.detail)

    with (
        contextlib.suppress(DownloadCancelled),
        YoutubeDL({**ytdlp_options(request), "match_filter": look}) as ydl,
    ):
        ydl.extract_info(request.url)
    if refused:
        return refused[0]
    section = next(Path(request.folder).glob(f"{SECTION}.*"), None)
    if section is None:
        return Why(VideoCause.TOOL, "yt-dlp left no file")
    if not _has_pictures(section):
        return Why(VideoCause.TOO_SHORT, f"the video ends before {request.start:g} s")
    section.rename(section.with_name(SECTION))
    return None


def refusal(info: dict[str, Any], request: Request) -> Why | None:
    """Why a video that can be had is not worth having."""
    if info.get("is_live") or info.get("live_status") in _LIVE:
        return Why(VideoCause.LIVE, f"live_status: {info.get('live_status') or 'is_live'}")
    duration = info.get("duration")
    if duration is not None and duration <= request.start:
        return Why(
            VideoCause.TOO_SHORT, f"the video has {duration:g} s, the section begins at {request.start:g} s"
        )
    return None


def ytdlp_options(request: Request) -> dict[str, Any]:
    """yt-dlp's own options: https://github.com/yt-dlp/yt-dlp/blob/master/yt_dlp/YoutubeDL.py."""
    span = {"start_time": request.start, "end_time": request.end}
    stall = str(int(request.stall_s * 1e6))
    return {
        "quiet": True,
        "no_warnings": True,
        "noprogress": True,
        "color": "never",
        "cachedir": False,
        "noplaylist": True,
        "cookiefile": request.cookies,
        "socket_timeout": request.stall_s,
        "retries": 0,  # who asked has a policy for that
        "extractor_retries": 0,
        "js_runtimes": {"deno": {}, "node": {}, "bun": {}, "quickjs": {}},
        "format": "bv*[ext=mp4]+ba[ext=m4a]/b[ext=mp4]/bv*+ba/b",
        "format_sort": [f"res:{request.max_height}", "vcodec:h264"],
        "outtmpl": f"{request.folder}/{SECTION}.%(ext)s",
        "nopart": True,
        "fixup": "never",
        "download_ranges": lambda info, ydl: [span],
        "force_keyframes_at_cuts": request.cut == "exact",
        "external_downloader_args": {
            "ffmpeg_i": ["-loglevel", "error", "-rw_timeout", stall],
            "ffmpeg_o": [*_CODECS[request.cut], "-f", "mp4"],
        },
    }


def _has_pictures(path: Path) -> bool:
    """ffmpeg calls it a success where there was nothing to cut."""
    import av

    try:
        with av.open(path) as container:
            return any(packet.size for packet in container.demux(video=0))
    except (av.FFmpegError, IndexError):
        return False


if __name__ == "__main__":
    serve(int(sys.argv[1]))
