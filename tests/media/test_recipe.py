"""Recipes: what ships, how files are judged, and that the docs keep in step."""

from __future__ import annotations

import dataclasses
import re
import tomllib
from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdl.errors import MachineError, ManifestError, UsageError
from kdl.media.cookbook import load_recipes, resolve_recipe
from kdl.media.recipe import Recipe, derived_path
from kdl.resources import shipped
from kdl.settings import human_size

DOCS = Path(__file__).parents[2] / "docs" / "recipes.md"
VIDEO = """
[mine]
kind = "video"
doc = "Small."
bytes_per_clip = 1
"""
FRAMES = VIDEO.replace("video", "frames")
FLOW = VIDEO.replace("video", "flow")
PNG = 'template = "img_%05d.png"\n'


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_shipped_recipes_are_what_trainers_ask_for() -> None:
    recipes = load_recipes()
    changed = {
        name: {
            field.name: value
            for field in dataclasses.fields(Recipe)[5:]
            if (value := getattr(recipe, field.name)) != field.default
        }
        for name, recipe in recipes.items()
    }
    flow = {"short_side": 256, "template": "flow_{}_%05d.jpg"}
    assert changed == {
        "320p": {"short_side": 320, "preset": "veryfast", "tune": "ssim", "crf": 21},
        "256p": {"short_side": 256, "preset": "veryfast", "tune": "ssim", "crf": 21},
        "320p-mmaction2": {"short_side": 320, "audio": False},
        "256p-dense": {"short_side": 256, "gop": 16, "audio": False},
        "256p-distinct": {"short_side": 256, "drop_duplicates": True, "audio": False},
        "remux": {"codec": "copy"},
        "rawframes-256": {"short_side": 256},
        "rawframes-256-zip": {"short_side": 256, "storage": "zip"},
        "rawframes-320": {"short_side": 320},
        "rawframes-340x256": {"size": (340, 256)},
        "rawframes-native": {"keep_extension": True},
        "frames-300": {"size": (340, 256), "fps": 30, "count": 300, "template": "frame_%05d.jpg"},
        "frames-32": {"short_side": 256, "count": 32, "spread": True, "storage": "zip"},
        "flow-256": flow,
        "flow-256-denseflow": flow | {"start": 0},
        "flow-256-dis": flow | {"algorithm": "dis", "storage": "zip"},
    }


def test_docs_keep_in_step() -> None:
    text = DOCS.read_text()
    rows = {row[0]: row for row in re.findall(r"^\| `([^`]+)` \| (.*?) \| (.*?) \| (.*?) \|$", text, re.M)}
    recipes = load_recipes()
    shown = {name: row for name, row in rows.items() if name in recipes}
    assert list(shown) == list(recipes)
    for name, recipe in recipes.items():
        assert shown[name][1:] == (recipe.doc, recipe.stands_for, human_size(recipe.bytes_per_clip))
    keys = {field.name for field in dataclasses.fields(Recipe)} - {"name"}
    assert keys == set(rows) - set(shown)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        (VIDEO + "colour = 1", "mine.colour: unknown"),
        (VIDEO + 'template = "a_%05d.jpg"', "mine.template: unknown for video"),
        (VIDEO + "short_side = 255", "mine.short_side: must be an even number"),
        (VIDEO + "short_side = true", "mine.short_side: must be"),
        (VIDEO + "short_side = 256\nsize = [2, 2]", "mine.size: can not stand beside short_side"),
        (VIDEO + "size = [340]", "mine.size: must be [width, height]"),
        (VIDEO + 'preset = "warp"', "mine.preset: must be ultrafast"),
        (VIDEO + 'tune = "film"', "mine.tune: must be psnr"),
        (VIDEO + "crf = 52", "mine.crf: must be a whole number from 0 to 51, not 52"),
        (VIDEO + "gop = 0", "mine.gop: must be"),
        (VIDEO + 'audio = "yes"', "mine.audio: must be true or false"),
        (FRAMES + 'template = "../%05d.jpg"', "mine.template: must be a plain file name"),
        (FRAMES + 'template = "img.jpg"', "mine.template: must be a plain file name"),
        (FRAMES + "count = 0", "mine.count: must be"),
        (FRAMES + 'template = "img_%05d.gif"', "mine.template: must be a plain file name"),
        (FRAMES + "start = -1", "mine.start: must be"),
        (FRAMES + "quality = 0", "mine.quality: must be a whole number from 1 to 100, not 0"),
        (FRAMES + 'storage = "rar"', "mine.storage: must be folder, zip or tar, not 'rar'"),
        (FRAMES + "spread = true", "mine.spread: needs a count"),
        (FRAMES + "spread = true\ncount = 3\nfps = 2", "mine.spread: can not stand beside fps"),
        (FRAMES + 'pixel_format = "yuv420p10le"', "mine.pixel_format: must be yuv420p, yuv422p or yuv444p"),
        (FRAMES + PNG + 'pixel_format = "yuv444p"', "mine.pixel_format: is for JPEG files; png"),
        (FRAMES + PNG + "quality = 90", "mine.quality: is for JPEG and WebP"),
        (VIDEO + 'codec = "divx"', "mine.codec: must be h264, h265 or copy"),
        (VIDEO + 'codec = "copy"\ncrf = 20', "mine.crf: can not stand beside codec"),
        (VIDEO + 'codec = "copy"\naudio = false', "mine.audio: can not stand beside codec"),
        (VIDEO + 'container = "avi"', "mine.container: must be mp4 or mkv"),
        (VIDEO + "fps = 0", "mine.fps: must be"),
        (VIDEO + "drop_duplicates = 1", "mine.drop_duplicates: must be true or false"),
        (FLOW + 'algorithm = "brox"', "mine.algorithm: must be tvl1, farneback or dis"),
        (FLOW + "bound = 0", "mine.bound: must be"),
        (FLOW + "step = 0", "mine.step: must be"),
        (FLOW + 'template = "flow_%05d.jpg"', "mine.template: must be a plain file name such as flow_{}"),
        (FLOW + "count = 3", "mine.count: unknown for flow"),
        (VIDEO.replace('kind = "video"', ""), "mine.kind: is missing"),
        (VIDEO.replace("video", "sound"), "mine.kind: must be video, frames or flow"),
        (VIDEO.replace("Small.", " "), "mine.doc: must be a line of text"),
        (VIDEO.replace("mine", '"Mine/1"'), "Mine/1: a recipe's name"),
        ("mine = 3", "mine: is not a table"),
        ("[mine", "is no TOML"),
        ("# nothing", "holds no recipe"),
    ],
)
def test_malformed_files_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(ManifestError) as refused:
        load_recipes(path)
    assert refused.value.subject == str(path)
    assert complaint in refused.value.message
    assert refused.value.exit_code == 2


