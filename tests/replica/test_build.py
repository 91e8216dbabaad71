"""The replica itself: what its builder says is in it is in it, as other programs read it."""

from __future__ import annotations

import hashlib
import subprocess
import tarfile
from collections import Counter
from pathlib import Path

import pytest

from kdl.check.inspect import CheckTask, inspect
from kdl.check.judge import Expectation
from kdl.dataset.clipname import clip_stem
from kdl.dataset.manifest import load_manifest
from kdl.urls import encode_url
from kdl.values import Cause, Level, Verdict
from tests.replica.build import Replica
from tests.replica.catalog import BASE, EDITIONS, SPLITS
from tests.replica.nginx import serve
from tests.replica.stock import made_stock

CLIMBER = "mountain climber (exercise)"


def _members(path: Path) -> list[str]:
    done = subprocess.run(["tar", "--list", "--file", path], capture_output=True, text=True, check=True)
    return [Path(line).name for line in done.stdout.splitlines() if not line.endswith("/")]


@pytest.mark.parametrize("name", EDITIONS)
def test_tar_lists_the_clips_that_the_builder_planted(replica: Replica, name: str) -> None:
    edition = replica.editions[name]
    full = [key for key, clips in edition.held.items() if len(clips) > 1]
    assert len(full) >= 5
    for key in full:
        assert Counter(
            member for member in _members(replica.directory / key) if not member.startswith("._")
        ) == Counter(edition.held[key])


