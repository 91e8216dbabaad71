"""How MMAction2 and PySlowFast read boxes: by the same rules, and as strict as they are."""

from __future__ import annotations

import csv
import os
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

FPS = 30
Box = tuple[float, float, float, float, int]


@dataclass(frozen=True)
class Seen:
    """A key-frame as a trainer shows it."""

    picture: str
    """The path of the picture in the middle of what is shown."""
    boxes: tuple[Box, ...]


def _lines(file: Path) -> Iterator[str]:
    with file.open() as stream:
        yield from stream


def mmaction2(ann_file: Path, exclude_file: Path | None, img: Path, template: str) -> list[Seen]:
    """``AVAKineticsDataset``: times from the end of the name, 30 pictures a second, the first one 1."""
    excluded = set()
    if exclude_file is not None:
        excluded = {(name, int(second)) for name, second in csv.reader(_lines(exclude_file))}
    found: dict[tuple[str, int], list[Box]] = defaultdict(list)
    for line in _lines(ann_file):
        cells = line.strip().split(",")
        assert int(cells[7]) == -1
        x1, y1, x2, y2 = map(float, cells[2:6])
        found[cells[0], int(cells[1])].append((x1, y1, x2, y2, int(cells[6])))
    seen = []
    for (video, second), boxes in found.items():
        assert (video, second) not in excluded
        words = video.split("_")
        start, end = int(words[-2]), int(words[-1])
        number = min(max(FPS * (second - start) + 1, 1), (end - start) * FPS)
        seen.append(Seen(os.path.join(img, video, template.format(number)), tuple(boxes)))
    return seen


def slowfast(boxes: Path, frame_list: Path, frame_dir: Path) -> list[Seen]:
    """``ava_helper``: key-frames from second 902 to 1798, picture 0 is second 900."""
    pictures: dict[str, list[str]] = defaultdict(list)
    lines = _lines(frame_list)
    next(lines)
    for line in lines:
        words = line.split()
        assert len(words) == 5
        pictures[words[0]].append(os.path.join(frame_dir, words[3]))
    found: dict[str, dict[int, list[Box]]] = {}
    for line in _lines(boxes):
        cells = line.strip().split(",")
        seconds = found.setdefault(cells[0], {second: [] for second in range(902, 1799)})
        x1, y1, x2, y2 = map(float, cells[2:6])
        assert 1 <= int(cells[6]) <= 80
        seconds[int(cells[1])].append((x1, y1, x2, y2, int(cells[6])))
    assert len(found) == len(pictures)
    return [
        Seen(pictures[video][(second - 900) * FPS], tuple(boxes))
        for video in pictures
        for second, boxes in found[video].items()
        if boxes
    ]


def label_map(file: Path) -> Iterator[tuple[int, str]]:
    """Both: a line that begins with two blanks and ``name:``, then one with ``id:``."""
    name = ""
    for line in _lines(file):
        if line.startswith("  name:"):
            name = line.split('"')[1]
        elif line.startswith(("  id:", "  label_id:")):
            yield int(line.strip().split(" ")[-1]), name
