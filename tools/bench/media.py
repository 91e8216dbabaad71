"""``kdl derive`` and what people run instead, in turn on the same clips: times, bytes, likeness.

``python -m tools.bench.media [--only WORD] [--clips N] [--rounds N]``

Real clips where a folder of them lies beside the checkout, else generated ones. The last two contests are
kdl's with itself: two workers beside one, and a thousand clips of one frame, for what kdl costs beside
decoding and encoding.
"""

from __future__ import annotations

import argparse
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from kdl.jobs.demo_clips import Scene
from kdl.jobs.demo_clips import render as render_scenes
from tests.replica.nginx import serve
from tools.bench import media_peers as peers
from tools.bench.bucket import DATASET, make_bucket
from tools.bench.films import real_films
from tools.bench.measuring import KDL, quiet
from tools.bench.racing import Bar, Way, compare, race, report, run

_LONG, _SHORT = (5.0, 20.0), (0.9, 2.0)
_COMPARED = 12
"""Clips whose pictures are compared with the original's."""
_TINY = 1000
OWN_MS = 5.0
"""Milliseconds of CPU that kdl may take for a clip beside decoding and encoding it."""
_SSIM, _BYTES = 0.001, 1.15
"""How much less like the original, and how much larger, kdl's 320p may be than MMAction2's."""


@dataclass(frozen=True, slots=True)
class Contest:
    """Recipes, made in one run, and what makes the same: peers that run one after the other, with a bar."""

    name: str
    recipes: tuple[str, ...]
    against: tuple[tuple[str, tuple[str, ...], float], ...]
    clips: int | None = None
    """No more than so many."""
    seconds: tuple[float, float] = _LONG
    """How long they are."""
    measured: bool = False
    """Its videos are compared with the original and with the peer's."""


CONTESTS = (
    Contest("320p", ("320p",), (("MMAction2's command", ("resize",), 1.9),), measured=True),
    Contest("320p, its settings", ("320p-mmaction2",), (("MMAction2's command", ("resize",), 1.0),)),
    Contest("320p and frames-300", ("320p", "frames-300"), (("two passes", ("resize", "frames_300"), 1.9),)),
    Contest(
        "frames in folders",
        ("rawframes-256",),
        (("xargs ffmpeg", ("rawframes",), 1.3), ("OpenCV loop", ("opencv_frames",), 1.1)),
    ),
    Contest(
        "frames in zips",
        ("rawframes-256-zip",),
        (("xargs ffmpeg", ("rawframes",), 1.8), ("OpenCV loop", ("opencv_frames",), 1.5)),
    ),
    Contest("flow (DIS)", ("flow-256-dis",), (("OpenCV loop", ("opencv_dis",), 1.2),), clips=12),
    Contest("flow (TV-L1)", ("flow-256",), (("OpenCV loop", ("opencv_tvl1",), 1.2),), 2, _SHORT),
)


@dataclass(frozen=True, slots=True)
class Ground:
    """A mirror with its clips, and a folder for what the peers make."""

    root: Path
    clips: list[Path]
    out: Path

    @property
    def size(self) -> int:
        return sum(clip.stat().st_size for clip in self.clips)

    def kdl(self, name: str, recipes: Sequence[str], *more: str) -> Way:
        words = [word for recipe in recipes for word in ("--recipe", recipe)]
        command = [*KDL, "derive", DATASET, "--root", str(self.root), *words, *more, "--quiet"]
        return Way(name, f"{shlex.join(command)} || [ $? = 1 ]")  # 1: some clip is not sound

    def peer(self, name: str, passes: Sequence[str]) -> Way:
        listed = self.out.with_suffix(".list")
        listed.write_text("".join(f"{clip}\n" for clip in self.clips), encoding="utf-8")
        module = f"{sys.executable} -m tools.bench.media_peers"
        lines = [f"mkdir -p {self.out}/{one}; {module} {one} {listed} {self.out}/{one}" for one in passes]
        return Way(name, "; ".join(lines))

    def clear(self) -> None:
        """As before the first run; what was written before is on disk."""
        shutil.rmtree(self.root / DATASET / "derived", ignore_errors=True)
        shutil.rmtree(self.out, ignore_errors=True)
        self.out.mkdir()
        os.sync()


def main() -> int:
    """0 if kdl keeps what it promises."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", metavar="WORD", help="the contests whose names have it")
    parser.add_argument("--clips", type=int, default=50)
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    kept = []
    with tempfile.TemporaryDirectory(prefix="kdl-bench-") as name:
        grounds = _Grounds(Path(name))
        for contest in CONTESTS:
            if asked.only in contest.name:
                count = min(asked.clips, contest.clips or asked.clips)
                films = real_films(count, seconds=contest.seconds)
                kept.append(_hold(contest, grounds.of(films), asked.rounds))
        if asked.only in "workers":
            kept.append(_scaling(grounds.of(real_films(asked.clips)), asked.rounds))
        if asked.only in "own cost":
            kept.append(_own_cost(grounds.of(_tiny_films())))
    return 0 if all(kept) else 1


class _Grounds:
    """Mirrors to work on, one for each choice of clips."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._made: dict[tuple[bytes, ...], Ground] = {}

    def of(self, films: list[bytes]) -> Ground:
        """A mirror of these clips, fetched and checked."""
        key = tuple(films)
        if key not in self._made:
            folder = self._folder / str(len(self._made))
            root = folder / "root"
            bucket = make_bucket(folder / "bucket", {"val": len(films)}, held=1)
            bucket.put_films("val", films)
            with serve(bucket.folder) as server:
                where = ("--root", str(root), "--origin", server.url, "--split", "val", "--limit", "1")
                quiet([*KDL, "mirror", DATASET, *where, "--quiet"], codes=(0, 1))
            clips = sorted((root / DATASET / "videos").rglob("*.mp4"))
            self._made[key] = Ground(root, clips, folder / "peers")
        return self._made[key]


