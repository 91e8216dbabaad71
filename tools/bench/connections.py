"""``--connections-per-file``: one archive over several connections that are each held to a rate.

Two servers hold them: nginx, whose ``limit_rate`` counts by request and lets the first second's bytes of each
pass at once, and one that counts by connection, lets nothing pass early and answers after 30 ms.

``python -m tools.bench.connections [--rate-mb N] [--seconds N] [--rounds N]``
"""

from __future__ import annotations

import argparse
import json
import shutil
import statistics
import sys
import tempfile
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Protocol

from tests.replica.nginx import serve
from tools.bench.bucket import DATASET, Bucket, make_bucket
from tools.bench.measuring import KDL, quiet
from tools.bench.slow_lines import SlowLines

COUNTS = (1, 4)
BAR = 3.5
"""Over nginx four connections are so many times as fast as one."""
_CLIPS = 20
_NGINX = "nginx limit_rate"


class _Served(Protocol):
    @property
    def url(self) -> str: ...


Server = Callable[[Path], AbstractContextManager[_Served]]


@dataclass(frozen=True, slots=True)
class Ratio:
    """How many times as fast as one connection: the median over rounds and its range."""

    server: str
    connections: int
    seconds: float
    """Median."""
    median: float
    least: float
    most: float
    bar: float | None

    @property
    def passes(self) -> bool:
        return self.bar is None or self.median >= self.bar


def main() -> int:
    """0 if the bar is held."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--rate-mb", type=int, default=5, help="MB a second and connection")
    parser.add_argument("--seconds", type=int, default=8, help="what one connection takes, about")
    parser.add_argument("--rounds", type=int, default=3)
    asked = parser.parse_args()
    rate = asked.rate_mb * 1_000_000
    ratios: list[Ratio] = []
    with tempfile.TemporaryDirectory(prefix="kdl-bench-") as name:
        folder = Path(name)
        bucket = make_bucket(folder / "bucket", {"train": _CLIPS * 2}, held=1)
        size = bucket.put_shards("train", 1, rate * asked.seconds // _CLIPS, _CLIPS)
        servers: dict[str, Server] = {
            _NGINX: lambda served: serve(served, limit_rate=rate),
            "slow lines": lambda served: SlowLines(served, rate),
        }
        for server, start in servers.items():
            ratios += _measure(server, start, bucket, folder / "out", asked.rounds)
    _report(f"{size / 1e6:.0f} MB, {asked.rate_mb} MB/s a connection, {asked.rounds} rounds", ratios)
    return 0 if all(ratio.passes for ratio in ratios) else 1


def _measure(name: str, start: Server, bucket: Bucket, out: Path, rounds: int) -> list[Ratio]:
    took: dict[int, list[float]] = {count: [] for count in COUNTS}
    with start(bucket.folder) as server:
        for _ in range(rounds):
            for count in COUNTS:
                took[count].append(_fetch(server.url, out, count))
    return [_ratio(name, count, took) for count in COUNTS]


def _fetch(url: str, out: Path, connections: int) -> float:
    """Seconds from the shard's turn to its being on record, as the run itself tells them."""
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir()
    log = out / "events.jsonl"
    where = ("--root", str(out), "--origin", url, "--split", "train", "--limit", "1", "--quiet")
    quiet(
        [*KDL, "fetch", DATASET, *where, "--connections-per-file", str(connections), "--log-json", str(log)]
    )
    events = map(json.loads, log.read_text(encoding="ascii").splitlines())
    return next(
        float(each["seconds"]) for each in events if each.get("state") == "done" and each.get("clips")
    )


def _ratio(server: str, count: int, took: dict[int, list[float]]) -> Ratio:
    ratios = [one / several for one, several in zip(took[1], took[count], strict=True)]
    bar = BAR if (server, count) == (_NGINX, 4) else None
    median = statistics.median
    return Ratio(server, count, median(took[count]), median(ratios), min(ratios), max(ratios), bar)


def _report(title: str, ratios: list[Ratio]) -> None:
    print(title)
    print(f"  {'':<20}{'connections':>12}{'median':>9}{'ratio':>8}{'least':>8}{'most':>8}{'bar':>6}")
    for row in ratios:
        bar = "" if row.bar is None else f"{row.bar:g}"
        numbers = "".join(f"{value:>8.2f}" for value in (row.median, row.least, row.most))
        mark = "" if row.passes else "  too slow"
        print(f"  {row.server:<20}{row.connections:>12}{row.seconds:>7.2f} s{numbers}{bar:>6}{mark}")
    print(json.dumps({"title": title, "ratios": [asdict(row) for row in ratios]}))


if __name__ == "__main__":
    sys.exit(main())
