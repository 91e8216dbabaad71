"""The options of a mirror run, from what its functions were called with."""

from __future__ import annotations

from typing import Any

from kdl.api.choices import CONNECTIONS, HWACCELS, JOBS, LEVELS, PROBERS, STYLES, Hwaccel
from kdl.api.words import (
    PathLike,
    Words,
    at_least,
    one_of,
    read_choice,
    read_dataset,
    read_optional,
    read_rate,
    read_root,
    read_words,
)
from kdl.jobs.options import MirrorOptions
from kdl.values import Level


def mirror_options(
    dataset: PathLike,
    verb: str,
    *,
    root: PathLike | None,
    splits: Words,
    classes: Words,
    shards: Words,
    limit: int | None,
    origins: Words,
    ledger: PathLike | None,
    limit_rate: int | str | None = None,
    connections_per_file: int = 1,
    index_file: PathLike | None = None,
    class_style: str | None = None,
    workers: int | None = None,
    level: str = "probe",
    prober: str = "auto",
    recipes: Words = (),
    derived: PathLike | None = None,
    hwaccel: Hwaccel = "none",
    jobs: int,
    tries: int,
    stall_s: float,
    **as_they_are: Any,
) -> MirrorOptions:
    """What these functions have in common. Raises UsageError for a value that no option has."""
    return MirrorOptions(
        read_dataset(dataset),
        read_root(root),
        read_choice(splits, classes, shards, limit),
        verb,
        origins=read_words(origins),
        jobs=at_least("jobs", jobs, *JOBS),
        limit_rate=read_rate(limit_rate),
        connections_per_file=at_least("connections_per_file", connections_per_file, *CONNECTIONS),
        tries=at_least("tries", tries, 1),
        stall_s=at_least("stall_s", stall_s, 0.1),
        index_file=read_optional(index_file),
        class_style=one_of("class_style", class_style, STYLES),
        workers=at_least("workers", workers, 1) or 0,
        level=Level(one_of("level", level, LEVELS)),
        prober=one_of("prober", prober, PROBERS),
        recipes=read_words(recipes),
        derived=read_optional(derived),
        hwaccel=one_of("hwaccel", hwaccel, HWACCELS),
        ledger=read_optional(ledger),
        **as_they_are,
    )
