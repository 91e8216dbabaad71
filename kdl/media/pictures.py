"""Pictures as planes of bytes, their encoders, and the sink that stores a clip's frames."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from typing import Any, Protocol, cast

import av
import numpy as np
import simplejpeg
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from numpy.typing import NDArray

from kdl.media.recipe import Recipe
from kdl.media.store import Store

Plane = NDArray[np.uint8]
"""One plane of a picture: (height, width)."""
Planes = tuple[Plane, ...]
"""One plane of grey, or luma and two of chroma, full range; chroma planes may be smaller."""
Encoder = Callable[[Planes], bytes]


class Sink(Protocol):
    """What a decoded clip's pictures flow into."""

    taken: int
    """Pictures it was handed."""

    def take(self, planes: Planes) -> None:
        """The next picture; its planes are the sink's no longer than the call lasts. Raises OSError."""

    def names(self) -> list[str]:
        """What should be stored after so many pictures."""


class FrameSink:
    """Encodes each picture and stores it under the recipe's next name."""

    def __init__(self, recipe: Recipe, store: Store) -> None:
        self._recipe = recipe
        self._store = store
        self._encode = encoder(recipe.format, recipe.quality)
        self.taken = 0

    def take(self, planes: Planes) -> None:
        self._store.add(self._name(self.taken), self._encode(planes))
        self.taken += 1

    def names(self) -> list[str]:
        return [self._name(number) for number in range(self.taken)]

    def _name(self, number: int) -> str:
        return self._recipe.template % (self._recipe.start + number)


def encoder(extension: str, quality: int) -> Encoder:
    """An encoder for ``jpg``, ``png`` or ``webp``, used by one thread."""
    if extension == "jpg":
        return lambda planes: _jpeg(planes, quality)
    return _Libav(extension, quality)


def _jpeg(planes: Planes, quality: int) -> bytes:
    luma, *chroma = planes
    blue, red = chroma or (None, None)
    return cast(bytes, simplejpeg.encode_jpeg_yuv_planes(luma, blue, red, quality=quality))


class _Libav:
    """PNG and WebP, as libav makes them."""

    def __init__(self, extension: str, quality: int) -> None:
        self._name = {"png": "png", "webp": "libwebp"}[extension]
        self._options = {"quality": str(quality)} if extension == "webp" else {}
        self._context: VideoCodecContext | None = None
        self._pts = 0

    def __call__(self, planes: Planes) -> bytes:
        frame = _frame(planes)
        pixels = "yuv420p" if self._name == "libwebp" else "gray" if len(planes) == 1 else "rgb24"
        frame = frame.reformat(format=pixels)
        if self._context is None:
            self._context = self._open(frame.width, frame.height, pixels)
        frame.pts, self._pts = self._pts, self._pts + 1
        return b"".join(map(bytes, self._context.encode(frame)))

    def _open(self, width: int, height: int, pixels: str) -> VideoCodecContext:
        context = cast(VideoCodecContext, CodecContext.create(self._name, "w"))
        context.width, context.height, context.pix_fmt = width, height, pixels
        context.time_base = Fraction(1, 25)
        context.thread_count = 1
        context.options = self._options
        return context


def _frame(planes: Planes) -> av.VideoFrame:
    if len(planes) == 1:
        return av.VideoFrame.from_ndarray(np.ascontiguousarray(planes[0]), "gray")
    same = planes[1].shape == planes[0].shape
    height, width = planes[0].shape
    frame = av.VideoFrame(width, height, "yuvj444p" if same else "yuvj420p")
    for plane, pixels in zip(frame.planes, planes, strict=True):
        rows: Any = np.zeros((pixels.shape[0], plane.line_size), np.uint8)
        rows[:, : pixels.shape[1]] = pixels
        plane.update(rows.tobytes())
    return frame
