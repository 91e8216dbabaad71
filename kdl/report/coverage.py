"""What is here of what is annotated: cells of the ledger's count, folded to splits and classes."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass

from kdl.tallies import Cell
from kdl.values import SOUND, Verdict

SHOWN = (
    Verdict.OK,
    Verdict.SHORT,
    Verdict.UNCHECKED,
    Verdict.PENDING,
    Verdict.MISSING,
    Verdict.CORRUPT,
    Verdict.NEVER_HOSTED,
)
"""The verdicts of annotated clips, in the order of a bar's parts."""


@dataclass(frozen=True, slots=True)
class Covered:
    """A split, or a class of one, against its annotations."""

    split: str
    label: str
    """The class in words; empty for a whole split, and where there are no labels."""
    annotated: int
    counts: dict[Verdict, int]
    """Clips by verdict, each verdict present."""
    replaced: int
    bytes: int
    seconds: float

    @property
    def sound(self) -> int:
        return sum(self.counts[verdict] for verdict in SOUND)

    @property
    def share(self) -> float:
        """Of the annotated clips, those that are here and sound, 0 to 1."""
        return self.sound / self.annotated if self.annotated else 0.0

    @property
    def to_come(self) -> int:
        """Clips that are still to be fetched or judged."""
        return self.counts[Verdict.PENDING] + self.counts[Verdict.UNCHECKED]

    @property
    def lacking(self) -> int:
        """Clips that are hosted and not here in sound order."""
        return self.to_come + self.counts[Verdict.MISSING] + self.counts[Verdict.CORRUPT]

    @property
    def bar(self) -> list[tuple[Verdict, float, float]]:
        """The parts of a bar: verdict, where it begins and how wide it is, in per cent."""
        total = sum(self.counts[verdict] for verdict in SHOWN) or 1
        parts, at = [], 0.0
        for verdict in SHOWN:
            width = 100 * self.counts[verdict] / total
            if width:
                parts.append((verdict, round(at, 3), round(width, 3)))
            at += width
        return parts


def by_split(cells: Iterable[Cell]) -> list[Covered]:
    """A row a split."""
    return _fold(cells, lambda cell: (cell.split, ""))


def by_class(cells: Iterable[Cell]) -> list[Covered]:
    """A row a class of each split that has classes, those that lack most first."""
    rows = _fold((cell for cell in cells if cell.class_dir), lambda cell: (cell.split, cell.class_dir))
    return sorted(rows, key=lambda row: (-row.lacking, row.share, row.label, row.split))


def _fold(cells: Iterable[Cell], key: Callable[[Cell], tuple[str, str]]) -> list[Covered]:
    groups: dict[tuple[str, str], list[Cell]] = {}
    for cell in cells:
        groups.setdefault(key(cell), []).append(cell)
    return [_covered(split, folder, group) for (split, folder), group in groups.items()]


def _covered(split: str, folder: str, cells: list[Cell]) -> Covered:
    counts = dict.fromkeys(Verdict, 0)
    for cell in cells:
        counts[cell.verdict] += cell.clips
    label = next((cell.label for cell in cells if cell.label), folder) if folder else ""
    return Covered(
        split=split,
        label=label,
        annotated=sum(cell.annotated for cell in cells),
        counts=counts,
        replaced=sum(cell.replaced for cell in cells),
        bytes=sum(cell.bytes for cell in cells),
        seconds=sum(cell.seconds for cell in cells),
    )
