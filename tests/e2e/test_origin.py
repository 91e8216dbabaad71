"""A lab's mirror as an origin: exported, served, and mirrored from by others, as its lists have it."""

from __future__ import annotations

import json
import os
import sqlite3
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

import kdl
from kdl.values import RunSummary
from tests.e2e.hosted import Hosted
from tests.e2e.killing import start
from tests.e2e.running import Ran, clips, tree
from tests.e2e.running import kdl as run_kdl
from tests.replica import nginx
from tests.replica.nginx import Nginx

_ROTTEN = "videos/val/abseiling/valClip_0_a_000000_000003.mp4"
_GONE = "videos/val/driving_car/valClip_1_b_000010_000013.mp4"
_MANIFEST = """name = "loose"
title = "Loose"
labels = ["a", "b"]
hosts = { h = "https://loose.invalid/" }

[[split]]
name = "train"
class_from = "annotation"
list = "list.txt"
annotation = { url = "train.csv", format = "csv" }"""
_AGREED = ("verdict", "cause", "sha256", "replaced", "origin")


@dataclass(frozen=True)
class Lab:
    """A finished mirror's origin on a server, and a mirror that was made from it."""

    demo: Hosted
    folder: Path
    server: Nginx
    root: Path
    first: Ran
    second: Ran
    after_first: int
    after_second: int
    """Requests by then."""

    @property
    def mirrored(self) -> Path:
        assert self.demo.mirrored is not None
        return self.demo.mirrored

    def mirror(self, root: Path) -> Ran:
        return run_kdl("mirror", self.demo.dataset, "--root", root, "--json", "--origin", self.server.url)

    def copy(self, root: Path) -> Path:
        """The mirror once more, whose clips may be deleted."""
        root.mkdir()
        subprocess.run(["cp", "-a", self.root / "demo", root], check=True)
        return root / "demo"

    def got(self, since: int, until: int | None = None) -> list[str]:
        """The clips that were asked for, between two numbers of requests."""
        asked = [row for row in self.server.asked()[since:until] if row.key.endswith(".mp4")]
        assert {row.method for row in asked} <= {"GET"}, "the lists tell the sizes"
        return sorted(row.key for row in asked)


@pytest.fixture(scope="module")
def lab(demo: Hosted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Lab]:
    assert demo.mirrored is not None
    folder, root = tmp_path_factory.mktemp("origin"), tmp_path_factory.mktemp("theirs")
    kdl.export(demo.dataset, folder, root=demo.mirrored, format="origin")
    with nginx.serve(folder) as server:
        command = ("mirror", demo.dataset, "--root", root, "--origin", server.url, "--json")
        first = run_kdl(*command)
        after_first = len(server.asked())
        second = run_kdl(*command)
        yield Lab(demo, folder, server, root, first, second, after_first, len(server.asked()))


def _rows(root: Path, sql: str) -> list[tuple[Any, ...]]:
    with closing(sqlite3.connect(root / "demo/.kdl/ledger.db")) as ledger:
        return ledger.execute(sql).fetchall()


def test_the_mirror_is_the_labs(lab: Lab) -> None:
    assert lab.first.code == 0, lab.first.err
    here, there = tree(lab.root / "demo"), tree(lab.mirrored / "demo")
    shown = ("videos/", "unlisted/", "lists/", "annotations/")
    for name in here.keys() | there.keys():
        if name.startswith(shown) and not name.startswith("lists/videomae"):  # these hold the root's path
            assert here.get(name) == there.get(name), name


def test_its_clips_are_judged_alike(lab: Lab) -> None:
    """What is corrupt at the lab, and has no replacement, nobody hosts for those who come after."""
    theirs, ours = clips(lab.demo.dataset, lab.root), clips(lab.demo.dataset, lab.mirrored)
    assert theirs.keys() == ours.keys()
    for key, row in ours.items():
        corrupt = row["verdict"] == "corrupt"
        assert theirs[key]["verdict"] == ("never_hosted" if corrupt else row["verdict"]), key
        if not corrupt:
            told = {name: theirs[key].get(name) for name in _AGREED}
            assert told == {name: row.get(name) for name in _AGREED}
    assert {row["verdict"] for row in theirs.values()} == {"ok", "short", "unlisted", "never_hosted"}
    assert lab.first.result["clips"]["replaced"] == 4


def test_every_clip_was_held_against_its_list(lab: Lab) -> None:
    rows = _rows(lab.root, "SELECT url, state, proof, clips FROM objects WHERE kind = 'shard'")
    assert len(rows) == 10
    assert all(url.endswith("/?bundle=0") for url, *_ in rows)
    assert {(state, proof) for _, state, proof, _ in rows} == {("done", "listed")}
    listed = [line for path in lab.folder.glob("demo/*/*.txt") for line in path.read_text().splitlines()]
    assert sum(row[3] for row in rows) == len(listed) == len(lab.got(0, lab.after_first))


