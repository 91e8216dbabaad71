"""``kdl repair``: real rot, mended at the least cost, by the real command against nginx."""

from __future__ import annotations

import gzip
import json
import os
import random
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from kdl.jobs.demo_archives import Member, write_archive
from kdl.jobs.demo_clips import Scene, render
from tests.e2e.hosted import Hosted
from tests.e2e.killing import end_all, start
from tests.e2e.running import Ran, kdl, tree
from tests.e2e.test_restore import delete, flip
from tests.replica import nginx
from tests.replica.nginx import Asked, Nginx

ABSEILING, DRIVING = "videos/train/abseiling", "videos/train/driving_car"
GONE = f"{ABSEILING}/CaseMatters_000005_000008.mp4"
CUT = f"{ABSEILING}/-lead_dash0_000012_000015.mp4"
CHANGED = f"{DRIVING}/portrait_01_000020_000023.mp4"
SWAPPED = (f"{DRIVING}/caseMatters_000005_000008.mp4", f"{DRIVING}/silent_clip_000100_000103.mp4")
RENAMED = "videos/train/massaging_person's_head/plainClip_1_000001_000004.mp4"
REPLACED = f"{ABSEILING}/zeroBytes01_000041_000044.mp4"
UNLISTED = "unlisted/train/inNoListing_000006_000009.mp4"
REPLACEMENTS = "replacement_for_corrupted_demo.tgz"


