"""Of a bundle's clips: which are to be had, by what the ledger knows and what the list tells."""

from __future__ import annotations

import sqlite3

import pytest

from kdl.dataset.plan import Need, ShardView, shard_need
from kdl.ledger.adopted import is_here
from kdl.values import Shard, Stretch

OURS, OTHER = 7, 8


def row(
    verdict: str, *, path: str | None = "videos/x.mp4", shard: int | None = OURS, doubt: int = 0
) -> sqlite3.Row:
    connection = sqlite3.connect(":memory:")
    connection.row_factory = sqlite3.Row
    found: sqlite3.Row = connection.execute(
        "SELECT ? AS verdict, ? AS path, ? AS shard_id, ? AS provisional, 'aa' AS sha256",
        (verdict, path, shard, doubt),
    ).fetchone()
    connection.close()
    return found


@pytest.mark.parametrize(
    ("clip", "listed", "here"),
    [
        (row("ok"), None, True),
        (row("ok"), "bb", True),  # a good one stays, whatever the host has by now
        (row("ok", shard=None), "aa", True),  # taken in from elsewhere
        (row("unchecked"), "aa", True),
        (row("unchecked", doubt=1), "aa", False),
        (row("pending", path=None), "aa", False),
        (row("missing"), "aa", False),
        (row("corrupt"), "aa", True),  # the host has these very bytes
        (row("corrupt"), "bb", False),
        (row("corrupt"), None, True),  # it came from there, and nothing says that it changed
        (row("corrupt", shard=None), None, False),
        (row("corrupt", shard=OTHER), "bb", True),  # another shard's clip stands for it
    ],
)
def test_what_is_here_is_not_asked_for(clip: sqlite3.Row, listed: str | None, here: bool) -> None:
    assert is_here(clip, OURS, listed) is here


@pytest.mark.parametrize("state", ["new", "partial", "done", "failed"])
def test_a_bundle_is_done_when_its_clips_are_here_and_not_by_its_state(state: str) -> None:
    """Its list may name others by now."""
    shard = Shard("https://h.example/x/?bundle=0", "x.tar", "train", 0, bundle=Stretch("x.tsv", 0, 1))
    assert shard_need(ShardView(shard, state)) is Need.FETCH
    assert shard_need(ShardView(shard, state, unwritten=1, covered="all here")) is Need.DONE
