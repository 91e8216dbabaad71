"""``kdl derive`` and what people run instead, in turn on the same clips: times, bytes, likeness.

``python -m tools.bench.media [--only WORD] [--clips N] [--runs N]``

Real clips where a folder of them lies beside the checkout, else generated ones.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

import av

from tests.replica.nginx import serve
from tools.bench import media_peers as peers
from tools.bench.bucket import DATASET, make_bucket
from tools.bench.films import real_films
from tools.bench.measuring import KDL, quiet

_COMPARED = 12
"""Clips whose pictures are compared with the original's."""
Peer = Callable[[Sequence[Path], Path], None]


@dataclass(frozen=True, slots=True)
class Contest:
    """Recipes, made in one run, and what makes the same."""

    name: str
    recipes: tuple[str, ...]
    against: tuple[tuple[str, tuple[Peer, ...], float], ...]
    """Name, passes one after the other, and how many times as fast kdl should be."""


CONTESTS = (
    Contest("320p", ("320p",), (("MMAction2's command", (peers.resize,), 1.9),)),
    Contest("320p, its settings", ("320p-mmaction2",), (("MMAction2's command", (peers.resize,), 1.0),)),
    Contest(
        "320p and frames-300",
        ("320p", "frames-300"),
        (("two passes", (peers.resize, peers.frames_300), 1.9),),
    ),
    Contest(
        "frames in folders",
        ("rawframes-256",),
        (("xargs ffmpeg", (peers.rawframes,), 1.3), ("OpenCV loop", (peers.opencv_frames,), 1.1)),
    ),
    Contest(
        "frames in zips",
        ("rawframes-256-zip",),
        (("xargs ffmpeg", (peers.rawframes,), 1.8), ("OpenCV loop", (peers.opencv_frames,), 1.5)),
    ),
    Contest("flow (DIS)", ("flow-256-dis",), (("OpenCV loop", (peers.opencv_flow,), 1.2),)),
)


@dataclass(frozen=True, slots=True)
class Row:
    """One contestant."""

    contest: str
    name: str
    seconds: float
    """Median of the wall clock."""
    cpu: float
    """Median of the CPU's seconds, children included."""
    bytes: int
    ratio: float | None = None
    """Its seconds over kdl's; None for kdl."""
    bar: float | None = None
    ssim: float | None = None
    """Mean likeness to the original at that size, of videos."""

    @property
    def passes(self) -> bool:
        return self.bar is None or (self.ratio or 0) >= self.bar