def test_the_second_run_fetches_nothing(lab: Lab) -> None:
    assert lab.second.code == 0
    assert lab.second.result["shards"] == {"done": 0, "failed": 0, "skipped": 10}
    first = lab.got(0, lab.after_first)
    assert len(first) == len(set(first))
    keys = {row.key for row in lab.server.asked()[lab.after_first : lab.after_second]}
    assert not any(key.endswith((".mp4", ".tgz")) for key in keys)


def test_a_clip_that_was_deleted_comes_alone(lab: Lab, tmp_path: Path) -> None:
    base = lab.copy(tmp_path / "root")
    (base / _GONE).unlink()
    plan = kdl.plan(lab.demo.dataset, root=tmp_path / "root", origins=lab.server.url)
    (item,) = [item for item in plan.objects if item.state == "fetch"]
    size = (lab.folder / _GONE).stat().st_size
    assert size < (item.bytes or 0) < size + 4096
    before = len(lab.server.asked())
    done = kdl.fetch_only(lab.demo.dataset, root=tmp_path / "root", origins=lab.server.url)
    assert done.exit_code == 0, done.findings
    assert lab.got(before) == [_GONE]
    assert tree(base / "videos") == tree(lab.root / "demo/videos")


def test_a_repair_asks_for_the_clips_own_files(lab: Lab, tmp_path: Path) -> None:
    """One has gone, one has rotted; the bytes of no other clip are asked for."""
    base = lab.copy(tmp_path / "root")
    (base / _GONE).unlink()
    _flip(base / _ROTTEN)
    (base / _ROTTEN).touch()
    root, origins = tmp_path / "root", lab.server.url
    plan = kdl.plan_repair(lab.demo.dataset, root=root, origins=origins)
    sizes = [(lab.folder / name).stat().st_size for name in (_GONE, _ROTTEN)]
    assert (plan.by_way["file"], plan.bytes) == (2, sum(sizes))
    before = len(lab.server.asked())
    done = run_kdl("repair", lab.demo.dataset, "--root", root, "--origin", origins, "--json")
    assert (done.code, done.result["by_way"]["file"]) == (0, 2), done.err
    assert sum(sizes) < done.result["bytes"]["fetched"] < sum(sizes) + 8192
    assert lab.got(before) == sorted((_GONE, _ROTTEN))
    assert tree(base / "videos") == tree(lab.root / "demo/videos")


def test_what_is_rotten_or_gone_at_the_origin_costs_itself_alone(lab: Lab, tmp_path: Path) -> None:
    """It is named, and comes with the next run once it is whole there. The dead origin costs nothing."""
    origin, root = tmp_path / "origin", tmp_path / "root"
    subprocess.run(["cp", "-al", lab.folder, origin], check=True)
    _flip(origin / _ROTTEN)
    (origin / _GONE).unlink()

    def fetch() -> RunSummary:
        origins = ("http://127.0.0.1:9/", str(origin))
        return kdl.fetch_only(lab.demo.dataset, root=root, splits="val", origins=origins, tries=2)

    done = fetch()
    assert done.exit_code == 4
    named = {f.subject: f.detail for f in done.findings if f.kind == "object_failed"}
    assert {subject.removeprefix(f"{origin.as_uri()}/") for subject in named} == {_ROTTEN, _GONE}
    assert "digest" in named[f"{origin.as_uri()}/{_ROTTEN}"]
    offered = {name: sha for name, sha in tree(lab.folder).items() if name.startswith("videos/val/")}
    assert tree(root / "demo/videos") == {
        name.removeprefix("videos/"): sha for name, sha in offered.items() if name not in (_ROTTEN, _GONE)
    }
    assert done.extra["clips"]["pending"] == 3  # the third is corrupt at the lab

    for name in (_ROTTEN, _GONE):
        (origin / name).unlink(missing_ok=True)
        os.link(lab.folder / name, origin / name)
    done = fetch()
    assert done.exit_code == 0, done.findings
    assert done.extra["shards"] == {"done": 2, "failed": 0, "skipped": 2}
    assert {f"videos/{name}": sha for name, sha in tree(root / "demo/videos").items()} == offered
    assert done.extra["clips"]["never_hosted"] == 1


def test_a_class_or_some_bundles_may_be_chosen(lab: Lab, tmp_path: Path) -> None:
    def planned(**choice: Any) -> list[str]:
        plan = kdl.plan(lab.demo.dataset, root=tmp_path, origins=str(lab.folder), **choice)
        return [f"{item.split}/{item.name}" for item in plan.objects]

    assert planned(classes="driving car", splits="val") == ["val/driving_car.tar"]
    assert planned(limit=2, splits="val") == ["val/abseiling.tar", "val/driving_car.tar"]
    assert planned(shards="tying*", splits="val") == ["val/tying_knot_(not_on_a_tie).tar"]
    assert list(tmp_path.iterdir()) == []


