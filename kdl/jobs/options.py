"""What a person asks of a verb, as plain values."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kdl.fetch.timetable import Timetable
from kdl.fetch.torrentoptions import TorrentOptions
from kdl.fetch.youtube_options import YoutubeOptions
from kdl.media.hwaccel import Hwaccel
from kdl.settings import STALL_S, TRIES, WATCHDOG_S
from kdl.values import Level


@dataclass(frozen=True, slots=True)
class Choice:
    """Which part of a dataset; see :class:`kdl.dataset.plan.Selection` for the resolved form."""

    splits: tuple[str, ...] = ()
    """Empty for all."""
    classes: tuple[str, ...] = ()
    """Names as typed, ``@file`` included; empty for all."""
    shards: tuple[str, ...] = ()
    limit: int | None = None


ALL = Choice()
SHARDS, YOUTUBE = SOURCES = ("shards", "youtube")
"""Where clips come from: the hosted archives, or the videos that they were cut out of."""


@dataclass(frozen=True, slots=True)
class MirrorOptions:
    """Everything ``kdl mirror`` and ``kdl fetch`` take."""

    dataset: str
    """A shipped manifest's name, or a manifest file."""
    root: Path
    choice: Choice = ALL
    verb: str = "mirror"
    origins: tuple[str, ...] = ()
    jobs: int = 4
    """Shards fetched at a time."""
    workers: int = 0
    """Worker processes; 0 for one a core, or all that a cluster has."""
    level: Level = Level.PROBE
    prober: str = "auto"
    """``auto`` or ``ffprobe``."""
    recipes: tuple[str, ...] = ()
    derived: Path | None = None
    """Where derivatives go, instead of the mirror's ``derived/``."""
    hwaccel: Hwaccel = "none"
    """What decodes the clips that derivatives are made from."""
    executor: str = "local"
    """One of :data:`kdl.jobs.executors.WORDS`."""
    spool: bool = True
    keep_archives: bool = False
    index: bool = True
    """Keep a seek index of each large shard."""
    index_file: Path | None = None
    """Seek indexes that somebody else has made: the clips of a class are fetched alone."""
    connections_per_file: int = 1
    limit_rate: int | Timetable | None = None
    """Bytes a second for all transfers together."""
    tries: int = TRIES
    stall_s: float = STALL_S
    watchdog_s: float = WATCHDOG_S
    """A run in which nothing moves for so long is ended; 0 for never."""
    class_style: str | None = None
    """How class folders are named; None for what the mirror has, else ``mmaction2``."""
    ledger: Path | None = None
    force: bool = False
    strict: bool = False
    retry_failed: bool = False
    source: str = SHARDS
    """One of :data:`SOURCES`."""
    fill_missing: bool = False
    """After the shards, ask YouTube for what none of them can bring."""
    youtube: YoutubeOptions = field(default_factory=YoutubeOptions)
    torrent: TorrentOptions = field(default_factory=TorrentOptions)

    @property
    def asks_youtube(self) -> bool:
        return self.source == YOUTUBE or self.fill_missing

    @property
    def keep_index(self) -> bool:
        """Whether seek indexes are kept: made of spooled bytes, and not of a cluster's."""
        return self.index and self.executor == "local" and (self.spool or self.keep_archives)

    @property
    def checks(self) -> bool:
        """Whether clips are probed."""
        return self.verb == "mirror" and self.level in (Level.PROBE, Level.DECODE)
