"""Readers that go by folders, each by its consumer's rules."""

from __future__ import annotations

import csv
import os
from pathlib import Path


def torchvision_kinetics(
    root: Path, split: str, extensions: tuple[str, ...] = ("avi", "mp4")
) -> tuple[list[str], list[tuple[str, None, int]]]:
    """Every folder of a split is a class, numbered in order; one without a clip is an error."""
    base = root / split
    classes = sorted(entry.name for entry in os.scandir(base) if entry.is_dir())
    assert classes
    samples: list[tuple[str, None, int]] = []
    for number, name in enumerate(classes):
        found = [
            (os.path.join(folder, file), None, number)
            for folder, _, files in sorted(os.walk(base / name, followlinks=True))
            for file in sorted(files)
            if file.lower().endswith(extensions)
        ]
        assert found, name
        samples += found
    return classes, samples


def fiftyone_tree(folder: Path) -> list[tuple[str, str | None]]:
    """Every file below a folder has that folder's name for a label; ``_unlabeled`` is none."""
    found: list[tuple[str, str | None]] = []
    for place, _, files in os.walk(folder):
        label, *_ = os.path.relpath(place, folder).split(os.path.sep)
        if label == "." or label.startswith("."):
            continue
        found += [(os.path.join(place, file), None if label == "_unlabeled" else label) for file in files]
    return found


def mmaction2_annotated(folder: Path, split: str) -> dict[str, int]:
    """``class/clip`` without extension and its id, from the tables; ids are ranks in train's classes."""

    def rows(name: str) -> list[list[str]]:
        with (folder / f"kinetics_{name}.csv").open(newline="") as stream:
            return list(csv.reader(stream))[1:]

    labels = sorted({row[0].replace('"', "").replace(" ", "_") for row in rows("train")})
    found = {}
    for label, youtube_id, start, end, *_ in rows(split):
        spelled = label.replace('"', "").replace(" ", "_")
        found[f"{spelled}/{youtube_id}_{int(start):06d}_{int(end):06d}"] = labels.index(spelled)
    return found
