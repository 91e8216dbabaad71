"""Small clips made with ffmpeg, and the ways in which they get broken.

A handful of scenes is rendered once; :func:`stamp` then gives every clip bytes of its own without
another encoder run.
"""

from __future__ import annotations

import os
import shutil
import struct
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from kdl.errors import MediaError, ToolMissing

_RENDER_TIMEOUT_S = 120


@dataclass(frozen=True, slots=True)
class Scene:
    """One clip to be rendered as h264 and AAC in mp4."""

    picture: str | None
    """A lavfi video source without size, rate and duration (``testsrc2``); ``None`` for sound alone."""
    seconds: float
    size: str = "320x180"
    """Width x height in pixels, both even."""
    fps: int = 15
    sound: bool = True
    moov_first: bool = True
    """The index before the data, as a web server wants it; else behind, as ffmpeg writes by default."""


def render(scenes: Sequence[Scene], *, ffmpeg: str = "ffmpeg") -> list[bytes]:
    """Each scene as the bytes of an mp4 file, rendered side by side on all cores.

    Raises ToolMissing without ffmpeg, MediaError where it fails.
    """
    if shutil.which(ffmpeg) is None:
        raise ToolMissing(
            "not found on PATH", subject=ffmpeg, fix="apt install ffmpeg, or brew install ffmpeg"
        )
    with tempfile.TemporaryDirectory(prefix="kdl-demo-") as folder:
        paths = [Path(folder, f"{number}.mp4") for number in range(len(scenes))]
        with ThreadPoolExecutor(os.cpu_count() or 2) as pool:
            return list(pool.map(lambda scene, path: _render_one(ffmpeg, scene, path), scenes, paths))


def _render_one(ffmpeg: str, scene: Scene, path: Path) -> bytes:
    command = [ffmpeg, "-nostdin", "-v", "error", "-y"]
    if scene.picture is not None:
        command += ["-f", "lavfi", "-i", f"{scene.picture}=size={scene.size}:rate={scene.fps}"]
    if scene.sound:
        command += ["-f", "lavfi", "-i", "sine=frequency=440:sample_rate=22050"]
    command += ["-t", str(scene.seconds), "-threads", "1"]
    command += ["-c:v", "libx264", "-preset", "veryfast", "-crf", "30", "-pix_fmt", "yuv420p"]
    command += ["-c:a", "aac", "-b:a", "32k", *(["-movflags", "+faststart"] if scene.moov_first else [])]
    done = subprocess.run([*command, str(path)], capture_output=True, timeout=_RENDER_TIMEOUT_S, check=False)
    if done.returncode != 0:
        words = done.stderr.decode(errors="replace").strip()
        raise MediaError(f"could not render a sample clip: {words}", subject=ffmpeg, fix="kdl doctor")
    return path.read_bytes()


def stamp(mp4: bytes, text: str) -> bytes:
    """The same film with ``text`` in a ``free`` box at its end, which every reader skips."""
    payload = text.encode()
    return mp4 + struct.pack(">I4s", 8 + len(payload), b"free") + payload


def without_index(mp4: bytes) -> bytes:
    """The file of a muxer that was killed: everything but the ``moov`` box."""
    return b"".join(mp4[start:end] for kind, start, end in _boxes(mp4) if kind != b"moov")


def cut_short(mp4: bytes) -> bytes:
    """A download that broke off half-way through the data; with the index first, headers still claim all."""
    start, end = next((start, end) for kind, start, end in _boxes(mp4) if kind == b"mdat")
    return mp4[: (start + end) // 2]


def _boxes(mp4: bytes) -> Iterator[tuple[bytes, int, int]]:
    """The top-level boxes as kind, first byte, byte after the last (32-bit sizes, as in small files)."""
    start = 0
    while start < len(mp4):
        size, kind = struct.unpack_from(">I4s", mp4, start)
        yield kind, start, start + size
        start += size
