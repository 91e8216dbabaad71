"""Reads a clip with ffprobe and ffmpeg, the reference: what they find is the word on a clip.

Their exit codes are not: both end with 0 on files that lack most of their data. What counts is the
streams, the packets really present, the pictures decoded, and what they write to stderr.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Any

from kdl.check.children import Ended, run_bounded
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

_ENTRIES = ":".join(
    (
        "format=format_name,duration",
        "stream=index,codec_type,codec_name,width,height,pix_fmt,avg_frame_rate,nb_frames,duration",
        "stream_disposition=attached_pic,timed_thumbnails",
        "stream_side_data=rotation",
        "packet=stream_index,pts_time,dts_time,duration_time,size",
    )
)
_LINE = re.compile(r"(?:\[(?P<context>[^\]@]+) @ 0x[0-9a-f]+\] )*(?P<text>.*)")
_NOISE = ("Last message repeated", "To ignore this, add a trailing", "Conversion failed!")


def read_with_ffprobe(path: str, level: Level, limits: Limits = LIMITS) -> Facts:
    """What ffprobe and ffmpeg find in the regular file at ``path``.

    At level decode every frame of the video stream is decoded, else the first alone; packets are always
    counted, one by one: ``-count_packets`` would count those of no bytes too, and tell no times.
    Raises MachineError if the file can not be looked at, ToolMissing if a tool is not installed.
    """
    start = begin("ffprobe", path)
    if start.size == 0:
        return facts_of(start)
    tools = _Tools(path, limits, time.monotonic() + limits.seconds(level))
    reading = _probe(tools, start)
    if lacks_frames(reading):
        counted = _probe(tools, start, "-ignore_editlist", "1")
        reading = replace(reading, present=counted.packets)
    if reading.packets.video and reading.stopped is None:
        reading = _decode(tools, reading, whole=level is Level.DECODE)
    return facts_of(reading)


@dataclass(frozen=True, slots=True)
class _Tools:
    """Runs the tools on one file, within what is left of its time."""

    path: str
    limits: Limits
    deadline: float

    def run(self, tool: str, *arguments: str, output: Iterable[str] = ()) -> Ended:
        return run_bounded(
            (
                *(tool, "-hide_banner", "-v", "error", "-max_alloc", str(self.limits.block)),
                *("-protocol_whitelist", PROTOCOLS, "-format_whitelist", ",".join(FORMATS)),
                *("-max_pixels", str(self.limits.pixels), "-threads", "1"),
                *arguments,
                *("-i", f"file:{self.path}"),
                *output,
            ),
            max(0.0, self.deadline - time.monotonic()),
            self.limits,
        )


def _probe(tools: _Tools, reading: Reading, *options: str) -> Reading:
    # A packet that is cut off at the file's end is not there: PyAV tells by its flag, ffprobe by this.
    flags = ("-fflags", "+discardcorrupt")
    ended = tools.run("ffprobe", *options, *flags, "-show_entries", _ENTRIES, "-of", "json=compact=1")
    reading = replace(
        reading, messages=(*reading.messages, *_messages(ended, tools.path)), stopped=_stopped(ended)
    )
    try:
        shown = json.loads(ended.stdout)
    except json.JSONDecodeError:  # cut short by a limit or a crash, which `stopped` tells
        return reading
    if "format" not in shown:
        return reading
    reading = _with_header(reading, shown["format"], shown.get("streams", []))
    if reading.stream is None:
        return reading
    if reading.stream.width * reading.stream.height > tools.limits.pixels:
        return replace(reading, stopped=reading.stopped or Sign.OUT_OF_BOUNDS)
    return replace(reading, packets=_tally(shown.get("packets", []), reading.stream.index))


def _decode(tools: _Tools, reading: Reading, *, whole: bool) -> Reading:
    assert reading.stream is not None
    ended = tools.run(
        "ffmpeg",
        *("-nostdin", "-noautorotate"),
        output=(
            *("-map", f"0:{reading.stream.index}"),
            *(() if whole else ("-frames:v", "1")),
            *("-nostats", "-progress", "pipe:1", "-f", "null", "-"),
        ),
    )
    pictures = re.findall(r"^frame=\s*(\d+)", ended.stdout, re.MULTILINE)
    return replace(
        reading,
        pictures=int(pictures[-1]) if pictures else 0,
        whole=whole,
        messages=(*reading.messages, *_messages(ended, tools.path)),
        stopped=_stopped(ended),
    )


def _stopped(ended: Ended) -> Sign | None:
    if ended.timed_out:
        return Sign.OUT_OF_TIME
    if ended.overflowed:
        return Sign.OUT_OF_BOUNDS
    return Sign.CRASHED if ended.crashed else None


def _messages(ended: Ended, path: str) -> Iterator[Message]:
    """The lines of stderr, without addresses, the path, what the null muxer says, and remarks."""
    for line in ended.stderr.replace(f"file:{path}: ", "").splitlines():
        match = _LINE.fullmatch(line.strip())
        if match is None or not match["text"] or match["text"].startswith(_NOISE):
            continue
        context = match["context"] or ""
        if context != "null":
            yield Message(context, match["text"])


def _with_header(reading: Reading, container: dict[str, Any], streams: list[dict[str, Any]]) -> Reading:
    video = (stream for stream in streams if stream.get("codec_type") == "video")
    first = next((stream for stream in video if not any(stream.get("disposition", {}).values())), None)
    others = [stream for stream in streams if stream.get("codec_type") != "video" and "codec_name" in stream]
    return replace(
        reading,
        container=container.get("format_name", ""),
        duration=_number(container.get("duration")),
        stream=None if first is None else _header(first),
        acodec=next((one["codec_name"] for one in others if one.get("codec_type") == "audio"), None),
        other_codecs=tuple(one["codec_name"] for one in others),
    )


def _header(stream: dict[str, Any]) -> VideoStream:
    sides = stream.get("side_data_list", [])
    pix_fmt = stream.get("pix_fmt")
    return VideoStream(
        index=int(stream["index"]),
        codec=stream.get("codec_name"),
        width=int(stream.get("width", 0)),
        height=int(stream.get("height", 0)),
        fps=_ratio(stream.get("avg_frame_rate", "0/0")),
        frames=int(stream["nb_frames"]) if "nb_frames" in stream else None,
        duration=_number(stream.get("duration")),
        pix_fmt=None if pix_fmt == "unknown" else pix_fmt,
        rotation=next((clockwise(side["rotation"]) for side in sides if "rotation" in side), 0),
    )


def _tally(packets: list[dict[str, Any]], index: int) -> Packets:
    video = [packet for packet in packets if packet.get("stream_index") == index]
    whole = sum(packet["size"] != "0" for packet in video)
    return Packets(
        video=whole,
        empty=len(video) - whole,
        start=min((shown for packet in video if (shown := _shown(packet)) is not None), default=None),
        end=_end(video),
        end_of_all=_end(packets),
    )


def _end(packets: Iterable[dict[str, Any]]) -> float | None:
    return max(
        (
            shown + (_number(packet.get("duration_time")) or 0.0)
            for packet in packets
            if (shown := _shown(packet)) is not None
        ),
        default=None,
    )


def _shown(packet: dict[str, Any]) -> float | None:
    return _number(packet.get("pts_time", packet.get("dts_time")))


def _number(text: str | None) -> float | None:
    """A decimal number; ``None`` for what is absent or ``N/A``."""
    return None if text is None or text == "N/A" else float(text)


def _ratio(text: str) -> float | None:
    """``30000/1001`` -> 29.97; ``None`` for ``0/0``."""
    above, _, below = text.partition("/")
    return int(above) / int(below) if int(above) and int(below) else None
