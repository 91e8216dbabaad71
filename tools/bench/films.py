"""Clips to measure with: real ones where a folder of them lies beside the checkout, else generated ones."""

from __future__ import annotations

import subprocess
from pathlib import Path

from kdl.jobs.demo_clips import Scene, render

_REAL = Path(__file__).parents[3] / "shared" / "clips" / "good"


def real_films(count: int, *, seconds: tuple[float, float] = (5, 20)) -> list[bytes]:
    """``count`` clips, longer and shorter than ``seconds``; the same ones again where there are fewer."""
    least, most = seconds
    real = [path for path in sorted(_REAL.glob("*.mp4")) if least < _duration(path) < most]
    films = [path.read_bytes() for path in real[:count]]
    if not films:
        films = render(
            [Scene("testsrc2", 10, size="640x360", fps=30), Scene("mandelbrot", 10, size="340x256", fps=25)]
        )
    return [films[number % len(films)] for number in range(count)]


def _duration(path: Path) -> float:
    """Seconds; 0 where the file does not say."""
    command = ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_entries", "format=duration"]
    done = subprocess.run([*command, "-of", "csv=p=0", path], capture_output=True, text=True, check=True)
    return float(done.stdout.strip() or 0) if done.stdout.strip() != "N/A" else 0.0
