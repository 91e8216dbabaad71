"""``kdl config``: what ``kdl.toml`` says of a mirror, and what holds where it is silent."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdl.dataset.manifest import load_manifest
from kdl.jobs.config import NAME, read_entries
from kdl.jobs.executors import SLURM_KEYS
from kdl.jobs.nightly_options import OFF, SETTINGS, settle
from kdl.jobs.run import mirror_paths
from kdl.urls import hide_secrets, only_host


@dataclass(frozen=True, slots=True)
class Line:
    """A key as it holds."""

    name: str
    value: Any
    """As a file would have it, secrets hidden."""
    source: str
    """The file that sets it, a variable of the environment, or ``default``."""
    meaning: str

    def as_dict(self) -> dict[str, Any]:
        return {"value": self.value, "source": self.source}


@dataclass(frozen=True, slots=True)
class Config:
    """All that is set."""

    dataset: str
    files: tuple[Path, ...]
    """Where it may be set; what stands in the last of them wins."""
    tables: dict[str, tuple[Line, ...]]
    """By name, as ``executor.slurm``; those that nobody sets and that have no defaults are left out."""


def config(dataset: str, root: Path) -> Config:
    """What holds for a mirror, whether or not it is there yet. Raises UsageError for what is not right."""
    name = load_manifest(dataset).name
    paths = mirror_paths(root, name)
    nightly = tuple(
        Line(key, _shown(each.value, secret=SETTINGS[key].secret), each.source, SETTINGS[key].key.meaning)
        for key, each in settle(paths, {}).items()
    )
    slurm = tuple(
        Line(key, _shown(entry.value), str(entry.path), SLURM_KEYS[key].meaning)
        for key, entry in read_entries(paths, ("executor", "slurm"), SLURM_KEYS).items()
    )
    tables = {"nightly": nightly, "executor.slurm": slurm}
    return Config(
        name,
        (paths.base.parent / NAME, paths.base / NAME),
        {table: lines for table, lines in tables.items() if lines},
    )


def _shown(value: Any, *, secret: bool = False) -> Any:
    if isinstance(value, list):
        return [_shown(item) for item in value]
    if not isinstance(value, str) or value == OFF:
        return value
    return only_host(value) if secret else hide_secrets(value)