def _tiny_films() -> list[bytes]:
    (film,) = render_scenes([Scene("testsrc2", 0.04, size="64x48", fps=25)])
    return [film] * _TINY


# Contests


def _hold(contest: Contest, ground: Ground, rounds: int) -> bool:
    """Whether all bars held."""
    own = ground.kdl("kdl", contest.recipes)
    others = [ground.peer(name, passes) for name, passes, _ in contest.against]
    title = f"{contest.name}: {len(ground.clips)} clips, {ground.size / 1e6:.0f} MB"
    alike = _alike(ground, contest, own, others) if contest.measured else True
    laps = race([own, *others], rounds, ground.clear)
    ratios = compare(laps, [Bar("kdl", name, bar) for name, _, bar in contest.against])
    report(title, laps, ratios, ground.size)
    return alike and all(ratio.holds for ratio in ratios)


def _scaling(ground: Ground, rounds: int) -> bool:
    """Two workers beside one."""
    ways = [
        ground.kdl(f"{number} worker{'s' * (number > 1)}", ("rawframes-256-zip",), "--workers", str(number))
        for number in (2, 1)
    ]
    laps = race(ways, rounds, ground.clear)
    ratios = compare(laps, [Bar("2 workers", "1 worker", 1.85)])
    report(f"workers: {len(ground.clips)} clips", laps, ratios, ground.size)
    return ratios[0].holds


def _own_cost(ground: Ground) -> bool:
    """CPU of a clip of one small frame, start and end of the run left out: all of it is called kdl's."""
    way = ground.kdl("kdl", ("rawframes-256-zip",))
    costs = []
    for _ in range(3):
        ground.clear()
        all_of_it, nothing_to_do = run(way.script), run(way.script)
        costs.append((all_of_it.cpu - nothing_to_do.cpu) / len(ground.clips) * 1e3)
    cost = statistics.median(costs)
    mark = "" if cost <= OWN_MS else "  TOO MUCH"
    print(f"own cost: {cost:.2f} ms of CPU a clip ({min(costs):.2f}-{max(costs):.2f}){mark}", flush=True)
    return cost <= OWN_MS


# Likeness


def _alike(ground: Ground, contest: Contest, own: Way, others: Sequence[Way]) -> bool:
    """Bytes and SSIM of kdl's videos beside those of the peers."""
    found: dict[str, tuple[int, dict[str, float]]] = {}
    for way, place in [(own, ground.root / DATASET / "derived"), *((other, ground.out) for other in others)]:
        ground.clear()
        run(way.script)
        found[way.name] = _bytes(place), _likeness(ground.clips, place)
    size, ours = found.pop(own.name)
    kept = True
    for name, (their_size, theirs) in found.items():
        both = ours.keys() & theirs.keys()
        ssim, their_ssim = (statistics.mean(each[clip] for clip in both) for each in (ours, theirs))
        more, nearer = size / their_size, ssim - their_ssim
        within = more <= _BYTES and nearer >= -_SSIM
        kept = kept and within
        mark = "" if within else "  NOT ALIKE"
        print(
            f"{contest.name}: {size / 1e6:.1f} MB of pictures, SSIM {ssim:.4f}; "
            f"{name}: {their_size / 1e6:.1f} MB, {their_ssim:.4f}; {more - 1:+.1%}, {nearer:+.4f}{mark}",
            flush=True,
        )
    return kept


def _packets(path: Path) -> list[int]:
    """The size of each of a video's pictures, without its sound: the contestants differ in keeping that."""
    with av.open(str(path), metadata_errors="replace") as container:
        return [packet.size for packet in container.demux(video=0) if packet.size]


def _bytes(folder: Path) -> int:
    return sum(sum(_packets(path)) for path in folder.rglob("*.mp4"))


def _likeness(clips: list[Path], folder: Path) -> dict[str, float]:
    """SSIM of the first videos to the originals at their size.

    Only of those that kept every frame: against the frame before or behind it, nothing is alike.
    """
    scale = f"{peers.SHORT_SIDE.format(320)},format=yuv420p,settb=1/1000,setpts=N"
    graph = f"[0:v]settb=1/1000,setpts=N[a];[1:v]{scale}[b];[a][b]ssim"
    found = {}
    for clip in clips[:_COMPARED]:
        made = next(folder.rglob(f"{clip.stem}.mp4"))
        if len(_packets(made)) == len(_packets(clip)):
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
            found[clip.stem] = float(re.findall(r"All:([\d.]+)", done.stderr)[-1])
    return found


if __name__ == "__main__":
    sys.exit(main())
