"""A clip decoded in this process, once for any number of sinks.

PyAV starts in a few milliseconds where an ffmpeg process takes eighty, and its pictures need no pipe. A
crash of libav takes the process with it, so this belongs in a worker whose loss costs one clip.
"""

from __future__ import annotations

import logging
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import av
import numpy as np
from av.codec.context import Flags
from av.container import InputContainer
from av.error import FFmpegError
from av.filter import Graph
from av.logging import Capture
from av.stream import Disposition
from av.video.frame import VideoFrame
from av.video.stream import VideoStream

from kdl.errors import MediaError
from kdl.media.child import Deadline
from kdl.media.filters import Filter, upright
from kdl.media.graph import FORMATS, MAX_PIXELS
from kdl.media.pictures import Planes, Sink

_WORDS = 4
"""How many of libav's complaints are told."""
_LINES = 200
"""Lines of libav's log that are kept."""

logging.getLogger("libav").addHandler(logging.NullHandler())  # else Python's last resort prints them
av.logging.set_level(av.logging.ERROR)
av.logging.set_skip_repeated(False)

Log = list[tuple[int, str, str]]


@dataclass(slots=True)
class Branch:
    """A chain of filters and the sink at its end."""

    filters: Sequence[Filter]
    sink: Sink
    error: str = ""
    """Why it was given up; the others went on."""


@dataclass(frozen=True, slots=True)
class Decoded:
    """What came of decoding a clip."""

    frames: int
    """Decoded; fewer than the clip has where all branches had enough."""
    complaint: str
    """libav's last words on what it went on in spite of; mostly empty."""


def decode(clip: Path, branches: Sequence[Branch], *, deadline: Deadline) -> Decoded:
    """Feeds the first video stream's upright pictures to all branches.

    As ffmpeg does, it goes on behind packets that can not be decoded. Raises MediaError,
    with libav's last words, if there is no picture or no time left, and what the sinks raise.
    """
    with Capture() as log:
        try:
            return _decode(clip, [_Runner(branch) for branch in branches], log, deadline)
        except FFmpegError as error:
            raise MediaError(_words(log) or error.strerror or str(error)) from error


def count_packets(clip: Path) -> int:
    """The pictures that a clip's first video stream has packets for. Raises MediaError."""
    with Capture() as log:
        try:
            with _opened(clip) as (container, stream):
                return sum(1 for packet in container.demux(stream) if packet.size and not packet.is_discard)
        except FFmpegError as error:
            raise MediaError(_words(log) or error.strerror or str(error)) from error


def _decode(clip: Path, runners: list[_Runner], log: Log, deadline: Deadline) -> Decoded:
    frames = 0
    with _opened(clip) as (container, stream):
        for frame in _frames(container, stream, log):
            frames += 1
            for runner in runners:
                runner.push(frame)
            if not any(runner.open for runner in runners):
                break
            if not deadline.left:
                raise MediaError(f"ended at {deadline} after {frames} frames")
    if not frames:
        raise MediaError(f"no picture could be decoded: {_words(log) or 'without a word'}")
    for runner in runners:
        runner.finish()
    return Decoded(frames, _words(log))


@contextmanager
def _opened(clip: Path) -> Iterator[tuple[InputContainer, VideoStream]]:
    bounds = {
        "protocol_whitelist": "file",
        "format_whitelist": FORMATS,
        "max_pixels": str(MAX_PIXELS),
    }
    with av.open(f"file:{clip}", options=bounds, metadata_errors="replace") as container:
        stream = first_video(container.streams.video)
        stream.codec_context.options = {"max_pixels": str(MAX_PIXELS)}
        stream.codec_context.thread_count = 1
        stream.codec_context.flags |= Flags.output_corrupt
        yield container, stream


def first_video(streams: Iterable[VideoStream]) -> VideoStream:
    """The first that is no cover art. Raises MediaError where none is, or no decoder is for it."""
    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    for stream in streams:
        if not stream.disposition & pictures:
            if stream.codec_context is None:
                raise MediaError("no decoder for its video stream")
            return stream
    raise MediaError("it has no video stream")


def _frames(container: InputContainer, stream: VideoStream, log: Log) -> Iterator[VideoFrame]:
    """Each frame that can be decoded, with a time that is later than the one before it."""
    for packet in container.demux(stream):
        try:
            frames = packet.decode()
        except MemoryError:
            raise
        except FFmpegError as error:
            log.append((av.logging.ERROR, "", error.strerror or str(error)))
            frames = []
        del log[_LINES:]
        yield from frames


class _Runner:
    """Pushes pictures through a branch's graph, which is made for the first of them."""

    def __init__(self, branch: Branch) -> None:
        self._branch = branch
        self._graph: Graph | None = None
        self._shape: tuple[int, int, str] = (0, 0, "")
        self._last = -1
        self.open = True
        """It still wants pictures."""

    def push(self, frame: VideoFrame) -> None:
        if not self.open:
            return
        try:
            if self._graph is None:
                self._shape = (frame.width, frame.height, frame.format.name)
                self._graph = self._build(frame)
            self._graph.vpush(self._fitting(frame))
            self._pull()
        except FFmpegError as error:
            self._give_up(error)

    def finish(self) -> None:
        """Let the graph give what it still holds."""
        if self.open and self._graph is not None:
            try:
                self._graph.vpush(None)
                self._pull()
            except FFmpegError as error:
                self._give_up(error)

    def _fitting(self, frame: VideoFrame) -> VideoFrame:
        """Of the first one's size and format: a stream may change both half-way."""
        width, height, pixels = self._shape
        if (frame.width, frame.height, frame.format.name) != self._shape:
            pts, base = frame.pts, frame.time_base
            frame = frame.reformat(width, height, pixels)
            frame.pts, frame.time_base = pts, base
        if frame.pts is None:
            frame.pts = self._last + 1 if frame.dts is None else frame.dts
        self._last = frame.pts
        return frame

    def _pull(self) -> None:
        assert self._graph is not None
        while True:
            try:
                picture = self._graph.vpull()
            except BlockingIOError:
                return
            except EOFError:
                self.open = False
                return
            self._branch.sink.take(_planes(picture))

    def _give_up(self, error: FFmpegError) -> None:
        self._branch.error = error.strerror or str(error)
        self.open = False

    def _build(self, frame: VideoFrame) -> Graph:
        graph = Graph()
        graph.threads = 1
        last = graph.add_buffer(
            width=frame.width, height=frame.height, format=frame.format, time_base=frame.time_base
        )
        for step in (*upright(-frame.rotation % 360), *self._branch.filters):
            following = graph.add(step.name, step.arguments)
            last.link_to(following)
            last = following
        last.link_to(graph.add("buffersink"))
        graph.configure()
        return graph


def _planes(picture: VideoFrame) -> Planes:
    return tuple(
        np.frombuffer(memoryview(plane), np.uint8).reshape(-1, plane.line_size)[: plane.height, : plane.width]
        for plane in picture.planes
    )


def _words(log: Log) -> str:
    """The last different things that libav called an error."""
    told: dict[str, None] = {}
    for _, context, text in log:
        if line := text.strip():
            told[f"{context}: {line}" if context else line] = None
    return "; ".join([*told][-_WORDS:])
