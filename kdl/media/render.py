"""A clip's derivatives: made by one ffmpeg, looked at, and only then put in place.

Plain values in, plain values out: :func:`render` runs in a worker process and knows no ledger.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import shutil
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from kdl.errors import DiskFull, MediaError, ToolMissing
from kdl.media.child import Finished, run_child
from kdl.media.graph import Target, command
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


def render(task: RenderTask) -> RenderResult:
    """Makes the derivatives of a clip: by one process, or each by itself if that fails.

    A derivative appears at its final path when it is whole and has what its recipe promises, else
    not at all. Raises DiskFull and ToolMissing, which are not the clip's fault.
    """
    deadline = time.monotonic() + task.timeout
    attempts: list[_Attempt] = []
    try:
        attempts.extend(_Attempt.begin(output) for output in task.outputs)
        try:
            results = _run(task, attempts, deadline)
        except MediaError as failure:
            results = _run_apart(task, attempts, deadline, failure)
    except OSError as error:
        if error.errno in (errno.ENOSPC, errno.EDQUOT):
            raise _disk_full(attempts) from error
        raise
    finally:
        for attempt in attempts:
            shutil.rmtree(attempt.scratch, ignore_errors=True)
    return RenderResult(tuple(results))


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An output on its way; ``scratch`` is its own folder, which holds ``target.path``."""

    output: RenderOutput
    target: Target
    scratch: Path

    @classmethod
    def begin(cls, output: RenderOutput) -> _Attempt:
        output.tmp_dir.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(prefix="render-", dir=output.tmp_dir))
        name = "clip.mp4" if output.recipe.kind == "video" else "frames"
        return cls(output, Target(output.recipe, scratch / name), scratch)

    def clear(self) -> None:
        """Leaves what ffmpeg expects: no file, or an empty folder."""
        path = self.target.path
        if self.output.recipe.kind == "video":
            path.unlink(missing_ok=True)
        else:
            shutil.rmtree(path, ignore_errors=True)
            path.mkdir()

    def settle(self, decoded: int | None, complaint: str) -> OutputResult:
        """Checks what came out and moves it to its final path."""
        recipe, made, final = self.output.recipe, self.target.path, self.output.final_path
        try:
            if recipe.kind == "video":
                frames, size = _measure_video(made)
            else:
                frames, size = _measure_frames(made, recipe, decoded)
        except MediaError as error:
            return self.failed(str(error))
        final.parent.mkdir(parents=True, exist_ok=True)
        if recipe.kind == "frames" or final.is_dir():  # a folder takes no other's place
            with contextlib.suppress(FileNotFoundError):
                final.rename(self.scratch / "old")
        made.replace(final)
        return OutputResult(recipe.name, True, final, frames, size, complaint=complaint)

    def failed(self, why: str) -> OutputResult:
        return OutputResult(self.output.recipe.name, False, self.output.final_path, error=why)


def _run(task: RenderTask, attempts: Sequence[_Attempt], deadline: float) -> list[OutputResult]:
    """One ffmpeg for these outputs. Raises MediaError if it fails."""
    for attempt in attempts:
        attempt.clear()
    targets = [attempt.target for attempt in attempts]
    argv = command(task.clip_path, targets, acodec=task.facts.acodec)
    finished = run_child(argv, timeout=max(0.0, deadline - time.monotonic()))
    errors = _errors(finished.stderr_tail)
    if any(_NO_SPACE.search(error) for error in errors):
        raise _disk_full(attempts)
    if encoder := next(filter(None, map(_NO_ENCODER.search, errors)), None):
        raise ToolMissing(
            f"this ffmpeg has no encoder {encoder[1]}", subject="ffmpeg", fix="install a full build of ffmpeg"
        )
    words = "; ".join(errors[-_KEPT:])
    if finished.timed_out:
        raise MediaError(f"ended at its time limit of {task.timeout:g} s" + (words and f": {words}"))
    if finished.returncode != 0:
        raise MediaError(f"{_ending(finished)}: {words or 'without a word'}")
    decoded = _decoded(finished.stderr_tail) or task.facts.frames
    return [attempt.settle(decoded, words) for attempt in attempts]


