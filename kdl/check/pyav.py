"""Reads a clip in this process with PyAV: a few milliseconds, where starting ffprobe costs far more.

A crash of libav takes the process with it, so this belongs in a worker whose loss costs one clip.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Iterator
from dataclasses import replace
from fractions import Fraction

import av
from av.container import InputContainer
from av.error import ExitError, FFmpegError
from av.logging import Capture
from av.packet import Packet
from av.stream import Disposition, Stream
from av.video.stream import VideoStream as AvVideoStream

from kdl.check.limits import FORMATS, LIMITS, PROTOCOLS, Limits
from kdl.check.reading import (
    Message,
    Packets,
    Reading,
    VideoStream,
    begin,
    clockwise,
    facts_of,
    lacks_frames,
)
from kdl.check.signs import Sign
from kdl.values import Facts, Level

_MESSAGES = 200
"""Log lines kept while reading; a damaged clip can give a line a macroblock."""

# Without a handler of its own, what libav's threads log would reach the terminal through Python's last
# resort. A message equal to the one before must not be swallowed: it may be the next clip's only one.
logging.getLogger("libav").addHandler(logging.NullHandler())
av.logging.set_level(av.logging.ERROR)
av.logging.set_skip_repeated(False)


def read_with_pyav(path: str, level: Level, limits: Limits = LIMITS) -> Facts:
    """What PyAV finds in the regular file at ``path``.

    At level decode every frame of the video stream is decoded, else the first alone; packets are always
    counted. Raises MachineError if the file can not be looked at.
    """
    start = begin("pyav", path)
    if start.size == 0:
        return facts_of(start)
    reading = _Pass(start, level, limits).read(path)
    if lacks_frames(reading):
        again = _Pass(start, Level.PROBE, limits).read(path, ignore_editlist="1")
        reading = replace(reading, present=again.packets)
    return facts_of(reading)


class _Pass:
    """One pass over a file; what it gathered outlives the error that ends it."""

    def __init__(self, start: Reading, level: Level, limits: Limits) -> None:
        self._reading = start
        self._every_picture = level is Level.DECODE
        self._limits = limits
        self._seconds = limits.seconds(level)
        self._deadline = time.monotonic() + self._seconds
        self._tally = _Tally()
        self._pictures = 0
        self._log: list[tuple[int, str, str]] = []

    def read(self, path: str, **options: str) -> Reading:
        """Reads the file at ``path``, with further demuxer options."""
        stopped = None
        with Capture() as self._log:
            try:
                self._read(path, options)
            except (ExitError, TimeoutError):
                stopped = Sign.OUT_OF_TIME
            except MemoryError:
                stopped = Sign.OUT_OF_BOUNDS
            except FFmpegError as error:
                self._note(error)
        return replace(
            self._reading,
            packets=self._tally.packets(),
            pictures=self._pictures,
            whole=self._every_picture,
            messages=tuple(Message(context, text.strip()) for _, context, text in self._log if text.strip()),
            stopped=self._reading.stopped or stopped,
        )

    def _read(self, path: str, options: dict[str, str]) -> None:
        bounds = {
            "protocol_whitelist": PROTOCOLS,
            "format_whitelist": ",".join(FORMATS),
            "max_pixels": str(self._limits.pixels),
        }
        with av.open(
            f"file:{path}",
            options=bounds | options,
            metadata_errors="replace",
            timeout=self._seconds,
        ) as container:
            stream = _first_video(container.streams.video)
            self._reading = _with_header(self._reading, container, stream)
            if stream is None:
                return
            if stream.width * stream.height > self._limits.pixels:
                self._reading = replace(self._reading, stopped=Sign.OUT_OF_BOUNDS)
                return
            stream.codec_context.options = {"max_pixels": str(self._limits.pixels)}
            stream.codec_context.thread_count = 1
            self._tally.follow(stream)
            for packet in self._packets(container):
                self._tally.count(packet)
                if packet.stream is stream and (self._every_picture or not self._pictures):
                    self._decode(packet)

    def _packets(self, container: InputContainer) -> Iterator[Packet[Stream]]:
        for packet in container.demux():
            yield packet
            del self._log[_MESSAGES:]
            if time.monotonic() > self._deadline:
                raise TimeoutError

    def _decode(self, packet: Packet[Stream]) -> None:
        try:
            frames = packet.decode()
        except (ExitError, MemoryError):
            raise
        except FFmpegError as error:
            # As ffmpeg does, go on with the next packet: the verdict is the judge's.
            self._note(error)
            return
        if frames and not self._pictures and self._reading.stream is not None:
            rotation = clockwise(getattr(frames[0], "rotation", 0))
            self._reading = replace(self._reading, stream=replace(self._reading.stream, rotation=rotation))
        self._pictures += len(frames)

    def _note(self, error: FFmpegError) -> None:
        self._log.append((av.logging.ERROR, "", error.strerror or str(error)))


class _Tally:
    """Counts packets and when they are shown, in whole ticks: hundreds of fractions cost more."""

    def __init__(self) -> None:
        self._video: int | None = None
        self._whole = 0
        self._empty = 0
        self._start: int | None = None
        self._ends: dict[int, int] = {}
        self._time_bases: dict[int, Fraction] = {}

    def follow(self, stream: AvVideoStream) -> None:
        """Counts this stream's packets as the video's."""
        self._video = stream.index

    def count(self, packet: Packet[Stream]) -> None:
        shown = packet.dts if packet.pts is None else packet.pts
        index = packet.stream_index
        if index == self._video:
            if packet.size and not packet.is_corrupt:
                self._whole += 1
            elif shown is not None:  # what has no time is libav's request to flush, not a sample
                self._empty += packet.size == 0
            if shown is not None and (self._start is None or shown < self._start):
                self._start = shown
        if shown is not None:
            end = shown + (packet.duration or 0)
            if index not in self._ends:
                self._time_bases[index] = packet.time_base
            if end > self._ends.get(index, end - 1):
                self._ends[index] = end

    def packets(self) -> Packets:
        ends = {index: float(end * self._time_bases[index]) for index, end in self._ends.items()}
        start = None
        if self._video is not None and self._start is not None:
            start = float(self._start * self._time_bases[self._video])
        return Packets(
            video=self._whole,
            empty=self._empty,
            start=start,
            end=None if self._video is None else ends.get(self._video),
            end_of_all=max(ends.values(), default=None),
        )


def _first_video(streams: Iterable[AvVideoStream]) -> AvVideoStream | None:
    pictures = Disposition.attached_pic | Disposition.timed_thumbnails
    return next((stream for stream in streams if not stream.disposition & pictures), None)


def _with_header(reading: Reading, container: InputContainer, stream: AvVideoStream | None) -> Reading:
    others = [other for other in container.streams if other.type != "video" and _codec(other)]
    return replace(
        reading,
        container=container.format.name,
        duration=None if container.duration is None else container.duration / av.time_base,
        stream=None if stream is None else _header(stream),
        acodec=next((_codec(other) for other in others if other.type == "audio"), None),
        other_codecs=tuple(codec for other in others if (codec := _codec(other))),
    )


def _header(stream: AvVideoStream) -> VideoStream:
    duration = None
    if stream.duration is not None and stream.time_base is not None:
        duration = float(stream.duration * stream.time_base)
    return VideoStream(
        index=stream.index,
        codec=_codec(stream),
        width=stream.width,
        height=stream.height,
        fps=float(stream.average_rate) if stream.average_rate else None,
        frames=stream.frames or None,
        duration=duration,
        pix_fmt=stream.pix_fmt,
    )


def _codec(stream: Stream) -> str | None:
    """The codec's name as ffprobe gives it (``av1``), not its decoder's (``libdav1d``)."""
    context = stream.codec_context
    return context.codec.canonical_name if context is not None else None
