"""The room that a plan asks for."""

from __future__ import annotations

import pytest

from kdl.dataset.plan import CLIP_BYTES_PER_ARCHIVE_BYTE, Need, Plan, PlannedShard, Selection, mirror_space
from kdl.values import Shard

SIZES = (40_000, 10_000, 30_000, 20_000)
CLIPS = int(sum(SIZES) * CLIP_BYTES_PER_ARCHIVE_BYTE)


def plan(*, stored: tuple[str, ...] = (), spooled: int = 0) -> Plan:
    shards = (
        PlannedShard(Shard(f"https://h/{size}", f"{size}.tar", "val", at), Need.FETCH, size, spooled)
        for at, size in enumerate(SIZES)
    )
    return Plan(Selection(("val",)), tuple(shards), stored=stored)


@pytest.mark.parametrize(
    ("stored", "spool", "keep_archives", "more"),
    [
        ((), True, False, 90_000),
        ((), False, False, 0),
        (("val",), False, False, 90_000),
        (("val",), True, False, 180_000),
        (("train",), True, False, 90_000),
        (("val",), True, True, 90_000),
    ],
)
def test_the_peak_is_the_clips_and_the_largest_shards_in_flight(
    stored: tuple[str, ...], spool: bool, keep_archives: bool, more: int
) -> None:
    space = mirror_space(plan(stored=stored), jobs=2, spool=spool, keep_archives=keep_archives)
    assert space.end == CLIPS + (sum(SIZES) if keep_archives else 0)
    assert space.peak == space.end + more


def test_what_is_spooled_already_takes_no_more_room() -> None:
    space = mirror_space(plan(spooled=1_000), jobs=2, spool=True, keep_archives=False)
    assert space.peak == CLIPS + 90_000 - 4_000
