"""Optical flow against OpenCV's own, name for name and number for number."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from media_clips import RECIPES, Run, ffmpeg, frames_of

from kdl.errors import ToolMissing
from kdl.media.flow import quantised
from kdl.media.opencv import require_opencv

NATIVE = dataclasses.replace(RECIPES["flow-256"], short_side=None)
METHODS: dict[str, Any] = {
    "tvl1": lambda: cv2.optflow.DualTVL1OpticalFlow_create(),
    "farneback": lambda: cv2.FarnebackOpticalFlow_create(),
    "dis": lambda: cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM),
}


def moving(path: Path, frames: int = 4) -> Path:
    """A picture full of soft spots, which slides down to the right by 2 and by 1 pixels a frame."""
    spots = "nullsrc=size=96x64:rate=25,geq=lum='random(1)*255':cb=128:cr=128,loop=loop=-1:size=1"
    slide = "gblur=sigma=2,eq=contrast=4,scroll=horizontal=-2/96:vertical=-1/64"
    shape = ("-frames:v", str(frames), "-c:v", "libx264", "-crf", "3", "-pix_fmt", "yuv420p")
    ffmpeg("-f", "lavfi", "-i", f"{spots},{slide}", *shape, path)
    return path


def grey_frames(clip: Path) -> list[Any]:
    video, frames = cv2.VideoCapture(str(clip)), []
    while (read := video.read())[0]:
        frames.append(cv2.cvtColor(read[1], cv2.COLOR_BGR2GRAY))
    return frames


def dense_flow_bytes(value: np.ndarray, bound: int) -> np.ndarray:
    """The rule, written out."""
    return np.clip(np.round(255 * (value.astype(np.float64) + bound) / (2 * bound)), 0, 255)


def test_the_scale_of_bytes() -> None:
    values = np.array([[-99.0, -20.0, -0.2, 0.0, 0.2, 10.0, 20.0, 99.0]], np.float32)
    assert quantised(values, 20).tolist() == [[0, 0, 126, 128, 129, 191, 255, 255]]
    everywhere = np.linspace(-25, 25, 4001, dtype=np.float32)[None]
    assert np.array_equal(quantised(everywhere, 20), dense_flow_bytes(everywhere, 20))


@pytest.mark.parametrize("algorithm", list(METHODS))
def test_numbers_are_opencvs(tmp_path: Path, run: Run, algorithm: str) -> None:
    clip = moving(tmp_path / "clip.mp4")
    (result,) = run(clip, dataclasses.replace(NATIVE, algorithm=algorithm, template="{}_%05d.png", start=0))
    assert (result.error, result.frames) == ("", 3)
    frames, method = grey_frames(clip), METHODS[algorithm]()
    moved = 0.0
    for number in range(3):
        theirs = method.calc(frames[number], frames[number + 1], None)
        for axis, name in enumerate("xy"):
            ours = cv2.imread(str(result.path / f"{name}_{number:05d}.png"), cv2.IMREAD_UNCHANGED)
            apart = np.abs(ours.astype(int) - dense_flow_bytes(theirs[..., axis], 20))
            # The grey that both start from differs by a rounding of luma here and there.
            assert (apart.mean(), np.percentile(apart, 99) <= 3) == (pytest.approx(0, abs=0.35), True)
            moved = max(moved, np.abs(ours.astype(int) - 128).mean())
    assert moved > 5


def test_jpegs_lose_no_more_than_jpegs_do(tmp_path: Path, run: Run) -> None:
    clip = moving(tmp_path / "clip.mp4")
    exact = dataclasses.replace(NATIVE, name="exact", algorithm="dis", template="flow_{}_%05d.png")
    jpegs, pngs = run(clip, dataclasses.replace(NATIVE, algorithm="dis"), exact)
    for path in frames_of(jpegs.path):
        ours = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
        assert ours.shape == (64, 96)
        assert cv2.absdiff(ours, cv2.imread(str(pngs.path / f"{path.stem}.png"), 0)).mean() < 1.5


@pytest.mark.parametrize(
    ("changes", "names"),
    [
        ({}, ["flow_x_00001.jpg", "flow_x_00002.jpg", "flow_y_00001.jpg", "flow_y_00002.jpg"]),
        ({"start": 0, "step": 2}, ["flow_x_00000.jpg", "flow_y_00000.jpg"]),
        ({"template": "{}_%05d.jpg", "fps": 50}, [f"{a}_{n:05d}.jpg" for a in "xy" for n in range(1, 6)]),
    ],
    ids=["readers", "denseflow", "by time"],
)
def test_names(tmp_path: Path, run: Run, changes: dict[str, Any], names: list[str]) -> None:
    clip = moving(tmp_path / "clip.mp4", frames=3)
    (result,) = run(clip, dataclasses.replace(NATIVE, algorithm="dis", **changes))
    assert [path.name for path in frames_of(result.path)] == names
    assert result.frames == len(names) // 2


def test_frames_flow_and_video_of_one_run(tmp_path: Path, run: Run) -> None:
    clip = moving(tmp_path / "clip.mp4")
    together = run(clip, "256p", "rawframes-256-zip", "flow-256-dis")
    assert [(r.error, r.frames) for r in together] == [("", 4), ("", 4), ("", 3)]
    alone = run(clip, "rawframes-256-zip", "flow-256-dis")
    assert [r.frames for r in alone] == [4, 3]


def test_a_clip_too_short_for_flow(tmp_path: Path, run: Run) -> None:
    clip = moving(tmp_path / "clip.mp4", frames=1)
    flow, frames = run(clip, "flow-256-dis", "rawframes-256")
    assert (flow.ok, flow.error) == (False, "a clip of 1 frames has no flow over 1")
    assert frames.ok


def test_without_the_extra(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "cv2", None)
    with pytest.raises(ToolMissing, match="optical flow needs it") as missing:
        require_opencv("dis")
    assert (missing.value.exit_code, missing.value.fix) == (3, "pip install 'kdl[flow]'")


def test_opencv_without_its_contributed_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(cv2, "optflow")
    require_opencv("dis")
    with pytest.raises(ToolMissing, match="no TV-L1"):
        require_opencv("tvl1")
