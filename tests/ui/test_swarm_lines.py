"""Lines about torrents: now and then, and when all is here."""

from __future__ import annotations

from kdl import events
from kdl.ui.plain import PROGRESS_S, SwarmLines


def test_a_torrent_is_told_of_now_and_then_and_when_all_is_here() -> None:
    now = 0.0
    lines = SwarmLines(lambda: now)

    def told(name: str, received: int, peers: int) -> list[str]:
        return [*lines.lines(events.SwarmProgress(name, received, 4_000_000, peers, 250_000))]

    assert told("k400\x1b", 1_000_000, 1) == [r"k400\x1b: 1 MB of 4 MB wanted, 1 peer, 250 kB/s"]
    assert told("k400\x1b", 1_100_000, 2) == []
    assert len(told("k700", 1_100_000, 2)) == 1
    now = PROGRESS_S
    assert told("k400\x1b", 1_200_000, 2) == [r"k400\x1b: 1.2 MB of 4 MB wanted, 2 peers, 250 kB/s"]
    assert len(told("k400\x1b", 4_000_000, 2)) == 1
