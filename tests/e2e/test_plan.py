"""The plan: what a run would fetch, what room it needs, and that looking changes nothing."""

from __future__ import annotations

import fcntl
import tempfile
from pathlib import Path

import pytest

from tests.e2e.hosted import Hosted
from tests.e2e.running import kdl


def state(folder: Path) -> dict[str, tuple[int, int]]:
    """Every file and folder below, with its time and size."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, path.stat().st_size)
        for path in folder.rglob("*")
        if path.name != ".kdl"  # SQLite keeps its own files in it while it reads
    }


def test_a_plan_of_nothing_yet_writes_nothing(demo: Hosted, tmp_path: Path) -> None:
    root = tmp_path / "not" / "there"
    mark = demo.mark()
    done = demo.mirror(root, "--split", "train", "--dry-run")
    assert done.code == 0
    assert not (tmp_path / "not").exists()
    plan = done.result["plan"]
    bucket = {path.name: path for path in (demo.bucket / "demo/train").glob("*.tar.gz")}
    assert {item["name"]: item["bytes"] for item in plan["objects"]} == {
        name: path.stat().st_size for name, path in bucket.items()
    }
    assert demo.fetched(mark) == []
    assert demo.headed(mark) == sorted([*bucket, "replacement_for_corrupted_demo.tgz"])
    shards = sum(path.stat().st_size for path in bucket.values())
    extra = (demo.bucket / "demo/replacement_for_corrupted_demo.tgz").stat().st_size
    extra += (demo.bucket / "demo/annotations/train.csv").stat().st_size
    assert plan["bytes"] == {"download": shards + extra, "have": 0, "annotations_and_replacements": extra}
    (volume,) = plan["volumes"]
    assert shards < volume["needed_end"] < volume["needed_peak"] < volume["free"]


def test_a_plan_for_people(demo: Hosted, tmp_path: Path) -> None:
    done = demo.run("mirror", tmp_path / "root", "--split", "val", "--class", "abseiling", "--dry-run")
    assert done.code == 0
    for word in ("demo_val_001.tar.gz", "108 kB", "to fetch: 1 of 1 shard", "at the peak", "at the end"):
        assert word in done.out
    assert not (tmp_path / "root").exists()


def test_a_plan_over_a_mirror_leaves_it_untouched(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    before = state(base)
    for style in ("--quiet", "--json"):
        assert demo.run("mirror", tmp_path, "--dry-run", style).code == 0
    assert demo.run("status", tmp_path).code == 0
    assert demo.run("export", tmp_path).code == 0
    assert state(base) == before
    plan = demo.mirror(tmp_path, "--dry-run").result["plan"]
    assert plan["shards"] == {"total": 10, "done": 10, "broken": 0, "to_fetch": 0}
    assert plan["bytes"]["download"] == 0
    assert plan["bytes"]["have"] == sum(item["bytes"] for item in plan["objects"])


def test_a_plan_sees_what_has_gone_from_disk(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    next((base / "videos/val/abseiling").iterdir()).unlink()
    plan = demo.mirror(tmp_path, "--dry-run").result["plan"]
    assert [item["name"] for item in plan["objects"] if item["state"] == "fetch"] == ["demo_val_001.tar.gz"]


def test_a_plan_asks_nobody_for_the_lock(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    with (base / ".kdl" / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert demo.mirror(tmp_path, "--dry-run").code == 0
        refused = demo.mirror(tmp_path)
    assert refused.code == 3
    assert refused.kinds() == {"lock_held"}


SHM = Path("/dev/shm")
HERE = Path(tempfile.gettempdir()).stat().st_dev


@pytest.mark.parametrize("elsewhere", [SHM] if SHM.is_dir() and SHM.stat().st_dev != HERE else [])
def test_a_plan_counts_each_file_system_apart(demo: Hosted, tmp_path: Path, elsewhere: Path) -> None:
    options = ("--recipe", "320p", "--derived", elsewhere / "kdl-plan", "--split", "val", "--dry-run")
    volumes = demo.mirror(tmp_path, *options).result["plan"]["volumes"]
    assert [volume["path"] for volume in volumes] == [
        str(tmp_path / "demo"),
        str(elsewhere / "kdl-plan" / "320p"),
    ]
    assert all(0 < volume["needed_end"] <= volume["needed_peak"] for volume in volumes)
    assert not (elsewhere / "kdl-plan").exists()


def test_a_plan_of_what_can_not_be_asked(demo: Hosted, tmp_path: Path) -> None:
    refused = kdl("mirror", demo.dataset, "--root", tmp_path / "r", "--dry-run", "--json",
                  "--origin", "http://127.0.0.1:9/", "--tries", "1")  # fmt: skip
    assert refused.code == 4
    assert not (tmp_path / "r").exists()
