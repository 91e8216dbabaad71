"""Running commands and saying what they took."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

KDL = (sys.executable, "-m", "kdl")
_SAMPLE_S = 0.02


@dataclass(frozen=True, slots=True)
class Took:
    """What one command took in several runs, in seconds."""

    name: str
    median: float
    """Of the wall clock, as ``least`` and ``most``."""
    least: float
    most: float
    cpu: float
    """Median of what it and its children computed."""
    runs: int
    bar: float | None = None
    """It must not take longer."""

    @property
    def passes(self) -> bool:
        return self.bar is None or self.median <= self.bar


@dataclass(frozen=True, slots=True)
class Ran:
    """A finished command."""

    code: int
    out: str
    seconds: float
    peak_rss: int
    """Bytes; the most that its first process, and no child of it, had resident."""


def timed(
    name: str,
    runs: int,
    work: Callable[[], object],
    bar: float | None = None,
    before: Callable[[], object] = lambda: None,
) -> Took:
    """``work`` once to warm up and ``runs`` times measured, each time after ``before``, which is not."""
    took, cpu = [], []
    for run in range(runs + 1):
        before()
        began, computed = time.perf_counter(), _computed()
        work()
        if run:
            took.append(time.perf_counter() - began)
            cpu.append(_computed() - computed)
    median = statistics.median
    return Took(name, median(took), min(took), max(took), median(cpu), runs, bar)


def _computed() -> float:
    """Seconds of CPU, of this process and of its children that have ended."""
    times = os.times()
    return times.user + times.system + times.children_user + times.children_system


def quiet(command: Iterable[str], *, codes: tuple[int, ...] = (0,)) -> None:
    """Run a command for its time alone. Raises RuntimeError unless it ends with one of ``codes``."""
    words, nothing = [*command], subprocess.DEVNULL
    done = subprocess.run(words, stdin=nothing, stdout=nothing, stderr=subprocess.PIPE, check=False)
    if done.returncode not in codes or b"Traceback" in done.stderr:
        raise RuntimeError(f"exit code {done.returncode}: {' '.join(words)}\n{done.stderr.decode()}")


def watched(command: Iterable[str]) -> Ran:
    """Run a command to its end, reading its high-water mark of resident memory while it lives (Linux)."""
    began = time.perf_counter()
    # A file, not a pipe: a pipe that nobody reads meanwhile would hold up whoever says much.
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        with subprocess.Popen([*command], stdin=subprocess.DEVNULL, stdout=out) as process:
            peak = 0
            while process.poll() is None:
                peak = max(peak, _high_water(process.pid))
                time.sleep(_SAMPLE_S)
        took = time.perf_counter() - began
        out.seek(0)
        return Ran(process.returncode, out.read(), took, peak)


def _high_water(pid: int) -> int:
    try:
        status = Path(f"/proc/{pid}/status").read_text(encoding="ascii")
    except OSError:
        return 0
    for line in status.splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    return 0


def report(title: str, rows: list[Took], more: dict[str, Any] | None = None) -> None:
    """A table on stdout, and after it everything as one line of JSON."""
    print(f"{title} ({machine()})")
    print(f"  {'':<40}{'median':>9}{'least':>9}{'most':>9}{'CPU':>9}{'bar':>7}")
    for row in rows:
        bar = "" if row.bar is None else f"{row.bar:g} s"
        mark = "" if row.passes else "  too slow"
        times = "".join(f"{value:>7.3f} s" for value in (row.median, row.least, row.most, row.cpu))
        print(f"  {row.name:<40}{times}{bar:>7}{mark}")
    print(json.dumps({"machine": machine(), "took": [asdict(row) for row in rows], **(more or {})}))


def machine() -> str:
    return f"{len(os.sched_getaffinity(0))} cores, {platform.machine()}, Python {platform.python_version()}"
