"""The file names of clips: ``<youtube id>_<start>_<end><extension>``.

Ids are eleven characters and hold ``_`` themselves, so a name is read from the right. Datasets that do not
come from YouTube have other ids: whatever stands there.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kdl.dataset.safe import unsafe
from kdl.values import ClipKey

YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
MAX_SECOND = 999_999
"""Times stand in names with six digits."""

_TIMES = re.compile(r"(.+)_([0-9]{6})_([0-9]{6})", re.DOTALL)


@dataclass(frozen=True, slots=True)
class ClipName:
    """A clip's base name, taken apart."""

    youtube_id: str
    """Eleven characters, case matters; of other datasets whatever names the clip."""
    start: int | None
    """Seconds; ``None`` where names carry no times."""
    end: int | None
    """Seconds; ``None`` where names carry no times."""
    ext: str
    """The extension with its dot or dots: ``.mp4``, ``.mp4.mkv``; may be empty in lists of clips."""

    def key(self, split: str) -> ClipKey:
        """The clip's key in a split."""
        return ClipKey(split, self.youtube_id, self.start, self.end)


def parse_clip_name(
    base_name: str, *, extensions: Sequence[str], times: bool, any_id: bool = False
) -> ClipName | None:
    """A file's base name as a clip's; ``None`` if it is none.

    ``extensions`` are tried longest first, each with its dot; ``times`` says whether names carry
    start and end, ``any_id`` that ids are not YouTube's.
    """
    for ext in sorted(extensions, key=len, reverse=True):
        if not base_name.endswith(ext):
            continue
        stem = base_name.removesuffix(ext)
        match = _TIMES.fullmatch(stem) if times else None
        if not is_id(match[1] if match else stem, any_id=any_id) or (times and match is None):
            continue
        if match is not None:
            return ClipName(match[1], int(match[2]), int(match[3]), ext)
        return ClipName(stem, None, None, ext)
    return None


def is_id(text: str, *, any_id: bool = False) -> bool:
    """Whether it is a YouTube id; with ``any_id``, whether it can name a file."""
    return unsafe(text) is None if any_id else YOUTUBE_ID.fullmatch(text) is not None


def clip_stem(key: ClipKey) -> str:
    """The name of a clip without its extension."""
    if key.start is None or key.end is None:
        return key.youtube_id
    return f"{key.youtube_id}_{key.start:06d}_{key.end:06d}"


def format_clip_name(name: ClipName) -> str:
    """The base name that :func:`parse_clip_name` took apart."""
    return clip_stem(name.key("")) + name.ext
