"""The bar for repairs by index, on a shard of the real size."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from kdl.jobs.demo_archives import Member, write_archive
from kdl.jobs.demo_clips import Scene, render
from tests.e2e.running import kdl, tree
from tests.e2e.test_repair import box_of
from tests.replica import nginx

MOVED = 10_000_000
"""Bytes that the repair of one clip moves at the most."""


@pytest.mark.long
@pytest.mark.timeout(900)
def test_one_clip_of_a_shard_of_360_megabytes(tmp_path: Path) -> None:
    film, chance = render([Scene("testsrc2", 2, size="64x48")])[0], random.Random(4)
    paddings = [chance.randrange(300_000, 2_800_000) for _ in range(240)]
    members = [
        Member(f"./longClip{number:03d}_000000_000002.mp4", film + box_of(size) + chance.randbytes(size))
        for number, size in enumerate(paddings)
    ]
    shard = tmp_path / "bucket" / "part_0.tar.gz"
    write_archive(shard, members)
    assert shard.stat().st_size > 340_000_000
    manifest = tmp_path / "large.toml"
    manifest.write_text(
        'name = "large"\ntitle = "Large"\n[hosts]\nlab = "https://lab.invalid/"\n[[split]]\nname = "val"\n'
        'class_from = "none"\narchives = ["lab:part_0.tar.gz"]\n'
    )
    with nginx.serve(shard.parent, exact=False) as server:
        words = (manifest, "--root", tmp_path / "root", "--origin", server.url, "--json")
        assert kdl("fetch", *words, timeout=600).code == 0
        videos = tmp_path / "root/large/videos/val"
        whole = tree(videos)
        for path in chance.sample(sorted(videos.iterdir()), 5):
            path.unlink()
            mark = len(server.asked())
            done = kdl("repair", *words)
            assert (done.code, done.result["by_way"]["index"]) == (0, 1)
            assert sum(row.sent for row in server.asked()[mark:]) < MOVED
        assert tree(videos) == whole
