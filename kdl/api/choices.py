"""The values that arguments may have, where they are few; see :mod:`kdl.api.consumers` for those of lists."""

from __future__ import annotations

from kdl.dataset.labels import STYLES
from kdl.dataset.schema import EXTRAS, SPLIT_NAMES
from kdl.fetch.youtube_options import CUTS
from kdl.jobs.options import SOURCES
from kdl.media.hwaccel import HWACCELS, Hwaccel
from kdl.values import Level, Verdict

__all__ = [
    "CONNECTIONS",
    "CUTS",
    "EXPORTS",
    "EXTRAS",
    "HEIGHTS",
    "HWACCELS",
    "JOBS",
    "LEVELS",
    "PACKS",
    "PROBERS",
    "SOURCES",
    "SPLITS",
    "STYLES",
    "VERDICTS",
    "VIDEOS",
    "WAYS",
    "Hwaccel",
]

SPLITS = SPLIT_NAMES
LEVELS = tuple(level.value for level in Level)
VERDICTS = tuple(verdict.value for verdict in Verdict)
PROBERS = ("auto", "ffprobe")
WAYS = ("link", "copy", "move")
"""How the files of ``adopt`` come in."""
EXPORTS = ("csv", "jsonl", "parquet", "sha256sums", "index", "origin")
PACKS = ("webdataset",)
JOBS = (1, 64)
"""The least and the most."""
CONNECTIONS = (1, 16)
VIDEOS = (1, 8)
"""Videos asked for at a time."""
HEIGHTS = (144, 4320)
"""Lines of the pictures that YouTube has."""
