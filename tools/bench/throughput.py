"""``kdl fetch`` beside ``curl | tar xz`` on the same shards, and what checking a clip costs besides libav.

``python -m tools.bench.throughput [--shards N] [--shard-mb N] [--clips N] [--runs N]``
"""

from __future__ import annotations

import argparse
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from kdl.check.pyav import read_with_pyav
from kdl.values import Level
from tests.replica.nginx import serve
from tools.bench.bucket import DATASET, make_bucket
from tools.bench.measuring import KDL, Took, quiet, report, timed

_IN_SHARD = 60
"""Clips of a large shard."""
_SMALL = 100
"""Clips of a small one."""
_SMALL_BYTES = 30_000


def main() -> int:
    """0: nothing here has a bar."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--shard-mb", type=int, default=100)
    parser.add_argument("--clips", type=int, default=2_000, help="small ones, for the checks")
    parser.add_argument("--runs", type=int, default=5)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kdl-bench-") as name:
        took = _transfers(Path(name, "large"), asked.shards, asked.shard_mb * 1_000_000, asked.runs)
        report(f"{asked.shards} shards of {asked.shard_mb} MB over loopback", took)
        shutil.rmtree(Path(name, "large"))
        took = _checks(Path(name, "small"), max(asked.clips // _SMALL, 1), asked.runs)
        report(f"{asked.clips} small clips", took)
    return 0


def _transfers(folder: Path, shards: int, size: int, runs: int) -> list[Took]:
    bucket = make_bucket(folder / "bucket", {"train": shards * _IN_SHARD * 2}, held=shards)
    bucket.put_shards("train", shards, size // _IN_SHARD, _IN_SHARD)
    out = folder / "out"
    with serve(bucket.folder) as server:
        fetch = [*KDL, "fetch", DATASET, "--root", str(out), "--origin", server.url, "--quiet"]
        some = ["--split", "train", "--limit", str(shards), "--jobs"]
        names = [f"{server.url}700_2020/train/{shard.name}" for shard in bucket.shards("train")[:shards]]
        before = partial(_afresh, out)
        return [
            timed("kdl fetch --jobs 2", runs, lambda: quiet([*fetch, *some, "2"]), before=before),
            timed("kdl fetch --jobs 4", runs, lambda: quiet([*fetch, *some, "4"]), before=before),
            timed("curl | tar xz, 2 at a time", runs, lambda: _side_by_side(names, out), before=before),
        ]


def _side_by_side(urls: list[str], out: Path) -> None:
    def pull(url: str) -> None:
        subprocess.run(f"curl -sf '{url}' | tar xz -C '{out}'", shell=True, check=True)

    with ThreadPoolExecutor(2) as two:
        list(two.map(pull, urls))


def _checks(folder: Path, shards: int, runs: int) -> list[Took]:
    bucket = make_bucket(folder / "bucket", {"train": shards * _SMALL * 2}, held=shards)
    bucket.put_shards("train", shards, _SMALL_BYTES, _SMALL)
    out = folder / "out"
    with serve(bucket.folder) as server:
        where = (DATASET, "--root", str(out), "--origin", server.url, "--quiet", "--split", "train")
        some = ("--limit", str(shards))
        took = [
            timed(
                "kdl fetch", runs, lambda: quiet([*KDL, "fetch", *where, *some]), before=partial(_afresh, out)
            ),
            timed(
                "kdl mirror",
                runs,
                lambda: quiet([*KDL, "mirror", *where, *some]),
                before=partial(_afresh, out),
            ),
        ]
    clips = [str(path) for path in (out / DATASET / "videos").rglob("*.mp4")]
    return [*took, timed(f"PyAV alone, {len(clips)} clips", runs, _reading(clips))]


def _reading(clips: list[str]) -> Callable[[], None]:
    def read() -> None:
        for clip in clips:
            read_with_pyav(clip, Level.PROBE)

    return read


def _afresh(out: Path) -> None:
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True)
    os.sync()


if __name__ == "__main__":
    sys.exit(main())