def rot(path: Path) -> None:
    """One bit flips and nothing else tells of it."""
    stat, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    with path.open("r+b") as file:  # in place: a hard link sees it too
        file.write(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


def swap(first: Path, second: Path) -> None:
    aside = first.with_suffix(".aside")
    first.rename(aside)
    second.rename(first)
    aside.rename(second)


@dataclass(frozen=True)
class Mended:
    """What a repair of all kinds of damage came to."""

    base: Path
    ran: Ran
    plan: dict[str, Any]
    before: dict[str, str]
    fetched: list[str]


@pytest.fixture(scope="module")
def mended(demo: Hosted, tmp_path_factory: pytest.TempPathFactory) -> Mended:
    root = tmp_path_factory.mktemp("repair")
    base = demo.copy(root)
    delete(GONE, UNLISTED, "videos/val/abseiling")(base)
    os.truncate(base / CUT, 1000)
    flip(CHANGED)(base)
    swap(base / SWAPPED[0], base / SWAPPED[1])
    (base / RENAMED).rename(base / ABSEILING / "another name.mp4")
    rot(base / REPLACED)
    assert demo.run("verify", root, "--level", "hash", "--json").code == 1
    before = tree(base)
    origin = ("--origin", demo.server.url)
    plan = demo.run("repair", root, *origin, "--dry-run", "--json").result["plan"]
    assert tree(base) == before
    mark = demo.mark()
    ran = demo.run("repair", root, *origin, "--json")
    return Mended(base, ran, plan, before, demo.fetched(mark))


def test_everything_is_as_it_was(demo: Hosted, mended: Mended) -> None:
    assert demo.seen(mended.base.parent) == demo.seen(demo.mirrored or mended.base)


def test_each_source_is_read_once_and_what_is_here_is_not_fetched(mended: Mended) -> None:
    shards = {
        "abseiling.tar.gz",
        "demo_val_001.tar.gz",
        "driving car.tar.gz",
        "massaging person's head.tar.gz",
    }
    assert mended.fetched == sorted({*shards, REPLACEMENTS})
    assert mended.ran.result["by_way"] == {
        "here": 3,
        "replacement": 1,
        "folder": 0,
        "index": 0,
        "file": 0,
        "stream": 6,
    }


def test_the_plan_was_right(mended: Mended) -> None:
    planned = {shard["name"]: (shard["way"], shard["clips"]) for shard in mended.plan["shards"]}
    assert planned["demo_val_001.tar.gz"] == ("stream", 2)
    assert planned["abseiling.tar.gz"] == ("stream", 2)
    assert {way: mended.plan["by_way"][way] for way in ("here", "replacement")} == {
        "here": 3,
        "replacement": 1,
    }
    assert (mended.plan["clips"], mended.plan["hopeless"]) == (13, 3)
    shards = sum(shard["size"] for shard in mended.plan["shards"])
    assert 0 < mended.plan["bytes"] - mended.plan["replacement_archive"] <= shards
    assert mended.plan["replacement_archive"] > 0


def test_what_is_corrupt_at_its_source_stays_and_is_told(mended: Mended) -> None:
    findings = mended.ran.result["findings"]
    assert (mended.ran.code, mended.ran.result["not_repaired"]) == (1, 3)
    assert [finding["kind"] for finding in findings] == ["not_repaired"] * 3
    assert all("holds these very bytes" in finding["detail"] for finding in findings)
    assert all("--from DIR" in finding["fix"] for finding in findings)


def test_no_bad_file_is_left(mended: Mended) -> None:
    assert not (mended.base / ".kdl/quarantine/bad").exists()
    assert not (mended.base / ABSEILING / "another name.mp4").exists()


# -- a shard that is large enough to be indexed

CLIP, CLIPS = 600_000, 20
"""Bytes of each, and how many: points where reading may begin lie 4 MiB apart."""


@dataclass(frozen=True)
class Reel:
    """A dataset of one large shard, its server, and a finished mirror to take copies of."""

    manifest: Path
    server: Nginx
    shard: Path
    mirrored: Path
    names: tuple[str, ...]

    def copy(self, root: Path) -> Path:
        shutil.copytree(self.mirrored, root, copy_function=shutil.copy2)
        return root / "reel"

    def repair(self, root: Path, *arguments: object, url: str | None = None) -> Ran:
        origin = ("--origin", url or self.server.url)
        return kdl("repair", self.manifest, "--root", root, *origin, "--json", *arguments)

    def video(self, base: Path, number: int) -> Path:
        return base / "videos/val" / self.names[number]

    def asked(self, mark: int) -> list[Asked]:
        """GET requests for the shard since ``mark``."""
        rows = self.server.asked()[mark:]
        return [row for row in rows if row.method == "GET" and row.key.endswith(".gz")]

    def mark(self) -> int:
        return len(self.server.asked())


@pytest.fixture(scope="module")
def reel(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Reel]:
    folder = tmp_path_factory.mktemp("reel")
    film, noise = render([Scene("testsrc2", 2, size="64x48")])[0], random.Random(3)
    names = tuple(f"reelClip_{number:02d}_000000_000002.mp4" for number in range(CLIPS))
    padding = CLIP - len(film) - 8
    members = [Member(f"./{name}", film + box_of(padding) + noise.randbytes(padding)) for name in names]
    write_archive(folder / "bucket/part_0.tar.gz", members)
    manifest = folder / "reel.toml"
    manifest.write_text(
        'name = "reel"\ntitle = "Reel"\n[hosts]\nlab = "https://lab.invalid/"\n[[split]]\nname = "val"\n'
        'class_from = "none"\narchives = ["lab:part_0.tar.gz"]\n'
    )
    with nginx.serve(folder / "bucket") as server:
        root = folder / "mirrored"
        done = kdl("mirror", manifest, "--root", root, "--origin", server.url, "--json")
        assert done.code == 0, done.out
        yield Reel(manifest, server, folder / "bucket/part_0.tar.gz", root, names)


def box_of(padding: int) -> bytes:
    """The head of an mp4 box of so many bytes, which every reader skips."""
    return (padding + 8).to_bytes(4, "big") + b"free"


def test_a_clip_is_fetched_and_not_its_shard(reel: Reel, tmp_path: Path) -> None:
    base = reel.copy(tmp_path / "root")
    video = reel.video(base, 17)
    good, other = video.read_bytes(), reel.video(base, 3)
    video.unlink()
    rot(other)
    os.utime(other)
    plan = reel.repair(tmp_path / "root", "--dry-run").result["plan"]
    mark = reel.mark()
    done = reel.repair(tmp_path / "root")
    asked = reel.asked(mark)
    assert (done.code, done.result["by_way"]["index"]) == (0, 2)
    assert video.read_bytes() == good
    assert tree(base) == tree(reel.mirrored / "reel")
    sent = sum(row.sent for row in asked)
    assert [row.status for row in asked] == [206, 206]
    assert all(row.if_range for row in asked)
    assert plan["bytes"] == sent == done.result["bytes"]["fetched"]
    assert sent < 2 * (4_300_000 + CLIP) < reel.shard.stat().st_size
    assert [shard["way"] for shard in plan["shards"]] == ["index"]


def test_without_an_index_the_shard_is_read_up_to_the_clip(reel: Reel, tmp_path: Path) -> None:
    base = reel.copy(tmp_path / "root")
    shutil.rmtree(base / ".kdl/index")
    reel.video(base, 2).unlink()
    mark = reel.mark()
    done = reel.repair(tmp_path / "root")
    assert (done.code, done.result["by_way"]["stream"]) == (0, 1)
    assert tree(base) == tree(reel.mirrored / "reel")
    assert reel.mark() > mark
    assert sum(row.sent for row in reel.asked(mark)) < reel.shard.stat().st_size // 2
    assert not list((base / ".kdl/spool").iterdir())


def test_a_changed_object_voids_its_index(reel: Reel, tmp_path: Path) -> None:
    base = reel.copy(tmp_path / "root")
    index = base / ".kdl/index/val/part_0.tar.gz.index.gz"
    assert index.stat().st_size < 20_000
    reel.video(base, 1).unlink()
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    shutil.copy(reel.shard, bucket)  # the same bytes, and another ETag
    with nginx.serve(bucket) as server:
        plan = reel.repair(tmp_path / "root", "--dry-run", url=server.url).result["plan"]
        assert [(each["way"], each["note"]) for each in plan["shards"]] == [
            ("stream", "the host has another version than the one that was indexed")
        ]
        assert reel.repair(tmp_path / "root", url=server.url).result["by_way"]["stream"] == 1
    assert tree(base) == tree(reel.mirrored / "reel")


def test_a_folder_and_another_mirror_spare_the_network(reel: Reel, tmp_path: Path) -> None:
    base = reel.copy(tmp_path / "root")
    folder = tmp_path / "some" / "where"
    folder.mkdir(parents=True)
    for number in (4, 5, 6):
        shutil.copy(reel.video(base, number), folder)
        reel.video(base, number).unlink()
    rot(folder / reel.names[5])
    (folder / reel.names[6]).unlink()
    mark = reel.mark()
    done = reel.repair(tmp_path / "root", "--from", tmp_path / "some", "--from", reel.mirrored)
    assert (done.code, done.result["by_way"]["folder"]) == (0, 3)
    assert reel.asked(mark) == []
    assert tree(base) == tree(reel.mirrored / "reel")


def test_a_host_that_is_away_leaves_the_bad_file_aside(reel: Reel, tmp_path: Path) -> None:
    base = reel.copy(tmp_path / "root")
    video = reel.video(base, 9)
    good = video.read_bytes()
    video.write_bytes(good[: CLIP // 2])
    done = reel.repair(tmp_path / "root", "--tries", 1, url="http://127.0.0.1:9/")
    assert done.code == 4
    (finding,) = (each for each in done.result["findings"] if each["kind"] == "not_repaired")
    assert finding["subject"] == f"videos/val/{video.name}"
    assert "kdl repair" in finding["fix"]
    aside = base / ".kdl/quarantine/bad/val" / video.name
    assert (video.exists(), aside.stat().st_size) == (False, CLIP // 2)
    assert reel.repair(tmp_path / "root").code == 0
    assert (video.read_bytes(), aside.exists()) == (good, False)


def test_a_killed_repair_is_finished_by_the_next(reel: Reel, tmp_path: Path) -> None:
    base = reel.copy(tmp_path / "root")
    for number in range(CLIPS):
        rot(reel.video(base, number))
        os.utime(reel.video(base, number))
    with nginx.serve(reel.shard.parent, limit_rate=4_000_000) as slow:
        try:
            live = start(
                tmp_path / "log",
                *("repair", reel.manifest, "--root", tmp_path / "root", "--origin", slow.url),
            )
            assert live.wait_for(lambda event: event["event"] == "transfer_progress")
            live.kill()
        finally:
            end_all()
    done = reel.repair(tmp_path / "root")
    assert (done.code, done.result["not_repaired"]) == (0, 0)
    assert tree(base) == tree(reel.mirrored / "reel")
    assert json.loads(done.out)["clips"]["missing"] == 0
    assert not (base / ".kdl/quarantine/bad").exists()


def test_a_folder_that_is_none_is_refused(reel: Reel, tmp_path: Path) -> None:
    done = kdl("repair", reel.manifest, "--root", reel.mirrored, "--from", tmp_path / "nowhere", "--json")
    assert (done.code, done.kinds()) == (2, {"usage"})


# -- some classes of a shard that mixes them

WANTED = "zesting"


@dataclass(frozen=True)
class Mixed:
    """The reel with classes: every eighth clip is of the wanted one."""

    reel: Reel
    manifest: Path
    pack: Path
    """The exported indexes of a whole mirror."""
    whole: Path
    server: Nginx

    def mirror(self, root: Path, *arguments: object) -> Ran:
        words = ("--root", root, "--origin", self.server.url, "--class", WANTED, "--json")
        return kdl("mirror", self.manifest, *words, *arguments)

    def asked(self, mark: int) -> list[Asked]:
        rows = self.server.asked()[mark:]
        return [row for row in rows if row.method == "GET" and row.key.endswith(".gz")]


@pytest.fixture(scope="module")
def mixed(reel: Reel, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Mixed]:
    folder = tmp_path_factory.mktemp("mixed")
    bucket = folder / "bucket"
    bucket.mkdir()
    shutil.copy(reel.shard, bucket)
    rows = [
        f"{'zesting' if number % 8 == 0 else 'air drumming'},{name[:11]},0,2,val,0"
        for number, name in enumerate(reel.names)
    ]
    (bucket / "val.csv").write_text(
        "\n".join(["label,youtube_id,time_start,time_end,split,is_cc", *rows, ""])
    )
    manifest = folder / "mixed.toml"
    manifest.write_text(
        'name = "mixed"\ntitle = "Mixed"\nlabels = ["air drumming", "zesting"]\n'
        '[hosts]\nlab = "https://lab.invalid/"\n[[split]]\nname = "val"\nclass_from = "annotation"\n'
        'archives = ["lab:part_0.tar.gz"]\nannotation = { url = "lab:val.csv", format = "csv" }\n'
    )
    with nginx.serve(bucket, exact=False) as server:
        whole = folder / "whole"
        words = (manifest, "--root", whole)
        assert kdl("fetch", *words, "--origin", server.url, "--json").code == 0
        pack = folder / "mixed.index.gz"
        done = kdl("export", *words, "--format", "index", "-o", pack, "--json")
        assert (done.code, done.result["rows"]) == (0, 1)
        yield Mixed(reel, manifest, pack, whole / "mixed", server)


def test_a_class_comes_without_the_rest_of_its_shard(mixed: Mixed, tmp_path: Path) -> None:
    mark = len(mixed.server.asked())
    done = mixed.mirror(tmp_path, "--index", mixed.pack)
    assert (done.code, done.result["clips"]["ok"], done.result["findings"]) == (0, 3, [])
    asked = mixed.asked(mark)
    assert {row.status for row in asked} == {206}
    assert sum(row.sent for row in asked) < 0.8 * mixed.reel.shard.stat().st_size
    folder = "videos/val/zesting"
    assert tree(tmp_path / "mixed" / folder) == tree(mixed.whole / folder)
    mark = len(mixed.server.asked())
    assert mixed.mirror(tmp_path).code == 0
    assert mixed.asked(mark) == []


def test_an_index_that_lies_costs_the_shard_and_nothing_else(mixed: Mixed, tmp_path: Path) -> None:
    words = json.loads(gzip.decompress(mixed.pack.read_bytes()))
    words["clips"][8][3] = "0" * 64
    pack = tmp_path / "wrong.gz"
    pack.write_bytes(gzip.compress(json.dumps(words).encode()))
    mark = len(mixed.server.asked())
    done = mixed.mirror(tmp_path, "--index", pack)
    assert (done.code, done.result["clips"]["ok"]) == (0, 3)
    assert {row.status for row in mixed.asked(mark)} == {200, 206}
    folder = "videos/val/zesting"
    assert tree(tmp_path / "mixed" / folder) == tree(mixed.whole / folder)


def test_indexes_that_are_none_are_refused(mixed: Mixed, tmp_path: Path) -> None:
    done = mixed.mirror(tmp_path, "--index", mixed.manifest)
    assert (done.code, done.kinds()) == (2, {"usage"})
    without = kdl("mirror", mixed.manifest, "--root", tmp_path, "--index", mixed.pack, "--json")
    assert (without.code, without.kinds()) == (2, {"usage"})
