"""What is asked of a worker that makes derivatives, and what it answers.

Importing this loads no decoder: the coordinator, which only asks, needs none.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdl.media.hwaccel import Hwaccel
from kdl.media.recipe import Recipe
from kdl.values import Facts


@dataclass(frozen=True, slots=True)
class RenderOutput:
    """One derivative that is wanted."""

    recipe: Recipe
    final_path: Path
    """The file, or the folder of frames; what stands there is replaced."""
    tmp_dir: Path
    """A folder on the same file system as ``final_path``; made if it is not there."""


@dataclass(frozen=True, slots=True)
class RenderTask:
    """All the derivatives of one clip that are made at once; paths are absolute."""

    clip_path: Path
    facts: Facts
    outputs: tuple[RenderOutput, ...]
    timeout: float
    """Seconds for all of it; the worker's own limit should be some seconds longer."""
    hwaccel: Hwaccel = "none"
    """What decodes; with anything but ``none`` ffmpeg makes the pictures, too."""


@dataclass(frozen=True, slots=True)
class OutputResult:
    """What became of one derivative."""

    recipe_name: str
    ok: bool
    path: Path
    """Its final path, where nothing was touched if not ``ok``."""
    frames: int = 0
    bytes: int = 0
    """Of the file, or of all frames."""
    error: str = ""
    """Ends with ffmpeg's last words, where it had some."""
    complaint: str = ""
    """If ``ok``: what ffmpeg called an error on the way, such as a damaged frame; mostly nothing."""


@dataclass(frozen=True, slots=True)
class RenderResult:
    """In the order of the task's outputs."""

    outputs: tuple[OutputResult, ...]


def render_in_worker(task: RenderTask) -> RenderResult:
    """:func:`kdl.media.render.render`, which is loaded where this runs."""
    from kdl.media.render import render

    return render(task)


def render_durably(task: RenderTask) -> RenderResult:
    """The same on another machine: what it made is on disk when this returns, since nobody else can put
    it there."""
    from kdl.media.durable import flush

    result = render_in_worker(task)
    for output in result.outputs:
        if output.ok:
            flush(output.path)
    return result
