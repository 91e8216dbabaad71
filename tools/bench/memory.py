"""What ``kdl mirror`` keeps in memory: no more for 100 shards than for 10, whatever the annotations hold.

``python -m tools.bench.memory [--rows N] [--shards N,N] [--shard-mb N] [--clips N]``
"""

from __future__ import annotations

import argparse
import json
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path

from kdl.jobs.demo_server import DemoServer
from kdl.settings import MIB
from tools.bench.bucket import DATASET, Bucket, make_bucket
from tools.bench.measuring import KDL, Ran, watched

CEILING = 400 * MIB
"""The main process may have so much resident."""
GROWTH = 1.15
"""Ten times the shards may take so much more."""


@dataclass(frozen=True, slots=True)
class Peak:
    """One mirror run."""

    shards: int
    clips: int
    rss: int
    """Bytes; the main process alone."""
    seconds: float


def peak_of(bucket: Bucket, folder: Path, shards: int, *, jobs: int = 4) -> Peak:
    """Mirror the first ``shards`` shards of train into ``folder``. Raises RuntimeError where that fails."""
    with DemoServer(bucket.folder) as server:
        where = ("--root", str(folder), "--origin", server.url)
        part = ("--split", "train", "--limit", str(shards), "--jobs", str(jobs))
        ran = watched([*KDL, "mirror", DATASET, *where, *part, "--json"])
    return Peak(shards, _sound(ran), ran.peak_rss, ran.seconds)


def _sound(ran: Ran) -> int:
    if ran.code != 0:
        raise RuntimeError(f"kdl mirror ended with {ran.code}: {ran.out[-2000:]}")
    return int(json.loads(ran.out)["clips"]["ok"])


def holds(peaks: list[Peak]) -> bool:
    """Within the ceiling, and flat."""
    few, many = min(peaks, key=lambda peak: peak.shards), max(peaks, key=lambda peak: peak.shards)
    return max(peak.rss for peak in peaks) < CEILING and many.rss <= few.rss * GROWTH


def main() -> int:
    """0 if the bounds hold."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rows", type=int, default=540_000, help="of the annotation file")
    parser.add_argument("--shards", default="10,100")
    parser.add_argument("--shard-mb", type=int, default=8)
    parser.add_argument("--clips", type=int, default=40, help="in a shard")
    asked = parser.parse_args()
    counts = [int(word) for word in asked.shards.split(",")]
    peaks = []
    with tempfile.TemporaryDirectory(prefix="kdl-bench-") as name:
        folder = Path(name)
        bucket = make_bucket(folder / "bucket", {"train": asked.rows})
        bucket.put_shards("train", max(counts), asked.shard_mb * 1_000_000 // asked.clips, asked.clips)
        for count in counts:
            peak = peak_of(bucket, folder / "root", count)
            shutil.rmtree(folder / "root")
            peaks.append(peak)
            print(f"{count:>4} shards, {peak.clips:>5} clips: {peak.rss / MIB:.0f} MiB, {peak.seconds:.1f} s")
    print(json.dumps({"rows": asked.rows, "peaks": [[p.shards, p.clips, p.rss, p.seconds] for p in peaks]}))
    return 0 if holds(peaks) else 1


if __name__ == "__main__":
    sys.exit(main())