def main() -> int:
    """0 if every ratio reaches its bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", default="", metavar="WORD", help="the contests whose names have it")
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--runs", type=int, default=3)
    asked = parser.parse_args()
    rows: list[Row] = []
    with tempfile.TemporaryDirectory(prefix="kdl-bench-") as name:
        root = _mirror(Path(name), asked.clips)
        clips = sorted((root / DATASET / "videos").rglob("*.mp4"))
        size = sum(clip.stat().st_size for clip in clips) / 1e6
        print(f"{len(clips)} clips, {size:.0f} MB, {peers.CORES} cores")
        for contest in CONTESTS:
            if asked.only in contest.name:
                rows += _hold(contest, root, clips, Path(name) / "peer", asked.runs)
                _show(rows, contest)
    print(json.dumps([asdict(row) for row in rows]))
    return 0 if all(row.passes for row in rows) else 1


def _mirror(folder: Path, count: int) -> Path:
    """A mirror of so many clips, fetched and checked."""
    root = folder / "root"
    bucket = make_bucket(folder / "bucket", {"val": count}, held=1)
    bucket.put_films("val", real_films(count))
    with serve(bucket.folder) as server:
        where = ("--root", str(root), "--origin", server.url, "--split", "val", "--limit", "1")
        quiet([*KDL, "mirror", DATASET, *where, "--quiet"], codes=(0, 1))
    return root


def _hold(contest: Contest, root: Path, clips: list[Path], out: Path, runs: int) -> list[Row]:
    """All contestants in turn, ``runs`` times."""
    derived = root / DATASET / "derived"
    recipes = [word for recipe in contest.recipes for word in ("--recipe", recipe)]
    command = [*KDL, "derive", DATASET, "--root", str(root), *recipes, "--quiet"]
    takes: dict[str, list[tuple[float, float]]] = {}
    sizes: dict[str, int] = {}
    likeness: dict[str, float | None] = {}
    for _ in range(runs):
        for recipe in contest.recipes:
            shutil.rmtree(derived / recipe, ignore_errors=True)
        takes.setdefault("kdl", []).append(_timed(lambda: quiet(command, codes=(0, 1))))
        sizes["kdl"] = sum(_size(derived / recipe) for recipe in contest.recipes)
        likeness["kdl"] = likeness.get("kdl") or _likeness(clips, derived / contest.recipes[0])
        for name, passes, _bar in contest.against:
            shutil.rmtree(out, ignore_errors=True)
            folders = [out / str(number) for number in range(len(passes))]
            for folder in folders:
                folder.mkdir(parents=True)
            works = list(zip(passes, folders, strict=True))
            takes.setdefault(name, []).append(_timed(lambda works=works: [w(clips, f) for w, f in works]))  # type: ignore[misc]
            sizes[name] = _size(out)
            likeness[name] = likeness.get(name) or _likeness(clips, folders[0])
    seconds = {name: statistics.median(wall for wall, _ in took) for name, took in takes.items()}
    cpu = {name: statistics.median(computed for _, computed in took) for name, took in takes.items()}
    bars = {name: bar for name, _, bar in contest.against}
    return [
        Row(
            contest.name,
            name,
            seconds[name],
            cpu[name],
            sizes[name],
            seconds[name] / seconds["kdl"] if name in bars else None,
            bars.get(name),
            likeness[name],
        )
        for name in takes
    ]


def _timed(work: Callable[[], object]) -> tuple[float, float]:
    """Seconds of the wall clock and of the CPU; what was written before is on disk first."""
    os.sync()
    before, began = os.times(), time.perf_counter()
    work()
    wall, after = time.perf_counter() - began, os.times()
    return wall, sum(after[:4]) - sum(before[:4])


def _size(folder: Path) -> int:
    """Bytes of all files; of videos, their pictures' alone: the contestants differ in keeping the sound."""
    return sum(
        _pictures(path) if path.suffix == ".mp4" else path.stat().st_size
        for path in folder.rglob("*")
        if path.is_file()
    )


def _pictures(path: Path) -> int:
    with av.open(str(path), metadata_errors="replace") as container:
        return sum(packet.size for packet in container.demux(video=0))


def _likeness(clips: list[Path], folder: Path) -> float | None:
    """Mean SSIM of the first videos; None where there are none."""
    found = []
    for clip in clips[:_COMPARED]:
        if made := next(folder.rglob(f"{clip.stem}.mp4"), None):
            scale = f"{peers.SHORT_SIDE.format(320)},format=yuv420p,settb=1/1000,setpts=N"
            graph = f"[0:v]settb=1/1000,setpts=N[a];[1:v]{scale}[b];[a][b]ssim"
            words = [
                "ffmpeg",
                "-nostdin",
                "-i",
                str(made),
                "-i",
                str(clip),
                "-lavfi",
                graph,
                "-f",
                "null",
                "-",
            ]
            done = subprocess.run(words, capture_output=True, text=True, errors="replace", check=True)
            found.append(float(re.findall(r"All:([\d.]+)", done.stderr)[-1]))
    return statistics.mean(found) if found else None


def _show(rows: list[Row], contest: Contest) -> None:
    print(contest.name)
    for row in rows:
        if row.contest == contest.name:
            ratio = "" if row.ratio is None else f"{row.ratio:6.2f}x  (bar {row.bar:g}x)"
            ssim = "" if row.ssim is None else f"  SSIM {row.ssim:.4f}"
            mark = "" if row.passes else "  below its bar"
            told = f"{row.seconds:8.2f} s {row.cpu:8.2f} s CPU {row.bytes / 1e6:8.1f} MB"
            print(f"  {row.name:<22}{told}{ssim}{ratio}{mark}", flush=True)


if __name__ == "__main__":
    sys.exit(main())
