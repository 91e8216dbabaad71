"""What a manifest says, as values: frozen, picklable, every URL absolute and percent-encoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kdl.dataset.labels import LabelMap
from kdl.dataset.schema import near
from kdl.errors import UsageError
from kdl.values import ClipKey


@dataclass(frozen=True, slots=True)
class Host:
    """One server that a dataset lies on."""

    name: str
    """How the manifest calls it: ``cvdf``."""
    base: str
    """What all its URLs begin with, ``/`` at the end included; ``--origin`` takes its place."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a whole split holds, to hold a mirror against; ``None`` where nobody has counted."""

    clips: int | None = None
    """Clips that the archives hold."""
    rows: int | None = None
    """Usable rows of the annotation."""
    shards: int | None = None
    bytes: int | None = None
    """Of the archives together, always rounded; a plan asks the server."""
    approximate: bool = False
    """``clips`` and ``rows`` are near the truth, not exact."""


@dataclass(frozen=True, slots=True)
class AnnotationSpec:
    """Where a split's annotation lies and how it is written."""

    url: str
    format: str
    """``csv`` or ``ls-r``, a listing as ``ls -R`` prints it."""
    file_name: str
    """Its name in the mirror's ``annotations`` folder."""


@dataclass(frozen=True, slots=True)
class SplitSpec:
    """One split: its archives, its annotation, and how to read both."""

    name: str
    """``train``, ``val`` or ``test``."""
    class_from: str
    """What tells a clip's class: ``annotation``, ``folder`` (the clip's, in the archive),
    ``shard-name``, ``shard-rank`` (the number at the end of the name is the class's 1-based
    rank), or ``none``: the split has no labels."""
    list_url: str | None
    """A text that names the archives, one URL a line; ``None`` where ``archives`` does."""
    archives: tuple[str, ...]
    """The archives' URLs, where no list names them."""
    annotation: AnnotationSpec | None
    never_hosted: frozenset[ClipKey]
    """Listed clips that no archive is known to hold."""
    counts: Counts
    extensions: tuple[str, ...]
    """With their dots, several allowed: ``.mp4``, ``.mp4.mkv``."""
    times: bool
    """Clip names carry start and end; else they are the YouTube id alone, and so are the keys."""
    strip: int
    """Leading folders of every member's path that only wrap: they are no classes."""
    archive: str
    """What the archives are thought to be, ``tar``, ``zip`` or ``unknown``, for a plan's disk
    estimate: all but tar are stored whole before reading. Reading goes by content."""
    split_from: str
    """``archive``: all that the archives hold is of this split. ``annotation``: they hold other
    splits as well, and the annotation lists what is of this one."""

    @property
    def labelled(self) -> bool:
        """Clips have classes, and lie in folders named after them."""
        return self.class_from != "none"

    @property
    def class_by_shard(self) -> bool:
        """A class can be fetched alone: each archive holds one, and its name tells which."""
        return self.class_from in ("shard-name", "shard-rank")


@dataclass(frozen=True, slots=True)
class ReplacementSpec:
    """An archive of clips that stand in for corrupt or absent ones."""

    url: str
    splits: tuple[str, ...]
    """The splits whose clips it replaces."""
    clips: int | None
    """How many it holds."""


@dataclass(frozen=True)
class Manifest:
    """A dataset: an edition of Kinetics from one source."""

    name: str
    """Also its folder under the root: ``k700-2020``."""
    title: str
    """For people: ``Kinetics-700-2020``."""
    sources: tuple[str, ...]
    """Where the facts in it come from: URLs, or a line for people."""
    hosts: tuple[Host, ...]
    splits: tuple[SplitSpec, ...]
    replacement: ReplacementSpec | None
    readmes: tuple[str, ...]
    """URLs of texts kept beside the annotations."""
    labels: LabelMap
    """Empty where no split has labels."""
    list_prefix: str
    """What MMAction2's list files begin with: ``kinetics400``."""
    short_tolerance: float
    """A clip shorter by more than so many seconds than its name says is ``short``."""
    max_member: int
    """Bytes; a larger member of an archive is skipped."""
    path: Path = field(compare=False)
    """The file it was read from."""

    @property
    def split_names(self) -> tuple[str, ...]:
        return tuple(split.name for split in self.splits)

    def split(self, name: str) -> SplitSpec:
        """The split of this name. Raises UsageError if the dataset has none."""
        for split in self.splits:
            if split.name == name:
                return split
        names = self.split_names
        fix = near(name, names) or f"{self.name} has {', '.join(names)}"
        raise UsageError(f"{self.name} has no such split", subject=repr(name), fix=fix)
