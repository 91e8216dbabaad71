"""One section at a time: the process it is fetched in, what it may see, and how it ends."""

from __future__ import annotations

import asyncio
import os
import time
import uuid
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from yt_dlp import YoutubeDL

from kdl.errors import ToolMissing, TransientError, UsageError
from kdl.fetch import youtube
from kdl.fetch.youtube import VIDEO_S, Section, Sections, VideoError, Videos, require_youtube, videos_at
from kdl.fetch.youtube_causes import VideoCause
from kdl.fetch.youtube_child import Request, refusal, ytdlp_options
from kdl.fetch.youtube_options import YoutubeOptions
from tests.e2e.films import FPS, make_film, numbers_in
from tests.e2e.killing import marked

WATCH = "https://www.youtube.com/watch?v="
ID = "-abcDEF_123"


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("films") / f"{ID}.mp4"
    make_film(path, 12)
    return path


@dataclass
class Site:
    """A server of one film, and what it was asked with."""

    film: Path
    url: str = ""
    asked: list[web.BaseRequest] = field(default_factory=list)
    silent: bool = False
    """It takes questions, and answers none."""
    hearing: asyncio.Event = field(default_factory=asyncio.Event)

    async def answer(self, request: web.BaseRequest) -> web.StreamResponse:
        self.asked.append(request)
        if self.silent:
            self.hearing.set()
            await asyncio.Event().wait()
        return web.FileResponse(self.film)

    @property
    def section(self) -> Section:
        return Section(f"{self.url}{ID}.mp4", 3, 5)


@pytest.fixture
async def site(film: Path) -> AsyncIterator[Site]:
    site = Site(film)
    application = web.Application()
    application.router.add_get("/{name}", site.answer)
    server = TestServer(application, host="127.0.0.1", shutdown_timeout=0.1)
    await server.start_server()
    site.url = str(server.make_url("/"))
    yield site
    await server.close()


async def fetch(
    site: Site, folder: Path, options: YoutubeOptions | None = None, limit_s: float = VIDEO_S
) -> None:
    """Have the site's section as ``clip.mp4`` in the folder."""
    with Sections(options or YoutubeOptions(), folder, limit_s=limit_s) as sections:
        await sections.fetch(site.section, folder / "clip.mp4")


@pytest.fixture
def mark(monkeypatch: pytest.MonkeyPatch) -> str:
    """Every process that is started meanwhile carries it."""
    mark = uuid.uuid4().hex
    monkeypatch.setenv("KDL_TEST_MARK", mark)
    return mark


def wait_until_gone(mark: str) -> None:
    """Until nothing of a fetch runs any more."""
    until = time.monotonic() + 60
    while marked(mark):
        assert time.monotonic() < until
        time.sleep(0.01)


async def test_cookies_are_shown_to_the_site_and_the_file_is_left_alone(site: Site, tmp_path: Path) -> None:
    cookies = tmp_path / "cookies.txt"
    line = "127.0.0.1\tFALSE\t/\tFALSE\t2147483647\tSESSION\tsesame"
    cookies.write_text(f"# Netscape HTTP Cookie File\n{line}\n")
    before = cookies.read_bytes(), cookies.stat().st_mtime_ns
    await fetch(site, tmp_path, YoutubeOptions(cookies=cookies))
    assert numbers_in(tmp_path / "clip.mp4") == list(range(3 * FPS, 5 * FPS))
    assert site.asked[0].headers["Cookie"] == "SESSION=sesame"
    assert (cookies.read_bytes(), cookies.stat().st_mtime_ns) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["clip.mp4", "cookies.txt"]


async def test_a_copy_begins_at_the_key_frame_before(site: Site, tmp_path: Path) -> None:
    """Players that follow the edit list show it from the second asked for, the others from before."""
    clip = tmp_path / "clip.mp4"
    await fetch(site, tmp_path, YoutubeOptions(cut="copy"))
    shown, held = numbers_in(clip), numbers_in(clip, "-ignore_editlist", "1")
    assert shown[: 2 * FPS] == list(range(3 * FPS, 5 * FPS))
    assert held[:FPS] == list(range(2 * FPS, 3 * FPS)), "from the key frame at 2 s on"


async def test_cancelled_it_leaves_nothing_behind(site: Site, tmp_path: Path, mark: str) -> None:
    site.silent = True
    fetching = asyncio.create_task(fetch(site, tmp_path))
    await site.hearing.wait()
    assert marked(mark)
    fetching.cancel()
    with pytest.raises(asyncio.CancelledError):
        await fetching
    assert not marked(mark)
    assert not any(tmp_path.iterdir())


