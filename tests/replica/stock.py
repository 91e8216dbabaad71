"""The clips that a replica is filled with: real ones where there is a folder of them, else rendered."""

from __future__ import annotations

import json
from dataclasses import dataclass
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from typing import Any

from kdl.jobs.demo_cast import Planted
from kdl.jobs.demo_clips import Scene, cut_short, render, stamp, without_index
from kdl.values import Cause, Verdict

_TOLERANCE_S = 1.0
_MP4 = (".mp4", ".mov")

_BAD: dict[str, Cause | None] = {
    "appledouble_._project_video.mp4": Cause.NOT_A_VIDEO,
    "audio_only_bento4_audio-aac-001.mp4": Cause.NO_VIDEO,
    "audio_only_mediabunny_multiple-aac-tracks.mp4": Cause.NO_VIDEO,
    "danbooru_test-corrupt.mp4": Cause.TRUNCATED,
    "encrypted_mp4parse_short-cenc.mp4": Cause.DECODE_ERROR,
    "fuzz_mp4parse_test_case_1185230.mp4": None,
    "header_only_mp4parse_bipbop_nonfragment_header.mp4": Cause.TRUNCATED,
    "header_only_mp4parse_invalid_userdata.mp4": Cause.TRUNCATED,
    "header_only_mp4parse_zero_empty_stsc.mp4": Cause.TRUNCATED,
    "init_segment_only_mp4parse_bipbop_cenc.mp4": Cause.TRUNCATED,
    "libwebm_block_ends_beyond_cluster.mkv": Cause.TRUNCATED,
    "libwebm_blockgroup_block_ends_beyond.mkv": Cause.TRUNCATED,
    "libwebm_fixed_lacing_bad_lace_size.mkv": None,
    "libwebm_invalid_vp9_bug_1416.webm": Cause.TOO_LARGE,
    "libwebm_invalid_vp9_bug_1417.webm": None,
    "libwebm_primarychromaticity_fieldtoolarge.webm": None,
    "libwebm_tracks_only.webm": None,
    "missing_samples_mediabunny_annex-b.mp4": Cause.TRUNCATED,
    "moovless_streamio_broken.mp4": Cause.MOOV_MISSING,
    "mp4parse_chunk_out_of_range.mp4": None,
    "streamio_empty.flv": None,
    "stub_moov_mutagen_64bit.mp4": Cause.NO_VIDEO,
    "text_as_mp4_ffmpegprogress_corrupt.mp4": Cause.NOT_A_VIDEO,
    "truncated_mutagen_64bit.mp4": Cause.TRUNCATED,
    "zero_byte_moviepy_result.webm": Cause.ZERO_BYTES,
}
"""What is wrong with each broken clip; ``None`` where several causes are right. The other broken ones
are sound until every frame is decoded."""


@dataclass(frozen=True)
class Sample:
    """One film, sound or broken, that clips of any name can hold."""

    name: str
    source: Path | bytes
    seconds: float = 0.0
    """Of its video stream."""
    broken: bool = False
    """At level ``probe``."""
    cause: Cause | None = None
    deep: bool = False
    """Damaged inside the bitstream: corrupt at level ``decode`` only."""

    @cached_property
    def data(self) -> bytes:
        return self.source if isinstance(self.source, bytes) else self.source.read_bytes()

    def film(self, text: str) -> bytes:
        """Its bytes; a sound mp4's are made unlike any other's by ``text``."""
        sound = not self.broken and not self.deep
        return stamp(self.data, text) if sound and self.name.endswith(_MP4) else self.data

    def planted(self, nominal: float) -> Planted:
        """What it is under a name that promises ``nominal`` seconds."""
        if self.broken:
            return Planted(Verdict.CORRUPT, self.cause)
        return Planted(Verdict.SHORT if self.seconds < nominal - _TOLERANCE_S else Verdict.OK)


@dataclass(frozen=True)
class Stock:
    """All samples at hand."""

    good: tuple[Sample, ...]
    bad: tuple[Sample, ...]
    """Broken ones, then those whose damage lies deeper."""
    tiny: Sample
    """Ten seconds in a few kB, for the many shards that hold one clip."""

    @cached_property
    def full(self) -> tuple[Sample, ...]:
        """Sound mp4 files of about ten seconds."""
        return tuple(clip for clip in self.good if 9.5 < clip.seconds < 11 and clip.name.endswith(".mp4"))


def real_stock(folder: Path) -> Stock:
    """The clips in ``folder``'s ``good`` and ``bad``, durations as its ``manifest.json`` has them."""
    good, bad, deep = [], [], []
    for item in json.loads((folder / "manifest.json").read_text()):
        path = folder / item["dir"] / item["file"]
        if item["dir"] == "good":
            good.append(Sample(path.name, path, _seconds(item)))
        elif path.name in _BAD:
            bad.append(Sample(path.name, path, broken=True, cause=_BAD[path.name]))
        elif item["dir"] == "bad":
            deep.append(Sample(path.name, path, _seconds(item), deep=True))
    return Stock(tuple(good), (*bad, *deep), _tiny())


def _seconds(item: dict[str, Any]) -> float:
    """Of the first video stream; from its frames where the header is silent."""
    stream = next(stream for stream in item["probe"]["streams"] if stream["codec_type"] == "video")
    told = stream.get("duration")
    return float(told) if told else float(item["frames"] / Fraction(stream["avg_frame_rate"]))


def made_stock() -> Stock:
    """Rendered clips of ten seconds, one of six and one of one, and some ways to break them."""
    scenes = {
        "pattern.mp4": Scene("testsrc2", 10, size="160x120", fps=10),
        "fractal.mp4": Scene("mandelbrot", 10, size="160x90", fps=5),
        "portrait.mp4": Scene("testsrc2", 10, size="90x160", fps=10, sound=False),
        "silent.mp4": Scene("mandelbrot", 10, size="120x90", fps=5, sound=False),
        "six.mp4": Scene("testsrc2", 6, size="160x120", fps=10),
        "one.mp4": Scene("testsrc2", 1, size="160x120", fps=10),
    }
    films = dict(zip(scenes, render(list(scenes.values())), strict=True))
    index_last, sound = render([Scene("testsrc2", 10, fps=5, moov_first=False), Scene(None, 10)])
    bad = (
        ("zero.mp4", b"", Cause.ZERO_BYTES),
        ("text.mp4", b"not mp4\n", Cause.NOT_A_VIDEO),
        ("moovless.mp4", without_index(index_last), Cause.MOOV_MISSING),
        ("cut.mp4", cut_short(films["pattern.mp4"]), Cause.TRUNCATED),
        ("cut_silent.mp4", cut_short(films["silent.mp4"]), Cause.TRUNCATED),
        ("sound.mp4", sound, Cause.NO_VIDEO),
    )
    return Stock(
        tuple(Sample(name, film, scenes[name].seconds) for name, film in films.items()),
        tuple(Sample(name, film, broken=True, cause=cause) for name, film, cause in bad),
        _tiny(),
    )


def _tiny() -> Sample:
    (film,) = render([Scene("color", 10, size="64x64", fps=1, sound=False)])
    return Sample("tiny.mp4", film, 10)
