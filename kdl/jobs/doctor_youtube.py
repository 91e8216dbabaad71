"""What fetching from YouTube stands on: a yt-dlp that is not too old, and what it runs scripts with."""

from __future__ import annotations

import importlib.metadata
import re
import shutil
from collections.abc import Iterator
from datetime import date

from kdl.jobs.doctor_check import Check

FRESH_DAYS = 60
"""yt-dlp follows YouTube's changes with a release every few weeks; its versions are dates."""
RUNTIMES = ("deno", "node", "bun", "qjs")
"""What yt-dlp can solve YouTube's challenges with; https://github.com/yt-dlp/yt-dlp/wiki/EJS."""
_DATE = re.compile(r"(\d{4})\.(\d{1,2})\.(\d{1,2})")
_UPGRADE = "pip install --upgrade 'yt-dlp[default]'"


def youtube_checks(today: date) -> Iterator[Check]:
    """Advice alone: nobody needs this who mirrors hosted archives."""
    try:
        version = importlib.metadata.version("yt-dlp")
    except importlib.metadata.PackageNotFoundError:
        yield Check("yt-dlp", False, "optional, not installed", "pip install 'kdl[youtube]'", required=False)
        return
    yield _age(version, today)
    found = next(filter(None, map(shutil.which, RUNTIMES)), None)
    detail = found or f"none of {', '.join(RUNTIMES)} on PATH: YouTube offers less without, or nothing"
    fix = "pip install deno (or: https://deno.com, or node from version 22 on)"
    yield Check("javascript", found is not None, detail, fix, required=False)


def _age(version: str, today: date) -> Check:
    released = _DATE.match(version)
    if released is None:
        return Check("yt-dlp", True, version, _UPGRADE, required=False)
    days = (today - date(*map(int, released.groups()))).days
    age = f"{version}, {max(days, 0)} days old"
    return Check("yt-dlp", days <= FRESH_DAYS, age, _UPGRADE, required=False)
