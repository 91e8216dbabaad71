"""Takes the README's picture: ``python -m tools.terminal_picture [--out docs/terminal.svg]``.

A small bucket with the names of K400's train split is served on loopback and mirrored by the real
command; the picture is drawn of what that run publishes in its ``status.json`` on the way.
"""

from __future__ import annotations

import argparse
import base64
import hashlib
import itertools
import signal
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdl.dataset.manifest import load_manifest
from kdl.jobs.demo_archives import Member, write_archive
from kdl.jobs.demo_clips import Scene, cut_short, render, stamp
from kdl.jobs.demo_server import DemoServer
from kdl.jobs.statusfile import read_status
from kdl.ui.svg import record_svg

OUT = Path(__file__).parents[1] / "docs" / "terminal.svg"
WIDTH = 96
BASE = "https://s3.amazonaws.com/kinetics/"
PARTS = 242
"""As many as K400's train split has."""
LARGE = range(120, 144)
"""Parts that take long enough to be seen; each of the others holds one clip of a few kB."""
CLIPS = (14, 30, 22, 34, 18)
"""In the large parts, by turns: bars that all stand alike tell little."""
LAST = 138
"""Once so many parts are done, the best moment so far is taken."""
SHORT_EVERY, CORRUPT_EVERY = 29, 23
DROPPED = 125
"""The part that the server breaks off once, so that there is something to try again."""
RATE = "10M"
PATIENCE_S = 240.0


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip of the bucket."""

    name: str
    row: str
    """Its line in the annotation."""


@dataclass(frozen=True, slots=True)
class Films:
    """What the clips show."""

    tiny: bytes
    short: bytes
    whole: tuple[bytes, ...]


def main() -> int:
    """0 once the picture is drawn, 1 where the run had no moment worth one."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--out", type=Path, default=OUT)
    out: Path = parser.parse_args().out
    with tempfile.TemporaryDirectory(prefix="kdl-picture-") as folder:
        bucket = Path(folder, "bucket")
        make_bucket(bucket)
        with DemoServer(bucket, drop=f"400/train/part_{DROPPED}.tar.gz") as server:
            snapshot = best_moment(Path(folder), server.url)
    if snapshot is None:
        print("the run ended without a moment worth a picture", file=sys.stderr)
        return 1
    for disk in snapshot["disk_free"]:
        disk["path"] = "/data/kinetics/k400"  # a temporary folder's name says nothing to anybody
    record_svg(snapshot, out, width=WIDTH)
    return 0


def make_bucket(bucket: Path) -> None:
    """K400's train split in small: every part that the link list names, annotations, replacements."""
    films = make_films()
    labels = load_manifest("k400").labels.names
    clips = (make_clip(number, labels) for number in itertools.count())
    train, annotations = bucket / "400" / "train", bucket / "400" / "annotations"
    rows = ["label,youtube_id,time_start,time_end,split,is_cc"]
    mends: list[Member] = []
    for part in range(PARTS):
        held = list(itertools.islice(clips, CLIPS[part % len(CLIPS)] if part in LARGE else 1))
        rows += [clip.row for clip in held]
        members = []
        for number, clip in enumerate(held, part * max(CLIPS)):
            film = stamp(films.whole[number % len(films.whole)] if part in LARGE else films.tiny, clip.name)
            if part in LARGE and number % CORRUPT_EVERY == 0:
                mends.append(Member(f"replacement_for_corrupted_k400/{clip.name}", film))
                film = cut_short(film)
            elif part in LARGE and number % SHORT_EVERY == 0:
                film = stamp(films.short, clip.name)
            members.append(Member(f"./{clip.name}", film))
        write_archive(train / f"part_{part}.tar.gz", members)
    write_archive(bucket / "400" / "replacement_for_corrupted_k400.tgz", mends)
    annotations.mkdir()
    (annotations / "train.csv").write_text("\n".join(rows) + "\n")
    links = (f"{BASE}400/train/part_{part}.tar.gz\n" for part in range(PARTS))
    (train / "k400_train_path.txt").write_text("".join(links))
    (bucket / "400" / "readme.md").write_text("A small replica.\n")


def make_films() -> Films:
    """A few clips of ten seconds, one of six, and one of a few kB."""
    tiny, short, *whole = render(
        [
            Scene("color", 10, size="64x64", fps=1, sound=False),
            Scene("testsrc2", 6, size="640x360", fps=25),
            Scene("testsrc2", 10, size="640x360", fps=25),
            Scene("mandelbrot", 10, size="640x360", fps=25),
        ]
    )
    return Films(tiny, short, tuple(whole))


def make_clip(number: int, labels: tuple[str, ...]) -> Clip:
    """The same name and class for the same number."""
    digest = hashlib.sha256(f"clip {number}".encode()).digest()
    youtube_id = base64.urlsafe_b64encode(digest).decode()[:11]
    label, start = labels[digest[-1] * 7 % len(labels)], digest[-2]
    name = f"{youtube_id}_{start:06d}_{start + 10:06d}.mp4"
    return Clip(name, f'"{label}",{youtube_id},{start},{start + 10},train,0')


def best_moment(folder: Path, origin: str) -> dict[str, Any] | None:
    """What the run published at the latest moment that shows it whole."""
    command = [
        *(sys.executable, "-m", "kdl", "mirror", "k400", "--split", "train", "--recipe", "320p"),
        *("--root", "kinetics", "--origin", origin, "--limit-rate", RATE, "--quiet"),
    ]
    status = folder / "kinetics" / "k400" / ".kdl" / "status.json"
    best: dict[str, Any] | None = None
    with subprocess.Popen(command, cwd=folder, stderr=subprocess.DEVNULL) as run:
        until = time.monotonic() + PATIENCE_S
        while run.poll() is None and time.monotonic() < until:
            time.sleep(0.2)
            found = read_status(status)
            if found is not None and is_telling(found):
                best = found
            if best is not None and found is not None and found["shards"]["done"] >= LAST:
                break
        run.send_signal(signal.SIGTERM)
    return best


def is_telling(snapshot: dict[str, Any]) -> bool:
    """Four large parts under way, one of them by far the first, checks and derivatives going on."""
    shares = [each["received"] / each["size"] for each in snapshot["running"] if each["size"]]
    return (
        len(shares) == 4
        and max(shares) - min(shares) > 0.25
        and min(shares) > 0.05
        and snapshot["retries"]["count"] > 0
        and snapshot["clips"].get("replaced", 0) > 0
        and all(snapshot["stages"].get(stage, {}).get("done") for stage in ("check", "derive"))
    )


if __name__ == "__main__":
    sys.exit(main())
