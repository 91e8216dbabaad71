"""Small clips made for the tests of the media room, and what ffprobe says of files."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kdl.media.cookbook import load_recipes
from kdl.media.task import OutputResult

RECIPES = load_recipes()
Run = Callable[..., list[OutputResult]]
Wrap = Callable[..., Path]

SHARED = Path(__file__).parents[2].parent / "shared" / "clips" / "good"
"""Real clips, where this machine has them."""


def ffmpeg(*arguments: str | Path) -> None:
    subprocess.run(["ffmpeg", "-nostdin", "-v", "error", "-y", *map(str, arguments)], check=True)


def make_clip(
    path: Path,
    *,
    size: str = "96x64",
    rate: str = "25",
    frames: int = 25,
    audio: bool = False,
    extra: tuple[str, ...] = (),
) -> Path:
    """A moving test picture; with ``audio`` a tone as long as the picture."""
    sound = ("-f", "lavfi", "-i", "sine=frequency=440", "-c:a", "aac", "-shortest") if audio else ()
    video = ("-f", "lavfi", "-i", f"testsrc=size={size}:rate={rate}")
    shape = ("-frames:v", str(frames), "-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv444p")
    ffmpeg(*video, *sound, *shape, *extra, f"file:{path}")
    return path


def probe(path: Path) -> list[dict[str, Any]]:
    """Each stream as ffprobe shows it, packets counted."""
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-show_streams", "-count_packets", "-of", "json", f"file:{path}"],
        check=True,
        capture_output=True,
    )
    streams: list[dict[str, Any]] = json.loads(done.stdout)["streams"]
    return streams


def video_of(path: Path) -> dict[str, Any]:
    return next(stream for stream in probe(path) if stream["codec_type"] == "video")


def shape(path: Path) -> tuple[int, int]:
    """Width and height, in stored pixels."""
    stream = video_of(path)
    return stream["width"], stream["height"]


def packets(path: Path, field: str) -> list[str]:
    """``pts_time`` or ``flags`` of each video packet, in presentation order."""
    done = subprocess.run(
        ["ffprobe", "-v", "error", "-select_streams", "v:0", "-show_packets", "-of", "json", f"file:{path}"],
        check=True,
        capture_output=True,
    )
    rows = sorted(json.loads(done.stdout)["packets"], key=lambda row: float(row["pts_time"]))
    return [row[field] for row in rows]


def frames_of(folder: Path) -> list[Path]:
    return sorted(folder.iterdir())
