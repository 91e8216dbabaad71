"""Killed or stopped half-way and run again, an adoption ends as if left alone, and loses nothing."""

from __future__ import annotations

import os
import shutil
import signal
from pathlib import Path

import pytest

from kdl.jobs.demo_clips import Scene, render
from tests.e2e.adopting import LABELS, NAME, Mixed, build_mixed, put
from tests.e2e.killing import end_all, killed_at, litter, start
from tests.e2e.running import clips, kdl, tree

STEPS = (
    ("kdl.jobs.adopt_files", "record_taken", "before", "True"),
    ("pathlib", "Path.unlink", "before", "'have/train' in str(a[0])"),
)
"""The clips lie in the mirror and no ledger knows; the first of the user's files is to go."""


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Mixed:
    return build_mixed(tmp_path_factory.mktemp("killed"))


def test_a_killed_move_goes_on(mixed: Mixed, tmp_path: Path) -> None:
    train = {f"train/{name}": body for (split, name), body in mixed.clips.items() if split == "train"}
    have = put(tmp_path / "have", train)
    whole = sorted(tree(have).values())
    command = [
        "adopt",
        mixed.manifest,
        "--root",
        tmp_path,
        have,
        "--annotations",
        mixed.annotations,
        "--move",
    ]
    for step in STEPS:
        killed_at(step, *command)
        assert sorted(tree(have).values()) == whole
    done = kdl(*command, "--json")
    assert done.code == 0, done.err
    assert done.result["adopted"]["released"] == len(train)
    assert tree(have) == {}
    found = {Path(name).name for name in tree(tmp_path / NAME / "videos")}
    assert found == {Path(name).name for name in train}
    assert sorted(tree(tmp_path / NAME / "videos").values()) == whole
    assert {row["verdict"] for row in clips(mixed.manifest, tmp_path).values() if row["path"]} == {"ok"}
    assert litter(tmp_path / NAME) == []


@pytest.mark.long
def test_it_stops_within_five_seconds_and_goes_on(mixed: Mixed, tmp_path: Path) -> None:
    film = render([Scene("testsrc2", 3, size="96x64", fps=5)])[0]
    have = tmp_path / "have" / "train" / LABELS[0]
    have.mkdir(parents=True)
    (have / "first_-_-_-_000000_000003.mp4").write_bytes(film)
    for number in range(1, 2000):
        shutil.copy(have / "first_-_-_-_000000_000003.mp4", have / f"again-{number:05d}_000000_000003.mp4")
    command = ("adopt", mixed.manifest, "--root", tmp_path, have.parent.parent)
    try:
        run = start(tmp_path / "log", *command)
        assert run.wait_for(lambda event: event["event"] == "stage_progress" and event["done"] >= 200)
        os.kill(run.process.pid, signal.SIGINT)
        code, _, _ = run.end(timeout=5)
        assert code == 130
        run.gone(2)
    finally:
        end_all()
    assert 200 <= len(clips(mixed.manifest, tmp_path)) < 2000
    done = kdl(*command, "--json")
    assert done.code == 0, done.err
    assert done.result["adopted"]["clips"] + done.result["adopted"]["already_here"] == 2000
    assert done.result["adopted"]["clips"] < 2000
