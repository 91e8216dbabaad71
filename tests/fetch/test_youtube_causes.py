"""yt-dlp's own exceptions, wrapped by its own code, and the sentences that YouTube answers with."""

from __future__ import annotations

import errno
import inspect
from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Any

import pytest
from yt_dlp import YoutubeDL
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.extractor.youtube import YoutubeIE
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError, IncompleteRead, SSLError, TransportError
from yt_dlp.utils import (
    ContentTooShortError,
    DownloadError,
    ExtractorError,
    GeoRestrictedError,
    UnavailableVideoError,
    UserNotLive,
)

from kdl.errors import DiskFull
from kdl.fetch.youtube_causes import BARRED, PERMANENT, VideoCause, sort_error

ID = "-abcDEF_123"
C = VideoCause
SAID = {
    "Private video. Sign in if you've been granted access to this video": C.PRIVATE,
    "This video is private": C.PRIVATE,
    "Video unavailable. This video is private": C.PRIVATE,
    "Video unavailable": C.REMOVED,
    "Video unavailable. This video is no longer available": C.REMOVED,
    "This video isn\N{RIGHT SINGLE QUOTATION MARK}t available anymore": C.REMOVED,
    "This video is not available": C.REMOVED,
    "This video has been removed by the uploader": C.REMOVED,
    "This video has been removed for violating YouTube's Terms of Service": C.REMOVED,
    "This live stream recording is not available.": C.REMOVED,
    "Video unavailable. This video is no longer available because the YouTube account associated with this "
    "video has been terminated.": C.ACCOUNT_TERMINATED,
    "This video is no longer available because the uploader has closed their YouTube account. "
    "This account has been terminated": C.ACCOUNT_TERMINATED,
    "Video unavailable. This video is no longer available due to a copyright claim by A Label": C.COPYRIGHT,
    "Video unavailable. This video contains content from A Label, who has blocked it on copyright grounds":
        C.COPYRIGHT,
    "Video unavailable. This video contains content from A Label, who has blocked it in your country on "
    "copyright grounds": C.REGION,
    "Sign in to confirm your age. This video may be inappropriate for some users.": C.AGE,
    "This video is age-restricted and only available on YouTube.": C.AGE,
    "Join this channel to get access to members-only content like this video, and other exclusive perks.":
        C.MEMBERS_ONLY,
    "This video is available to this channel's members on level: Friends (or any higher level).":
        C.MEMBERS_ONLY,
    "This video requires payment to watch": C.MEMBERS_ONLY,
    "Premieres in 3 hours": C.LIVE,
    "This live event will begin in 2 days.": C.LIVE,
    "This content isn't available, try again later. The current session has been rate-limited by YouTube for "
    "up to an hour.": C.RATE_LIMIT,
    "Sign in to confirm you\N{RIGHT SINGLE QUOTATION MARK}re not a bot. This helps protect our community.":
        C.BOT_CHECK,
    "Sign in to confirm you're not a bot": C.BOT_CHECK,
    "Please sign in": C.BOT_CHECK,
    "Video unavailable. YouTube is requiring a captcha challenge before playback": C.BOT_CHECK,
    "All player responses are invalid. Your IP is likely being blocked by Youtube": C.BOT_CHECK,
    "Requested format is not available. Use --list-formats for a list of available formats": C.NO_FORMAT,
    "No video formats found!": C.NO_FORMAT,
    "This video is DRM protected": C.NO_FORMAT,
    "Cannot identify player 'x'": C.TOOL,
}  # fmt: skip


def http_error(status: int) -> HTTPError:
    return HTTPError(Response(BytesIO(), f"https://www.youtube.com/watch?v={ID}", {}, status=status))


def raised(error: Callable[[], BaseException], **parameters: Any) -> BaseException:
    """What yt-dlp raises in the end where its extractor raises ``error``."""

    class Raising(InfoExtractor):  # type: ignore[misc]
        _VALID_URL = r"raise:(?P<id>.+)"
        IE_NAME = "youtube"

        def _real_extract(self, url: str) -> dict[str, Any]:
            made = error()
            if isinstance(made, TransportError | HTTPError):
                # As InfoExtractor._request_webpage does with what its network raises.
                try:
                    raise made
                except Exception as caught:
                    text = f"Unable to download API page: {caught}"
                    raise ExtractorError(text, video_id=ID, cause=caught) from caught
            raise made

    with YoutubeDL(
        {"quiet": True, "no_warnings": True, "logger": _Silent(), **parameters}, auto_init=False
    ) as ydl:
        ydl.add_info_extractor(Raising())
        with pytest.raises(Exception) as caught:
            ydl.extract_info(f"raise:{ID}")
    return caught.value


