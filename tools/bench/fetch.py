"""``kdl fetch`` and ``kdl mirror`` beside what people put together by hand, over loopback from nginx.

``python -m tools.bench.fetch [--only WORD] [--rounds N]``

Four contests. Every way starts from nothing, ends with all bytes on disk (the peers get a ``sync -f``
where kdl has its barrier), and has the same files to fetch:

large    six tar.gz of 360 MB, 1,800 clips in all, as K400's shards are
careful  real ten-second clips (generated ones where no folder of them lies beside the checkout): fetched,
         unpacked, hashed, each looked at by ffprobe, or by kdl's own checks
small    700 tar.gz of 1 MB, as K700's val split has
eight    eight shards at a time, for the memory
"""

from __future__ import annotations

import argparse
import os
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path

from tests.replica.nginx import serve
from tools.bench.bucket import DATASET, Bucket, make_bucket
from tools.bench.films import real_films
from tools.bench.measuring import KDL
from tools.bench.racing import Bar, Way, compare, race, report

ROOM = 300 * 1_000_000
"""Bytes that kdl may have resident with eight shards under way."""
_PLAIN, _SPOOLED = "kdl fetch --no-spool", "kdl fetch"
_ARIA, _CURL = "aria2c -j6 -x4 -s4, then tar", "curl | tar, two at a time"


@dataclass(frozen=True, slots=True)
class Course:
    """What is raced over: the objects' URLs, kdl's command without its verb, and a folder to fill."""

    urls: list[str]
    kdl: str
    out: Path

    @property
    def listed(self) -> str:
        """A script's beginning that puts the URLs into ``urls.txt`` of a folder of its own."""
        lines = shlex.quote("\n".join(self.urls))
        return f"mkdir -p {self.out}/peer; cd {self.out}/peer; printf '%s\\n' {lines} > urls.txt; "


@dataclass(frozen=True, slots=True)
class Contest:
    name: str
    split: str
    shards: int
    fill: Callable[[Path], tuple[Bucket, int]]
    """Makes the bucket; it and the bytes of its shards."""
    ways: Callable[[Course], list[Way]]
    bars: tuple[Bar, ...]
    room: int | None = None


