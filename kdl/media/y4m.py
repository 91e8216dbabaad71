"""Pictures out of a pipe that ffmpeg writes yuv4mpeg into."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from kdl.errors import MediaError
from kdl.media.pictures import Planes

_CHROMA = {"420": (2, 2), "422": (2, 1), "444": (1, 1)}
"""By how much chroma planes are narrower and lower."""


def pictures(stream: BinaryIO) -> Iterator[Planes]:
    """Each whole picture of the stream; none if it is empty. Raises MediaError for another format."""
    header = stream.readline(256)
    if not header:
        return
    shapes = _shapes(header.decode("ascii", errors="replace").split())
    ends = np.cumsum([height * width for height, width in shapes])
    while stream.readline(256).startswith(b"FRAME"):
        pixels = stream.read(int(ends[-1]))
        if len(pixels) < ends[-1]:
            return
        parts = np.split(np.frombuffer(pixels, np.uint8), ends[:-1])
        yield tuple(part.reshape(shape) for part, shape in zip(parts, shapes, strict=True))


def _shapes(words: list[str]) -> list[tuple[int, int]]:
    """(height, width) of each plane."""
    told = {word[0]: word[1:] for word in words[1:]}
    try:
        width, height, chroma = int(told["W"]), int(told["H"]), told["C"]
        if chroma == "mono":
            return [(height, width)]
        across, down = _CHROMA[chroma[:3]]
    except (KeyError, ValueError) as error:
        raise MediaError(f"ffmpeg wrote pictures that kdl does not read: {' '.join(words)}") from error
    small = (-(-height // down), -(-width // across))
    return [(height, width), small, small]
