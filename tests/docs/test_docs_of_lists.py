"""What the page on lists says of each consumer is what the code has."""

from __future__ import annotations

import re

from docs_kit import PAGES, plain, rows

from kdl.dataset.labels import class_dir
from kdl.lists.consumer import BLANK, Anchor
from kdl.lists.consumers import CONSUMERS, USUAL
from kdl.lists.layouts import LAYOUTS

PAGE = PAGES["lists.md"]
SPLITS = "{train,val,test}"


def test_every_list_is_told_with_its_name_and_its_setting() -> None:
    told = [
        (re.findall(r"`(\w+)`", cells[0])[0], plain(cells[1]), "flow" in cells[0], cells[3])
        for cells in rows(PAGE, "`--for`")
    ]
    expected = []
    for consumer in CONSUMERS.values():
        base = "BASE/<split>" if consumer.anchor is Anchor.SPLIT else "BASE"
        for kind, forms in consumer.forms.items():
            for form in forms:
                setting = form.setting
                if consumer.separators[0] != BLANK:
                    setting += consumer.separator_setting.format(separator="','")
                shown = setting.format(
                    base=base, lists="LISTS", file="…", template="TEMPLATE", pattern="PATTERN", first="FIRST"
                )
                file = form.file.format(prefix="<prefix>", split=SPLITS)
                expected.append(
                    (
                        consumer.name,
                        file,
                        kind == "flow",
                        re.sub(r" \(.*RawFrame.*\)$| \(frames are.*", "", shown),
                    )
                )
    assert [row[:3] for row in told] == [row[:3] for row in expected]
    for (*name, cell), (*_, setting) in zip(told, expected, strict=True):
        assert f"`{setting}`" in cell, name


def test_the_usual_consumers_are_named() -> None:
    (sentence,) = re.findall(r"`kdl mirror` writes those of (.*) at its end", PAGE)
    assert re.findall(r"`(\w+)`", sentence) == [*USUAL]


def test_every_layout_is_told_with_its_folders_and_how_it_spells_classes() -> None:
    told = {plain(cells[0]): cells[1:] for cells in rows(PAGE, "layout |")}
    assert [*told] == [*LAYOUTS]
    for name, layout in LAYOUTS.items():
        folders, spelled, *_, beside = told[name]
        splits = "{" + ",".join(layout.split(split) for split in ("train", "val", "test")) + "}"
        for tree in layout.trees.values():
            shown = tree.format(split=splits)
            assert (f"`{shown}/`" if shown else "the folder itself") in folders
        assert plain(spelled) == class_dir("massaging person's head", layout.style)
        if layout.annotations == "{hosted}":
            assert "the names that they are hosted by" in beside
        elif layout.annotations:
            assert f"`{layout.annotations.format(split=SPLITS)}`" in beside
