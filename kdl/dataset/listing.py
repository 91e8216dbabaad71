"""Listings as ``ls -R`` prints them, read for the clips in them.

::

    val:                            a block a folder: its path and a colon,
    abseiling                       then what lies in it, a name a line
    air drumming
                                    then an empty line
    val/abseiling:
    0wR5jVB-WPk_000417_000427.mp4
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from kdl.dataset.clipname import ClipName, parse_clip_name


@dataclass(frozen=True, slots=True)
class Entry:
    """A file in a listing."""

    line: int
    """1-based."""
    name: str
    clip: ClipName | None
    """``None`` if the name is no clip's."""
    folder: str
    """The folder that holds it: the class; empty in the topmost."""
    split: str
    """The topmost folder."""


@dataclass(frozen=True, slots=True)
class Listing:
    """How the clips in a listing are named."""

    extensions: tuple[str, ...]
    times: bool
    any_id: bool = False

    def read(self, lines: Iterable[str]) -> Iterator[Entry]:
        """The files listed, in order. Names in the topmost folder that are no clips' are folders."""
        split = folder = ""
        after_blank = True
        for number, raw in enumerate(lines, start=1):
            name = raw.rstrip("\r\n")
            if after_blank and name.endswith(":"):
                split, folder = _place(name[:-1])
            elif name:
                clip = parse_clip_name(name, extensions=self.extensions, times=self.times, any_id=self.any_id)
                if clip is not None or folder:
                    yield Entry(number, name, clip, folder, split)
            after_blank = not name


def _place(path: str) -> tuple[str, str]:
    """The topmost and the innermost folder of a block's path; no innermost for the topmost itself."""
    parts = [part for part in path.split("/") if part]
    return (parts[0] if parts else ""), (parts[-1] if len(parts) > 1 else "")