def _run_apart(
    task: RenderTask, attempts: Sequence[_Attempt], deadline: float, failure: MediaError
) -> list[OutputResult]:
    """One ffmpeg an output, because ``failure`` ended the one for all; what works is kept."""
    results = []
    for attempt in attempts:
        if len(attempts) == 1 or time.monotonic() >= deadline:
            results.append(attempt.failed(str(failure)))
            continue
        try:
            results += _run(task, [attempt], deadline)
        except MediaError as error:
            results.append(attempt.failed(str(error)))
    return results


def _measure_video(path: Path) -> tuple[int, int]:
    """Frames and bytes of a video. Raises MediaError if a trainer could not read it."""
    try:
        with av.open(f"file:{path}") as container:
            stream = container.streams.video[0]
            frames = sum(1 for packet in container.demux(stream) if packet.size)
            width, height = stream.width, stream.height
    except (av.FFmpegError, OSError, IndexError) as error:
        raise MediaError(f"what ffmpeg wrote can not be read: {error}") from error
    if frames == 0:
        raise MediaError("ffmpeg wrote a video without frames")
    if not width or not height or width % 2 or height % 2:
        raise MediaError(f"ffmpeg wrote a video of {width}x{height}; sides must be even")
    return frames, path.stat().st_size


def _measure_frames(folder: Path, recipe: Recipe, decoded: int | None) -> tuple[int, int]:
    """Frames and bytes of a folder. Raises MediaError unless it holds just what was promised.

    That is the recipe's count; where it has none, but takes every frame, as many as were decoded.
    """
    with os.scandir(folder) as entries:
        sizes = {entry.name: entry.stat().st_size for entry in entries}
    promised = recipe.count or (decoded if recipe.fps is None else None) or len(sizes)
    if not sizes or set(sizes) != {recipe.template % number for number in range(1, promised + 1)}:
        raise MediaError(f"ffmpeg wrote {len(sizes)} frames instead of {promised}")
    if not all(sizes.values()):
        raise MediaError("ffmpeg wrote frames of zero bytes")
    return len(sizes), sum(sizes.values())


_ERROR = re.compile(r"^(?:\[(?P<part>[^\]]+?)(?: @ \w+)?\] )?\[(?:error|fatal|panic)\] (?P<text>.*\S)", re.M)
_DECODED = re.compile(r"\(video\): \d+ packets read \(\d+ bytes\); (\d+) frames decoded")
_NO_SPACE = re.compile(r"No space left on device|Disk quota exceeded")
_NO_ENCODER = re.compile(r"Unknown encoder '([^']+)'")
_KEPT = 4
"""How many of ffmpeg's complaints are told."""


def _errors(stderr: str) -> list[str]:
    """The different things that ffmpeg called an error, in order."""
    errors: dict[str, None] = {}
    for match in _ERROR.finditer(stderr):
        if match["text"] != "Conversion failed!":
            errors[f"{match['part']}: {match['text']}" if match["part"] else match["text"]] = None
    return list(errors)


def _decoded(stderr: str) -> int | None:
    """The video frames that ffmpeg says it decoded."""
    match = _DECODED.search(stderr)
    return int(match[1]) if match else None


def _ending(finished: Finished) -> str:
    if finished.returncode < 0:
        return f"ffmpeg was ended by signal {-finished.returncode}"
    return f"ffmpeg failed with exit code {finished.returncode}"


def _disk_full(attempts: Sequence[_Attempt]) -> DiskFull:
    place = attempts[0].output.tmp_dir if attempts else ""
    return DiskFull(
        "no space left for derivatives",
        subject=str(place),
        fix="make room, or give another disk with --derived",
    )
