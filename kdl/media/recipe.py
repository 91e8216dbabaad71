"""Recipes: how a derivative is made, and where it lies."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from pathlib import PurePosixPath
from typing import Literal

from kdl.values import bare_name

Kind = Literal["video", "frames", "flow"]
Storage = Literal["folder", "zip", "tar"]

COPY = "copy"
"""The codec of a video that is not encoded: an mp4 of the clip's own packets."""
CODECS = ("h264", "h265", COPY)
CONTAINERS = ("mp4", "mkv")
PIXEL_FORMATS = ("yuv420p", "yuv422p", "yuv444p", "yuv420p10le")
"""Those of videos; pictures have the first three."""
PRESETS = (
    "ultrafast", "superfast", "veryfast", "faster", "fast", "medium", "slow", "slower", "veryslow",
)  # fmt: skip
"""x264's and x265's, quickest first."""
TUNES = ("psnr", "ssim", "grain", "animation", "fastdecode")
"""Those that x264 and x265 have both."""
STORAGES: tuple[Storage, ...] = ("folder", "zip", "tar")
ALGORITHMS = ("tvl1", "farneback", "dis")
ENGINES = ("opencv", "denseflow")

_COMMON = ("short_side", "size", "fps", "drop_duplicates")
_PICTURES = (*_COMMON, "template", "start", "quality", "storage", "keep_extension")
KEYS: dict[Kind, tuple[str, ...]] = {
    "video": (*_COMMON, "codec", "preset", "tune", "crf", "gop", "audio", "container", "pixel_format"),
    "frames": (*_PICTURES, "count", "spread", "pixel_format"),
    "flow": (*_PICTURES, "algorithm", "engine", "bound", "step"),
}
"""The settings that a kind has beside ``kind``, ``doc``, ``stands_for`` and ``bytes_per_clip``."""


@dataclass(frozen=True)
class Recipe:
    """How one derivative of a clip is made."""

    name: str
    """Names the folder under ``derived/`` and the ledger's rows."""
    kind: Kind
    """A video file, still pictures, or pictures of the optical flow."""
    doc: str
    """One line for a person."""
    stands_for: str
    """The tool whose output it takes the place of."""
    bytes_per_clip: int
    """What a clip of ten seconds comes to; for planning alone."""
    short_side: int | None = None
    """Pixels of the shorter side, smaller clips scaled up too; the other side follows, made even."""
    size: tuple[int, int] | None = None
    """Width and height in pixels, whatever the clip's shape; with ``short_side`` unset: native size."""
    fps: int | None = None
    """So many frames a second, repeated or left out; ``None`` for every frame that the clip has."""
    drop_duplicates: bool = False
    """Frames that hardly differ from the last one kept are left out (ffmpeg's ``mpdecimate``)."""
    codec: str = "h264"
    """Video: one of :data:`CODECS`."""
    preset: str = "medium"
    """Video: the encoder's, one of :data:`PRESETS`."""
    tune: str | None = None
    """Video: what the encoder aims at, one of :data:`TUNES`; ``None``: what looks best to people."""
    crf: int = 23
    """Video: the encoder's quality, 0 best, 51 worst."""
    gop: int | None = None
    """Video: frames from key frame to key frame; ``None`` leaves it to the encoder (at most 250)."""
    audio: bool = True
    """Video: whether the first audio stream is kept."""
    container: str = "mp4"
    """Video: one of :data:`CONTAINERS`; also the file's extension."""
    pixel_format: str = "yuv420p"
    """Video and frames: one of :data:`PIXEL_FORMATS`; PNG and WebP files have their own."""
    count: int | None = None
    """Frames: exactly so many, cut or the last one repeated; ``None`` for as many as there are."""
    spread: bool = False
    """Frames: ``count`` of them evenly over the whole clip, not its first."""
    template: str = "img_%05d.jpg"
    """File names with a counter; its extension is the format. Flow: ``{}`` stands for x and y."""
    start: int = 1
    """The counter's first value."""
    quality: int = 95
    """Of JPEG and WebP files: 1 worst, 100 best, as libjpeg and libwebp count."""
    storage: Storage = "folder"
    """Pictures of a clip: files in a folder, or one uncompressed zip or tar."""
    keep_extension: bool = False
    """The folder is called ``<clip>.mp4`` instead of ``<clip>``; the archive likewise."""
    algorithm: str = "tvl1"
    """Flow: one of :data:`ALGORITHMS`."""
    engine: str = "opencv"
    """Flow: what computes it, one of :data:`ENGINES`."""
    bound: int = 20
    """Flow: pixels of movement that the ends of the range of bytes stand for."""
    step: int = 1
    """Flow: from each frame to the one so many frames later."""

    @property
    def format(self) -> str:
        """Pictures: ``jpg``, ``png`` or ``webp``."""
        return PurePosixPath(self.template).suffix[1:].replace("jpeg", "jpg")

    @property
    def listable(self) -> bool:
        """Whether readers of lists can read what it makes: videos, or folders of pictures."""
        return self.kind == "video" or self.storage == "folder"

    @property
    def copies(self) -> bool:
        """Nothing is encoded: the clip's own packets in an mp4."""
        return self.kind == "video" and self.codec == COPY

    @property
    def time_limit(self) -> float:
        """Seconds that a clip may take; TV-L1 computes for minutes on ten seconds of pictures."""
        return 7200.0 if self.kind == "flow" and self.algorithm == "tvl1" else 600.0

    @cached_property
    def fingerprint(self) -> str:
        """16 hex digits that change whenever a setting does that the result depends on.

        What is at its default is left out: a key that a later kdl adds changes no fingerprint.
        """
        settings = {key: getattr(self, key) for key in KEYS[self.kind]}
        changed = {key: value for key, value in settings.items() if value != _DEFAULTS[key]}
        text = json.dumps({"kind": self.kind, **changed}, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:16]


_DEFAULTS = {field.name: field.default for field in dataclasses.fields(Recipe)}


def derived_path(recipe: Recipe, split: str, class_dir: str | None, clip_name: str) -> PurePosixPath:
    """Where a clip's derivative lies below ``derived/<recipe>/``: a file, or a folder of pictures.

    ``class_dir`` is ``None`` in splits without labels, which are flat.
    """
    name = bare_name(clip_name)
    if recipe.kind == "video":
        name += f".{recipe.container}"
    else:
        name = clip_name if recipe.keep_extension else name
        name += "" if recipe.storage == "folder" else f".{recipe.storage}"
    return PurePosixPath(split, *([class_dir] if class_dir else []), name)