async def test_a_process_that_hangs_is_ended_and_another_try_may_help(
    site: Site, tmp_path: Path, mark: str
) -> None:
    site.silent = True
    with pytest.raises(TransientError, match=r"nothing came of it within 0\.3 s"):
        await fetch(site, tmp_path, limit_s=0.3)
    assert not marked(mark)
    assert not any(tmp_path.iterdir())


async def test_a_process_that_is_killed_is_told(site: Site, tmp_path: Path, mark: str) -> None:
    site.silent = True
    fetching = asyncio.create_task(fetch(site, tmp_path))
    await site.hearing.wait()
    for pid in marked(mark):
        os.kill(pid, 9)
    with pytest.raises(VideoError) as raised:
        await fetching
    assert raised.value.why.cause is VideoCause.TOOL
    await asyncio.to_thread(wait_until_gone, mark)


def test_where_videos_are() -> None:
    assert videos_at(WATCH, ()) == (Videos(WATCH), ())
    assert videos_at(WATCH, ())[0].url(ID) == f"{WATCH}{ID}"
    videos, others = videos_at(WATCH, ("http://a.example/x", "youtube=http://b.example/whole/"))
    assert videos.url(ID) == f"http://b.example/whole/{ID}.mp4"
    assert others == ("http://a.example/x",)
    with pytest.raises(UsageError, match="not an http or https URL"):
        videos_at(WATCH, ("youtube=elsewhere",))


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(youtube.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(ToolMissing) as raised:
        require_youtube()
    assert raised.value.fix == "pip install 'kdl[youtube]'"


def offer(number: str, ext: str, size: tuple[int, int] | None, vcodec: str, acodec: str) -> dict[str, Any]:
    """A format as YouTube's extractor tells of it."""
    width, height = size or (None, None)
    told = {"format_id": number, "ext": ext, "vcodec": vcodec, "acodec": acodec, "url": f"{WATCH}{number}"}
    return {**told, "width": width, "height": height, "tbr": float(height or 128)}


@pytest.mark.parametrize(
    ("lines", "tall", "wanted"),
    [
        (480, False, ["135", "140"]),
        (480, True, ["135", "140"]),
        (720, False, ["136", "140"]),
        (144, False, ["18"]),
    ],
)
def test_the_format_is_the_best_of_no_more_lines_than_asked_for(
    lines: int, tall: bool, wanted: list[str]
) -> None:
    """Whichever side is the shorter; H.264 in mp4 before the others; what there is, if all have more."""

    def size(height: int) -> tuple[int, int]:
        wide = (height * 16 // 9, height)
        return (wide[1], wide[0]) if tall else wide

    formats = [
        offer("140", "m4a", None, "none", "mp4a.40.2"),
        offer("251", "webm", None, "none", "opus"),
        offer("134", "mp4", size(360), "avc1.4d401e", "none"),
        offer("18", "mp4", size(360), "avc1.42001E", "mp4a.40.2"),
        offer("135", "mp4", size(480), "avc1.4d401f", "none"),
        offer("397", "mp4", size(480), "av01.0.04M.08", "none"),
        offer("244", "webm", size(480), "vp9", "none"),
        offer("136", "mp4", size(720), "avc1.4d401f", "none"),
        offer("137", "mp4", size(1080), "avc1.640028", "none"),
    ]
    request = Request(f"{WATCH}{ID}", 3, 5, "/nowhere", "exact", lines, None, 30)
    with YoutubeDL({**ytdlp_options(request), "simulate": True}, auto_init=False) as ydl:
        video = {
            "id": ID,
            "title": "x",
            "formats": formats,
            "extractor": "youtube",
            "extractor_key": "Youtube",
        }
        info = ydl.process_ie_result(video, download=False)
    assert [each["format_id"] for each in info.get("requested_formats", [info])] == wanted


@pytest.mark.parametrize(
    ("told", "cause"),
    [
        ({"live_status": "is_live"}, VideoCause.LIVE),
        ({"live_status": "is_upcoming"}, VideoCause.LIVE),
        ({"is_live": True}, VideoCause.LIVE),
        ({"live_status": "was_live", "duration": 6}, None),
        ({"live_status": "not_live", "duration": 3}, VideoCause.TOO_SHORT),
        ({"duration": 3.5}, None),
        ({}, None),
    ],
)
def test_some_videos_are_not_worth_having(told: dict[str, Any], cause: VideoCause | None) -> None:
    request = Request(f"{WATCH}{ID}", 3, 5, "/nowhere", "exact", 480, None, 30)
    why = refusal(told, request)
    assert (why and why.cause) == cause
