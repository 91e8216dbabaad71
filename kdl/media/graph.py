"""From recipes to one ffmpeg command: one input, decoded once, an output a recipe."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import ffmpeg

from kdl.media.recipe import Recipe

FORMATS = "mov,mp4,matroska,webm,avi,flv,mpegts,mpeg,asf,ogg"
"""Containers that are opened; playlists, which name other files, are not among them."""
MAX_PIXELS = 36_000_000
"""A picture larger than this (8K is smaller) is neither decoded nor encoded: clips are not trusted."""

_MP4_AUDIO = frozenset({"aac", "mp3", "ac3", "eac3"})
"""Copied as they are; others are encoded to AAC, because not every reader of mp4 takes them."""
_CLOCK = "1/90000"
"""Time base of encoded video, fine enough for any clip's own times."""
_FRAME_CLOCK = "1/25"


@dataclass(frozen=True, slots=True)
class Target:
    """One output of the command: a video file, or an existing folder for frames."""

    recipe: Recipe
    path: Path
    """Absolute."""


def command(clip: Path, targets: Sequence[Target], *, acodec: str | None) -> list[str]:
    """The argument list that makes all ``targets`` of a clip, whose first audio stream is ``acodec``.

    ffmpeg turns pictures as their rotation metadata says before the graph sees them. Needs ffmpeg
    5.1 or newer (``-fps_mode``).
    """
    source = ffmpeg.input(
        f"file:{clip}",
        threads=1,
        protocol_whitelist="file",
        format_whitelist=FORMATS,
        max_pixels=MAX_PIXELS,
    )
    picture = source["V:0"]  # capital V: cover art is no video
    if len(targets) == 1:
        branches = [picture]
    else:
        split = picture.filter_multi_output("split", len(targets))
        branches = [split[number] for number in range(len(targets))]
    outputs = [
        _video(source, branch, target, acodec) if target.recipe.kind == "video" else _frames(branch, target)
        for branch, target in zip(branches, targets, strict=True)
    ]
    program = [
        "ffmpeg", "-nostdin", "-hide_banner", "-y", "-loglevel", "level+verbose", "-nostats",
        "-filter_threads", "1", "-filter_complex_threads", "1",
    ]  # fmt: skip
    arguments: list[str] = ffmpeg.compile(ffmpeg.merge_outputs(*outputs), cmd=program)
    return arguments


def _video(source: Any, picture: Any, target: Target, acodec: str | None) -> Any:
    recipe = target.recipe
    streams = [_scaled(picture, recipe).filter("format", "yuv420p")]
    options: dict[str, Any] = {
        "c:v": "libx264",
        "preset": recipe.preset,
        "crf": recipe.crf,
        "fps_mode": "vfr",
        "enc_time_base": _CLOCK,
        "movflags": "+faststart",
    }
    if recipe.gop is not None:
        options["g"] = recipe.gop
    if recipe.audio and acodec is not None:
        streams.append(source["a:0?"])
        options["c:a"] = "copy" if acodec in _MP4_AUDIO else "aac"
    return _output(streams, f"file:{target.path}", "mp4", options)


def _frames(picture: Any, target: Target) -> Any:
    recipe = target.recipe
    if recipe.fps is not None:
        picture = picture.filter("fps", recipe.fps)
    picture = _scaled(picture, recipe)
    if recipe.count is not None:
        picture = picture.filter("tpad", stop=-1, stop_mode="clone").filter("trim", end_frame=recipe.count)
    # Numbered afresh, because the muxer refuses frames whose times are equal or too close.
    picture = picture.filter("settb", _FRAME_CLOCK).filter("setpts", "N").filter("format", "yuvj420p")
    options = {
        "c:v": "mjpeg",
        "q:v": recipe.quality,
        "fps_mode": "passthrough",
        "enc_time_base": _FRAME_CLOCK,
        "start_number": 1,
    }
    folder = str(target.path).replace("%", "%%")  # the muxer reads the whole path as a pattern
    return _output([picture], f"file:{folder}/{recipe.template}", "image2", options)


def _output(streams: list[Any], url: str, muxer: str, options: dict[str, Any]) -> Any:
    plain = {
        "format": muxer,
        "threads": 1,
        "max_pixels:v": MAX_PIXELS,
        "map_metadata": -1,
        "map_chapters": -1,
    }
    return ffmpeg.output(*streams, url, **plain, **options)


def _scaled(picture: Any, recipe: Recipe) -> Any:
    if recipe.size is not None:
        return picture.filter("scale", *recipe.size)
    if recipe.short_side is not None:
        side = recipe.short_side
        return picture.filter("scale", w=f"if(gt(iw,ih),-2,{side})", h=f"if(gt(iw,ih),{side},-2)")
    return picture
