"""Several ways of doing the same work, run in turn, and how they compare round by round.

A machine's speed drifts. A ratio is taken within a round, between runs that were minutes apart at the
most, and the median of the rounds' ratios is what is told.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from tools.bench.measuring import machine


@dataclass(frozen=True, slots=True)
class Way:
    """One way to do the work: a command of the shell."""

    name: str
    script: str


@dataclass(frozen=True, slots=True)
class Lap:
    """One run of a way, with all the processes it started and waited for."""

    wall: float
    """Seconds, as ``user`` and ``system``, which are of the CPU."""
    user: float
    system: float
    peak: int
    """Bytes that the largest process had resident."""

    @property
    def cpu(self) -> float:
        return self.user + self.system


@dataclass(frozen=True, slots=True)
class Bar:
    """A promise: ``way`` is at least ``ratio`` times as fast as ``peer``. Without one it is only told."""

    way: str
    peer: str
    ratio: float | None = None


@dataclass(frozen=True, slots=True)
class Ratio:
    """The peer's wall clock over the way's, over all rounds."""

    way: str
    peer: str
    median: float
    least: float
    most: float
    bar: float | None

    @property
    def holds(self) -> bool:
        return self.bar is None or self.median >= self.bar


Laps = Mapping[str, Sequence[Lap]]


def race(ways: Sequence[Way], rounds: int, before: Callable[[], object]) -> Laps:
    """Every way once to warm up, then ``rounds`` times in turn, each after ``before``, which is not timed."""
    laps: dict[str, list[Lap]] = {way.name: [] for way in ways}
    for number in range(rounds + 1):
        for way in ways:
            before()
            lap = run(way.script)
            if number:
                laps[way.name].append(lap)
    return laps


def run(script: str) -> Lap:
    """Run a script of bash to its end. Raises RuntimeError, with what it said, if it fails."""
    began = time.perf_counter()
    process = subprocess.Popen(
        ["bash", "-euo", "pipefail", "-c", script],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    assert process.stderr is not None
    words = process.stderr.read()
    _, status, used = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stderr.close()
    if process.returncode:
        raise RuntimeError(f"exit code {process.returncode}: {script}\n{words.decode(errors='replace')}")
    return Lap(time.perf_counter() - began, used.ru_utime, used.ru_stime, used.ru_maxrss * 1024)


def compare(laps: Laps, bars: Sequence[Bar]) -> list[Ratio]:
    """How the ways that have a bar did against their peers, round by round."""
    found = []
    for bar in bars:
        pairs = zip(laps[bar.peer], laps[bar.way], strict=True)
        ratios = [peer.wall / own.wall for peer, own in pairs]
        found.append(Ratio(bar.way, bar.peer, statistics.median(ratios), min(ratios), max(ratios), bar.ratio))
    return found


def report(title: str, laps: Laps, ratios: Sequence[Ratio], size: int) -> None:
    """Two tables on stdout, and after them all of it as one line of JSON. ``size``: bytes of the work."""
    print(f"{title} ({machine()})")
    print(f"  {'':<44}{'median':>9}{'least':>9}{'most':>9}{'CPU s/GB':>10}{'peak MB':>9}")
    for name, own in laps.items():
        walls = [lap.wall for lap in own]
        times = "".join(f"{value:>7.2f} s" for value in (statistics.median(walls), min(walls), max(walls)))
        cpu = statistics.median(lap.cpu for lap in own) / (size / 1e9)
        print(f"  {name:<44}{times}{cpu:>10.2f}{max(lap.peak for lap in own) / 1e6:>9.0f}")
    for ratio in ratios:
        promised = "" if ratio.bar is None else f", promised {ratio.bar:g}x"
        mark = "" if ratio.holds else "  TOO SLOW"
        span = f"{ratio.median:.2f}x ({ratio.least:.2f}-{ratio.most:.2f})"
        print(f"  {ratio.way} : {ratio.peer}: {span}{promised}{mark}")
    told: dict[str, Any] = {
        "title": title,
        "machine": machine(),
        "bytes": size,
        "laps": {name: [asdict(lap) for lap in own] for name, own in laps.items()},
        "ratios": [asdict(ratio) for ratio in ratios],
    }
    print(json.dumps(told), flush=True)
