"""What goes into a list, where it goes, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["video", "frames"]


@dataclass(frozen=True, slots=True)
class ListRow:
    """One sound clip, or the frames of one."""

    split: str
    label: str
    """The class as annotated; empty where the clip has none."""
    class_dir: str
    """The folder that holds the clip; empty where the split is flat."""
    name: str
    """Base name of the clip with its extension."""
    frames: int | None
    """Images in its folder; not read where videos are listed."""


Rows = Callable[[str], Iterator[ListRow]]
"""The rows of a split, sorted as they shall be listed; read once, never held together."""


@dataclass(frozen=True, slots=True)
class ListContext:
    """What is the same for every line of a run."""

    out_dir: Path
    """Where the lists appear; made if need be."""
    media_root: Path
    """Absolute; ``<split>/<class_dir>/<clip>`` begins here. Links in it are kept as they are."""
    kind: Kind
    keep_extension: bool
    """A folder of frames is named like the clip, extension and all."""
    splits: tuple[str, ...]
    labels: tuple[str, ...]
    """The dataset's classes; a class's id is its position."""
    dataset_prefix: str
    """``kinetics400``: what MMAction2's file names begin with."""
    label_ids: Mapping[str, int] | None = None
    """Ids by class name that take the place of the positions in ``labels``."""


@dataclass(frozen=True, slots=True)
class WrittenList:
    """What came of one split's list."""

    split: str
    """Empty for the label map."""
    path: Path | None
    """``None`` where there was nothing to list."""
    lines: int
    note: str
    """For a person: how to point the trainer at it, what was left out, or why there is no list."""
