"""Stills: their formats, which of them are taken, where they are put, and how near they are to OpenCV's."""

from __future__ import annotations

import dataclasses
import tarfile
import zipfile
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from media_clips import RECIPES, SHARED, Run, ffmpeg, frames_of, make_clip, packets, video_of

NATIVE = dataclasses.replace(RECIPES["rawframes-native"], keep_extension=False)
GOLDEN = SHARED.parent / "reference" / "mmaction2"


def decoded(clip: Path) -> list[Any]:
    video, frames = cv2.VideoCapture(str(clip)), []
    while (read := video.read())[0]:
        frames.append(read[1])
    return frames


@pytest.mark.parametrize(
    ("changes", "name", "kind", "apart"),
    [
        ({}, "img_00001.jpg", b"\xff\xd8\xff", 6),
        ({"quality": 30}, "img_00001.jpg", b"\xff\xd8\xff", 12),
        ({"pixel_format": "yuv444p", "start": 0}, "img_00000.jpg", b"\xff\xd8\xff", 4),
        ({"template": "f%03d.png"}, "f001.png", b"\x89PNG", 3),
        ({"template": "f%03d.webp"}, "f001.webp", b"RIFF", 8),
    ],
    ids=["jpeg", "coarse", "full chroma", "png", "webp"],
)
@pytest.mark.parametrize("beside", [(), ("256p",)], ids=["alone", "beside a video"])
def test_formats(
    tmp_path: Path, run: Run, changes: dict[str, Any], name: str, kind: bytes, apart: int, beside: tuple[str]
) -> None:
    """Both decoders give pictures that OpenCV reads as it reads the clip itself."""
    clip = make_clip(tmp_path / "clip.mp4", size="333x121", frames=3, extra=("-vf", "gblur=2"))
    result, *_ = run(clip, dataclasses.replace(NATIVE, **changes), *beside)
    assert result.error == ""
    files = frames_of(result.path)
    assert (files[0].name, len(files)) == (name, 3)
    assert files[0].read_bytes().startswith(kind)
    for path, frame in zip(files, decoded(clip), strict=True):
        assert cv2.absdiff(cv2.imread(str(path)), frame).mean() < apart


def test_lower_quality_is_smaller(tmp_path: Path, run: Run) -> None:
    clip = make_clip(tmp_path / "clip.mp4", size="320x240", frames=2)
    sizes = [run(clip, dataclasses.replace(NATIVE, quality=quality))[0].bytes for quality in (95, 50, 5)]
    assert sizes == sorted(sizes, reverse=True)


@pytest.mark.parametrize(
    ("frames", "count", "taken"),
    [(8, 4, [1, 3, 5, 7]), (9, 2, [2, 6]), (5, 5, [0, 1, 2, 3, 4]), (7, 1, [3]), (2, 4, [0, 1, 1, 1])],
)
@pytest.mark.parametrize("beside", [(), ("256p",)], ids=["alone", "beside a video"])
def test_spread(
    tmp_path: Path, run: Run, frames: int, count: int, taken: list[int], beside: tuple[str]
) -> None:
    """The middle one of each of so many equal parts; of too few frames the last is repeated."""
    clip = make_clip(tmp_path / "clip.mp4", frames=frames)
    every, spread, *_ = run(
        clip, NATIVE, dataclasses.replace(NATIVE, name="some", spread=True, count=count), *beside
    )
    pictures = [path.read_bytes() for path in frames_of(every.path)]
    assert len({*pictures}) == frames
    assert [pictures.index(path.read_bytes()) for path in frames_of(spread.path)] == taken


