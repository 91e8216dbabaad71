"""Optical flow by the ``denseflow`` program, which computes on a graphics card.

Its options and the names of its files are those of open-mmlab/denseflow, ``tools/denseflow.cpp``: into a
folder of the clip's name it writes ``flow_x_00000.jpg``, ``flow_y_00000.jpg`` and on, bytes quantised and
JPEGs of quality 95 as kdl's own are.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

from kdl.errors import MediaError, ToolMissing
from kdl.media.child import Deadline, run_child
from kdl.media.recipe import Recipe
from kdl.media.store import Store

ALGORITHMS = {"tvl1": "tvl1", "farneback": "farn"}
"""Those that it has under other or the same names."""
_PROGRAM = "denseflow"
_WORDS = 4
"""How many of its last lines are told."""


class DenseflowSink:
    """What denseflow made of a clip, under the recipe's names; counts as a sink does."""

    def __init__(self, recipe: Recipe) -> None:
        self._recipe = recipe
        self.taken = 0

    def names(self) -> list[str]:
        return [name for number in range(self.taken - self._recipe.step) for name in self._names(number)]

    def fill(self, store: Store, made: Path) -> None:
        """Store all that lies in ``made``. Raises OSError, MediaError if there is nothing."""
        for number, pair in enumerate(_pairs(made)):
            for path, name in zip(pair, self._names(number), strict=True):
                store.add(name, path.read_bytes())
            self.taken = number + 1 + self._recipe.step
        if not self.taken:
            raise MediaError("denseflow made no picture")

    def _names(self, number: int) -> list[str]:
        return [self._recipe.template.replace("{}", axis) % (self._recipe.start + number) for axis in "xy"]


def require_denseflow() -> None:
    """Raises ToolMissing if it is not there."""
    if shutil.which(_PROGRAM) is None:
        raise ToolMissing(
            "is not on the PATH, and the recipe wants it",
            subject=_PROGRAM,
            fix='build open-mmlab/denseflow (it needs CUDA), or leave engine = "denseflow" out',
        )


def extract(clip: Path, recipe: Recipe, store: Store, scratch: Path, deadline: Deadline) -> DenseflowSink:
    """The flow of a clip into ``store``; ``scratch`` is an empty folder of ours.

    Raises MediaError with denseflow's last words, ToolMissing, OSError.
    """
    argv = [_PROGRAM, str(clip), *_options(recipe), f"-o={scratch}"]
    finished = run_child(argv, timeout=deadline.left, talks_on_stdout=True)
    words = "; ".join(finished.stderr_tail.split("\n")[-_WORDS:]).strip("; ") or "without a word"
    if finished.timed_out:
        raise MediaError(f"denseflow was ended at {deadline}: {words}")
    if finished.returncode:
        raise MediaError(f"denseflow failed with exit code {finished.returncode}: {words}")
    sink = DenseflowSink(recipe)
    made = scratch / clip.stem
    if not made.is_dir():  # it tells of options that it does not know with exit code 0
        raise MediaError(f"denseflow made nothing: {words}")
    sink.fill(store, made)
    return sink


def _options(recipe: Recipe) -> Iterator[str]:
    yield f"-a={ALGORITHMS[recipe.algorithm]}"
    yield f"-b={recipe.bound}"
    yield f"-s={recipe.step}"
    if recipe.short_side is not None:
        yield f"-ns={recipe.short_side}"
    if recipe.size is not None:
        yield f"-nw={recipe.size[0]}"
        yield f"-nh={recipe.size[1]}"


def _pairs(made: Path) -> Iterator[tuple[Path, Path]]:
    """The x and the y picture of each number, from 0 without a gap."""
    number = 0
    while (across := made / f"flow_x_{number:05d}.jpg").exists():
        yield across, made / f"flow_y_{number:05d}.jpg"
        number += 1