def test_a_recipe_by_name_or_by_file_and_name(tmp_path: Path) -> None:
    assert resolve_recipe("320p").name == "320p"
    own = write(tmp_path, VIDEO + "crf = 30")
    assert resolve_recipe(f"{own}:mine").crf == 30
    with pytest.raises(UsageError, match="no such recipe") as unknown:
        resolve_recipe("frames300")
    assert "frames-300" in unknown.value.fix
    with pytest.raises(UsageError, match="no such recipe") as absent:
        resolve_recipe(f"{own}:320p")
    assert "mine" in absent.value.fix
    with pytest.raises(UsageError, match="can not be read"):
        resolve_recipe(f"{tmp_path}/nothing.toml:mine")


def test_fingerprint_follows_what_the_result_depends_on(tmp_path: Path) -> None:
    plain = load_recipes(write(tmp_path, VIDEO))["mine"]
    assert re.fullmatch("[0-9a-f]{16}", plain.fingerprint)
    reworded = load_recipes(write(tmp_path, VIDEO.replace("Small", "Little").replace("= 1", "= 2")))["mine"]
    assert reworded.fingerprint == plain.fingerprint
    seen = {plain.fingerprint}
    for setting in ("crf = 22", "gop = 16", "audio = false", "short_side = 256", "size = [256, 256]"):
        seen.add(load_recipes(write(tmp_path, VIDEO + setting))["mine"].fingerprint)
    frames = load_recipes(write(tmp_path, FRAMES))["mine"]
    seen |= {frames.fingerprint, dataclasses.replace(frames, count=3).fingerprint}
    assert len(seen) == 8


@given(
    clip=st.from_regex(r"[A-Za-z0-9_-]{11}_[0-9]{6}_[0-9]{6}\.(mp4|mkv|mp4\.webm)", fullmatch=True),
    class_dir=st.one_of(st.none(), st.sampled_from(["abseiling", "massaging_person's_head"])),
)
def test_derived_paths(clip: str, class_dir: str | None) -> None:
    recipes = load_recipes()
    parent = PurePosixPath("val") / class_dir if class_dir else PurePosixPath("val")
    stem = clip.partition(".")[0]
    assert derived_path(recipes["320p"], "val", class_dir, clip) == parent / f"{stem}.mp4"
    assert derived_path(recipes["frames-300"], "val", class_dir, clip) == parent / stem
    assert derived_path(recipes["rawframes-native"], "val", class_dir, clip) == parent / clip
    assert derived_path(recipes["frames-32"], "val", class_dir, clip) == parent / f"{stem}.zip"
    kept = dataclasses.replace(recipes["rawframes-native"], storage="tar")
    assert derived_path(kept, "val", class_dir, clip) == parent / f"{clip}.tar"
    matroska = dataclasses.replace(recipes["320p"], container="mkv")
    assert derived_path(matroska, "val", class_dir, clip) == parent / f"{stem}.mkv"


def test_shipped_files_are_found() -> None:
    assert "320p" in tomllib.loads(shipped("recipes.toml").read_text())
    with pytest.raises(MachineError, match=r"nothing\.toml"):
        shipped("nothing.toml")
