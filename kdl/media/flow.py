"""Optical flow between a clip's frames, as pictures of its two components.

OpenCV computes it: an extra, because its wheel is larger than all the rest of kdl.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from kdl.media.opencv import require_opencv
from kdl.media.pictures import Plane, Planes, encoder
from kdl.media.recipe import Recipe
from kdl.media.store import Store

Estimate = Callable[[Plane, Plane], NDArray[np.float32]]
"""From two grey pictures (height, width) to the movement in pixels (height, width, 2): x, y."""


class FlowSink:
    """Stores the flow from each frame to the one ``step`` frames later: an x and a y picture each."""

    def __init__(self, recipe: Recipe, store: Store) -> None:
        """Raises ToolMissing without OpenCV."""
        self._recipe = recipe
        self._store = store
        self._estimate = estimator(recipe.algorithm)
        self._encode = encoder(recipe.format, recipe.quality)
        self._recent: deque[Plane] = deque(maxlen=recipe.step)
        self.taken = 0

    def take(self, planes: Planes) -> None:
        picture = planes[0].copy()
        if len(self._recent) == self._recipe.step:
            flow = self._estimate(self._recent[0], picture)
            for axis in (0, 1):
                name = self._name("xy"[axis], self.taken - self._recipe.step)
                self._store.add(name, self._encode((quantised(flow[..., axis], self._recipe.bound),)))
        self._recent.append(picture)
        self.taken += 1

    def names(self) -> list[str]:
        pairs = max(self.taken - self._recipe.step, 0)
        return [self._name(axis, number) for number in range(pairs) for axis in "xy"]

    def _name(self, axis: str, number: int) -> str:
        return self._recipe.template.replace("{}", axis) % (self._recipe.start + number)


def quantised(component: NDArray[np.float32], bound: int) -> Plane:
    """One component in bytes: ``round(255 * (v + bound) / (2 * bound))``, cut off at 0 and 255.

    As dense_flow and denseflow write it and trainers read it: no movement is 128.
    """
    scaled = component * (255 / (2 * bound)) + 127.5
    pixels: Plane = np.rint(np.clip(scaled, 0, 255)).astype(np.uint8)
    return pixels


def estimator(algorithm: str) -> Estimate:
    """OpenCV's, with its default settings (DIS: its medium preset). Raises ToolMissing.

    It computes on one thread: clips run side by side instead.
    """
    cv2 = require_opencv(algorithm)
    cv2.setNumThreads(1)
    if algorithm == "dis":
        method = cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
    elif algorithm == "farneback":
        method = cv2.FarnebackOpticalFlow_create()
    else:
        method = cv2.optflow.DualTVL1OpticalFlow_create()
    return lambda first, second: method.calc(first, second, None)
