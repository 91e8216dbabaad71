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
from kdl.media.recipe import Recipe, derived_path, load_recipes, resolve_recipe
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


def write(folder: Path, text: str) -> Path:
    path = folder / "mine.toml"
    path.write_text(text)
    return path


def test_shipped_recipes_are_what_trainers_ask_for() -> None:
    recipes = load_recipes()
    assert list(recipes) == ["320p", "256p", "256p-dense", "rawframes-256", "rawframes-native", "frames-300"]
    assert (recipes["320p"].short_side, recipes["320p"].audio, recipes["320p"].gop) == (320, True, None)
    dense = recipes["256p-dense"]
    assert (dense.short_side, dense.audio, dense.gop, dense.preset, dense.crf) == (
        256,
        False,
        16,
        "medium",
        23,
    )
    native = recipes["rawframes-native"]
    assert (native.short_side, native.size, native.fps, native.count) == (None, None, None, None)
    assert native.keep_extension
    fixed = recipes["frames-300"]
    assert (fixed.size, fixed.fps, fixed.count, fixed.template) == ((340, 256), 30, 300, "frame_%05d.jpg")


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
        (VIDEO + "crf = 52", "mine.crf: must be a whole number from 0 to 51, not 52"),
        (VIDEO + "gop = 0", "mine.gop: must be"),
        (VIDEO + 'audio = "yes"', "mine.audio: must be true or false"),
        (FRAMES + 'template = "../%05d.jpg"', "mine.template: must be a plain file name"),
        (FRAMES + 'template = "img.jpg"', "mine.template: must be a plain file name"),
        (FRAMES + "count = 0", "mine.count: must be"),
        (VIDEO.replace('kind = "video"', ""), "mine.kind: is missing"),
        (VIDEO.replace("video", "sound"), "mine.kind: must be video or frames"),
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
    stem = clip.rpartition(".")[0]
    assert derived_path(recipes["320p"], "val", class_dir, clip) == parent / f"{stem}.mp4"
    assert derived_path(recipes["frames-300"], "val", class_dir, clip) == parent / stem
    assert derived_path(recipes["rawframes-native"], "val", class_dir, clip) == parent / clip


def test_shipped_files_are_found() -> None:
    assert "320p" in tomllib.loads(shipped("recipes.toml").read_text())
    with pytest.raises(MachineError, match=r"nothing\.toml"):
        shipped("nothing.toml")
