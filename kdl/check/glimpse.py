"""One small picture of a clip, for people.

A crash of libav takes the process with it, so this belongs in a worker whose loss costs one picture.
"""

from __future__ import annotations

from typing import Any, cast

import av
import numpy as np
import simplejpeg
from av.container import InputContainer
from av.error import FFmpegError

from kdl.check.limits import FORMATS, LIMITS, PROTOCOLS
from kdl.check.reading import clockwise

BOX = (160, 120)
"""Width and height in pixels that a picture fits into."""
MOST = 6_000
"""Bytes of one picture."""
_SECONDS = 10.0
"""For each step of looking for one."""
_QUALITIES = (60, 40, 20, 5)
_PACKETS = 400
"""Read at the most in search of a picture that decodes."""


def glimpse(path: str) -> bytes | None:
    """A picture from the middle of the clip, else the first that decodes, as JPEG; ``None`` if none does.

    It is read under the bounds of :mod:`kdl.check.limits`.
    """
    bounds = {
        "protocol_whitelist": PROTOCOLS,
        "format_whitelist": ",".join(FORMATS),
        "max_pixels": str(LIMITS.pixels),
    }
    for from_middle in (True, False):
        try:
            with av.open(
                f"file:{path}", options=bounds, metadata_errors="replace", timeout=_SECONDS
            ) as container:
                frame = _frame(container, from_middle=from_middle)
                if frame is not None:
                    return _jpeg(frame)
        except (FFmpegError, OSError, ValueError, MemoryError):
            continue
    return None


def _frame(container: InputContainer, *, from_middle: bool) -> av.VideoFrame | None:
    stream = next(iter(container.streams.video), None)
    if stream is None or stream.width * stream.height > LIMITS.pixels:
        return None
    stream.codec_context.options = {"max_pixels": str(LIMITS.pixels)}
    stream.codec_context.thread_count = 1
    if from_middle and container.duration:
        container.seek(container.duration // 2)
    for _, packet in zip(range(_PACKETS), container.demux(stream), strict=False):
        try:
            if frames := packet.decode():
                return frames[0]
        except FFmpegError:  # the next packet may be whole
            continue
    return None


def _jpeg(frame: av.VideoFrame) -> bytes | None:
    turn = clockwise(getattr(frame, "rotation", 0))
    box = BOX if turn % 180 == 0 else BOX[::-1]
    scale = min(box[0] / frame.width, box[1] / frame.height, 1.0)
    width, height = (max(round(side * scale), 2) for side in (frame.width, frame.height))
    pixels: Any = frame.to_ndarray(format="rgb24", width=width, height=height)
    pixels = np.ascontiguousarray(np.rot90(pixels, -(turn // 90)))
    made = (
        cast(bytes, simplejpeg.encode_jpeg(pixels, quality=quality, colorsubsampling="420"))
        for quality in _QUALITIES
    )
    return next((jpeg for jpeg in made if len(jpeg) <= MOST), None)
