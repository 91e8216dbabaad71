"""How sections of YouTube's videos are asked for and cut."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdl.settings import VIDEO_HEIGHT, VIDEO_SLEEP_S

CUTS = ("exact", "copy")


@dataclass(frozen=True, slots=True)
class YoutubeOptions:
    """What a person asks of YouTube."""

    max_height: int = VIDEO_HEIGHT
    """Lines of the picture's shorter side, at most; the least there is where all have more."""
    cut: str = "exact"
    """``exact``: encoded anew, to the picture; ``copy``: as YouTube has it, from the key frame before."""
    cookies: Path | None = None
    """A file of cookies in Netscape's format; it is read and never written."""
    sleep_s: float = VIDEO_SLEEP_S
    """Seconds between two videos of one job."""
    jobs: int = 1
    """Videos at a time."""
