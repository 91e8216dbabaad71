"""The file names of clips: ``<youtube id>_<start>_<end><extension>``.

Ids are eleven characters and hold ``_`` themselves, so a name is read from the right.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from kdl.values import ClipKey

YOUTUBE_ID = re.compile(r"[A-Za-z0-9_-]{11}")
MAX_SECOND = 999_999
"""Times stand in names with six digits."""

_TIMED = re.compile(r"([A-Za-z0-9_-]{11})_([0-9]{6})_([0-9]{6})")


@dataclass(frozen=True, slots=True)
class ClipName:
    """A clip's base name, taken apart."""

    youtube_id: str
    """Eleven characters; case matters."""
    start: int | None
    """Seconds; ``None`` where names carry no times."""
    end: int | None
    """Seconds; ``None`` where names carry no times."""
    ext: str
    """The extension with its dot or dots: ``.mp4``, ``.mp4.mkv``; may be empty in lists of clips."""

    def key(self, split: str) -> ClipKey:
        """The clip's key in a split."""
        return ClipKey(split, self.youtube_id, self.start, self.end)


def parse_clip_name(base_name: str, *, extensions: Sequence[str], times: bool) -> ClipName | None:
    """A file's base name as a clip's; ``None`` if it is none.

    ``extensions`` are tried longest first, each with its dot; ``times`` says whether names carry
    start and end.
    """
    for ext in sorted(extensions, key=len, reverse=True):
        if not base_name.endswith(ext):
            continue
        stem = base_name.removesuffix(ext)
        if not times:
            if YOUTUBE_ID.fullmatch(stem):
                return ClipName(stem, None, None, ext)
        elif match := _TIMED.fullmatch(stem):
            return ClipName(match[1], int(match[2]), int(match[3]), ext)
    return None


def clip_stem(key: ClipKey) -> str:
    """The name of a clip without its extension."""
    if key.start is None or key.end is None:
        return key.youtube_id
    return f"{key.youtube_id}_{key.start:06d}_{key.end:06d}"


def format_clip_name(name: ClipName) -> str:
    """The base name that :func:`parse_clip_name` took apart."""
    return clip_stem(name.key("")) + name.ext
