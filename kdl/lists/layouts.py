"""The folders that consumers look for, where they go by folders and not by lists alone.

MMAction2: ``data/<dataset>/`` with ``annotations/kinetics_<split>.csv``, ``videos_<split>/``,
``rawframes_<split>/`` and the lists beside them. Its own tools put flow pictures beside the frames of a
clip; links to whole folders can not, so flow has ``flow_<split>/``.

torchvision's ``Kinetics``: ``<root>/<split>/<class>/``; every folder in a split is a class, numbered in
their order, and one without a clip is an error. Classes are spelled with ``_`` and without ``'()``.
Beside them it keeps ``annotations/<split>.csv``.

FiftyOne's zoo: ``<split>/<class>/`` with class names as they are, ``validation`` for val, ``_unlabeled``
for clips without a label, and an ``info.json`` that tells what is there.

Tiny-Kinetics-400: ``<class>/<clip>/frame_00001.jpg`` (or ``<class>/<clip>.mp4``) of both splits together,
told apart by ``tiny_train.csv`` and ``tiny_val.csv`` beside the classes.

Hugging Face's VideoFolder: ``<split>/metadata.jsonl`` and the clips below it.
"""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from kdl.lists.consumer import Consumer
from kdl.lists.huggingface import HUGGINGFACE
from kdl.lists.mmaction2 import MMACTION2
from kdl.lists.rows import Kind


@dataclass(frozen=True, slots=True)
class Layout:
    """One consumer's folders, as templates over ``split``."""

    name: str
    trees: Mapping[Kind, str]
    """The folder of a split's links, for each kind of media that it has a place for."""
    style: Literal["mmaction2", "torchvision", "raw"]
    """How class folders are spelled."""
    setting: str = ""
    """How the trainer is told of a split, where no list says so: over ``dir``, ``split``, ``extensions``."""
    extensions: tuple[str, ...] = ()
    """Those of clips that its reader takes without being told; empty for all."""
    unlabelled: str | None = None
    """The class folder of clips that have no label; ``None``: they are left out."""
    annotations: str | None = None
    """Where a split's annotations are looked for, over ``split``; ``hosted`` is their name at the host."""
    lists: Consumer | None = None
    """Whose lists are written into it."""
    splits: Mapping[str, str] = field(default_factory=dict)
    """Other names for splits."""
    numbers_folders: bool = False
    """A class's id is its folder's rank in its split."""
    merged: bool = False
    """All splits lie in one tree: only the annotations tell them apart."""
    info: str | None = None
    """The file that tells what is there."""

    def tree(self, kind: Kind, split: str) -> str:
        """The folder of a split's links."""
        return self.trees[kind].format(split=self.split(split))

    def split(self, split: str) -> str:
        """A split's name here."""
        return self.splits.get(split, split)


LAYOUTS: dict[str, Layout] = {
    layout.name: layout
    for layout in (
        Layout(
            name="mmaction2",
            trees={"video": "videos_{split}", "frames": "rawframes_{split}", "flow": "flow_{split}"},
            style="mmaction2",
            unlabelled="",
            annotations="annotations/kinetics_{split}.csv",
            lists=MMACTION2,
        ),
        Layout(
            name="torchvision",
            trees={"video": "{split}"},
            style="torchvision",
            setting="Kinetics('{dir}', frames_per_clip=…, split='{split}'{extensions})",
            extensions=("avi", "mp4"),
            annotations="annotations/{split}.csv",
            numbers_folders=True,
        ),
        Layout(
            name="fiftyone",
            trees={"video": "{split}"},
            style="raw",
            setting="Dataset.from_dir('{dir}/{split}', dataset_type=types.VideoClassificationDirectoryTree)",
            unlabelled="_unlabeled",
            splits={"val": "validation"},
            info="info.json",
        ),
        Layout(
            name="huggingface",
            trees={"video": "{split}"},
            style="mmaction2",
            lists=dataclasses.replace(HUGGINGFACE, link=None, below=""),
        ),
        Layout(
            name="tinykinetics",
            trees={"frames": "", "video": ""},
            style="mmaction2",
            annotations="{hosted}",
            merged=True,
        ),
    )
}
"""By the name that ``--for`` takes."""

_ZOO = {
    "kinetics-400": "Kinetics400Dataset",
    "kinetics-600": "Kinetics600Dataset",
    "kinetics-700": "Kinetics700Dataset",
    "kinetics-700-2020": "Kinetics7002020Dataset",
}
"""FiftyOne's zoo: its datasets of clips by name, and their classes."""


def zoo_info(title: str, counts: Mapping[str, int], classes: list[str]) -> str | None:
    """FiftyOne's ``info.json`` for a dataset such as ``Kinetics-400``; ``None`` if its zoo has none of it.

    ``counts`` has the clips of each split by the split's name there.
    """
    name = title.lower()
    if name not in _ZOO:
        return None
    info = {
        "name": name,
        "zoo_dataset": f"fiftyone.zoo.datasets.base.{_ZOO[name]}",
        "dataset_type": "fiftyone.types.dataset_types.VideoClassificationDirectoryTree",
        "num_samples": sum(counts.values()),
        "downloaded_splits": {
            split: {"split": split, "num_samples": count} for split, count in counts.items()
        },
        "classes": classes,
    }
    return json.dumps(info, indent=4, ensure_ascii=False) + "\n"
