"""Why a video can not be had: yt-dlp's exceptions and YouTube's own words, sorted.

What YouTube answers for a video that it does not play is a sentence for people, which yt-dlp hands on; the
sentences here are its English ones, as they stand in yt-dlp's extractor and in reports about it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from kdl.diskerrors import disk_error
from kdl.errors import DiskFull


class VideoCause(StrEnum):
    """Why a section of a video could not be had."""

    PRIVATE = "private"
    REMOVED = "removed"
    """By its uploader or by the site, or gone for a reason that is not told."""
    ACCOUNT_TERMINATED = "account_terminated"
    COPYRIGHT = "copyright"
    REGION = "region"
    AGE = "age"
    """Shown to accounts of grown-ups alone."""
    MEMBERS_ONLY = "members_only"
    """For a channel's members, or for payment."""
    TOO_SHORT = "too_short"
    """The video ends before the section begins."""
    LIVE = "live"
    """On air at the moment, or announced."""
    RATE_LIMIT = "rate_limit"
    BOT_CHECK = "bot_check"
    """The site wants to see an account, or a person."""
    NETWORK = "network"
    NO_FORMAT = "no_format"
    """Nothing that can be downloaded is offered: DRM, or yt-dlp does not understand the offer."""
    TOOL = "tool"
    """yt-dlp or ffmpeg failed."""


PERMANENT = frozenset(
    (
        VideoCause.PRIVATE,
        VideoCause.REMOVED,
        VideoCause.ACCOUNT_TERMINATED,
        VideoCause.COPYRIGHT,
        VideoCause.REGION,
        VideoCause.AGE,
        VideoCause.MEMBERS_ONLY,
        VideoCause.TOO_SHORT,
    )
)
"""Asking again, from the same place and as the same person, gives the same answer."""
BARRED = frozenset((VideoCause.RATE_LIMIT, VideoCause.BOT_CHECK))
"""It is not the video: whoever goes on asking is kept out for longer."""


@dataclass(frozen=True, slots=True)
class Why:
    """A cause, and the words that told it."""

    cause: VideoCause
    detail: str


_WORDS: tuple[tuple[VideoCause, str], ...] = (
    # It is not the video. First, as some of these also say that something is "not available".
    (
        VideoCause.RATE_LIMIT,
        r"HTTP Error 429|Too Many Requests|rate-limited by YouTube|isn't available, try again later",
    ),
    (
        VideoCause.BOT_CHECK,
        r"not a bot|captcha|unusual traffic|Your IP is likely being blocked|Please sign in\b",
    ),
    # The video, from the most telling words to the least.
    (
        VideoCause.ACCOUNT_TERMINATED,
        r"account associated with this video has been|account (has been )?terminated",
    ),
    (VideoCause.AGE, r"confirm your age|age[- ]restricted|age[- ]verif|inappropriate for some users"),
    (
        VideoCause.MEMBERS_ONLY,
        r"channel's members|members-only|Join this channel|requires payment|purchase|Premium members",
    ),
    (VideoCause.PRIVATE, r"Private video|video is private"),
    (VideoCause.REGION, r"in your country|from your location|geo[- ]?restrict|in your region"),
    (VideoCause.COPYRIGHT, r"copyright"),
    (VideoCause.REMOVED, r"live stream recording is not available"),
    (VideoCause.LIVE, r"live event|Premiere|live stream|is offline|currently live"),
    (
        VideoCause.NO_FORMAT,
        r"Requested format is not available|No video formats|DRM|Only images are available",
    ),
    (VideoCause.REMOVED, r"HTTP Error (404|410)|Server returned 404|has been removed|no longer available"),
    (
        VideoCause.REMOVED,
        r"(video|content) (is|isn't|is not) (un)?available|Video unavailable|does not exist",
    ),
    # ffmpeg's and the network's.
    (VideoCause.NETWORK, r"HTTP Error (408|5\d\d)|Server returned 5|timed? ?out|Connection (refused|reset)"),
    (
        VideoCause.NETWORK,
        r"resolve host|getaddrinfo|Name or service|unreachable|Broken pipe|Input/output error",
    ),
)
_PATTERNS = tuple((cause, re.compile(words, re.IGNORECASE)) for cause, words in _WORDS)
_PREFIX = re.compile(r"^(?:ERROR: )?(?:\[[\w:+-]+\] )?(?:[\w-]{11}: )?")
_LONGEST = 300


def sort_error(error: BaseException, said: str = "") -> Why:
    """The cause of what yt-dlp raised. ``said`` is what ffmpeg wrote before it.

    Raises DiskFull where it is this machine's disk that has no room.
    """
    chain = list(_chain(error))
    _raise_for_disk(chain, said)
    names = {cls.__name__ for each in chain for cls in type(each).__mro__}
    told = _tidy(str(error))
    if "GeoRestrictedError" in names:
        return Why(VideoCause.REGION, told)
    if "UserNotLive" in names:
        return Why(VideoCause.LIVE, told)
    # ffmpeg is quoted by its exit code alone.
    by_ffmpeg = said and "ffmpeg exited" in told
    words = _tidy(said) if by_ffmpeg else told
    cause = sort_words(words)
    if cause is None:
        broken = not by_ffmpeg and names & {"TransportError", "ContentTooShortError", "IncompleteRead"}
        cause = VideoCause.NETWORK if broken else VideoCause.TOOL
    return Why(cause, words)


def sort_words(words: str) -> VideoCause | None:
    """The cause that a sentence tells; None where it tells none that is known."""
    words = words.replace("\N{RIGHT SINGLE QUOTATION MARK}", "'")
    return next((cause for cause, pattern in _PATTERNS if pattern.search(words)), None)


def _chain(error: BaseException | None) -> Iterator[BaseException]:
    """The error and what it was raised for; yt-dlp keeps that in attributes of its own."""
    seen: set[int] = set()
    waiting = [error]
    while waiting:
        each = waiting.pop()
        if not isinstance(each, BaseException) or id(each) in seen:
            continue
        seen.add(id(each))
        yield each
        held = getattr(each, "exc_info", None) or (None, None)
        waiting += [each.__cause__, each.__context__, getattr(each, "cause", None), held[1]]


def _raise_for_disk(chain: list[BaseException], said: str) -> None:
    if "No space left on device" in said or "Disk quota exceeded" in said:
        raise DiskFull("no room left for a video", fix="make room, then run the same again")
    for each in chain:
        if isinstance(each, OSError) and isinstance(full := disk_error(each), DiskFull):
            raise full from each


def _tidy(text: str) -> str:
    """A message for people on one line, without yt-dlp's marks in front and its advice behind."""
    line = " ".join(text.split())
    line = _PREFIX.sub("", line)
    line = re.split(r" Use --cookies| \(caused by | For more information, refer| please report this", line)[0]
    return line.rstrip("; ")[:_LONGEST]