@pytest.mark.long
def test_a_report_and_a_lost_ledger_bear_bundles(lab: Lab, tmp_path: Path) -> None:
    """Adopting what is here gives the ledger back, and a mirror then has nothing to fetch."""
    base, root = lab.copy(tmp_path / "root"), tmp_path / "root"
    assert kdl.write_report(lab.demo.dataset, root=root).extra["headline"].startswith("Sound")
    for name in ("ledger.db", "ledger.db-wal", "ledger.db-shm"):
        (base / ".kdl" / name).unlink(missing_ok=True)
    adopted = run_kdl("adopt", lab.demo.dataset, "--root", root, "--json")
    assert adopted.code == 0, adopted.err
    assert {each["shards_to_fetch"] for each in adopted.result["outlook"].values()} == {0}
    before = len(lab.server.asked())
    done = lab.mirror(root)
    assert done.code == 0, done.err
    assert lab.got(before) == []
    assert json.loads(done.out)["clips"] == lab.second.result["clips"]


def _flip(path: Path) -> None:
    """One bit of a file that has other names as well: they keep their bytes, and it its time."""
    stat, data = path.stat(), bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.unlink()
    path.write_bytes(data)
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns))


@pytest.fixture
def loose(tmp_path: Path) -> Path:
    """A folder in place of a host whose list names clips of two classes in one folder, and no sizes."""
    (tmp_path / "host/clips").mkdir(parents=True)
    rows = [f"{'abcd'[n % 2]},clip{n:07d},0,10,train\n" for n in range(6)]
    (tmp_path / "host/train.csv").write_text("".join(["label,youtube_id,time_start,time_end,split\n", *rows]))
    (tmp_path / "loose.toml").write_text(_MANIFEST)
    _host(tmp_path, 0, 4)
    return tmp_path


def _host(folder: Path, *numbers: int) -> None:
    """So many clips more, in an order of no meaning."""
    names = [f"clip{n:07d}_000000_000010.mp4" for n in range(*numbers)]
    for name in names:
        (folder / "host/clips" / name).write_bytes(name.encode() * 1000)
    with (folder / "host/list.txt").open("a") as out:
        out.writelines(f"https://loose.invalid/clips/{name}\n" for name in reversed(names))


def test_of_a_list_that_grows_only_what_is_new_comes(loose: Path) -> None:
    data: dict[str, Any] = {"root": loose / "root", "origins": str(loose / "host")}

    def brought(**choice: Any) -> tuple[int, int]:
        done = kdl.fetch_only(loose / "loose.toml", **data, **choice)
        assert done.exit_code == 0, done.findings
        return len(list((loose / "root/loose/videos").rglob("*.mp4"))), done.extra["shards"]["skipped"]

    (item,) = kdl.plan(loose / "loose.toml", **data).objects
    assert (item.name, item.state, item.bytes) == ("clips.tar", "fetch", None)
    assert brought(classes="b") == (2, 0)
    assert brought(classes="b") == (2, 1), "the other class is not wanted"
    assert brought() == (4, 0)
    assert brought() == (4, 1)
    _host(loose, 4, 6)
    plan = kdl.plan(loose / "loose.toml", **data)
    assert [item.state for item in plan.objects] == ["fetch"]
    before = {path: path.stat().st_mtime_ns for path in (loose / "root").rglob("*.mp4")}
    assert brought() == (6, 0)
    assert {path: path.stat().st_mtime_ns for path in before} == before
    with closing(sqlite3.connect(loose / "root/loose/.kdl/ledger.db")) as ledger:
        assert ledger.execute("SELECT state, proof FROM objects WHERE kind = 'shard'").fetchall() == [
            ("done", "none")
        ]


@pytest.mark.long
def test_a_run_that_is_killed_goes_on_with_the_clip_it_was_at(tmp_path: Path) -> None:
    """A bundle that stays the same has a spool like an archive; what had come is not asked for again."""
    names = [f"clip{n:07d}_000000_000010.mp4" for n in range(12)]
    served, root = tmp_path / "served", tmp_path / "root"
    (served / "clips").mkdir(parents=True)
    for name in names:
        (served / "clips" / name).write_bytes(name.encode() * 20_000)
    lines = [f"https://loose.invalid/clips/{name}\t{len(name) * 20_000}\t-\n" for name in names]
    (served / "list.txt").write_text("".join(lines))
    rows = [f"a,{name[:11]},0,10,train\n" for name in names]
    (served / "train.csv").write_text("".join(["label,youtube_id,time_start,time_end,split\n", *rows]))
    (tmp_path / "loose.toml").write_text(_MANIFEST)
    words = ("fetch", tmp_path / "loose.toml", "--root", root)
    spool = root / "loose/.kdl/spool"
    with nginx.serve(served, limit_rate=300_000) as slow:
        live = start(tmp_path / "log", *words, "--origin", slow.url)
        until = time.monotonic() + 60
        while sum(path.stat().st_size for path in spool.glob("*.part")) < 2_000_000:
            assert time.monotonic() < until
            time.sleep(0.05)
        live.kill()
        live.gone(10)
    with nginx.serve(served) as server:
        done = run_kdl(*words, "--origin", server.url, "--json")
        asked = {row.key for row in server.asked() if row.key.endswith(".mp4")}
    assert done.code == 0, done.err
    assert len(tree(root / "loose/videos")) == len(names)
    assert asked == {f"clips/{name}" for name in names[-len(asked) :]}
    assert len(asked) < len(names) - 2
