"""The consumers' readers: each yields (path as the trainer would open it, frames or None, id)."""

from __future__ import annotations

import json
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


def slowfast_videos(file: Path, path_prefix: Path, separator: str = " ") -> Iterator[Sample]:
    """The older reader, and UniFormer's, insist on two fields; the newer gives label 0 to a line of one."""
    for line in file.read_text().splitlines():
        fields = line.split(separator)
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


def videomaev2_pretraining(file: Path) -> Iterator[tuple[str, int, int]]:
    """Path, first image, number of images; a negative number is a video. No label is looked at."""
    for line in _lines(file):
        fields = line.split(" ")
        yield os.path.join("", fields[0]), int(fields[1]), int(fields[2])


def internvideo_videos(file: Path, prefix: Path, split: str = " ") -> Iterator[Sample]:
    """Pretraining splits lines itself and looks at two fields, finetuning has pandas do it."""
    table = pd.read_csv(file, header=None, delimiter=split)
    lines = [line.split(split) for line in _lines(file)]
    assert [(fields[0], int(fields[1])) for fields in lines] == [tuple(row) for row in table.values]
    for path, label in zip(table.values[:, 0], table.values[:, 1], strict=True):
        yield os.path.join(prefix, path), None, int(label)


def gluoncv_custom(file: Path, root: Path) -> Iterator[Sample]:
    """MXNet's splits at any blank; PyTorch's has pandas split at one, and adds the path to the root."""
    table = pd.read_csv(file, header=None, delimiter=" ")
    for line, values in zip(_lines(file), table.values, strict=True):
        words = line.split()
        assert len(words) == 3
        assert (words[0], int(words[2])) == (values[0], values[2])
        assert f"{root}/" + values[0] == os.path.join(root, words[0])
        yield os.path.join(root, words[0]), int(words[1]), int(words[2])


def tsm_frames(file: Path, root_path: Path) -> Iterator[Sample]:
    """While it trains it drops clips of fewer than three images."""
    rows = [line.strip().split(" ") for line in _lines(file)]
    for row in rows:
        if int(row[1]) >= 3:
            yield os.path.join(root_path, row[0]), int(row[1]), int(row[2])


def tinykinetics_frames(root: Path, split: str) -> Iterator[Sample]:
    """The list lies in the root; a path loses two extensions, for names such as ``x.mp4.webm``."""
    for line in _lines(root / f"{split}.txt"):
        path, frames, label = line.strip().split(" ")
        folder = os.path.splitext(os.path.splitext(os.path.join(root, split, path))[0])[0]
        yield folder, int(frames), int(label)


def seco_frames(root: Path, split: str) -> Iterator[Sample]:
    for line in _lines(root / f"{split}_list.txt"):
        path, frames, label = line.strip().split(" ")
        yield os.path.join(root, "data", path), int(frames), int(label)


def huggingface_metadata(file: Path) -> Iterator[Sample]:
    """A path must be relative and stay below the folder of the file."""
    for line in _lines(file):
        example = json.loads(line)
        path = os.path.normpath(example["file_name"])
        assert not os.path.isabs(path)
        assert not path.startswith("../")
        yield os.path.join(file.parent, path), None, example["label"]


def dali_file_list(file: Path) -> Iterator[Sample]:
    """Words of a stream; empty lines are passed over, a negative label is an error."""
    for line in file.read_text().split("\n"):
        if not line:
            continue
        match = re.match(r"\s*(\S+)\s+(-?\d+)", line)
        assert match is not None
        assert int(match[2]) >= 0
        yield match[1], None, int(match[2])
