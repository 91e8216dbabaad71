"""What a person may say of torrents."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdl.fetch.timetable import Timetable

GET_ARIA2 = "apt install aria2 (or: conda install -c conda-forge aria2; brew install aria2)"
DISCOVERIES = ("dht", "pex", "lsd")
"""How peers are found beside trackers: the distributed table, what peers tell, the local network."""
LISTEN_PORTS = "6881-6999"
DHT_ENTRY = "dht.transmissionbt.com:6881"
"""A node through which a client without one comes into the distributed table of peers."""


@dataclass(frozen=True, slots=True)
class TorrentHints:
    """What is known of a torrent beside its infohash."""

    metainfo_url: str | None = None
    """Where its ``.torrent`` file lies on the web."""
    trackers: tuple[str, ...] = ()
    """Announce URLs; those in its metadata are asked as well."""


@dataclass(frozen=True, slots=True)
class TorrentOptions:
    """How torrents are fetched. Picklable."""

    folder: Path | None = None
    """Where aria2 keeps what it fetches; None for a folder that goes with the run."""
    hints: tuple[tuple[str, TorrentHints], ...] = ()
    """By infohash."""
    metainfo: Path | None = None
    """A ``.torrent`` file that a person has."""
    listen: str = LISTEN_PORTS
    """Ports for peers, over TCP and UDP: one or a range. aria2 takes the first that is free."""
    dht: bool = True
    """Look for peers in the distributed table."""
    dht_entry: str = DHT_ENTRY
    """``HOST:PORT`` of the node through which."""
    lsd: bool = True
    """Look for peers in the local network."""
    pex: bool = True
    """Learn of peers from peers."""
    limit_rate: int | Timetable | None = None
    """Bytes a second that come in."""
    limit_upload: int | None = None
    """Bytes a second that go out."""
    seed_ratio: float | None = None
    """Give to others, in the end, until so many times what was fetched has gone out."""
    seed_min: float | None = None
    """Give to others for so many minutes in the end; with a ratio, whatever comes first."""

    @property
    def seeds(self) -> bool:
        """What was fetched stays, to be given to others."""
        return self.seed_ratio is not None or self.seed_min is not None

    def hints_of(self, infohash: str) -> TorrentHints:
        """What is known of this torrent."""
        return dict(self.hints).get(infohash, TorrentHints())