@pytest.mark.parametrize("beside", [(), ("256p",)], ids=["alone", "beside a video"])
def test_archives_hold_what_the_folder_holds(tmp_path: Path, run: Run, beside: tuple[str]) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=4)
    variants = [dataclasses.replace(NATIVE, name=kind, storage=kind) for kind in ("folder", "zip", "tar")]
    folder, packed, tar, *_ = run(clip, *variants, *beside)
    files = {path.name: path.read_bytes() for path in frames_of(folder.path)}
    assert (packed.path.name, tar.path.name) == ("clip.zip", "clip.tar")
    with zipfile.ZipFile(packed.path) as archive:
        assert {info.compress_type for info in archive.infolist()} == {zipfile.ZIP_STORED}
        assert {name: archive.read(name) for name in archive.namelist()} == files
    with tarfile.open(tar.path, "r:") as archive_:
        assert {member.name: archive_.extractfile(member).read() for member in archive_} == files  # type: ignore[union-attr]
    before = [packed.path.read_bytes(), tar.path.read_bytes()]
    assert [result.bytes for result in (packed, tar)] == [len(data) for data in before]
    again = run(clip, *variants[1:], *beside)
    assert [result.path.read_bytes() for result in again[:2]] == before


def test_a_videos_options(tmp_path: Path, run: Run) -> None:
    clip = make_clip(tmp_path / "clip.mp4", size="97x63", frames=20, audio=True)
    h265 = dataclasses.replace(
        RECIPES["320p"],
        name="h265",
        codec="h265",
        container="mkv",
        pixel_format="yuv420p10le",
        short_side=None,
    )
    slow = dataclasses.replace(RECIPES["320p"], name="slow", fps=5, pixel_format="yuv444p", size=(64, 32))
    new, few = run(clip, h265, dataclasses.replace(slow, short_side=None))
    assert (new.error, few.error, new.path.suffix) == ("", "", ".mkv")
    stream = video_of(new.path)
    assert (stream["codec_name"], stream["pix_fmt"]) == ("hevc", "yuv420p10le")
    assert (stream["width"], stream["height"], new.frames) == (98, 64, 20)
    stream = video_of(few.path)
    assert (stream["pix_fmt"], stream["width"], stream["height"]) == ("yuv444p", 64, 32)
    times = [float(time) for time in packets(few.path, "pts_time")]
    assert times == pytest.approx([0.2 * number for number in range(few.frames)], abs=0.001)


@pytest.mark.parametrize("names", [("256p-distinct",), ("distinct-frames",), ("256p-distinct", "frames-300")])
def test_duplicates_are_left_out(tmp_path: Path, run: Run, names: tuple[str, ...]) -> None:
    """Three pictures, shown for four frames each."""
    clip = tmp_path / "clip.mkv"
    source = "testsrc=size=128x128:rate=1:duration=3,fps=4"
    ffmpeg("-f", "lavfi", "-i", source, "-c:v", "ffv1", clip)
    frames = dataclasses.replace(NATIVE, name="distinct-frames", drop_duplicates=True)
    results = run(clip, *(frames if name == "distinct-frames" else name for name in names))
    assert [r.error for r in results] == [""] * len(names)
    assert results[0].frames == 3


@pytest.mark.skipif(not GOLDEN.is_dir(), reason="the golden pictures are not on this machine")
def test_golden_pictures(run: Run) -> None:
    """OpenCV's, byte for byte what it encodes of frame N at quality 95: ours are one rounding away."""
    recipe = dataclasses.replace(NATIVE, start=0)
    (every,) = run(
        GOLDEN / "test.avi" if (GOLDEN / "test.avi").exists() else SHARED / "mmaction2_test.avi", recipe
    )
    assert every.frames == 164
    names = {f"img_{number:05d}.jpg": GOLDEN / "imgs" / f"img_{number:05d}.jpg" for number in range(1, 11)}
    names["img_00000.jpg"] = GOLDEN / "test.jpg"
    for name, golden in names.items():
        ours, theirs = cv2.imread(str(every.path / name)), cv2.imread(str(golden))
        assert ours.shape == theirs.shape
        apart = cv2.absdiff(ours, theirs)
        assert (float(apart.mean()) < 1.5, float(np.percentile(apart, 99)) <= 8) == (True, True)