@pytest.mark.parametrize("name", EDITIONS)
def test_every_archive_of_the_lists_is_there_and_whole(replica: Replica, name: str) -> None:
    for split in SPLITS:
        spec = load_manifest(name).split(split)
        assert spec.list_url is not None
        assert spec.annotation is not None
        assert (replica.directory / spec.annotation.url.removeprefix(BASE)).stat().st_size > 0
        lines = (replica.directory / spec.list_url.removeprefix(BASE)).read_text().splitlines()
        keys = [line.removeprefix(BASE) for line in lines]
        assert set(keys) == {key for key in replica.editions[name].held if f"/{split}/" in key}
        for key in keys[:: max(len(keys) // 20, 1)]:
            with tarfile.open(replica.directory / key) as archive:
                held = [Path(member.name).name for member in archive if member.isfile()]
            assert {clip for clip in held if not clip.startswith("._")} == set(
                replica.editions[name].held[key]
            )


@pytest.mark.parametrize("name", EDITIONS)
def test_counts_add_up(replica: Replica, name: str) -> None:
    edition = replica.editions[name]
    for splits in (SPLITS, ("val",)):
        counts = edition.counts(*splits)
        unlisted, replaced = counts.pop("unlisted", 0), counts.pop("replaced", 0)
        assert sum(counts.values()) == sum(edition.listed[split] for split in splits)
        assert (unlisted > 0, replaced > 0) == (name == "k400" and "train" in splits,) * 2
        assert counts["ok"] > 3
    assert sum(edition.counts(split)["ok"] for split in SPLITS) == edition.counts()["ok"]


@pytest.mark.parametrize("name", EDITIONS)
def test_no_clip_is_held_that_the_manifest_says_was_never_hosted(replica: Replica, name: str) -> None:
    edition = replica.editions[name]
    for split in SPLITS:
        for absent in load_manifest(name).split(split).never_hosted:
            assert (split, f"{clip_stem(absent)}.mp4") not in edition.planted


def test_the_traps_are_in_their_real_places(replica: Replica) -> None:
    bucket = replica.directory
    with tarfile.open(bucket / "400/train/part_120.tar.gz", "r:") as plain:
        assert all(member.name.count("/") == 7 for member in plain)
    with tarfile.open(bucket / f"600/val/{CLIMBER}.tar.gz") as macos:
        names = macos.getnames()
    clips = [name for name in names if name.endswith(".mp4") and "/._" not in name]
    assert clips
    assert set(names) == {
        f"._{CLIMBER}",
        CLIMBER,
        *clips,
        *(clip.replace("/", "/._") for clip in clips),
    }
    with tarfile.open(bucket / "600/val/abseiling.tar.gz") as flat:
        assert all(name.startswith("./") and name.count("/") == 1 for name in flat.getnames())
    with tarfile.open(bucket / "700_2020/val/k700_val_171.tar.gz") as ranked:
        assert {name.partition("/")[0] for name in ranked.getnames()} == {"driving car"}
    assert b"\r\n" in (bucket / "700_2020/annotations/val.csv").read_bytes()
    assert b"\n \n" in (bucket / "600/annotations/val.txt").read_bytes()


def test_replacements_stand_for_what_the_builder_says(replica: Replica) -> None:
    edition = replica.editions["k400"]
    with tarfile.open(replica.directory / "400/replacement_for_corrupted_k400.tgz") as archive:
        mends = {Path(name).name for name in archive.getnames()}
    replaced = {name for (_, name), clip in edition.planted.items() if clip.replaced}
    assert len(mends - replaced) == 1  # the one that is broken itself
    assert replaced < mends
    hosted = {name for key, names in edition.held.items() if "/train/" in key for name in names}
    assert len(replaced - hosted) == 1
    left = [clip for (split, _), clip in edition.planted.items() if split == "train"]
    assert any(clip.verdict is Verdict.CORRUPT and not clip.replaced for clip in left)


def test_names_reach_a_server_encoded(replica: Replica) -> None:
    lines = (replica.directory / "600/val/k600_val_path.txt").read_text().splitlines()
    odd = [line for line in lines if set("'()") & set(line)]
    assert len(odd) >= 3  # a quote, brackets, blanks
    with serve(replica.directory) as server:
        for line in odd:
            url = encode_url(line).replace(BASE, server.url)
            done = subprocess.run(["curl", "-sf", url], capture_output=True, check=True)
            assert done.stdout == (replica.directory / line.removeprefix(BASE)).read_bytes()
    assert [request.key for request in server.asked()] == [line.removeprefix(BASE) for line in odd]


def test_nginx_logs_what_was_asked_and_its_etag_is_no_digest(replica: Replica, tmp_path: Path) -> None:
    key = "400/val/part_0.tar.gz"
    data = (replica.directory / key).read_bytes()
    part = tmp_path / "part"
    part.write_bytes(data[:1000])
    with serve(replica.directory) as server:
        head = subprocess.run(["curl", "-sI", server.url + key], capture_output=True, text=True, check=True)
        subprocess.run(["curl", "-sf", "-C", "-", "-o", part, server.url + key], check=True)
    assert "ETag:" in head.stdout
    assert hashlib.md5(data).hexdigest() not in head.stdout
    assert part.read_bytes() == data
    looked, resumed = server.asked()
    assert (looked.method, looked.status, looked.sent) == ("HEAD", 200, 0)
    assert (resumed.range, resumed.status, resumed.sent) == ("bytes=1000-", 206, len(data) - 1000)


def test_rendered_clips_are_what_they_are_planted_as(tmp_path: Path) -> None:
    stock = made_stock()
    causes: set[Cause | None] = set()
    for sample in (*stock.good, *stock.bad, stock.tiny):
        path = tmp_path / sample.name
        path.write_bytes(sample.film("stamped"))
        found = inspect(CheckTask(str(path), sample.name, Expectation(10), Level.DECODE)).judgement
        planted = sample.planted(10)
        assert (found.verdict, found.cause) == (planted.verdict, planted.cause), sample.name
        causes.add(found.cause)
    assert len(causes) == 6


def test_classes_told_by_archives_are_the_clips(replica: Replica) -> None:
    edition = replica.editions["k700-2020"]
    for name in edition.held["700_2020/val/k700_val_171.tar.gz"]:
        assert edition.labels["val", name] == "driving car"
    assert {edition.labels["test", name] for name in edition.held["700_2020/test/k700_test_001.tar.gz"]} == {
        None
    }
