"""What goes into a list, where it goes, and what came of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["video", "frames", "flow"]
"""What is listed: video files, folders of pictures, or folders of pictures of the optical flow."""


@dataclass(frozen=True, slots=True)
class ListRow:
    """One sound clip, or what was made of one."""

    split: str
    label: str
    """The class as annotated; empty where the clip has none."""
    class_dir: str
    """The folder that holds the clip; empty where the split is flat."""
    name: str
    """Base name of the clip with its extension."""
    frames: int | None
    """Images in its folder, or frames of the video; ``None`` where nobody has counted."""
    excluded: bool = False
    """It was asked to be left out."""


Rows = Callable[[str], Iterator[ListRow]]
"""The rows of a split, sorted as they shall be listed; read once, never held together."""


@dataclass(frozen=True, slots=True)
class Pictures:
    """How the images in a folder are called."""

    pattern: str = "img_%05d.jpg"
    """With a counter as in C; ``{}`` stands for x and y of an optical flow."""
    first: int = 1
    """The counter's first value."""

    @property
    def template(self) -> str:
        """The same with the counter as :meth:`str.format` has it: ``img_{:05d}.jpg``."""
        head, _, rest = self.pattern.partition("%")
        digits, _, tail = rest.partition("d")
        return f"{head}{{:{digits}d}}{tail}"


@dataclass(frozen=True, slots=True)
class ListContext:
    """What is the same for every line of a run."""

    out_dir: Path
    """Where the lists appear; made if need be."""
    media_root: Path
    """Absolute; the splits' folders lie here. Links in it are kept as they are."""
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
    pictures: Pictures = Pictures()
    """Frames and flow: how the images are called."""
    separator: str | None = None
    """What stands between the fields of a line, instead of what the consumer has by default."""
    name_template: str | None = None
    """What a line says in place of the path: ``{split}``, ``{class}``, ``{name}`` and ``{stem}`` in it."""
    split_folder: str = "{split}"
    """A split's folder below ``media_root``."""
    stage_dir: Path | None = None
    """Where the lists are written, if that will be called ``out_dir`` only later."""

    def media(self, split: str) -> Path:
        """The folder of a split: ``<class_dir>/<clip>`` begins here."""
        return self.media_root / self.split_folder.format(split=split)


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
    excluded: int = 0
    """Clips left out because it was asked."""

    def told(self) -> dict[str, object]:
        """The same, JSON-ready."""
        path = str(self.path) if self.path else None
        told: dict[str, object] = {"split": self.split, "path": path, "lines": self.lines, "note": self.note}
        return told | ({"excluded": self.excluded} if self.excluded else {})
