"""What seek indexes cost while shards are first read, and what they spare a repair.

``python -m tools.bench.repairing [--shards N] [--clips N] [--rate-mb N] [--rounds N]``

Shards of 360 MB from nginx, fetched with and without indexes, in turn; then one clip of each goes missing,
and ``kdl repair`` brings it back.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.replica.nginx import serve
from tools.bench.bucket import DATASET, make_bucket
from tools.bench.measuring import KDL
from tools.bench.racing import Bar, Way, compare, race, report

COST = 0.9
"""A fetch that keeps indexes is at least so many times as fast as one that keeps none."""
MOVED = 10_000_000
"""Bytes that the repair of one clip moves at the most."""
_CLIP = 1_500_000
_WITH, _WITHOUT = "kdl fetch", "kdl fetch --no-index"


def main() -> int:
    """0 if both bars are held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--shards", type=int, default=4)
    parser.add_argument("--clips", type=int, default=240, help="of 1.5 MB, in each shard")
    parser.add_argument("--rate-mb", type=int, default=0, help="MB a second and connection; 0: no limit")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="kdl-bench-") as name:
        folder, root = Path(name, "bucket"), Path(name, "root")
        # Drawn at random, some shards hold more than others: no more than --clips are put into one.
        bucket = make_bucket(folder, {"test": asked.shards * asked.clips * 2}, held=asked.shards)
        size = bucket.put_shards("test", asked.shards, _CLIP, asked.clips)
        with serve(folder, limit_rate=asked.rate_mb * 1_000_000, exact=False) as server:
            words = f"{DATASET} --root {root} --origin {server.url} --quiet"
            fetch = f"{' '.join(KDL)} fetch {words} --split test --shard 'k700_test_00[1-{asked.shards}]'"
            laps = race(
                [Way(_WITH, fetch), Way(_WITHOUT, f"{fetch} --no-index")],
                asked.rounds,
                lambda: shutil.rmtree(root, ignore_errors=True),
            )
            ratios = compare(laps, [Bar(_WITH, _WITHOUT, COST)])
            report(f"{asked.shards} shards, {size / 1e6:.0f} MB", laps, ratios, size)
            shutil.rmtree(root, ignore_errors=True)
            subprocess.run(["bash", "-c", fetch], check=True, stdout=subprocess.DEVNULL)
            moved = _repair(root / DATASET, f"{' '.join(KDL)} repair {words} --json")
    print(f"one clip of each shard repaired: {moved} bytes a clip, promised {MOVED} at the most")
    return 0 if all(ratio.holds for ratio in ratios) and moved <= MOVED else 1


def _repair(base: Path, command: str) -> int:
    """Bytes that came over the network for a clip."""
    export = f"{' '.join(KDL)} export {DATASET} --root {base.parent} --format jsonl"
    done = subprocess.run(["bash", "-c", export], check=True, stdout=subprocess.PIPE, text=True)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    lost = {row["shard"]: row["path"] for row in rows if row["path"]}
    for path in lost.values():
        (base / path).unlink()
    done = subprocess.run(["bash", "-c", command], check=False, stdout=subprocess.PIPE, text=True)
    result = json.loads(done.stdout)
    if result["by_way"]["index"] != len(lost):
        raise RuntimeError(f"not repaired by index: {result}")
    return int(result["bytes"]["fetched"]) // len(lost)


if __name__ == "__main__":
    sys.exit(main())
