"""The consumers' readers: each yields (path as the trainer would open it, frames or None, id)."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pandas as pd

Sample = tuple[str, int | None, int]


def _lines(file: Path) -> Iterator[str]:
    with file.open() as stream:
        yield from stream


def mmaction2_videos(file: Path, data_prefix: Path) -> Iterator[Sample]:
    """Both generations: split at any blank, and at the delimiter, which is one blank."""
    for line in _lines(file):
        words = line.strip().split()
        assert words == line.strip().split(" ")
        path, label = words
        yield os.path.join(data_prefix, path), None, int(label)


def mmaction2_rawframes(file: Path, data_prefix: Path) -> Iterator[Sample]:
    for line in _lines(file):
        words = line.strip().split()
        labels = [int(word) for word in words[2:]]
        assert len(labels) == 1
        yield os.path.join(data_prefix, words[0]), int(words[1]), labels[0]


def paddlevideo_videos(file: Path, data_prefix: Path) -> Iterator[Sample]:
    """A line of one word gets its own number for a label, silently: that must not happen."""
    for number, line in enumerate(_lines(file)):
        words = line.strip().split()
        label = words[1] if len(words) == 2 else f"-{number + 1}"
        yield os.path.join(data_prefix, words[0]), None, int(label)


def paddlevideo_frames(file: Path, data_prefix: Path) -> Iterator[Sample]:
    for line in _lines(file):
        folder, frames, label = line.strip().split()
        yield os.path.join(data_prefix, folder), int(frames), int(label)


def slowfast_videos(file: Path, path_prefix: Path) -> Iterator[Sample]:
    """The older reader insists on two fields; the newer gives label 0 to a line of one."""
    for line in file.read_text().splitlines():
        fields = line.split(" ")
        assert len(fields) == 2
        yield os.path.join(path_prefix, fields[0]), None, int(fields[1])


def videomae_videos(file: Path) -> Iterator[Sample]:
    table = pd.read_csv(file, header=None, delimiter=" ")
    for path, label in zip(table.values[:, 0], table.values[:, 1], strict=True):
        yield path, None, int(label)


def videomaev2_rawframes(file: Path) -> Iterator[Sample]:
    table = pd.read_csv(file, header=None, delimiter=" ")
    for values in table.values:
        yield os.path.join("", values[0]), int(values[1]), int(values[-1])


def pytorchvideo_paths(file: Path, video_path_prefix: Path) -> Iterator[Sample]:
    """A line of one word would be label -1; what stands before the last word is the path, blanks and all."""
    for line in file.read_text().splitlines():
        words = line.rsplit(None, 1)
        path, label = words if len(words) == 2 else (words[0], "-1")
        yield os.path.join(video_path_prefix, path), None, int(label)


def dali_file_list(file: Path) -> Iterator[Sample]:
    """Words of a stream; empty lines are passed over, a negative label is an error."""
    for line in file.read_text().split("\n"):
        if not line:
            continue
        match = re.match(r"\s*(\S+)\s+(-?\d+)", line)
        assert match is not None
        assert int(match[2]) >= 0
        yield match[1], None, int(match[2])
