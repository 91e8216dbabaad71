"""``adopt``, ``verify``, ``repair`` and its plan, and ``nightly``: a mirror is taken in, and kept right."""

from __future__ import annotations

from typing import Any

from kdl.api.calling import OnEvent, run_job
from kdl.api.choices import JOBS, LEVELS, PROBERS, STYLES, WAYS
from kdl.api.results import RepairPlan
from kdl.api.words import (
    PathLike,
    Paths,
    Words,
    at_least,
    one_of,
    read_choice,
    read_dataset,
    read_moment,
    read_optional,
    read_paths,
    read_rate,
    read_root,
    read_span,
    read_subset,
    read_words,
)
from kdl.errors import UsageError
from kdl.jobs.repair_options import RepairOptions
from kdl.settings import STALL_S, TRIES, WATCHDOG_S
from kdl.values import Level, RunSummary


async def adopt(
    dataset: PathLike,
    paths: Paths = (),
    *,
    root: PathLike | None = None,
    way: str = "link",
    split: str | None = None,
    annotations: PathLike | None = None,
    dry_run: bool = False,
    class_style: str | None = None,
    workers: int | None = None,
    prober: str = "auto",
    watchdog_s: float = WATCHDOG_S,
    ledger: PathLike | None = None,
    on_event: OnEvent = None,
) -> RunSummary:
    """Take in clips and archives that are here already; without ``paths``, give a lost ledger back.

    ``way`` is ``link``, ``copy`` or ``move``; with ``dry_run`` the summary says what would be recognised.
    Raises KdlError.
    """
    from kdl.jobs.adopt import AdoptOptions
    from kdl.jobs.adopt import adopt as job

    options = AdoptOptions(
        read_dataset(dataset),
        read_root(root),
        read_paths(paths),
        one_of("way", way, WAYS),
        split,
        read_optional(annotations),
        one_of("class_style", class_style, STYLES),
        at_least("workers", workers, 1) or 0,
        one_of("prober", prober, PROBERS),
        dry_run,
        read_optional(ledger),
        watchdog_s,
    )
    return await run_job(lambda bus: job(options, bus), on_event)


async def verify(
    dataset: PathLike,
    *,
    root: PathLike | None = None,
    level: str = "hash",
    splits: Words = (),
    classes: Words = (),
    max_age: str | float | None = None,
    max_duration: str | float | None = None,
    subset: str | None = None,
    since: str | float | None = None,
    combined: PathLike | None = None,
    against: PathLike | None = None,
    limit_rate: int | str | None = None,
    io_nice: bool = False,
    workers: int | None = None,
    prober: str = "auto",
    repair: bool = False,
    folders: Paths = (),
    origins: Words = (),
    watchdog_s: float = WATCHDOG_S,
    ledger: PathLike | None = None,
    on_event: OnEvent = None,
) -> RunSummary:
    """Is what the ledger says still true of the disk? Nothing is changed there, but by ``repair``.

    Spans are seconds or texts (``"30d"``), ``since`` Unix seconds, a span or a date, ``subset`` a part
    (``"1/7"``), a share or a size. Raises KdlError.
    """
    from kdl.jobs.verify import verify as job
    from kdl.jobs.verify_options import VerifyOptions

    if (read_paths(folders) or read_words(origins)) and not repair:
        raise UsageError(
            "they say where a repair takes clips from",
            subject="--from and --origin",
            fix="give --repair as well, or leave them out",
        )
    repairs = _repairs(
        dataset,
        root=root,
        splits=splits,
        classes=classes,
        folders=folders,
        origins=origins,
        workers=workers,
        prober=prober,
    )
    options = VerifyOptions(
        repairs.dataset,
        repairs.root,
        Level(one_of("level", level, LEVELS)),
        repairs.choice,
        max_age_s=read_span(max_age),
        max_duration_s=read_span(max_duration),
        subset=read_subset(subset),
        since=read_moment(since),
        combined=read_optional(combined),
        against=read_optional(against),
        limit_rate=read_rate(limit_rate),
        io_nice=io_nice,
        workers=repairs.workers,
        prober=repairs.prober,
        repair=repairs if repair else None,
        ledger=read_optional(ledger),
        watchdog_s=watchdog_s,
    )
    return await run_job(lambda bus: job(options, bus), on_event)


