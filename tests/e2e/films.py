"""Whole videos to cut clips out of: every picture says which one it is."""

from __future__ import annotations

import subprocess
from pathlib import Path

import numpy as np

FPS = 25
_BITS = 10
_SIDE = 16
_SIZE = (3 * _SIDE, _BITS * _SIDE)
"""Rows and columns: a block for each bit of the picture's number, from the lowest on."""


def make_film(path: Path, seconds: float) -> None:
    """An mp4 with sound, whose key frames are two seconds apart."""
    numbers = np.arange(round(seconds * FPS), dtype=np.uint16)
    bits = (numbers[:, None] >> np.arange(_BITS)) & 1
    pictures = np.zeros((len(numbers), *_SIZE), np.uint8)
    pictures[:] = np.repeat(np.where(bits, 235, 16), _SIDE, axis=1)[:, None, :]
    raw = ["-f", "rawvideo", "-pix_fmt", "gray", "-s", f"{_SIZE[1]}x{_SIZE[0]}", "-r", str(FPS), "-i", "-"]
    sound = ["-f", "lavfi", "-t", str(seconds), "-i", "sine=440"]
    coded = [
        "-c:v",
        "libx264",
        "-pix_fmt",
        "yuv420p",
        "-g",
        str(2 * FPS),
        "-sc_threshold",
        "0",
        "-c:a",
        "aac",
    ]
    command = ["ffmpeg", "-v", "error", "-y", *raw, *sound, *coded, f"file:{path}"]
    subprocess.run(command, input=pictures.tobytes(), check=True)


def numbers_in(clip: Path, *options: str) -> list[int]:
    """The numbers of a clip's pictures in the film it was cut out of, as a player shows them."""
    each = ["-fps_mode", "passthrough", "-f", "rawvideo", "-pix_fmt", "gray", "-"]
    command = ["ffmpeg", "-v", "error", *options, "-i", f"file:{clip}", *each]
    raw = subprocess.run(command, capture_output=True, check=True).stdout
    pictures = np.frombuffer(raw, np.uint8).reshape(-1, *_SIZE)
    middle = pictures[:, _SIZE[0] // 2, _SIDE // 2 :: _SIDE] > 128
    return [int(number) for number in middle @ (1 << np.arange(_BITS))]
