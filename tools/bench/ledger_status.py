"""What the readers of a big ledger take: ``kdl status`` on 650,000 clips, and what else must not be slow.

``python -m tools.bench.ledger_status [--clips N] [--runs N] [--files] [--keep FOLDER]``
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from kdl.jobs.demo_server import DemoServer
from kdl.settings import MIB, MirrorPaths
from tools.bench.bucket import DATASET, Bucket, make_bucket
from tools.bench.filling import fill
from tools.bench.measuring import KDL, Took, quiet, report, timed, watched

_SHARES = {"train": 0.83, "val": 0.06, "test": 0.11}


def main() -> int:
    """0 if everything with a bar is within it."""
    asked = _arguments()
    if asked.keep is not None:
        asked.keep.mkdir(parents=True, exist_ok=True)
        return _bench(asked.keep, asked)
    with tempfile.TemporaryDirectory(prefix="kdl-bench-") as folder:
        return _bench(Path(folder), asked)


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--clips", type=int, default=650_000)
    parser.add_argument("--runs", type=int, default=7)
    parser.add_argument(
        "--files", action="store_true", help="give every clip a file; time an idle mirror too"
    )
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="make it here, and use it again")
    return parser.parse_args()


def _bench(folder: Path, asked: argparse.Namespace) -> int:
    root = folder / "root"
    rows = {split: int(asked.clips * share) for split, share in _SHARES.items()}
    bucket = make_bucket(folder / "bucket", rows)
    more: dict[str, object] = {"clips": asked.clips}
    if not (folder / "filled").exists():
        more |= _make(bucket, root, files=asked.files)
        (folder / "filled").touch()
    took = _measure(bucket, root, asked.runs, idle=asked.files)
    size = MirrorPaths(root / DATASET).ledger.stat().st_size
    report(f"a ledger of {asked.clips:,} clips, {size / MIB:.0f} MiB", took, more)
    return 0 if all(row.passes for row in took) else 1


def _make(bucket: Bucket, root: Path, *, files: bool) -> dict[str, object]:
    """The annotations come in by a real run, the rest by the ledger's functions."""
    bucket.put_shards("val", 1, 20_000, 1)
    with DemoServer(bucket.folder) as server:
        where = ("--root", str(root), "--origin", server.url)
        ran = watched([*KDL, "fetch", DATASET, *where, "--shard", "k700_val_001", "--quiet"])
    if ran.code != 0:
        raise RuntimeError(f"kdl fetch ended with {ran.code}")
    began = time.perf_counter()
    clips = fill(bucket, MirrorPaths(root / DATASET), files=files)
    filled = time.perf_counter() - began
    print(f"annotations: a run of {ran.seconds:.1f} s, {ran.peak_rss / MIB:.0f} MiB resident at the most")
    print(f"{clips:,} clips recorded in {filled:.1f} s", flush=True)
    return {"annotations_s": ran.seconds, "annotations_rss": ran.peak_rss, "filled_s": filled}


def _measure(bucket: Bucket, root: Path, runs: int, *, idle: bool) -> list[Took]:
    at = (DATASET, "--root", str(root))
    took = [
        timed("kdl --help", runs, lambda: quiet([*KDL, "--help"]), 0.15),
        timed("kdl mirror --help", runs, lambda: quiet([*KDL, "mirror", "--help"])),
        timed("kdl status", runs, lambda: quiet([*KDL, "status", *at]), 1.0),
        timed("kdl status --json", runs, lambda: quiet([*KDL, "status", *at, "--json"]), 1.0),
        timed("kdl status --show corrupt", runs, lambda: quiet([*KDL, "status", *at, "--show", "corrupt"])),
        timed("kdl export --format csv", 1, lambda: quiet([*KDL, "export", *at, "--format", "csv"])),
    ]
    if idle:
        with DemoServer(bucket.folder) as server:
            origin = ("--origin", server.url, "--quiet")
            idle_run = [*KDL, "mirror", *at, *origin]
            # corrupt clips without a replacement remain, hence 1
            took.append(timed("kdl mirror with nothing to do", 1, lambda: quiet(idle_run, codes=(1,))))
    return took


if __name__ == "__main__":
    sys.exit(main())