async def repair(
    dataset: PathLike,
    *,
    root: PathLike | None = None,
    splits: Words = (),
    classes: Words = (),
    folders: Paths = (),
    origins: Words = (),
    jobs: int = 4,
    limit_rate: int | str | None = None,
    tries: int = TRIES,
    stall_s: float = STALL_S,
    workers: int | None = None,
    prober: str = "auto",
    watchdog_s: float = WATCHDOG_S,
    ledger: PathLike | None = None,
    on_event: OnEvent = None,
) -> RunSummary:
    """Mend every bad or missing clip at the least cost.

    ``folders`` are mirrors and folders to take clips from before their shards are asked for.
    Raises KdlError.
    """
    from kdl.jobs.repair import repair as job

    options = _repairs(
        dataset,
        root=root,
        splits=splits,
        classes=classes,
        folders=folders,
        origins=origins,
        jobs=jobs,
        limit_rate=limit_rate,
        tries=tries,
        stall_s=stall_s,
        workers=workers,
        prober=prober,
        watchdog_s=watchdog_s,
        ledger=ledger,
    )
    return await run_job(lambda bus: job(options, bus), on_event)


async def plan_repair(
    dataset: PathLike,
    *,
    root: PathLike | None = None,
    splits: Words = (),
    classes: Words = (),
    folders: Paths = (),
    origins: Words = (),
    tries: int = TRIES,
    stall_s: float = STALL_S,
    ledger: PathLike | None = None,
) -> RepairPlan:
    """``kdl repair --dry-run``: which shards a repair would read, how, and how many bytes.

    Asks the host for sizes; writes nothing. Raises KdlError.
    """
    from kdl.jobs.repair_dry import dry_run

    options = _repairs(
        dataset,
        root=root,
        splits=splits,
        classes=classes,
        folders=folders,
        origins=origins,
        tries=tries,
        stall_s=stall_s,
        ledger=ledger,
    )
    return RepairPlan.of(await run_job(lambda bus: dry_run(options), None))


async def nightly(
    dataset: PathLike,
    *,
    root: PathLike | None = None,
    level: str | None = None,
    subset: str | None = None,
    max_age: str | None = None,
    max_duration: str | None = None,
    limit_rate: str | None = None,
    io_nice: bool | None = None,
    workers: int | None = None,
    repair: bool | None = None,
    folders: Paths = (),
    origins: Words = (),
    keep_reports: int | None = None,
    page: bool | None = None,
    metrics: PathLike | None = None,
    watchdog_s: float = WATCHDOG_S,
    ledger: PathLike | None = None,
    on_event: OnEvent = None,
) -> RunSummary:
    """Look at a part of the mirror, mend what is bad, report; in one run.

    What is None or empty stands in ``kdl.toml``, or has the default that ``config`` tells; the text
    ``"off"`` switches a limit off. Raises KdlError.
    """
    from kdl.dataset.manifest import load_manifest
    from kdl.jobs.nightly import nightly as job
    from kdl.jobs.nightly_options import nightly_options

    given: dict[str, Any] = {
        "level": level,
        "subset": subset,
        "max_age": max_age,
        "max_duration": max_duration,
        "limit_rate": limit_rate,
        "io_nice": io_nice,
        "workers": workers,
        "repair": repair,
        "from": [str(path) for path in read_paths(folders)],
        "origin": list(read_words(origins)),
        "keep_reports": keep_reports,
        "page": page,
        "metrics": None if metrics is None else str(metrics),
    }
    asked = read_dataset(dataset)
    options = nightly_options(
        asked,
        load_manifest(asked).name,
        read_root(root),
        {name: value for name, value in given.items() if value not in (None, [])},
        ledger=read_optional(ledger),
        watchdog_s=watchdog_s,
    )
    return await run_job(lambda bus: job(options, bus), on_event)


def _repairs(
    dataset: PathLike,
    *,
    root: PathLike | None,
    splits: Words,
    classes: Words,
    folders: Paths,
    origins: Words,
    jobs: int = 4,
    limit_rate: int | str | None = None,
    tries: int = TRIES,
    stall_s: float = STALL_S,
    workers: int | None = None,
    prober: str = "auto",
    watchdog_s: float = WATCHDOG_S,
    ledger: PathLike | None = None,
) -> RepairOptions:
    """The job's options. Raises UsageError for a value that none of them has."""
    return RepairOptions(
        read_dataset(dataset),
        read_root(root),
        read_choice(splits, classes),
        read_paths(folders),
        read_words(origins),
        at_least("jobs", jobs, *JOBS),
        at_least("workers", workers, 1) or 0,
        one_of("prober", prober, PROBERS),
        read_rate(limit_rate),
        at_least("tries", tries, 1),
        at_least("stall_s", stall_s, 0.1),
        watchdog_s,
        read_optional(ledger),
    )
