"""A clip's derivatives: made from one decoding, looked at, and only then put in place.

Pictures alone are decoded and encoded in this process, which is quicker; where a video is wanted, or a
filter that PyAV's libav lacks, one ffmpeg makes the videos and hands over the pictures.

Plain values in, plain values out: :func:`render` runs in a worker process and knows no ledger.
"""

from __future__ import annotations

import contextlib
import shutil
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import av

from kdl.diskerrors import disk_error
from kdl.errors import MediaError
from kdl.media.child import Deadline
from kdl.media.decode import Branch, count_packets, decode
from kdl.media.denseflow import DenseflowSink, extract
from kdl.media.filters import chain
from kdl.media.flow import FlowSink
from kdl.media.graph import Target
from kdl.media.pictures import FrameSink, Sink
from kdl.media.recipe import Recipe
from kdl.media.remux import remux
from kdl.media.store import Store, open_store, stored
from kdl.media.task import OutputResult, RenderOutput, RenderResult, RenderTask
from kdl.media.transcode import Feed, transcode


def render(task: RenderTask) -> RenderResult:
    """Makes the derivatives of a clip: all at once, or each by itself if ffmpeg fails at that.

    A derivative appears at its final path when it is whole and has what its recipe promises, else
    not at all. Raises DiskFull, ToolMissing and MachineError, which are not the clip's fault.
    """
    deadline = Deadline(task.timeout)
    attempts: list[_Attempt] = []
    try:
        attempts.extend(_Attempt.begin(output) for output in task.outputs)
        results = _make(task, attempts, deadline)
    except OSError as error:
        raise disk_error(error, task.outputs[0].tmp_dir) from error
    finally:
        for attempt in attempts:
            shutil.rmtree(attempt.scratch, ignore_errors=True)
    return RenderResult(tuple(results))


def _make(task: RenderTask, attempts: Sequence[_Attempt], deadline: Deadline) -> list[OutputResult]:
    """The results in the attempts' order."""
    made = {
        attempt.recipe.name: make(task, attempt, deadline)
        for attempt in attempts
        if (make := _own_way(attempt.recipe)) is not None
    }
    rest = [attempt for attempt in attempts if attempt.recipe.name not in made]
    made |= {result.recipe_name: result for result in _make_here(task, rest, deadline)} if rest else {}
    return [made[attempt.recipe.name] for attempt in attempts]


def _own_way(recipe: Recipe) -> Callable[[RenderTask, _Attempt, Deadline], OutputResult] | None:
    """What makes a derivative that shares no decoding with others; None for one that does."""
    if recipe.engine == "denseflow":
        return _denseflow
    return _remux if recipe.copies else None


def _make_here(task: RenderTask, attempts: Sequence[_Attempt], deadline: Deadline) -> list[OutputResult]:
    recipes = [attempt.recipe for attempt in attempts]
    try:
        frames = count_packets(task.clip_path) if any(recipe.spread for recipe in recipes) else None
        by_ffmpeg = any(recipe.kind == "video" or recipe.drop_duplicates for recipe in recipes)
        if by_ffmpeg or task.hwaccel != "none":
            return _run(task, attempts, frames, deadline)
        return _decode(task, attempts, frames, deadline)
    except MediaError as error:
        return [attempt.failed(str(error)) for attempt in attempts]


@dataclass(frozen=True, slots=True)
class _Attempt:
    """An output on its way; ``scratch`` is a folder of its own, which ``made`` comes to lie in."""

    output: RenderOutput
    scratch: Path

    @classmethod
    def begin(cls, output: RenderOutput) -> _Attempt:
        output.tmp_dir.mkdir(parents=True, exist_ok=True)
        return cls(output, Path(tempfile.mkdtemp(prefix="render-", dir=output.tmp_dir)))

    @property
    def recipe(self) -> Recipe:
        return self.output.recipe

    @property
    def made(self) -> Path:
        return self.scratch / "made"

    def store(self) -> Store:
        """A new one for pictures, in the place of what a former try left."""
        _remove(self.made)
        return open_store(self.made, self.recipe.storage)

    def sink(self, store: Store) -> Sink:
        return FlowSink(self.recipe, store) if self.recipe.kind == "flow" else FrameSink(self.recipe, store)

    def settle(
        self, sink: Sink | DenseflowSink | None, decoded: int | None, dropped: int, complaint: str
    ) -> OutputResult:
        """Checks what came out and moves it to its final path."""
        try:
            if sink is None:
                frames, size = _measure_video(self.made, self.recipe, decoded, dropped)
            else:
                frames, size = _measure_pictures(self.made, self.recipe, sink, decoded)
        except MediaError as error:
            return self.failed(str(error))
        final = self.output.final_path
        final.parent.mkdir(parents=True, exist_ok=True)
        if self.made.is_dir() or final.is_dir():  # a folder takes no other's place
            with contextlib.suppress(FileNotFoundError):
                final.rename(self.scratch / "old")
        self.made.replace(final)
        return OutputResult(self.recipe.name, True, final, frames, size, complaint=complaint)

    def failed(self, why: str) -> OutputResult:
        return OutputResult(self.recipe.name, False, self.output.final_path, error=why)


