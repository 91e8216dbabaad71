"""``kdl mirror k400-torrent`` with a seeder on this machine; the manifest is the one that ships."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import kdl
from kdl.errors import UsageError
from kdl.jobs.demo_clips import stamp
from kdl.resources import shipped
from tests.e2e.paddle import films
from tests.e2e.running import KDL, Ran
from tests.e2e.running import kdl as run_kdl
from tests.fetch.torrents import Swarm, Torrent, fill, free_ports, make_torrent, tracked

INFOHASH = "184d11318372f70018cf9a72ef867e2fb9ce1d26"
TRAIN = {
    "abseiling/-train_one_": ("_000005_000008", ".mp4"),
    "abseiling/train_two__": ("_000000_000003", ".mkv"),
    "zumba/train_three": ("_000010_000013", ".mp4"),
}
VAL = {"abseiling/val_mp4_-_-": ".mp4", "abseiling/val_webm_--": ".webm"}
"""Their names carry no times."""
ABSENT = "zumba/val_absent-"
"""Annotated, and not in the torrent."""


@dataclass(frozen=True)
class Setting:
    """A swarm, and the manifest by which it is found."""

    swarm: Swarm
    torrent: Torrent
    manifest: Path

    def command(self, root: Path, *arguments: object) -> list[str]:
        ports = ("--listen-ports", free_ports(), "--discovery", "none", "--stall", 20)
        told = ("mirror", self.manifest, "--root", root, "--json", *ports, *arguments)
        return [str(word) for word in told]

    def run(self, root: Path, *arguments: object) -> Ran:
        return run_kdl(*self.command(root, *arguments))

    def held(self, root: Path) -> set[str]:
        """The torrent's files that are still in the mirror's own folder."""
        top = root / "k400-torrent" / ".kdl" / "torrent"
        return {path.name for path in top.rglob("*") if path.is_file() and "_256" in str(path)}


@pytest.fixture(scope="module")
def setting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Setting]:
    tmp = tmp_path_factory.mktemp("swarm")
    torrent = make_torrent(_seed(tmp), tmp / "k400.torrent")
    with tracked(torrent, tmp) as swarm:
        tracker = dict(swarm.options.hints)[torrent.infohash].trackers[0]
        yield Setting(swarm, torrent, _manifest(tmp, torrent, tracker))


def _seed(tmp: Path) -> Path:
    made = films(tmp)
    files = {f"train_256/{name}{times}{ext}": (name, ext) for name, (times, ext) in TRAIN.items()}
    files |= {f"val_256/{name}{ext}": (name, ext) for name, ext in VAL.items()}
    bodies = {
        path: stamp(made[ext], name) if ext == ".mp4" else made[ext] for path, (name, ext) in files.items()
    }
    return fill(tmp / "seed" / "kinetics400", bodies)


def _manifest(tmp: Path, torrent: Torrent, tracker: str) -> Path:
    """The one that ships, of another torrent and with the annotations of a folder."""
    text = shipped("k400-torrent.toml").read_text()
    text = re.sub(r"^file = .*\n", "", text.replace(INFOHASH, torrent.infohash), flags=re.MULTILINE)
    text = re.sub(r"trackers = \[[^\]]*\]", f'trackers = ["{tracker}"]', text)
    text = re.sub(r'cvdf = ".*"', f'cvdf = "{(tmp / "cvdf").as_uri()}/"', text)
    shutil.copytree(shipped("labels"), tmp / "labels")
    notes = {"train": "label,youtube_id,time_start,time_end,split\n"}
    notes["val"] = notes["train"]
    for name, (times, _) in TRAIN.items():
        label, _, key = name.partition("/")
        _, start, end = times.split("_")
        notes["train"] += f"{label},{key},{int(start)},{int(end)},train\n"
    for name in (*VAL, ABSENT):
        label, _, key = name.partition("/")
        notes["val"] += f"{label},{key},7,10,val\n"
    fill(tmp / "cvdf", {f"400/annotations/{split}.csv": rows.encode() for split, rows in notes.items()})
    path = tmp / "k400-torrent.toml"
    path.write_text(text)
    return path


def videos(root: Path) -> set[str]:
    top = root / "k400-torrent" / "videos"
    return {path.relative_to(top).as_posix() for path in top.rglob("*") if path.is_file()}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def mirrored(setting: Setting, root: Path) -> Ran:
    done = setting.run(root, "--torrent", setting.torrent.file)
    assert done.code == 0, done.err + done.out
    return done


def test_clips_of_every_extension_are_held_against_the_annotations(
    setting: Setting, mirrored: Ran, root: Path
) -> None:
    names = {f"train/{name}{times}{ext}" for name, (times, ext) in TRAIN.items()}
    assert videos(root) == names | {f"val/{name}{ext}" for name, ext in VAL.items()}
    counted = mirrored.result["clips"]
    assert (counted["ok"], counted["never_hosted"]) == (len(TRAIN) + len(VAL), 1)
    with kdl.open(root / "k400-torrent") as mirror:
        rows = {clip.key.youtube_id: clip for clip in mirror.clips()}
    assert (rows["val_webm_--"].key.start, rows["val_webm_--"].label) == (7, "abseiling")


def test_what_the_torrent_brought_is_given_up_once_it_is_on_record(
    setting: Setting, mirrored: Ran, root: Path
) -> None:
    assert setting.held(root) == set()
    assert list((root / "k400-torrent" / ".kdl" / "spool").iterdir()) == []


@pytest.mark.long
def test_a_class_alone_is_fetched_alone(setting: Setting, tmp_path: Path) -> None:
    plan = setting.run(tmp_path, "--class", "zumba", "--dry-run")
    assert plan.code == 0, plan.err
    assert not (tmp_path / "k400-torrent").exists()
    done = setting.run(tmp_path, "--class", "zumba")
    assert done.code == 0, done.err
    assert videos(tmp_path) == {"train/zumba/train_three_000010_000013.mp4"}
    size = (setting.torrent.folder / "train_256/zumba/train_three_000010_000013.mp4").stat().st_size
    assert done.result["bytes"]["fetched"] < size + 4096


@pytest.mark.long
def test_a_second_run_fetches_nothing_and_a_lost_clip_comes_back(
    setting: Setting, mirrored: Ran, root: Path
) -> None:
    again = setting.run(root)
    assert (again.code, again.result["bytes"]["fetched"]) == (0, 0)
    lost = root / "k400-torrent" / "videos" / "val" / "abseiling" / "val_webm_--.webm"
    lost.unlink()
    done = setting.run(root)
    assert done.code == 0, done.err
    assert lost.is_file()
    lost.unlink()
    mended = run_kdl("repair", setting.manifest, "--root", root, "--json")
    assert mended.code == 0, mended.err
    assert lost.is_file()
    assert setting.held(root) == set()


@pytest.mark.long
def test_on_a_cluster_this_machine_fetches_it(setting: Setting, tmp_path: Path) -> None:
    done = setting.run(tmp_path, "--split", "val", "--executor", "dask:local", "--workers", 1)
    assert done.code == 0, done.err
    assert len(videos(tmp_path)) == len(VAL)
    assert setting.held(tmp_path) == set()


@pytest.mark.long
def test_what_is_seeded_stays(setting: Setting, tmp_path: Path) -> None:
    done = setting.run(tmp_path, "--split", "val", "--seed-time", 0.02, "--log-json", tmp_path / "log")
    assert done.code == 0, done.err
    assert "gives what is here to others" in (tmp_path / "log").read_text()
    assert {"val_mp4_-_-.mp4", "val_webm_--.webm"} <= setting.held(tmp_path)
    assert len(videos(tmp_path)) == len(VAL)


@pytest.mark.long
def test_a_killed_run_leaves_no_aria2_and_goes_on(setting: Setting, tmp_path: Path) -> None:
    running = subprocess.Popen(
        [*KDL, *setting.command(tmp_path, "--limit-rate", "20K")],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    log = tmp_path / "k400-torrent" / ".kdl" / "torrent" / "aria2.log"
    until = time.monotonic() + 60
    while not setting.held(tmp_path) and time.monotonic() < until:
        time.sleep(0.05)
    children = _children(running.pid)
    assert log.is_file()
    assert children
    running.send_signal(signal.SIGKILL)
    running.wait()
    while any(Path(f"/proc/{pid}").exists() for pid in children) and time.monotonic() < until:
        time.sleep(0.05)
    assert not any(Path(f"/proc/{pid}").exists() for pid in children)
    done = setting.run(tmp_path)
    assert done.code == 0, done.err
    assert len(videos(tmp_path)) == len(TRAIN) + len(VAL)


def _children(pid: int) -> list[int]:
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(word) for word in found.split() if "aria2c" in os.readlink(f"/proc/{word}/exe")]


@pytest.mark.long
def test_without_a_seeder_it_is_given_up_with_words(setting: Setting, tmp_path: Path) -> None:
    options = ("--torrent", setting.torrent.file, "--stall", 1, "--tries", 1, "--split", "val")
    manifest = tmp_path / "m" / "k400-torrent.toml"
    shutil.copytree(setting.manifest.parent / "labels", tmp_path / "m" / "labels")
    manifest.write_text(re.sub(r"trackers = .*", "", setting.manifest.read_text()))
    done = Setting(setting.swarm, setting.torrent, manifest).run(tmp_path, *options)
    assert done.code == 4
    found = [finding for finding in done.result["findings"] if "no peer was found" in finding["detail"]]
    assert found
    assert "firewall" in found[0]["fix"]


def test_wrong_moves(setting: Setting, tmp_path: Path) -> None:
    for dataset, options, words in (
        ("k400", {"torrent": setting.torrent.file}, "comes from no torrent"),
        (setting.manifest, {"torrent": tmp_path / "none.torrent"}, "no such file"),
        (setting.manifest, {"listen_ports": "80"}, "no ports"),
        (setting.manifest, {"listen_ports": "7000-6000"}, "no ports"),
        (setting.manifest, {"discovery": "gossip"}, "no such way"),
        (setting.manifest, {"dht_entry": "nowhere"}, "HOST:PORT"),
        (setting.manifest, {"seed_ratio": -1.0}, "at the least 0"),
    ):
        with pytest.raises(UsageError, match=words):
            kdl.mirror(dataset, root=tmp_path, **options)
    assert list(tmp_path.iterdir()) == []
