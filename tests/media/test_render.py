"""Derivatives of clips with every trap, made by the real ffmpeg and read back by the real ffprobe."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import groupby
from pathlib import Path

import cv2
import pytest
from media_clips import (
    RECIPES,
    SHARED,
    Run,
    Wrap,
    ffmpeg,
    frames_of,
    make_clip,
    packets,
    probe,
    shape,
    video_of,
)

from kdl.media.recipe import derived_path
from kdl.media.render import render
from kdl.media.task import RenderOutput, RenderTask
from kdl.values import Facts


def picture_shape(path: Path) -> tuple[int, int]:
    height, width = cv2.imread(str(path)).shape[:2]
    return width, height


def test_all_recipes_from_one_decode(tmp_path: Path, run: Run, wrapped: Wrap) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=10, audio=True)
    log = wrapped()
    names = [
        name
        for name, recipe in RECIPES.items()
        if not recipe.copies and (recipe.algorithm != "tvl1" or recipe.kind != "flow")
    ]
    results = run(clip, *names)
    assert [(r.recipe_name, r.ok, r.error) for r in results] == [(name, True, "") for name in names]
    counts = {"frames-300": 300, "frames-32": 32, "flow-256-dis": 9, "256p-distinct": 5}
    assert [r.frames for r in results] == [counts.get(name, 10) for name in names]
    starts = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(starts) == 1
    assert starts[0].count("-i") == 1
    threads = [starts[0][i + 1] for i, word in enumerate(starts[0]) if word.endswith("threads")]
    assert threads == ["1"] * (3 + len(names))  # both kinds of filters, the decoder, the outputs
    for result in results:
        files = [result.path] if result.path.is_file() else frames_of(result.path)
        assert result.bytes == sum(file.stat().st_size for file in files)


@pytest.mark.parametrize(
    ("size", "at_320", "at_256"),
    [
        ("501x333", (482, 320), (386, 256)),
        ("333x501", (320, 482), (256, 386)),
        ("64x48", (426, 320), (342, 256)),
        ("300x300", (320, 320), (256, 256)),
        ("1x1", (320, 320), (256, 256)),
    ],
)
def test_sizes(tmp_path: Path, run: Run, size: str, at_320: tuple[int, int], at_256: tuple[int, int]) -> None:
    """Odd ones end even, portrait stays portrait, small ones grow; native keeps what it was."""
    clip = make_clip(tmp_path / "clip.mp4", size=size, frames=2)
    video, frames, native, fixed = run(clip, "320p", "rawframes-256", "rawframes-native", "frames-300")
    assert shape(video.path) == at_320
    assert video_of(video.path)["pix_fmt"] == "yuv420p"
    assert picture_shape(frames.path / "img_00001.jpg") == at_256
    assert "x".join(map(str, picture_shape(native.path / "img_00002.jpg"))) == size
    assert picture_shape(fixed.path / "frame_00300.jpg") == (340, 256)


def test_rotation_is_applied_and_gone(tmp_path: Path, run: Run) -> None:
    upright = make_clip(tmp_path / "upright.mp4", size="96x64", frames=3)
    clip = tmp_path / "turned.mp4"
    ffmpeg("-i", upright, "-c", "copy", "-metadata:s:v", "rotate=90", clip)
    assert video_of(clip)["side_data_list"][0]["rotation"] == 90  # counter-clockwise
    video, native = run(clip, "320p", "rawframes-native")
    assert shape(video.path) == (320, 480)
    assert "side_data_list" not in video_of(video.path)
    (plain,) = run(upright, "rawframes-native")
    turned = cv2.imread(str(native.path / "img_00001.jpg"))
    original = cv2.imread(str(plain.path / "img_00001.jpg"))
    ways = {
        name: cv2.absdiff(turned, cv2.rotate(original, how)).mean()
        for name, how in (("right", cv2.ROTATE_90_CLOCKWISE), ("left", cv2.ROTATE_90_COUNTERCLOCKWISE))
    }
    assert ways["left"] < 3 < ways["right"]


def test_variable_frame_rate(tmp_path: Path, run: Run) -> None:
    """Every frame once and none invented; a video keeps its frames' times."""
    clip = tmp_path / "vfr.mp4"
    make_clip(clip, frames=6, extra=("-vf", "setpts=N*N*0.04/TB", "-fps_mode", "passthrough"))
    times = [float(time) for time in packets(clip, "pts_time")]
    assert times == pytest.approx([0, 0.04, 0.16, 0.36, 0.64, 1.0])
    video, every, fixed = run(clip, "320p", "rawframes-256", "frames-300")
    assert [float(time) for time in packets(video.path, "pts_time")] == pytest.approx(times, abs=0.001)
    assert (video.frames, every.frames, fixed.frames) == (6, 6, 300)
    shown = [len(list(same)) for _, same in groupby(path.read_bytes() for path in frames_of(fixed.path))]
    assert shown == [1, 4, 6, 8, 11, 270]  # each from the thirtieth of a second nearest to its time


def test_frames_whose_times_are_equal_are_all_there(tmp_path: Path, run: Run) -> None:
    clip = make_clip(tmp_path / "near.mkv", frames=9, extra=("-vf", "setpts=N/1000/TB", "-r", "1000"))
    every, fixed = run(clip, "rawframes-native", "frames-300")
    assert (every.frames, fixed.frames) == (9, 300)


