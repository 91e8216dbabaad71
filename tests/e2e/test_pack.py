"""``kdl pack``: shards that WebDataset reads, the same in every run, gone on with after a kill."""

from __future__ import annotations

import io
import json
import signal
import subprocess
import tarfile
import time
import warnings
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.hosted import Hosted
from tests.e2e.running import KDL, clips, kdl, tree

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import webdataset

SMALL = ("--shard-size", "300K")


@pytest.fixture
def mirror(demo: Hosted, tmp_path: Path) -> Path:
    return demo.copy(tmp_path)


def pack(demo: Hosted, mirror: Path, *arguments: object) -> dict[str, Any]:
    done = demo.run("pack", mirror.parent, "--json", *arguments)
    assert done.code == 0, done.out
    packed: dict[str, Any] = done.result["packed"]
    return packed


def samples(*shards: Path) -> Iterator[dict[str, Any]]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield from webdataset.WebDataset([str(shard) for shard in shards], shardshuffle=False)


def test_webdataset_reads_what_the_mirror_holds(demo: Hosted, mirror: Path) -> None:
    packed = pack(demo, mirror, *SMALL)
    rows = {
        Path(row["path"]).stem: row
        for row in clips(demo.dataset, mirror.parent).values()
        if row["verdict"] in ("ok", "short") and row["path"]
    }
    seen = {}
    for split in ("train", "val", "test"):
        shards = sorted((mirror / "packs" / "videos").glob(f"{split}-*.tar"))
        assert len(shards) == packed[split]["shards"] >= (2 if split == "train" else 1)
        alone = {shard for shard in shards if len(list(samples(shard))) == 1}
        assert all(shard.stat().st_size <= 300_000 for shard in {*shards} - alone)
        assert len(alone) < len(shards)
        for sample in samples(*shards):
            seen[sample["__key__"]] = sample
            row, about = rows[sample["__key__"]], json.loads(sample["json"])
            assert sample["mp4"] == (mirror / row["path"]).read_bytes()
            assert (about["split"], about["sha256"]) == (split, row["sha256"])
            assert ("cls" in sample) == (row["label"] != "") == ("label" in about)
            if "cls" in sample:
                assert int(sample["cls"]) == about["class"]
                assert about["label"] == row["label"]
    assert seen.keys() == rows.keys()


def test_the_same_bytes_and_nothing_written_twice(demo: Hosted, mirror: Path) -> None:
    first = pack(demo, mirror, *SMALL)
    before = tree(mirror / "packs")
    assert pack(demo, mirror, *SMALL) == {split: counts | {"written": 0} for split, counts in first.items()}
    again = pack(demo, mirror, *SMALL, "--out", mirror.parent / "elsewhere")
    assert again == first
    assert tree(mirror.parent / "elsewhere") == before
    larger = pack(demo, mirror, "--shard-size", "1G", "--split", "train,val")
    assert {split: counts["shards"] for split, counts in larger.items()} == {"train": 1, "val": 1}
    names = {Path(name).name for name in tree(mirror / "packs") if name.endswith(".tar")}
    assert {name for name in names if not name.startswith("test")} == {"train-000000.tar", "val-000000.tar"}


def test_a_lost_a_damaged_and_an_outdated_shard(demo: Hosted, mirror: Path) -> None:
    pack(demo, mirror, *SMALL, "--split", "train")
    before = tree(mirror / "packs")
    shards = sorted((mirror / "packs" / "videos").glob("train-*.tar"))
    shards[0].unlink()
    shards[1].write_bytes(b"")
    assert pack(demo, mirror, *SMALL, "--split", "train")["train"]["written"] == 2
    assert tree(mirror / "packs") == before


def test_a_killed_run_goes_on(demo: Hosted, mirror: Path) -> None:
    whole = mirror.parent / "whole"
    counts = pack(demo, mirror, *SMALL, "--out", whole)
    command = [*KDL, "pack", demo.dataset, "--root", mirror.parent, *SMALL, "--quiet"]
    folder = mirror / "packs" / "videos"
    with subprocess.Popen([*map(str, command)], stdout=subprocess.DEVNULL) as run:
        limit = time.monotonic() + 60
        while run.poll() is None and not list(folder.glob("*-000000.tar")) and time.monotonic() < limit:
            time.sleep(0.001)
        run.send_signal(signal.SIGKILL)
    known = sum(len(index.read_text().splitlines()) for index in folder.glob("*.jsonl"))
    packed = pack(demo, mirror, *SMALL)
    assert sum(each["written"] for each in packed.values()) == (
        sum(each["shards"] for each in counts.values()) - known
    )
    assert tree(mirror / "packs") == tree(whole)


def test_derivatives(demo: Hosted, mirror: Path) -> None:
    derive = ("--recipe", "256p", "--recipe", "frames-32", "--split", "val")
    demo.run("derive", mirror.parent, *derive)
    packed = pack(demo, mirror, "--recipe", "frames-32", "--split", "val")
    for sample in samples(mirror / "packs" / "frames-32" / "val-000000.tar"):
        assert {"zip", "cls", "json"} <= sample.keys()
        with zipfile.ZipFile(io.BytesIO(sample["zip"])) as pictures:
            assert len(pictures.namelist()) == 32
    pack(demo, mirror, "--recipe", "256p", "--split", "val")
    with tarfile.open(mirror / "packs" / "256p" / "val-000000.tar") as tar:
        names = tar.getnames()
    assert len(names) == 3 * packed["val"]["clips"]
    assert [name.partition(".")[2] for name in names[:3]] == ["mp4", "cls", "json"]


def test_what_can_not_be_packed(demo: Hosted, mirror: Path) -> None:
    folders = demo.run("pack", mirror.parent, "--json", "--recipe", "rawframes-256")
    assert (folders.code, folders.kinds()) == (2, {"usage"})
    assert "rawframes-256-zip" in folders.out
    nothing = demo.run("pack", mirror.parent, "--json", "--recipe", "320p")
    assert (nothing.code, nothing.kinds()) == (1, {"nothing_to_pack"})
    assert demo.run("pack", mirror.parent, "--json", "--split", "trian").code == 2
    next((mirror / "videos" / "val").rglob("*.mp4")).unlink()
    lost = demo.run("pack", mirror.parent, "--json", "--split", "val")
    assert (lost.code, lost.kinds()) == (1, {"not_packed"})
    assert kdl("pack", demo.dataset, "--root", mirror.parent / "nowhere").code == 3


def test_a_failure_is_tried_again_when_asked(demo: Hosted, mirror: Path) -> None:
    """A flow of one step more than any clip has frames."""
    own = mirror.parent / "own.toml"
    text = '[flow]\nkind = "flow"\ndoc = "far"\nbytes_per_clip = 1\nalgorithm = "dis"\nstep = 1000\n'
    own.write_text(text)
    derive = ("--json", "--recipe", f"{own}:flow", "--split", "val")
    failed = demo.run("derive", mirror.parent, *derive)
    counts = failed.result["derived"]["flow"]
    assert (failed.code, counts["done"], counts["failed"] > 0) == (1, 0, True)
    details = {finding["detail"] for finding in failed.result["findings"]}
    assert all("has no flow over 1000" in detail for detail in details)
    assert demo.run("derive", mirror.parent, *derive, "--retry-failed").result["derived"]["flow"] == counts
    own.write_text(text.replace("1000", "1"))
    assert demo.run("derive", mirror.parent, *derive).result["derived"]["flow"]["failed"] == 0
