"""``engine = "denseflow"``: what the program writes is stored under the recipe's names.

denseflow needs a CUDA device. In its place stands a program with its options and its file names
(tools/denseflow.cpp of open-mmlab/denseflow) that lets OpenCV's DIS compute.
"""

from __future__ import annotations

import dataclasses
import sys
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from media_clips import RECIPES, Run, ffmpeg

from kdl.errors import ManifestError, ToolMissing
from kdl.media.cookbook import load_recipes
from kdl.media.denseflow import require_denseflow

RECIPE = dataclasses.replace(RECIPES["flow-256"], engine="denseflow", short_side=64, storage="zip")
STAND_IN = """
import pathlib, sys
options = dict(word[1:].split("=") for word in sys.argv[2:])
assert set(options) <= {"o", "a", "b", "s", "nw", "nh", "ns", "d"}, options
import cv2, numpy
clip = pathlib.Path(sys.argv[1])
folder = pathlib.Path(options["o"], clip.stem)
folder.mkdir(parents=True)
video, frames = cv2.VideoCapture(str(clip)), []
while (read := video.read())[0]:
    frames.append(cv2.cvtColor(cv2.resize(read[1], (85, int(options["ns"]))), cv2.COLOR_BGR2GRAY))
flow, bound, step = cv2.DISOpticalFlow_create(), int(options["b"]), int(options["s"])
for number, (first, second) in enumerate(zip(frames, frames[step:])):
    scaled = 255 * (flow.calc(first, second, None) + bound) / (2 * bound)
    for axis, name in enumerate("xy"):
        pixels = numpy.clip(numpy.rint(scaled[..., axis]), 0, 255).astype("uint8")
        cv2.imwrite(f"{folder}/flow_{name}_{number:05d}.jpg", pixels)
"""

Install = Callable[[str], None]


@pytest.fixture
def install(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Install:
    """Puts a program called denseflow on the PATH."""

    def install(code: str) -> None:
        folder = tmp_path / "programs"
        folder.mkdir()
        (folder / "denseflow").write_text(f"#!{sys.executable}\n{code}")
        (folder / "denseflow").chmod(0o755)
        monkeypatch.setenv("PATH", str(folder), prepend=":")

    return install


@pytest.fixture
def clip(tmp_path: Path) -> Path:
    path = tmp_path / "clip.mp4"
    ffmpeg("-f", "lavfi", "-i", "testsrc2=s=128x96:r=25", "-frames:v", "6", "-pix_fmt", "yuv420p", path)
    return path


@pytest.mark.parametrize("step", [1, 2])
def test_its_pictures_come_under_the_recipes_names(install: Install, run: Run, clip: Path, step: int) -> None:
    install(STAND_IN)
    (result,) = run(clip, dataclasses.replace(RECIPE, step=step))
    assert (result.error, result.frames) == ("", 6 - step)
    with zipfile.ZipFile(result.path) as stored:
        names = [f"flow_{axis}_{number:05d}.jpg" for number in range(1, 7 - step) for axis in "xy"]
        assert stored.namelist() == names
        assert all(stored.read(name).startswith(b"\xff\xd8") for name in names)


def test_other_recipes_of_the_clip_are_made_beside_it(install: Install, run: Run, clip: Path) -> None:
    install(STAND_IN)
    frames, flow, video = run(clip, "rawframes-256-zip", RECIPE, "256p")
    assert [(r.recipe_name, r.error, r.frames) for r in (frames, flow, video)] == [
        ("rawframes-256-zip", "", 6),
        ("flow-256", "", 5),
        ("256p", "", 6),
    ]


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("print('CUDA driver version is insufficient'); raise SystemExit(1)", "CUDA driver version is"),
        ("print('unknown option'); raise SystemExit(0)", "denseflow made nothing: unknown option"),
        (STAND_IN.replace("frames[step:]", "frames[step:-1]"), "5 frames came instead of 6"),
        ("import time; time.sleep(60)", "ended at its time limit of 2 s"),
    ],
)
def test_what_goes_wrong_is_told(install: Install, run: Run, clip: Path, code: str, words: str) -> None:
    install(code)
    (result,) = run(clip, RECIPE, timeout=2 if "sleep" in code else 60)
    assert not result.ok
    assert words in result.error
    assert not result.path.exists()


def test_without_it_the_run_does_not_begin(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(ToolMissing) as raised:
        require_denseflow()
    assert "open-mmlab/denseflow" in (raised.value.fix or "")


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ('algorithm = "dis"', "denseflow has no dis; it has tvl1 or farneback"),
        ("quality = 90", "JPEGs of quality 95"),
        ('template = "flow_{}_%05d.png"', "JPEGs of quality 95"),
        ("fps = 5", "every frame"),
        ("drop_duplicates = true", "every frame"),
    ],
)
def test_what_it_can_not_do_is_refused(tmp_path: Path, line: str, words: str) -> None:
    file = tmp_path / "recipes.toml"
    file.write_text(f'[mine]\ndoc = "d"\nkind = "flow"\nengine = "denseflow"\nbytes_per_clip = 1\n{line}\n')
    with pytest.raises(ManifestError, match=words):
        load_recipes(file)