def _decode(
    task: RenderTask, attempts: Sequence[_Attempt], frames: int | None, deadline: Deadline
) -> list[OutputResult]:
    """Pictures, made in this process. Raises MediaError if the clip can not be decoded."""
    with contextlib.ExitStack() as stores:
        branches = [
            Branch(chain(attempt.recipe, frames), attempt.sink(stores.enter_context(attempt.store())))
            for attempt in attempts
        ]
        decoded = decode(task.clip_path, branches, deadline=deadline)
    return [
        attempt.failed(branch.error)
        if branch.error
        else attempt.settle(branch.sink, decoded.frames, 0, decoded.complaint)
        for attempt, branch in zip(attempts, branches, strict=True)
    ]


def _denseflow(task: RenderTask, attempt: _Attempt, deadline: Deadline) -> OutputResult:
    """Flow by a program of its own, which decodes by itself."""
    scratch = attempt.scratch / "denseflow"
    scratch.mkdir()
    try:
        frames = count_packets(task.clip_path)
        with attempt.store() as store:
            sink = extract(task.clip_path, attempt.recipe, store, scratch, deadline)
    except MediaError as error:
        return attempt.failed(str(error))
    return attempt.settle(sink, frames, 0, "")


def _remux(task: RenderTask, attempt: _Attempt, deadline: Deadline) -> OutputResult:
    """An mp4 of the clip's own packets: nothing is decoded."""
    try:
        ran = remux(task.clip_path, attempt.made, deadline)
    except MediaError as error:
        return attempt.failed(str(error))
    return attempt.settle(None, ran.decoded, 0, ran.complaint)


def _run(
    task: RenderTask, attempts: Sequence[_Attempt], frames: int | None, deadline: Deadline
) -> list[OutputResult]:
    """Videos, and pictures beside them: one ffmpeg for all; if it fails one each, and what works is kept."""
    try:
        return _run_once(task, attempts, frames, deadline)
    except MediaError as failure:
        if len(attempts) == 1:
            raise
        words = str(failure)
    results = []
    for attempt in attempts:
        try:
            if not deadline.left:
                raise MediaError(words)
            results += _run_once(task, [attempt], frames, deadline)
        except MediaError as error:
            results.append(attempt.failed(str(error)))
    return results


def _run_once(
    task: RenderTask, attempts: Sequence[_Attempt], frames: int | None, deadline: Deadline
) -> list[OutputResult]:
    sinks: list[Sink | None] = []
    with contextlib.ExitStack() as stores:
        outputs: list[Target | Feed] = []
        for attempt in attempts:
            if attempt.recipe.kind == "video":
                sinks.append(None)
                outputs.append(Target(attempt.recipe, attempt.made))
            else:
                sink = attempt.sink(stores.enter_context(attempt.store()))
                sinks.append(sink)
                outputs.append(Feed(attempt.recipe, sink))
        ran = transcode(
            task.clip_path,
            outputs,
            acodec=task.facts.acodec,
            frames=frames,
            deadline=deadline,
            hwaccel=task.hwaccel,
        )
    decoded = task.facts.frames if ran.decoded is None else ran.decoded
    return [
        attempt.settle(sink, decoded, ran.dropped, ran.complaint)
        for attempt, sink in zip(attempts, sinks, strict=True)
    ]


def _measure_video(path: Path, recipe: Recipe, decoded: int | None, dropped: int) -> tuple[int, int]:
    """Frames and bytes of a video. Raises MediaError if a trainer could not read it, or frames lack."""
    try:
        with av.open(f"file:{path}") as container:
            stream = container.streams.video[0]
            frames = sum(1 for packet in container.demux(stream) if packet.size)
            width, height = stream.width, stream.height
    except (av.FFmpegError, OSError, IndexError) as error:
        raise MediaError(f"what ffmpeg wrote can not be read: {error}") from error
    if frames == 0:
        raise MediaError("ffmpeg wrote a video without frames")
    every = recipe.fps is None and not recipe.drop_duplicates
    if every and decoded is not None and not decoded - dropped <= frames <= decoded:
        raise MediaError(f"ffmpeg wrote {frames} frames instead of {decoded}")
    if not recipe.copies and (not width or not height or width % 2 or height % 2):
        raise MediaError(f"ffmpeg wrote a video of {width}x{height}; sides must be even")
    return frames, path.stat().st_size


def _measure_pictures(
    path: Path, recipe: Recipe, sink: Sink | DenseflowSink, decoded: int | None
) -> tuple[int, int]:
    """Pictures (flow: pairs of them) and bytes. Raises MediaError unless all that was promised is there."""
    every = decoded if recipe.fps is None and not recipe.drop_duplicates else None
    promised = recipe.count or every or sink.taken
    if sink.taken != promised:
        raise MediaError(f"{sink.taken} frames came instead of {promised}")
    names, sizes = sink.names(), stored(path, recipe.storage)
    if not names:
        raise MediaError(
            f"a clip of {sink.taken} frames has no flow over {recipe.step}" if sink.taken else "no frame came"
        )
    if set(names) != set(sizes):
        raise MediaError(f"{len(sizes)} pictures were written instead of {len(names)}")
    if not all(sizes.values()):
        raise MediaError("pictures of zero bytes were written")
    pictures = len(names) // 2 if recipe.kind == "flow" else len(names)
    return pictures, path.stat().st_size if path.is_file() else sum(sizes.values())


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path)
    else:
        path.unlink(missing_ok=True)
