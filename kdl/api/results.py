"""What verbs return, where it is no :class:`kdl.values.RunSummary`: frozen values, JSON-ready by ``as_dict``.

Sizes are bytes, None where nobody has told.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdl.values import Finding

if TYPE_CHECKING:
    from kdl.jobs.doctor import Check


@dataclass(frozen=True, slots=True)
class PlannedObject:
    """A shard of a plan."""

    name: str
    url: str
    split: str
    bytes: int | None
    have_bytes: int
    """Those that are here already."""
    state: str
    """``fetch``, ``done``, ``broken`` …"""
    note: str


@dataclass(frozen=True, slots=True)
class PlannedVolume:
    """What a plan asks of one file system."""

    path: str
    free: int
    needed_peak: int
    needed_end: int
    ok: bool
    """It fits."""


@dataclass(frozen=True, slots=True)
class MirrorPlan:
    """What ``mirror`` would fetch, and what disk it needs."""

    dataset: str
    selection: str
    """What was asked for, in words."""
    shards: dict[str, int]
    """``total``, ``done``, ``broken``, ``to_fetch``."""
    objects: tuple[PlannedObject, ...]
    bytes: dict[str, int]
    """``download``, ``have``, ``annotations_and_replacements``."""
    volumes: tuple[PlannedVolume, ...]
    notes: tuple[str, ...]
    forced: bool = False
    """A disk that is too small is accepted."""

    @classmethod
    def of(cls, told: Mapping[str, Any], *, forced: bool) -> MirrorPlan:
        """From what :func:`kdl.jobs.mirror_dry.dry_run` tells."""
        parts = {
            "objects": tuple(PlannedObject(**each) for each in told["objects"]),
            "volumes": tuple(PlannedVolume(**each) for each in told["volumes"]),
            "notes": tuple(told["notes"]),
        }
        return cls(**{**told, **parts}, forced=forced)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """``disk_full`` for each file system that is too small."""
        if self.forced:
            return ()
        return tuple(_no_room(volume) for volume in self.volumes if not volume.ok)

    @property
    def exit_code(self) -> int:
        """0, or 3 where a file system is too small: the run would not start."""
        return 3 if self.findings else 0

    def as_dict(self) -> dict[str, Any]:
        told = dataclasses.asdict(self)
        del told["forced"]
        return {**told, **{name: list(told[name]) for name in ("objects", "volumes", "notes")}}


def _no_room(volume: PlannedVolume) -> Finding:
    return Finding(
        "disk_full",
        volume.path,
        f"needs {volume.needed_peak} bytes at the peak, {volume.free} are free",
        "make room, choose fewer --split or --class, or --force",
    )


@dataclass(frozen=True, slots=True)
class RepairShard:
    """A shard that a repair would read."""

    name: str
    url: str
    split: str
    way: str
    """``index``: the few megabytes that hold the clips; ``stream``: up to the last of them."""
    clips: int
    size: int | None
    bytes: int | None
    """Those that would be read."""
    note: str


@dataclass(frozen=True, slots=True)
class RepairPlan:
    """What ``repair`` would read, and from where."""

    dataset: str
    clips: int
    """Bad and missing ones."""
    by_way: dict[str, int]
    """Clips by where they would come from: ``here``, ``replacement``, ``folder``, ``index``, ``stream``."""
    hopeless: int
    """Clips that no source known is of use for."""
    bytes: int
    replacement_archive: int
    """Bytes of it, where it has to be fetched again."""
    shards: tuple[RepairShard, ...]

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> RepairPlan:
        """From what :func:`kdl.jobs.repair_dry.dry_run` tells."""
        return cls(**{**told, "shards": tuple(RepairShard(**each) for each in told["shards"])})

    def as_dict(self) -> dict[str, Any]:
        told = dataclasses.asdict(self)
        return {**told, "shards": list(told["shards"])}


@dataclass(frozen=True, slots=True)
class Status:
    """What a run is doing, and what the ledger knows."""

    dataset: str
    run: dict[str, Any] | None
    """The last run's picture, as docs/events.md has it; None without one."""
    clips: dict[str, int]
    """By verdict, every verdict present, and ``replaced``; empty as long as there is no ledger."""
    shards: dict[str, int]
    """By state."""
    derived: dict[str, dict[str, int]]
    """By recipe: ``done`` and ``failed``."""

    def as_dict(self) -> dict[str, Any]:
        return {"run": self.run, "clips": self.clips, "shards": self.shards, "derived": self.derived}


@dataclass(frozen=True, slots=True)
class ShownClip:
    """A clip as ``status --show`` tells of it."""

    split: str
    label: str | None
    clip: str
    """Its file's name."""
    path: str | None
    """Relative to the mirror's folder; of a missing clip where it was."""
    verdict: str
    cause: str | None
    detail: str | None
    shard: str | None
    replaced_cause: str | None
    """Why the shard's own clip was not good enough."""
    replaced_by: str | None
    """The archive that the replacement is from."""

    def as_dict(self) -> dict[str, Any]:
        return dataclasses.asdict(self)


@dataclass(frozen=True, slots=True)
class DatasetInfo:
    """A dataset in numbers; clips, shards and bytes are sums over its splits."""

    name: str
    title: str
    classes: int
    clips: int | None
    shards: int | None
    bytes: int | None
    approximate: bool
    """Some of the numbers are near the truth, not exact."""
    splits: tuple[dict[str, Any], ...]
    """One a split, with ``name``, ``clips``, ``shards``, ``bytes``, ``labelled`` and more."""
    replacement: dict[str, Any] | None
    hosts: dict[str, str]
    """What the URLs of each host begin with."""
    sources: tuple[str, ...]
    by_hand: tuple[str, ...]
    """Copies that only a person can fetch."""
    path: str
    """The manifest's file."""

    @classmethod
    def of(cls, told: Mapping[str, Any]) -> DatasetInfo:
        """From what :func:`kdl.dataset.summary.describe` tells."""
        return cls(**{**told, **{name: tuple(told[name]) for name in ("splits", "sources", "by_hand")}})

    def as_dict(self) -> dict[str, Any]:
        told = dataclasses.asdict(self)
        return {**told, **{name: list(told[name]) for name in ("splits", "sources", "by_hand")}}


@dataclass(frozen=True, slots=True)
class Exported:
    """What ``export`` wrote."""

    dataset: str
    rows: int
    what: str
    """``clips`` or ``seek indexes``."""
    out: Path | None
    """None where a stream was given."""


@dataclass(frozen=True, slots=True)
class Checkup:
    """What ``doctor`` found out about this machine."""

    checks: tuple[Check, ...]
    findings: tuple[Finding, ...]
    """Of those checks that are not well."""
    exit_code: int
    """0, or 3 where something is missing that kdl needs."""