class _Silent:
    def debug(self, text: str) -> None:
        pass

    warning = error = debug


@pytest.mark.parametrize(("sentence", "cause"), SAID.items(), ids=lambda value: str(value)[:40])
def test_what_youtube_says(sentence: str, cause: VideoCause) -> None:
    hint = " Use --cookies-from-browser or --cookies for the authentication. See  https://github.com/x"
    error = raised(lambda: ExtractorError(sentence + hint, expected=True, video_id=ID))
    assert isinstance(error, DownloadError)
    why = sort_error(error)
    assert why.cause is cause
    assert why.detail.startswith(sentence.partition(". Use --")[0][:60])
    assert "ERROR" not in why.detail
    assert "--cookies" not in why.detail


@pytest.mark.parametrize(
    ("error", "cause"),
    [
        (lambda: GeoRestrictedError("Not here", countries=["DE"]), C.REGION),
        (lambda: UserNotLive(video_id=ID), C.LIVE),
        (lambda: http_error(429), C.RATE_LIMIT),
        (lambda: http_error(404), C.REMOVED),
        (lambda: http_error(410), C.REMOVED),
        (lambda: http_error(403), C.TOOL),
        (lambda: http_error(500), C.NETWORK),
        (lambda: http_error(503), C.NETWORK),
        (lambda: TransportError("[Errno 111] Connection refused"), C.NETWORK),
        (lambda: TransportError("something nobody has met"), C.NETWORK),
        (lambda: SSLError("handshake failed"), C.NETWORK),
        (lambda: IncompleteRead(partial=12, expected=99), C.NETWORK),
        (lambda: UnavailableVideoError(), C.TOOL),
        (lambda: KeyError("streamingData"), C.TOOL),
    ],
)
def test_what_ytdlp_raises(error: Callable[[], BaseException], cause: VideoCause) -> None:
    assert sort_error(raised(error)).cause is cause


def test_a_body_that_ends_early_is_the_networks() -> None:
    assert sort_error(ContentTooShortError(5, 9)).cause is C.NETWORK


@pytest.mark.parametrize(
    ("said", "cause"),
    [
        ("[https @ 0x5] HTTP error 403 Forbidden\nServer returned 403 Forbidden (access denied)", C.TOOL),
        (
            "[http @ 0x5] HTTP error 503 Service Unavailable\nServer returned 5XX Server Error reply",
            C.NETWORK,
        ),
        (
            "[tcp @ 0x5] Connection to tcp://r1---sn.googlevideo.com:443 failed: Connection timed out",
            C.NETWORK,
        ),
        (
            "[tcp @ 0x5] Failed to resolve hostname r1---sn.googlevideo.com: Name or service not known",
            C.NETWORK,
        ),
        ("Server returned 404 Not Found", C.REMOVED),
        ("[mov @ 0x5] moov atom not found\nInvalid data found when processing input", C.TOOL),
        ("", C.TOOL),
    ],
)
def test_what_ffmpeg_says_before_it_ends(said: str, cause: VideoCause) -> None:
    why = sort_error(DownloadError("ERROR: ffmpeg exited with code 1"), said)
    assert why.cause is cause
    assert why.detail == (" ".join(said.split()) or "ffmpeg exited with code 1")


@pytest.mark.parametrize("code", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_nobodys_fault_there(code: int) -> None:
    error = raised(lambda: OSError(code, "full"))
    with pytest.raises(DiskFull):
        sort_error(error)
    with pytest.raises(DiskFull):
        sort_error(
            DownloadError("ERROR: ffmpeg exited with code 1"),
            "av_interleaved_write_frame(): No space left on device",
        )


def test_a_long_story_is_cut() -> None:
    why = sort_error(ExtractorError("word " * 999, expected=True))
    assert len(why.detail) <= 300


@pytest.mark.parametrize(
    "words",
    [
        "has been rate-limited by YouTube",
        "isn't available, try again later",
        "captcha challenge",
        "Your IP is likely being blocked",
        "not made this video available in your country",
    ],
)
def test_the_extractor_still_says_so(words: str) -> None:
    """What the sorting rests on, of the sentences that are the extractor's own."""
    assert words in Path(inspect.getfile(YoutubeIE._real_extract)).read_text(encoding="utf-8")


def test_every_cause_is_of_one_kind() -> None:
    assert not PERMANENT & BARRED
    assert {C.NETWORK, C.TOOL, C.LIVE, C.NO_FORMAT} == set(C) - PERMANENT - BARRED
