"""Thirty nights of a seventh each, with rot planted every day: all is found and mended within seven."""

from __future__ import annotations

import os
import random
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.e2e import rot
from tests.e2e.hosted import Hosted
from tests.e2e.running import kdl, tree

SEED = int(os.environ.get("KDL_FAULT_SEED", "30"))
NIGHTS = 30
PARTS = 7
"""A night looks at a part; whatever rots is found within so many nights."""


@dataclass
class Mirror:
    """A mirror, and what is wrong with it that no night has mended yet."""

    base: Path
    wanted: dict[str, str]
    """Digest by path, below ``videos/``."""
    random: random.Random
    wrong: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By path: what was done to it, and before which night."""

    def plant(self, night: int) -> None:
        """Let one to three things happen, to clips with which all is well."""
        for kind in self.random.choices(("flip", "truncate", "delete", "rename", "swap", "folder"), k=2):
            well = [path for path in self.wanted if path not in self.wrong]
            one, other = (self.base / "videos" / path for path in self.random.sample(well, 2))
            hit = [one]
            if kind == "flip":
                rot.flip(one)
            elif kind == "truncate":
                rot.truncate(one)
            elif kind == "delete":
                one.unlink()
            elif kind == "rename":
                rot.rename(one)
            elif kind == "swap":
                rot.swap(one, other)
                hit.append(other)
            else:
                hit = [path for path in rot.lose_folder(one.parent) if self.name(path) in self.wanted]
            for path in hit:
                # What went with its folder has been wrong since it was first.
                self.wrong.setdefault(self.name(path), (kind, night))

    def name(self, path: Path) -> str:
        return str(path.relative_to(self.base / "videos"))

    def mended(self) -> dict[str, tuple[str, int]]:
        """What was wrong and is not any more; forgotten with this."""
        there = tree(self.base / "videos")
        well = {path: self.wrong[path] for path in self.wrong if there.get(path) == self.wanted[path]}
        for path in well:
            del self.wrong[path]
        return well


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_all_that_rots_in_thirty_nights_is_found_and_mended_within_seven(
    demo: Hosted, tmp_path: Path
) -> None:
    base = demo.copy(tmp_path / "root")
    (base / "kdl.toml").write_text(
        f'[nightly]\nsubset = "1/{PARTS}"\npage = false\nkeep_reports = 10\norigin = ["{demo.server.url}"]\n'
    )
    mirror = Mirror(base, tree(base / "videos"), random.Random(SEED))
    took: dict[str, list[int]] = {}
    for night in range(NIGHTS + PARTS):
        if night < NIGHTS:
            mirror.plant(night)
        planted = set(mirror.wrong)
        done = kdl("nightly", demo.dataset, "--root", base.parent, "--json")
        result = done.result
        change = result["difference"]
        assert change["bad_before"] + change["newly_bad"] - change["repaired"] == change["still_bad"]
        assert change["still_bad"] == 3, f"seed {SEED}, night {night}: {result['findings']}"  # as hosted
        told = {clip["path"].removeprefix("videos/") for clip in result["repaired"]}
        mended = mirror.mended()
        # Told as repaired is what was wrong and is mended, no more and no less.
        assert told == set(mended), f"seed {SEED}, night {night}"
        assert told <= planted
        for kind, since in mended.values():
            took.setdefault(kind, []).append(night - since + 1)
        late = {path: what for path, what in mirror.wrong.items() if night - what[1] + 1 >= PARTS}
        assert not late, f"seed {SEED}, night {night}"
    assert not mirror.wrong
    assert tree(base / "videos") == mirror.wanted
    assert len(list((base / "reports").glob("20*.json"))) == 10
    for kind, nights in sorted(took.items()):
        print(f"{kind}: {len(nights)} clips, mended after {min(nights)} to {max(nights)} nights")
    assert set(took) == {"flip", "truncate", "delete", "rename", "swap", "folder"}
    assert max(max(nights) for nights in took.values()) <= PARTS
