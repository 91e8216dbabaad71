"""Clips out of the ordinary, made by ffmpeg: what comes of each, as docs/recipes.md tells it."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest
from media_clips import RECIPES, Run, ffmpeg, frames_of, make_clip, shape, video_of

from kdl.values import Facts

FLOW = dataclasses.replace(RECIPES["flow-256-dis"], name="flow", storage="folder")
EVERY = dataclasses.replace(RECIPES["rawframes-native"], name="every")
NAMES = ("320p", EVERY, FLOW)
Make = Callable[[Path], Path]


def cut_off(path: Path) -> Path:
    whole = make_clip(path.with_name("whole.mp4"), size="320x240", frames=50, extra=("-g", "5"))
    ffmpeg("-i", whole, "-c", "copy", "-movflags", "faststart", path)
    path.write_bytes(path.read_bytes()[: path.stat().st_size * 6 // 10])
    return path


def header_only(path: Path) -> Path:
    cut_off(path)
    path.write_bytes(path.read_bytes()[: path.read_bytes().index(b"mdat") + 4])
    return path


def audio_only(path: Path) -> Path:
    ffmpeg("-f", "lavfi", "-i", "sine=duration=1", "-c:a", "aac", path)
    return path


def hdr(path: Path) -> Path:
    tags = ("-color_primaries", "bt2020", "-color_trc", "smpte2084", "-colorspace", "bt2020nc")
    return make_clip(path, frames=6, extra=("-vf", "format=yuv420p10le", "-pix_fmt", "yuv420p10le", *tags))


def rotated(path: Path, degrees: int = 90) -> Path:
    upright = make_clip(path.with_name("upright.mp4"), frames=6)
    ffmpeg("-i", upright, "-c", "copy", "-metadata:s:v", f"rotate={degrees}", path)
    return path


def interlaced(path: Path) -> Path:
    fields = "interlace,format=yuv420p"
    return make_clip(
        path, rate="50", frames=6, extra=("-vf", fields, "-flags", "+ildct+ilme", "-pix_fmt", "yuv420p")
    )


def mpegts(path: Path) -> Path:
    return make_clip(path, frames=6, extra=("-f", "mpegts"))


def variable(path: Path) -> Path:
    return make_clip(path, frames=6, extra=("-vf", "setpts=N*N*0.04/TB", "-fps_mode", "passthrough"))


CASES: dict[str, tuple[Make, tuple[int, int, int], tuple[int, int], tuple[int, int]]] = {
    "ten bits, HDR": (hdr, (6, 6, 5), (480, 320), (96, 64)),
    "rotated": (rotated, (6, 6, 5), (320, 480), (64, 96)),
    "variable rate": (variable, (6, 6, 5), (480, 320), (96, 64)),
    "odd sides": (lambda path: make_clip(path, size="97x63", frames=6), (6, 6, 5), (492, 320), (97, 63)),
    "interlaced": (interlaced, (6, 6, 5), (480, 320), (96, 64)),
    "MPEG-TS": (mpegts, (6, 6, 5), (480, 320), (96, 64)),
}
"""How it is made; video frames, pictures and pairs of flow; sizes of the video and of the pictures."""


@pytest.mark.parametrize("case", list(CASES))
@pytest.mark.parametrize("together", [True, False], ids=["together", "apart"])
def test_what_comes_of_it(tmp_path: Path, run: Run, case: str, together: bool) -> None:
    make, counts, video_size, native = CASES[case]
    clip = make(tmp_path / "clip.mp4")
    results = run(clip, *NAMES) if together else [run(clip, name)[0] for name in NAMES]
    assert [(result.error, result.frames) for result in results] == [("", count) for count in counts]
    video, every, _ = results
    stream = video_of(video.path)
    assert (shape(video.path), stream["pix_fmt"]) == (video_size, "yuv420p")
    assert "side_data_list" not in stream
    height, width = cv2.imread(str(frames_of(every.path)[0])).shape[:2]
    assert (width, height) == native


@pytest.mark.parametrize("together", [True, False], ids=["together", "apart"])
def test_a_clip_that_is_cut_off(tmp_path: Path, run: Run, together: bool) -> None:
    """What is there is made, and what the decoder said is kept."""
    clip = cut_off(tmp_path / "clip.mp4")
    results = run(clip, "320p", EVERY) if together else [run(clip, name)[0] for name in ("320p", EVERY)]
    video, every = results
    assert (video.ok, every.ok) == (True, True)
    assert 20 <= video.frames == every.frames < 50
    assert video.complaint
    assert every.complaint


@pytest.mark.parametrize(
    ("make", "words"),
    [(header_only, "mp4"), (audio_only, "stream"), (lambda path: path.write_bytes(b"") or path, "")],
    ids=["header only", "audio only", "no bytes"],
)
@pytest.mark.parametrize("names", [("320p", EVERY), (EVERY, FLOW)], ids=["with a video", "pictures"])
def test_no_frame_at_all(tmp_path: Path, run: Run, make: Make, words: str, names: tuple[object, ...]) -> None:
    results = run(make(tmp_path / "clip.mp4"), *names, facts=Facts())
    for result in results:
        assert (result.ok, result.path.exists()) == (False, False)
        assert words in result.error
        assert len(result.error) > 20


@pytest.mark.parametrize("degrees", [90, 180, 270])
def test_both_decoders_turn_pictures_alike(tmp_path: Path, run: Run, degrees: int) -> None:
    clip = rotated(tmp_path / "clip.mp4", degrees)
    assert video_of(clip)["width"] == 96
    alone, beside = (
        cv2.imread(str(frames_of(run(clip, EVERY, *more)[0].path)[0])) for more in ((), ("320p",))
    )
    assert cv2.absdiff(alone, beside).mean() < 2
    upright = cv2.imread(str(frames_of(run(tmp_path / "upright.mp4", EVERY)[0].path)[0]))
    assert upright.shape != alone.shape or cv2.absdiff(alone, upright).mean() > 20
