"""What a person asks of ``kdl annotations``."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from kdl.dataset.annotations import SPLIT_WORDS
from kdl.dataset.manifest import load_manifest
from kdl.dataset.specs import Manifest
from kdl.errors import UsageError
from kdl.settings import STALL_S, TRIES


@dataclass(frozen=True, slots=True)
class AnnotationOptions:
    """Everything ``kdl annotations`` takes."""

    root: Path
    dataset: str = ""
    """Empty with ``overlap``."""
    compare: tuple[str, ...] = ()
    """Publishers to hold against each other."""
    overlap: tuple[str, str] | None = None
    """Two lists, each ``DATASET`` or ``DATASET:SPLIT``."""
    folder: Path | None = None
    """Read the lists here and fetch nothing; ``None`` for the mirror's ``annotations``."""
    out: Path | None = None
    """Every difference as CSV; of ``overlap`` the shared ids, a line each."""
    refresh: bool = False
    """Ask the hosts whether the lists that are here are still theirs."""
    origins: tuple[str, ...] = ()
    tries: int = TRIES
    stall_s: float = STALL_S
    ledger: Path | None = None


@dataclass(frozen=True, slots=True)
class Side:
    """One of the lists that ``overlap`` names."""

    asked: str
    """The dataset as the person named it."""
    manifest: Manifest
    splits: tuple[str, ...]

    def __str__(self) -> str:
        whole = self.splits == self.manifest.split_names
        return self.manifest.name if whole else f"{self.manifest.name}:{self.splits[0]}"


def read_side(text: str) -> Side:
    """``k400:val``, or ``k400`` for all its splits. Raises UsageError."""
    name, _, word = text.rpartition(":")
    if not name or "/" in word:  # the colon of a manifest's path
        name, word = text, ""
    manifest = load_manifest(name)
    splits = (manifest.split(SPLIT_WORDS.get(word, word)).name,) if word else manifest.split_names
    for split in splits:
        if manifest.split(split).annotation is None:
            raise UsageError("this split has no annotation to be held against", subject=f"{name}:{split}")
    return Side(name, manifest, splits)


def refuse_what_does_not_go_together(options: AnnotationOptions) -> None:
    """Raise UsageError for options that make no sense together."""
    if options.compare and len(set(options.compare)) < 2:
        raise UsageError("it takes two publishers to compare", subject=f"--compare {options.compare[0]}")
    if options.folder is not None and (options.origins or options.refresh):
        raise UsageError(
            "nothing is fetched with --from", subject="--from", fix="leave --origin and --refresh out"
        )
    if options.folder is not None and not options.folder.is_dir():
        raise UsageError("no such folder", subject=str(options.folder))
