"""From recipes to one ffmpeg command: one input, decoded once, an output a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from kdl.media.filters import chain
from kdl.media.hwaccel import Hwaccel
from kdl.media.recipe import Recipe

FORMATS = "mov,mp4,matroska,webm,avi,flv,mpegts,mpeg,asf,ogg"
"""Containers that are opened; playlists, which name other files, are not among them."""
MAX_PIXELS = 36_000_000
"""A picture larger than this (8K is smaller) is neither decoded nor encoded: clips are not trusted."""

_MP4_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3"})
"""Copied as they are; others are encoded to AAC, because not every reader of mp4 takes them."""
_MP4_KEPT = _MP4_AUDIO | {"opus", "flac", "alac"}
"""Copied where nothing is to be encoded that need not be: mp4 has a place for them, and few readers none."""
_CLOCK = "1/90000"
"""Time base of encoded video, fine enough for any clip's own times."""
_FRAME_CLOCK = "1/25"
_ENCODERS = {
    "h264": {"c:v": "libx264"},
    "h265": {"c:v": "libx265", "x265-params": "pools=none:frame-threads=1:log-level=error", "tag:v": "hvc1"},
}
_MUXERS = {"mp4": "mp4", "mkv": "matroska"}


@dataclass(frozen=True, slots=True)
class Target:
    """One output of the command."""

    recipe: Recipe
    place: Path | int
    """A video's absolute path, or the file descriptor that pictures are written to as yuv4mpeg."""


def command(
    clip: Path,
    targets: Sequence[Target],
    *,
    acodec: str | None,
    frames: int | None = None,
    hwaccel: Hwaccel = "none",
) -> list[str]:
    """The argument list that makes all ``targets`` of a clip, whose first audio stream is ``acodec``.

    ``frames`` as :func:`kdl.media.filters.chain` takes it.

    ffmpeg turns pictures as their rotation metadata says before the graph sees them. Needs ffmpeg
    5.1 or newer (``-fps_mode``).
    """
    source = _input(clip, **({} if hwaccel == "none" else {"hwaccel": hwaccel}), threads=1)
    picture = source["V:0"]  # capital V: cover art is no video
    if len(targets) == 1:
        branches = [picture]
    else:
        split = picture.filter_multi_output("split", len(targets))
        branches = [split[number] for number in range(len(targets))]
    outputs = []
    for branch, target in zip(branches, targets, strict=True):
        for step in chain(target.recipe, frames):
            branch = branch.filter(step.name, **dict(step.options))
        if target.recipe.kind == "video":
            outputs.append(_video(source, branch, target, acodec))
        else:
            outputs.append(_pictures(branch, target))
    program = [
        "ffmpeg", "-nostdin", "-hide_banner", "-y", "-loglevel", "level+verbose", "-nostats",
        "-filter_threads", "1", "-filter_complex_threads", "1",
    ]  # fmt: skip
    arguments: list[str] = ffmpeg.compile(ffmpeg.merge_outputs(*outputs), cmd=program)
    return arguments


def copy_command(clip: Path, made: Path, acodec: str | None) -> list[str]:
    """The argument list that puts a clip's first video and audio into an mp4, encoding neither.

    But for sound that mp4 has no place for, such as Vorbis: that becomes AAC.
    """
    source = _input(clip)
    streams, options = [source["V:0"]], {"c:v": "copy", "movflags": "+faststart", "strict": "experimental"}
    if acodec is not None:
        streams.append(source["a:0"])
        options["c:a"] = "copy" if acodec in _MP4_KEPT else "aac"
    program = ["ffmpeg", "-nostdin", "-hide_banner", "-y", "-loglevel", "level+info", "-nostats"]
    arguments: list[str] = ffmpeg.compile(_output(streams, f"file:{made}", "mp4", options), cmd=program)
    return arguments


def _input(clip: Path, **options: Any) -> Any:
    return ffmpeg.input(
        f"file:{clip}",
        **options,
        protocol_whitelist="file",
        format_whitelist=FORMATS,
        max_pixels=MAX_PIXELS,
    )


def _video(source: Any, picture: Any, target: Target, acodec: str | None) -> Any:
    recipe = target.recipe
    streams = [picture]
    options: dict[str, Any] = {
        **_ENCODERS[recipe.codec],
        "preset": recipe.preset,
        "crf": recipe.crf,
        "fps_mode": "vfr",
        "enc_time_base": _CLOCK,
    }
    if recipe.container == "mp4":
        options["movflags"] = "+faststart"
    if recipe.tune is not None:
        options["tune"] = recipe.tune
    if recipe.gop is not None:
        options["g"] = recipe.gop
    if recipe.audio and acodec is not None:
        streams.append(source["a:0?"])
        options["c:a"] = "copy" if acodec in _MP4_AUDIO else "aac"
    return _output(streams, f"file:{target.place}", _MUXERS[recipe.container], options)


def _pictures(picture: Any, target: Target) -> Any:
    # Numbered afresh, because the muxer refuses frames whose times are equal or too close.
    picture = picture.filter("settb", _FRAME_CLOCK).filter("setpts", "N")
    options = {"c:v": "wrapped_avframe", "fps_mode": "passthrough", "enc_time_base": _FRAME_CLOCK}
    return _output([picture], f"pipe:{target.place}", "yuv4mpegpipe", options)


def _output(streams: list[Any], url: str, muxer: str, options: dict[str, Any]) -> Any:
    plain = {
        "format": muxer,
        "threads": 1,
        "max_pixels:v": MAX_PIXELS,
        "map_metadata": -1,
        "map_chapters": -1,
    }
    return ffmpeg.output(*streams, url, **plain, **options)