@pytest.mark.parametrize(("frames", "distinct"), [(1, 1), (7, 7), (299, 299), (300, 300), (330, 300)])
def test_frames_300_are_exactly_300(tmp_path: Path, run: Run, frames: int, distinct: int) -> None:
    """Cut, or the last frame repeated; not the last but one."""
    clip = make_clip(tmp_path / "clip.mp4", size="32x32", rate="30", frames=frames)
    (result,) = run(clip, "frames-300")
    names = [path.name for path in frames_of(result.path)]
    assert names == [f"frame_{number:05d}.jpg" for number in range(1, 301)]
    contents = [path.read_bytes() for path in frames_of(result.path)]
    assert contents[distinct - 1 :] == [contents[-1]] * (301 - distinct)
    assert distinct == 1 or contents[distinct - 2] != contents[-1]


def test_a_clip_of_one_frame(tmp_path: Path, run: Run) -> None:
    clip = make_clip(tmp_path / "one.mp4", frames=1)
    video, every = run(clip, "320p", "rawframes-256")
    assert (video.frames, every.frames) == (1, 1)


@pytest.mark.parametrize(
    "name",
    [
        "-mXuB_-1234_000001_000011.mp4",
        "(a) it's 'quoted' \"twice\".mp4",
        "100%d of %05d %% [x],y;z\\:=.mp4",
        "file:.mp4",
    ],
)
def test_names_and_folders_that_are_hard_to_say(tmp_path: Path, run: Run, name: str) -> None:
    place = tmp_path / name.removesuffix(".mp4")
    place.mkdir()
    clip = make_clip(place / name, frames=3)
    recipes = [RECIPES["320p"], RECIPES["rawframes-native"]]
    outputs = tuple(
        RenderOutput(
            recipe, place / recipe.name / derived_path(recipe, "val", "it's (b)", name), place / "tmp %d"
        )
        for recipe in recipes
    )
    video, native = render(RenderTask(clip, Facts(), outputs, 60)).outputs
    assert (video.error, native.error) == ("", "")
    assert video.path.is_file()
    assert native.path.name == name
    assert [path.name for path in frames_of(native.path)] == [f"img_{n:05d}.jpg" for n in (1, 2, 3)]


def test_key_frames_and_audio(tmp_path: Path, run: Run) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=50, audio=True)
    plain, dense = run(clip, "256p", "256p-dense")
    keys = [n for n, flags in enumerate(packets(dense.path, "flags")) if "K" in flags]
    assert keys[:2] == [0, 16]
    assert max(b - a for a, b in zip(keys, [*keys[1:], 50], strict=True)) <= 16
    assert len([1 for flags in packets(plain.path, "flags") if "K" in flags]) < len(keys)
    assert [stream["codec_name"] for stream in probe(plain.path)] == ["h264", "aac"]
    assert [stream["codec_name"] for stream in probe(dense.path)] == ["h264"]


def test_audio_that_mp4_readers_do_not_take_is_encoded(tmp_path: Path, run: Run) -> None:
    clip = tmp_path / "clip.mkv"
    make_clip(clip, frames=10, audio=True, extra=("-c:a", "libvorbis"))
    (video,) = run(clip, "320p")
    assert [stream["codec_name"] for stream in probe(video.path)] == ["h264", "aac"]


def test_the_first_video_and_the_first_audio_are_taken(tmp_path: Path, run: Run) -> None:
    first = make_clip(tmp_path / "first.mp4", size="64x64", frames=5)
    second = make_clip(tmp_path / "second.mp4", size="256x128", frames=9, audio=True)
    clip = tmp_path / "both.mp4"
    maps = ("-map", "1:a", "-map", "0:v", "-map", "1:v", "-map", "1:a")
    ffmpeg("-i", first, "-i", second, *maps, "-c", "copy", clip)
    (video,) = run(clip, "320p")
    assert video.frames == 5
    assert shape(video.path) == (320, 320)
    assert len(probe(video.path)) == 2


def test_the_same_bytes_each_time(tmp_path: Path, run: Run) -> None:
    clip = make_clip(tmp_path / "clip.mp4", frames=20, audio=True)
    (video,) = run(clip, "320p")
    before = video.path.read_bytes()
    again, _ = run(clip, "320p", "rawframes-256")
    assert again.path.read_bytes() == before


def real(names: dict[str, tuple[int, tuple[int, int]]]) -> Iterable[object]:
    return [pytest.param(SHARED / n, *e, id=n) for n, e in names.items() if (SHARED / n).exists()]


@pytest.mark.parametrize(
    ("clip", "frames", "size"),
    real(
        {
            "moviepy_fire2.mp4": (25, (568, 320)),  # rotated by 180 degrees, variable rate
            "decord_video_90.mov": (3, (320, 568)),  # rotated by 90 degrees
            "mediabunny_cursed-vfr.mp4": (63, (698, 320)),  # a nominal rate of 57,600
            "askanything_making_cake.mp4": (300, (320, 426)),  # portrait
            "torchcodec_h265_10bits.mp4": (30, (320, 320)),  # ten bits
            "torchcodec_nasa_13013.mp4": (325, (568, 320)),  # two video streams
            "mmaction2_test.avi": (164, (426, 320)),
        }
    ),
)
def test_real_clips(clip: Path, frames: int, size: tuple[int, int], run: Run) -> None:
    video, fixed = run(clip, "320p", "frames-300")
    assert (video.error, fixed.error) == ("", "")
    assert (video.frames, fixed.frames) == (frames, 300)
    assert shape(video.path) == size
    assert "side_data_list" not in video_of(video.path)
