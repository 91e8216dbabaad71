"""docs/manifest.md and the schema say the same."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from kdl.dataset.manifest import load_manifest
from kdl.dataset.schema import CLASS_FROM, SECTIONS

DOCS = (Path(__file__).parents[2] / "docs" / "manifest.md").read_text(encoding="utf-8")
HEADINGS = {
    "manifest": "## Top level",
    "split": "## `[[split]]`",
    "annotation": "## `annotation`",
    "published": "## `published`",
    "counts": "## `counts`",
    "replacement": "## `[replacement]`",
    "torrent": "## `[torrent]`",
    "annotations": "## `[[annotations]]`",
    "extra": "## `[[extra]]`",
}
ROW = re.compile(r"^\| `([a-z_]+)` \| ([^|]+) \| ([^|]+) \|", re.MULTILINE)
TYPES = {
    "text": "text",
    "texts": "list of texts",
    "text or texts": "text or list of texts",
    "flag": "true or false",
    "times": 'true, false or "annotation"',
    "count": "whole number",
    "seconds": "seconds",
    "size": "size",
    "bases": "table",
    "table": "table",
    "tables": "tables",
}


def documented(section: str) -> dict[str, tuple[str, str]]:
    text = DOCS.split(HEADINGS[section] + "\n", 1)[1].split("\n## ")[0]
    return {name: (kind.strip(), default.strip()) for name, kind, default in ROW.findall(text)}


def test_every_section_has_its_heading() -> None:
    assert set(HEADINGS) == set(SECTIONS)


@pytest.mark.parametrize("section", sorted(SECTIONS))
def test_every_key_is_documented_and_no_other(section: str) -> None:
    shown = documented(section)
    keys = SECTIONS[section]
    assert set(shown) == set(keys)
    for name, key in keys.items():
        kind, default = shown[name]
        assert kind == TYPES[key.type.partition(":")[0]], name
        assert (default == "required") == key.required, name


def test_every_choice_is_documented() -> None:
    words = set(re.findall(r"`([^`]+)`", DOCS))
    choices = {choice for keys in SECTIONS.values() for key in keys.values() for choice in key.choices}
    assert choices <= words
    assert set(re.findall(r"^\| `([a-z-]+)` \| [^|]+ \|$", DOCS, re.MULTILINE)) == set(CLASS_FROM)


def test_the_worked_manifest_loads(tmp_path: Path) -> None:
    (example,) = re.findall(r"```toml\n(.*?)```", DOCS, re.DOTALL)
    (tmp_path / "cooking-labels.txt").write_text("baking cookies\ncooking egg\n")
    (tmp_path / "cooking.toml").write_text(example)
    manifest = load_manifest(tmp_path / "cooking.toml")
    train, val = manifest.splits
    assert train.archives == val.archives
    assert train.archives[0] == "https://store.example.org/video/cooking%20a-m.tar.gz"
    assert (train.times, val.times) == (True, False)
