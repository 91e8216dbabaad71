"""Numbers that rule a run, in one place, and the reading of sizes as people write them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

from kdl.errors import UsageError

KIB, MIB, GIB = 1 << 10, 1 << 20, 1 << 30

CHUNK = 512 * KIB
"""Bytes handed from the network to a thread at a time; also what a kill can lose of an object."""
STALL_S = 30.0
"""No byte for so long is a stall."""
CONNECT_S = 20.0
TRIES = 6
"""Attempts without a new byte before an object is given up."""
REFUSED_S = 45.0
"""An origin that refuses every connection for so long is given up."""
LARGE = 64 * MIB
"""A larger loose file is a bundle of its own, and not held in memory until it is known to be right."""
MEMBER_CAP = 2 * GIB
"""A member of an archive larger than this is skipped."""
WATCHDOG_S = 15 * 60.0
"""A run in which nothing moves for so long is ended."""
VIDEO_HEIGHT = 480
"""Lines of a YouTube video's shorter side: more than any recipe keeps."""
VIDEO_SLEEP_S = 5.0
"""Between two videos from YouTube, which bears some 300 an hour of who has no account: 12 s each, of which
the cut takes a part."""
DRAIN_S = 4.0
"""What an interrupt leaves for draining before workers are ended."""

_SIZE = re.compile(r"^\s*(\d+(?:\.\d+)?)\s*([kmgt]?)(i?)b?(?:/s)?\s*$", re.IGNORECASE)


def parse_size(text: str) -> int:
    """``50M`` -> 50,000,000; ``50Mi`` -> 52,428,800; plain digits are bytes.

    Raises UsageError for anything else.
    """
    match = _SIZE.match(text)
    if match is None or float(match[1]) == 0:
        raise UsageError("not a size; write 500K, 50M, 1.5G or 50Mi", subject=text)
    base = 1024 if match[3] else 1000
    power = " kmgt".index(match[2].lower()) if match[2] else 0
    return int(float(match[1]) * base**power)


def human_size(count: float | None) -> str:
    """``1500000`` -> ``1.5 MB``; ``None`` -> ``?``."""
    if count is None:
        return "?"
    for unit in ("B", "kB", "MB", "GB", "TB"):
        if abs(count) < 999.5 or unit == "TB":
            return f"{count:.0f} {unit}" if unit == "B" else f"{count:.3g} {unit}"
        count /= 1000
    raise AssertionError


@dataclass(frozen=True, slots=True)
class MirrorPaths:
    """Where things lie in a mirror, ``ROOT/<dataset>/``."""

    base: Path

    @property
    def videos(self) -> Path:
        return self.base / "videos"

    @property
    def unlisted(self) -> Path:
        return self.base / "unlisted"

    @property
    def annotations(self) -> Path:
        return self.base / "annotations"

    @property
    def derived(self) -> Path:
        return self.base / "derived"

    @property
    def lists(self) -> Path:
        return self.base / "lists"

    @property
    def state(self) -> Path:
        return self.base / ".kdl"

    @property
    def ledger(self) -> Path:
        return self.state / "ledger.db"

    @property
    def lock(self) -> Path:
        return self.state / "lock"

    @property
    def status(self) -> Path:
        return self.state / "status.json"

    @property
    def spool(self) -> Path:
        return self.state / "spool"

    @property
    def torrent(self) -> Path:
        """What a torrent brings, and what it holds."""
        return self.state / "torrent"

    @property
    def quarantine(self) -> Path:
        return self.state / "quarantine"

    @property
    def index(self) -> Path:
        """Seek indexes of shards, by split."""
        return self.state / "index"

    @property
    def listings(self) -> Path:
        """Clips that hosts name one by one, a list for each split."""
        return self.state / "listings"

    @property
    def receipts(self) -> Path:
        """What each shard that was read whole held."""
        return self.state / "receipts"

    @property
    def replacements(self) -> Path:
        return self.state / "replacements"

    @property
    def duplicates(self) -> Path:
        return self.state / "duplicates"

    @property
    def tmp(self) -> Path:
        return self.state / "tmp"

    @property
    def reports(self) -> Path:
        return self.base / "reports"

    @property
    def thumbs(self) -> Path:
        """Small pictures of clips, by digest; made again where they are missing."""
        return self.state / "thumbs"

    @property
    def tasks(self) -> Path:
        """A folder for each task that runs on a cluster."""
        return self.state / "tasks"
