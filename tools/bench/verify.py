"""``kdl verify`` beside ``sha256sum`` over the same files, and its quick look at 650,000 clips.

``python -m tools.bench.verify [--only NAME] [--rounds N] [--clips N] [--keep FOLDER]``
"""

from __future__ import annotations

import argparse
import json
import shlex
import sys
import tempfile
from pathlib import Path

from kdl.jobs.demo_server import DemoServer
from kdl.settings import MIB, MirrorPaths
from tools.bench.bucket import DATASET, Bucket, make_bucket
from tools.bench.filling import fill
from tools.bench.measuring import KDL, Ran, quiet, watched
from tools.bench.racing import Bar, Way, compare, race, report

_VERIFY, _SUMS, _OPENSSL = "kdl verify --level hash", "xargs -P sha256sum", "xargs -P openssl dgst"
_SHARDS, _CLIPS, _CLIP_BYTES = 6, 300, 1_200_000
_SHARES = {"train": 0.83, "val": 0.06, "test": 0.11}
_STAT_S, _STAT_ROOM = 20.0, 300 * 10**6


def main() -> int:
    """0 if everything with a bar is within it."""
    asked = _arguments()
    works = {"hash": _hash, "stat": _stat}
    held = True
    for name, work in works.items():
        if asked.only in (None, name):
            with tempfile.TemporaryDirectory(prefix="kdl-bench-") as temporary:
                held &= work((asked.keep or Path(temporary)) / name, asked)
    return 0 if held else 1


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--only", choices=["hash", "stat"])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--clips", type=int, default=650_000)
    parser.add_argument("--keep", type=Path, metavar="FOLDER", help="make it here, and use it again")
    return parser.parse_args()


def _hash(folder: Path, asked: argparse.Namespace) -> bool:
    """A mirror that a real fetch made, hashed by turns; whether the bar held."""
    root = folder / "root"
    if not (folder / "filled").exists():
        bucket = make_bucket(folder / "bucket", {"train": _SHARDS * _CLIPS * 2}, held=_SHARDS)
        bucket.put_shards("train", _SHARDS, _CLIP_BYTES, _CLIPS)
        _fetch(bucket, root, "--split", "train", "--limit", str(_SHARDS))
        (folder / "filled").touch()
    size = sum(path.stat().st_size for path in (root / DATASET / "videos").rglob("*.mp4"))
    files = f"cd {shlex.quote(str(root / DATASET))}; find videos -name '*.mp4' -print0"
    ways = [
        Way(_VERIFY, f"{shlex.join(KDL)} verify {DATASET} --root {root} --level hash --quiet"),
        Way(_SUMS, f"{files} | xargs -0 -n 32 -P$(nproc) sha256sum > /dev/null"),
        Way(_OPENSSL, f"{files} | xargs -0 -n 32 -P$(nproc) openssl dgst -sha256 > /dev/null"),
    ]
    laps = race(ways, asked.rounds, lambda: None)
    ratios = compare(laps, [Bar(_VERIFY, _SUMS, 0.9), Bar(_VERIFY, _OPENSSL)])
    report(f"{_SHARDS * _CLIPS:,} clips hashed, {size / 1e6:,.0f} MB, in memory", laps, ratios, size)
    return all(ratio.holds for ratio in ratios)


def _stat(folder: Path, asked: argparse.Namespace) -> bool:
    """The first look at a big mirror, and the second, when each clip is on record as looked at."""
    root = folder / "root"
    if not (folder / "filled").exists():
        rows = {split: int(asked.clips * share) for split, share in _SHARES.items()}
        bucket = make_bucket(folder / "bucket", rows)
        bucket.put_shards("val", 1, 20_000, 1)
        _fetch(bucket, root, "--shard", "k700_val_001")
        fill(bucket, MirrorPaths(root / DATASET), files=True, derived=False)
        (folder / "filled").touch()
    held = True
    for name in ("first", "second"):
        ran = watched([*KDL, "verify", DATASET, "--root", str(root), "--level", "stat", "--json"])
        held &= _told(name, ran)
    return held


def _told(name: str, ran: Ran) -> bool:
    result = json.loads(ran.out)
    fits = ran.seconds <= _STAT_S and ran.peak_rss <= _STAT_ROOM
    figures = f"{ran.seconds:.1f} s, {ran.peak_rss / MIB:.0f} MiB resident at the most"
    promise = f"promised {_STAT_S:g} s and {_STAT_ROOM / 1e6:g} MB{'' if fits else '  TOO MUCH'}"
    print(f"kdl verify --level stat, {result['checked']:,} clips, {name} look: {figures}; {promise}")
    told = {"look": name, "seconds": ran.seconds, "rss": ran.peak_rss, "checked": result["checked"]}
    print(json.dumps(told), flush=True)
    return fits


def _fetch(bucket: Bucket, root: Path, *selection: str) -> None:
    with DemoServer(bucket.folder) as server:
        where = ("--root", str(root), "--origin", server.url)
        quiet([*KDL, "fetch", DATASET, *where, *selection, "--quiet"])


if __name__ == "__main__":
    sys.exit(main())