def main() -> int:
    """0 if kdl keeps what it promises."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--only", default="", help="the contests whose name begins so")
    parser.add_argument("--rounds", type=int, default=5)
    asked = parser.parse_args()
    kept = [_run(contest, asked.rounds) for contest in CONTESTS if contest.name.startswith(asked.only)]
    return 0 if all(kept) else 1


def _run(contest: Contest, rounds: int) -> bool:
    """Whether all bars held."""
    with tempfile.TemporaryDirectory(prefix="kdl-bench-") as name:
        with ProcessPoolExecutor(1, get_context("spawn")) as maker:  # what it has resident is not ours
            bucket, size = maker.submit(contest.fill, Path(name, "bucket")).result()
        out = Path(name, "out")
        with serve(bucket.folder, exact=False) as server:
            keys = [bucket.key(shard) for shard in bucket.shards(contest.split)[: contest.shards]]
            where = f"{DATASET} --root {out} --origin {server.url} --quiet"
            scene = Course(
                [f"{server.url}{key}" for key in keys],
                f"{where} --split {contest.split} --limit {contest.shards}",
                out,
            )
            laps = race(contest.ways(scene), rounds, lambda: _afresh(out))
    ratios = compare(laps, contest.bars)
    report(f"{contest.name}: {contest.shards} shards, {size / 1e6:,.0f} MB", laps, ratios, size)
    peak = max(lap.peak for way, own in laps.items() if way.startswith("kdl") for lap in own)
    roomy = contest.room is None or peak <= contest.room
    if not roomy:
        print(f"  {peak / 1e6:.0f} MB resident is more than {ROOM / 1e6:.0f}  TOO MUCH")
    return roomy and all(ratio.holds for ratio in ratios)


def _afresh(out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    os.sync()


# What is fetched


def _large(folder: Path) -> tuple[Bucket, int]:
    bucket = make_bucket(folder, {"train": 1_800 * 2}, held=6)
    return bucket, bucket.put_shards("train", 6, 1_200_000, 300)


def _small(folder: Path) -> tuple[Bucket, int]:
    bucket = make_bucket(folder, {"val": 700 * 8}, held=700)
    return bucket, bucket.put_shards("val", 700, 250_000, 4)


def _eight(folder: Path) -> tuple[Bucket, int]:
    bucket = make_bucket(folder, {"train": 400 * 2}, held=8)
    return bucket, bucket.put_shards("train", 8, 1_200_000, 50)


def _clips(folder: Path) -> tuple[Bucket, int]:
    films = real_films(160, seconds=(9.5, 11))
    bucket = make_bucket(folder, {"train": len(films) * 6}, held=4)
    return bucket, bucket.put_films("train", films, shards=4)


# How


def _kdl(verb: str, rest: str) -> str:
    return f"{shlex.join(KDL)} {verb} {rest}"


def _aria_and_tar(scene: Course, options: str) -> str:
    return (
        f"{scene.listed} aria2c -q {options} -i urls.txt; "
        "for archive in *.tar.gz; do tar xzf $archive; done; sync -f ."
    )


def _bulk(scene: Course) -> list[Way]:
    pull = "xargs -P2 -I{} bash -o pipefail -c 'curl -sf {} | tar xz' < urls.txt; sync -f ."
    return [
        Way(_PLAIN, _kdl("fetch", f"{scene.kdl} --no-spool")),
        Way(_ARIA, _aria_and_tar(scene, "-j6 -x4 -s4")),
        Way(_SPOOLED, _kdl("fetch", scene.kdl)),
        Way(_CURL, scene.listed + pull),
    ]


def _with_care(scene: Course) -> list[Way]:
    look = "ffprobe -v error -count_packets -show_streams -show_format"
    by_hand = (
        f"{_aria_and_tar(scene, '-j6 -x4 -s4')}; "
        "find . -name '*.mp4' -print0 > clips; "
        "xargs -0 -P2 -n 32 sha256sum < clips > sums; "
        f"xargs -0 -P2 -n 1 {look} < clips > facts"
    )
    return [
        Way("kdl mirror", _kdl("mirror", scene.kdl)),
        Way("aria2c, tar, sha256sum, ffprobe", by_hand),
    ]


def _many(scene: Course) -> list[Way]:
    return [
        Way("kdl fetch --no-spool --jobs 16", _kdl("fetch", f"{scene.kdl} --no-spool --jobs 16")),
        Way("aria2c -j16, nothing unpacked", f"{scene.listed} aria2c -q -j16 -i urls.txt; sync -f ."),
        Way("kdl fetch --jobs 16", _kdl("fetch", f"{scene.kdl} --jobs 16")),
        Way("aria2c -j16, then tar", _aria_and_tar(scene, "-j16")),
    ]


def _at_once(scene: Course) -> list[Way]:
    return [
        Way("kdl fetch --jobs 8", _kdl("fetch", f"{scene.kdl} --jobs 8")),
        Way(
            "kdl fetch --jobs 8 --connections-per-file 4",
            _kdl("fetch", f"{scene.kdl} --jobs 8 --connections-per-file 4"),
        ),
    ]


CONTESTS: Sequence[Contest] = (
    Contest(
        "large",
        "train",
        6,
        _large,
        _bulk,
        (
            Bar(_PLAIN, _ARIA, 2.0),
            Bar(_PLAIN, _CURL, 1.5),
            Bar(_SPOOLED, _ARIA, 1.4),
            Bar(_SPOOLED, _CURL, 1.0),
        ),
    ),
    Contest(
        "careful",
        "train",
        4,
        _clips,
        _with_care,
        (Bar("kdl mirror", "aria2c, tar, sha256sum, ffprobe", 3.0),),
    ),
    Contest(
        "small",
        "val",
        700,
        _small,
        _many,
        (
            Bar("kdl fetch --no-spool --jobs 16", "aria2c -j16, then tar", 1.0),
            Bar("kdl fetch --jobs 16", "aria2c -j16, then tar", 1.0),
            Bar("kdl fetch --no-spool --jobs 16", "aria2c -j16, nothing unpacked"),
        ),
    ),
    Contest("eight", "train", 8, _eight, _at_once, (), ROOM),
)


if __name__ == "__main__":
    sys.exit(main())
