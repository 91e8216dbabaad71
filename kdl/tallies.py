"""A mirror in numbers: what the ledger counts, and what a report is drawn from.

Plain frozen values like those of :mod:`kdl.values`, some hundreds to a few thousand of them however many
clips there are. Durations are seconds, sizes are bytes, moments are Unix seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from kdl.values import Finding, Verdict

DAY_S = 86_400.0

Spread = Mapping[float, int]
"""How often a measure takes a value: the lower edge of a narrow step, and the clips in it."""


@dataclass(frozen=True, slots=True)
class Cell:
    """The clips of one class in one split that share a verdict."""

    split: str
    class_dir: str
    """Empty in a split without labels."""
    label: str | None
    """The class as annotated; ``None`` where no clip of the cell has one."""
    verdict: Verdict
    clips: int
    annotated: int
    """Of them, those that an annotation lists."""
    replaced: int
    """Of them, those that a replacement stands in for."""
    bytes: int
    """Of their files."""
    seconds: float
    """Of their videos, as far as they were measured."""


@dataclass(frozen=True, slots=True)
class Reason:
    """Clips of one verdict that share a cause, as far as one is known."""

    verdict: Verdict
    cause: str | None
    clips: int


@dataclass(frozen=True, slots=True)
class Ages:
    """How long ago the clips that have a file were last looked at."""

    day: int
    """Within a day."""
    week: int
    """Within seven days, those within a day included."""
    month: int
    """Within thirty days, those within a week included."""
    older: int
    never: int
    oldest: float | None
    """When the one that waits longest was looked at; ``None`` where none was."""

    @property
    def clips(self) -> int:
        return self.month + self.older + self.never


@dataclass(frozen=True, slots=True)
class Measures:
    """What clips with a file are like."""

    duration: Spread
    """In steps of a quarter of a second."""
    size: Spread
    """In steps of 10 kB."""
    fps: Spread
    """In steps of a hundredth."""
    resolution: Mapping[tuple[int, int], int]
    """Clips by width and height in pixels."""


@dataclass(frozen=True, slots=True)
class Objects:
    """Remote objects of one kind and split that share a state."""

    kind: str
    split: str
    state: str
    count: int
    bytes: int
    """Of those whose size is known."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """A remote object that could not be read whole."""

    name: str
    split: str
    state: str
    """``failed``: given up; ``broken``: as the host has it, and not whole."""
    error: str


@dataclass(frozen=True, slots=True)
class Derived:
    """What one recipe has made, by state."""

    recipe: str
    state: str
    clips: int
    bytes: int


@dataclass(frozen=True, slots=True)
class PastRun:
    """One run of the mirror."""

    id: str
    command: str
    """Its arguments, without ``kdl``."""
    host: str
    started: float
    ended: float | None
    """``None`` while it goes on, and of one that was cut off."""
    exit_code: int | None
    moved: int | None
    """Bytes that it fetched or read; ``None`` where it does not say."""

    @property
    def verb(self) -> str:
        return self.command.partition(" ")[0]

    @property
    def seconds(self) -> float | None:
        return None if self.ended is None else self.ended - self.started

    @property
    def rate(self) -> float | None:
        """Bytes a second over the whole run."""
        return self.moved / self.seconds if self.moved and self.seconds else None


@dataclass(frozen=True, slots=True)
class FoundGroup:
    """The findings of one kind that the last run of a verb left."""

    kind: str
    run: PastRun
    count: int
    examples: tuple[Finding, ...]
    """The first of them."""

    @property
    def fix(self) -> str:
        """The way out that all the examples share; empty where they differ or have none."""
        fixes = {finding.fix for finding in self.examples}
        return fixes.pop() if len(fixes) == 1 else ""


@dataclass(frozen=True, slots=True)
class Named:
    """One clip, by name and with why it is worth naming."""

    split: str
    label: str
    """The class, in words; empty where there is none."""
    name: str
    verdict: Verdict
    cause: str
    """Why it is not sound, or, of a replaced one, why the hosted clip was not."""
    detail: str
    path: str | None
    """Of its file, relative to the mirror."""
    sha256: str | None
    replaced: bool


@dataclass(frozen=True, slots=True)
class Overview:
    """A whole mirror in numbers, at one moment."""

    taken: float
    cells: tuple[Cell, ...]
    reasons: tuple[Reason, ...]
    ages: Ages
    measures: Measures
    objects: tuple[Objects, ...]
    troubles: tuple[Trouble, ...]
    troubles_in_all: int
    derived: tuple[Derived, ...]
    runs: tuple[PastRun, ...]
    """The last ones, the latest first."""
    satisfied: bool
    """Whether the last run that fetches brought all that it was asked for: what is pending was not."""
    found: tuple[FoundGroup, ...]
    replaced: tuple[Named, ...]
    """The first of the clips that a replacement stands in for."""
    replaced_by_cause: Mapping[str, int]

    def clips(self, *verdicts: Verdict) -> int:
        """How many clips have one of the verdicts; all of them where none is named."""
        return sum(cell.clips for cell in self.cells if not verdicts or cell.verdict in verdicts)

    @property
    def bytes(self) -> int:
        return sum(cell.bytes for cell in self.cells)

    @property
    def seconds(self) -> float:
        return sum(cell.seconds for cell in self.cells)

    @property
    def annotated(self) -> int:
        return sum(cell.annotated for cell in self.cells)
