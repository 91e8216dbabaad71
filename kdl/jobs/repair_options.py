"""What a person asks of ``kdl repair``, and the ways in which a clip is mended."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from kdl.fetch.timetable import Timetable
from kdl.jobs.options import ALL, Choice
from kdl.settings import STALL_S, TRIES, WATCHDOG_S


class Way(StrEnum):
    """Where a clip's good bytes come from, in the order in which they are looked for."""

    HERE = "here"
    """Its own place, or another one in this mirror: it was moved, or somebody put it back."""
    REPLACEMENT = "replacement"
    """The replacement archive."""
    FOLDER = "folder"
    """A folder or mirror of ``--from``."""
    INDEX = "index"
    """The few megabytes of its shard that hold it, by the shard's seek index."""
    FILE = "file"
    """Its own file at the host, where clips lie loose."""
    STREAM = "stream"
    """Its shard, read up to the last clip that is wanted."""


@dataclass(frozen=True, slots=True)
class RepairOptions:
    """Everything ``kdl repair`` takes."""

    dataset: str
    """A shipped manifest's name, or a manifest file."""
    root: Path
    choice: Choice = ALL
    """Splits and classes; shards have no say here."""
    folders: tuple[Path, ...] = ()
    """``--from``: mirrors and folders to take clips from, in this order."""
    origins: tuple[str, ...] = ()
    jobs: int = 4
    """Shards at a time."""
    workers: int = 0
    """Worker processes; 0 for one a core."""
    prober: str = "auto"
    """``auto`` or ``ffprobe``."""
    limit_rate: int | Timetable | None = None
    """Bytes a second for all transfers together."""
    tries: int = TRIES
    stall_s: float = STALL_S
    watchdog_s: float = WATCHDOG_S
    ledger: Path | None = None
