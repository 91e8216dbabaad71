"""Which clips a night looks at, how a run is cut short, and what else it looks at than clips."""

from __future__ import annotations

import asyncio
import errno
import json
import os
import shutil
import signal
import sqlite3
import subprocess
import time
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from kdl.events import Bus
from kdl.jobs.options import Choice
from kdl.jobs.verify import verify
from kdl.jobs.verify_options import VerifyOptions, parse_subset
from kdl.values import Level, RunSummary
from tests.e2e.faulty import Faults
from tests.e2e.hosted import Hosted
from tests.e2e.running import KDL, kdl

CORRUPT = 3
FILED = 38
"""Clips of the demo that have a file, the corrupt ones included."""
CLIP = "videos/train/abseiling/CaseMatters_000005_000008.mp4"
VAL = ("--split", "val", "--class", "abseiling")
ABSEILING = Choice(splits=("val",), classes=("abseiling",))


@pytest.fixture(scope="module")
def root(demo: Hosted, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A mirror for tests that look and change nothing on the disk."""
    root = tmp_path_factory.mktemp("turns")
    demo.copy(root)
    return root


async def look(demo: Hosted, root: Path, **options: Any) -> RunSummary:
    """The verb without its command line, which is started often enough elsewhere."""
    return await verify(VerifyOptions(demo.dataset, root, **options), Bus())


async def looked_at(demo: Hosted, root: Path, **options: Any) -> list[str]:
    """The sound clips that a run looks at."""
    lines = root / "combined"
    done = await look(demo, root, combined=lines, **options)
    assert done.exit_code in (0, 1), done
    paths = [line[2:] for line in lines.read_text().splitlines()]
    assert done.extra["checked"] == len(paths)
    return [path for path in paths if not path.startswith(".kdl/")]


def kinds(done: RunSummary) -> set[str]:
    return {finding.kind for finding in done.findings}


async def test_seven_nights_look_at_every_clip_once(demo: Hosted, root: Path) -> None:
    seventh = parse_subset("1/7")
    nights = [await looked_at(demo, root, level=Level.STAT, subset=seventh) for _ in range(7)]
    seen = Counter(path for night in nights for path in night)
    assert set(seen.values()) == {1}
    assert len(seen) == FILED - CORRUPT
    assert max(map(len, nights)) < FILED / 2
    assert sorted(await looked_at(demo, root, level=Level.STAT, subset=seventh)) == sorted(nights[0])


async def test_parts_may_be_named_one_by_one(demo: Hosted, root: Path) -> None:
    nights = [await looked_at(demo, root, subset=parse_subset(f"{part}/3")) for part in (2, 3, 1)]
    assert len(set().union(*nights)) == sum(map(len, nights)) == FILED - CORRUPT


async def test_ages_and_selections(demo: Hosted, root: Path) -> None:
    everything = await looked_at(demo, root)
    assert len(everything) == FILED - CORRUPT
    assert await looked_at(demo, root, max_age_s=3600) == []
    # The mirror's own look was as deep as this:
    assert await looked_at(demo, root, level=Level.PROBE, max_age_s=86_400) == []
    test = [path for path in everything if path.startswith("videos/test/")]
    chosen = Choice(splits=("test",))
    few = await looked_at(demo, root, choice=chosen, since=1.0, subset=parse_subset("2K"))
    assert len(few) == 1
    assert set(few) < set(test)
    assert await looked_at(demo, root, choice=chosen, since=time.time()) == []


def stopped(demo: Hosted, root: Path) -> dict[str, Any]:
    """What a slow run tells that gets a Ctrl-C once it has seen some."""
    options = ("--root", root, "--limit-rate", "100K", "--subset", "1/2", "--json", "--workers", 1)
    command = [*KDL, "verify", demo.dataset, *map(str, options)]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stdin=subprocess.DEVNULL)
    try:
        until = time.monotonic() + 60
        while not checked(root / "demo"):
            assert time.monotonic() < until
            time.sleep(0.05)
        running.send_signal(signal.SIGINT)
        out, _ = running.communicate(timeout=60)
    finally:
        running.kill()
    result: dict[str, Any] = json.loads(out)
    assert running.returncode == result["exit_code"]
    return result


async def test_a_run_that_is_stopped_has_recorded_what_it_saw(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    result = await asyncio.to_thread(stopped, demo, tmp_path)
    assert result["exit_code"] == 130
    assert {f["kind"] for f in result["findings"]} == {"interrupted", "corrupt_clip"}
    sound = checked(base)
    assert 0 < result["checked"] <= len(sound) + CORRUPT
    # The same part goes on where it was, and what was seen is not seen again.
    rest, other = [set(await looked_at(demo, tmp_path, subset=parse_subset("1/2"))) for _ in range(2)]
    assert rest
    assert other
    assert not sound & rest
    assert not (sound | rest) & other
    assert len(sound | rest | other) == FILED - CORRUPT


def checked(base: Path) -> set[str]:
    """Paths of the clips that were found sound."""
    with sqlite3.connect(f"file:{base}/.kdl/ledger.db?mode=ro", uri=True, timeout=30) as ledger:
        rows = ledger.execute(
            "SELECT path FROM checks JOIN clips ON id = clip_id WHERE hash_at > 0 AND result = 'sound'"
        ).fetchall()
    ledger.close()
    return {row[0] for row in rows}


async def test_a_disk_that_fails_condemns_no_clip(demo: Hosted, faults: Faults, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    broken = faults.failing("open", "CaseMatters", errno.EIO)
    done = demo.run("verify", tmp_path, "--json", "--io-nice", "--class", "abseiling", **broken)
    (found,) = done.result["findings"]
    assert (done.code, found["kind"], found["subject"]) == (3, "not_checked", CLIP)
    assert done.result["could_not_check"] == 1
    again = await look(demo, tmp_path, level=Level.STAT, max_age_s=86_400)
    assert kinds(again) == {"corrupt_clip"}
    assert again.extra["checked"] == CORRUPT + 1  # what could not be looked at comes first
    assert again.extra["bytes"] == (base / CLIP).stat().st_size


def test_a_probe_tells_what_the_bytes_are(demo: Hosted, tmp_path: Path) -> None:
    """Bytes as recorded, and not a clip: the record itself is altered to have that."""
    base = demo.copy(tmp_path)
    clip = base / "videos/val/abseiling/valClip_0_a_000000_000003.mp4"
    shutil.copy(base / ".kdl/quarantine/val/driving_car/valCutShort_000021_000024.mp4", clip)
    stat = clip.stat()
    with sqlite3.connect(base / ".kdl/ledger.db") as ledger:
        other = ledger.execute("SELECT sha256 FROM clips WHERE name LIKE 'valCutShort%'").fetchone()[0]
        ledger.execute(
            "UPDATE clips SET size = ?, mtime_ns = ?, sha256 = ? WHERE path = ?",
            (stat.st_size, stat.st_mtime_ns, other, str(clip.relative_to(base))),
        )
    ledger.close()
    done = demo.run("verify", tmp_path, *VAL, "--level", "probe", "--json")
    assert done.result["by_verdict"] == {"ok": 1, "corrupt": 1}
    (found,) = done.result["findings"]
    assert (found["kind"], found["subject"]) == ("corrupt_clip", str(clip.relative_to(base)))
    assert clip.is_file()


async def test_derivatives_are_looked_at_with_their_clips(demo: Hosted, tmp_path: Path) -> None:
    base, disk = demo.copy(tmp_path), tmp_path / "disk"
    recipes = ("--recipe", "320p", "--recipe", "rawframes-256", "--derived", disk)
    assert demo.run("derive", tmp_path, *VAL, *recipes, "--json").code == 0
    with sqlite3.connect(base / ".kdl/ledger.db") as ledger:
        digests = ledger.execute("SELECT sha256 FROM derivatives").fetchall()
    ledger.close()
    assert len({row[0] for row in digests} - {None}) == 4  # taken as they were made
    sound = demo.run("verify", tmp_path, *VAL, "--level", "probe", "--json")
    assert (sound.code, sound.result["derivatives"]["checked"]) == (0, 4)
    # Where they all are gone, their disk may not be mounted:
    disk.rename(tmp_path / "unmounted")
    unmounted = await look(demo, tmp_path, choice=ABSEILING)
    assert (unmounted.exit_code, kinds(unmounted)) == (3, {"not_checked"})
    (tmp_path / "unmounted").rename(disk)
    video, other = sorted((base / "derived/320p/val/abseiling").iterdir())
    frames, more = sorted((base / "derived/rawframes-256/val/abseiling").iterdir())
    for path in (video, frames / "img_00002.jpg"):
        data = bytearray(path.read_bytes())
        data[len(data) // 2] ^= 0xFF
        path.write_bytes(data)
    other.write_bytes(other.read_bytes()[:-1])
    (more / "img_00001.jpg").unlink()
    for level, damaged in ((Level.STAT, {other, more}), (Level.HASH, {other, more, video, frames})):
        done = await look(demo, tmp_path, choice=ABSEILING, level=level)
        assert (done.exit_code, kinds(done)) == (1, {"derivative_damaged"})
        assert {base / finding.subject for finding in done.findings} == damaged
    mended = demo.run("derive", tmp_path, *VAL, *recipes, "--json")
    assert (mended.code, mended.result["derived"]["320p"]) == (0, {"done": 2, "failed": 0})
    assert (await look(demo, tmp_path, choice=ABSEILING)).exit_code == 0


async def test_a_clip_that_a_killed_run_moved_is_not_missing(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    clips = sorted((base / "videos/val/abseiling").iterdir())
    for clip in clips:
        (base / ".kdl/quarantine/val/abseiling").mkdir(exist_ok=True)
        clip.rename(base / ".kdl/quarantine/val/abseiling" / clip.name)
    # This one was set aside, since the disk had altered it:
    rotten = base / ".kdl/quarantine/val/abseiling" / clips[0].name
    stat, data = rotten.stat(), bytearray(rotten.read_bytes())
    data[100] ^= 1
    rotten.write_bytes(data)
    os.utime(rotten, ns=(stat.st_atime_ns, stat.st_mtime_ns))
    done = await look(demo, tmp_path, choice=ABSEILING)
    assert done.extra["by_verdict"] == {"missing": 1, "ok": 1}
    told = {(finding.kind, finding.subject) for finding in done.findings}
    name = f"videos/val/abseiling/{clips[0].name}"
    assert told == {("missing_clip", name)}


def test_two_copies_compared(demo: Hosted, root: Path, tmp_path: Path) -> None:
    listed, lines = tmp_path / "list", tmp_path / "combined"
    kdl("export", demo.dataset, "--root", root, "--format", "sha256sums", "--out", listed)
    text = listed.read_text().replace("videos/val/driving_car/", "/data/k/val/driving car/")
    text = f"{'0' * 64}{text[64:]}"  # the first clip has other bytes there
    gone = [line for line in text.splitlines() if "/test/" in line][-1]
    new = f"{'1' * 64}  videos/val/abseiling/strangeClip_000001_000004.mp4\n"
    listed.write_text(text.replace(f"{gone}\n", "") + new)
    options = ("--level", "stat", "--max-duration", "0s", "--against", listed, "--combined", lines, "--json")
    done = demo.run("verify", root, *options)
    assert done.kinds() == {"corrupt_clip", "copy_differs", "only_here", "only_there"}
    assert done.result["against"] == {"same": FILED - 2, "differ": 1, "only_here": 1, "only_there": 1}
    marks = Counter(line[0] for line in lines.read_text().splitlines())
    assert marks == {"=": FILED - 2, "*": 1, "-": 1, "+": 1}
    assert (done.result["checked"], done.result["not_reached"]) == (0, FILED)  # its time was up
