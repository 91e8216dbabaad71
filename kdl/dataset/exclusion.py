"""Clips to be left out, as a file names them: what one dataset shares with another, mostly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from kdl.dataset.clipname import parse_clip_name
from kdl.dataset.specs import SplitSpec
from kdl.dataset.textfile import read_names, reason_of
from kdl.errors import UsageError
from kdl.values import ClipKey

_FIX = "one YouTube id or clip name a line; `kdl annotations --overlap A B --out FILE` writes such a file"


@dataclass(frozen=True, slots=True)
class Exclusion:
    """What is to be left out."""

    entries: int
    """Lines that name an id or a clip."""
    unknown: int
    """Lines that name neither."""
    ids: frozenset[str]
    """All clips of these."""
    clips: frozenset[tuple[str, int | None, int | None]]
    """Id, start and end of single clips."""

    def covers(self, key: ClipKey) -> bool:
        """Whether the clip is to be left out."""
        return key.youtube_id in self.ids or (key.youtube_id, key.start, key.end) in self.clips


def read_exclusion(path: Path, splits: Sequence[SplitSpec]) -> Exclusion:
    """The ids and clips that a file names, one a line; blank lines and ``#`` comments are skipped.

    A clip's name may have one of the splits' extensions, and folders before it. Where names carry no times
    a clip's name with times stands for its id. Raises UsageError for a file that can not be read or names
    nothing at all.
    """
    try:
        lines = read_names(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"can not read what is to be left out: {reason_of(error)}", subject=str(path), fix=_FIX
        ) from error
    if not lines:
        raise UsageError("names nothing to be left out", subject=str(path), fix=_FIX)
    extensions = ("", *{ext: None for split in splits for ext in split.extensions})
    any_id = any(split.any_id for split in splits)
    timed = any(split.times for split in splits)
    ids: set[str] = set()
    clips: set[tuple[str, int | None, int | None]] = set()
    unknown = 0
    for line in lines:
        name = line.rpartition("/")[2]
        clip = parse_clip_name(name, extensions=extensions, times=True, any_id=any_id)
        bare = parse_clip_name(name, extensions=extensions, times=False, any_id=any_id)
        if clip is not None and timed:
            clips.add((clip.youtube_id, clip.start, clip.end))
        elif found := clip or bare:
            ids.add(found.youtube_id)
        else:
            unknown += 1
    return Exclusion(len(lines) - unknown, unknown, frozenset(ids), frozenset(clips))
