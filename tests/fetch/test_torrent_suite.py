"""The suite of :mod:`conformance` over torrents: each file that is put makes a new one."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote

import pytest

pytest.register_assert_rewrite("conformance")

from conformance import NAMES, Can, Conformance, Provider  # noqa: E402 - behind the registration, as the next
from torrents import Torrent, Tracker, fill, free_ports, make_torrent, seeding_all  # noqa: E402

from kdl.fetch.aria2 import Aria2  # noqa: E402
from kdl.fetch.evidence import Proof  # noqa: E402
from kdl.fetch.sources import SourceOptions  # noqa: E402
from kdl.fetch.torrentoptions import TorrentHints, TorrentOptions  # noqa: E402


class Torrents(Provider):
    """Torrents of all files that were put until then."""

    can = Can(replace=False, proof=Proof.PIECES)
    names = NAMES[::3]

    def __init__(self, tmp: Path, tracker: Tracker, seeder: Aria2) -> None:
        self._tmp = tmp
        self._tracker = tracker
        self._seeder = seeder
        self._files = {"beside": b"There is no torrent without a byte."}
        self._made: list[Torrent] = []

    @property
    def options(self) -> SourceOptions:
        hints = TorrentHints(trackers=(self._tracker.url,))
        known = tuple((torrent.infohash, hints) for torrent in self._made)
        options = TorrentOptions(hints=known, listen=free_ports(), dht=False, lsd=False)
        return SourceOptions(torrent=options)

    async def put(self, path: str, data: bytes) -> str:
        self._files[path] = data
        place = self._tmp / str(len(self._made))
        torrent = make_torrent(fill(place / "k", self._files), place / "k.torrent")
        await seeding_all(self._seeder, torrent)
        self._made.append(torrent)
        return self.url(path)

    def url(self, path: str) -> str:
        return self._made[-1].url + quote(path)


@pytest.mark.long
class TestTorrents(Conformance):
    @pytest.fixture
    async def provider(self, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Torrents]:
        tmp = tmp_path_factory.mktemp("torrents")
        with Tracker() as tracker:
            own = {
                "listen-port": free_ports(),
                "enable-dht": "false",
                "bt-tracker": tracker.url,
                "check-integrity": "true",
                "seed-ratio": "0.0",
                "max-concurrent-downloads": "99",
            }
            async with Aria2(tmp, own) as seeder:
                yield Torrents(tmp, tracker, seeder)
