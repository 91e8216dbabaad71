"""Why a torrent gives nothing, as it is told."""

from __future__ import annotations

import re

import pytest

from kdl.errors import RetryCause
from kdl.fetch.swarmwords import Quiet, quiet_error
from kdl.fetch.torrentoptions import TorrentOptions

ALL, HALF, NONE = "ff", "f0", "00"


def peer(bitfield: str, *, choking: bool = False) -> dict[str, str]:
    return {"bitfield": bitfield, "peerChoking": "true" if choking else "false"}


@pytest.mark.parametrize(
    ("peers", "more", "words", "fix"),
    [
        ([], {}, "no peer was found$", "ports 6881-6999 through the firewall"),
        ([], {"trackers": {"t.org": "not registered"}}, r"\(trackers: t.org: not registered\)", "copy"),
        ([peer(HALF)], {}, "the only peer that is connected has 4 of the 8 pieces", "more peers"),
        ([peer(HALF), peer("c0")], {}, "the 2 peers that are connected have 4 of the 8", "more peers"),
        ([peer(HALF), peer("0f", choking=True)], {}, "the 2 peers .* send nothing", "--stall"),
        ([peer(ALL, choking=True)], {}, "serves others before us", "--limit-upload"),
        ([peer(ALL)], {"spoilt": True}, "do not match their hashes", "other peers"),
        ([], {"spoilt": True}, "do not match their hashes; these were dropped", "other peers"),
        ([peer(NONE, choking=True)], {"spoilt": True}, "has 0 of the 8 pieces", "more peers"),
    ],
)
def test_each_reason_has_its_words_and_its_way_out(
    peers: list[dict[str, str]], more: dict[str, object], words: str, fix: str
) -> None:
    quiet = Quiet("torrent://x/", 30.0, peers, 0xFF, **{"trackers": {}, **more})  # type: ignore[arg-type]
    error = quiet_error(quiet, TorrentOptions())
    assert re.search(words, error.message)
    assert error.message.startswith("nothing came for 30 s: ")
    assert fix in error.fix
    assert error.subject == "torrent://x/"
    assert error.cause is (
        RetryCause.MISMATCH if more.get("spoilt") and "do not" in words else RetryCause.STALL
    )


def test_where_the_table_is_switched_off_that_is_a_way_out() -> None:
    error = quiet_error(Quiet("torrent://x/", 30.0, [], 1, {}), TorrentOptions(dht=False))
    assert "dht in --discovery" in error.fix
