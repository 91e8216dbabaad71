"""What ``kdl mirror`` and ``kdl fetch`` share: their options, the dry run, the run."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kdl.cli.options import (
    Rate,
    choice,
    choice_options,
    executor_option,
    face_options,
    hwaccel_option,
    ledger_option,
    prober_option,
    root_option,
    stall_option,
    tries_option,
    watchdog_option,
    workers_option,
)
from kdl.cli.running import run_verb
from kdl.heap import prepare_heap
from kdl.jobs.options import MirrorOptions
from kdl.values import Level


def mirror_options(*, fetch_only: bool) -> Callable[[Any], Any]:
    """The options of ``fetch``, and with ``fetch_only`` unset those of ``mirror``."""
    shared = [
        root_option,
        choice_options,
        click.option(
            "--shard",
            "shards",
            multiple=True,
            metavar="PATTERN",
            help="Only shards of this name, e.g. 'part_1*'; repeatable.",
        ),
        click.option("--limit", type=click.IntRange(1), metavar="N", help="At the most N shards."),
        click.option("--dry-run", is_flag=True, help="Show the plan; nothing is written."),
        click.option(
            "--origin",
            "origins",
            multiple=True,
            metavar="URL",
            help="Fetch from here instead of the manifest's own host; repeatable, tried in order; "
            "`default` is the manifest's own; "
            "HOST=URL where it has several.",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(1, 64),
            default=4,
            show_default=True,
            help="Shards fetched at a time.",
        ),
        click.option(
            "--limit-rate",
            type=Rate(),
            metavar="RATE",
            help="Bytes a second for all transfers together, e.g. 50M; or by the time of day, "
            "e.g. '08:00,20M 20:00,off'.",
        ),
        click.option(
            "--connections-per-file",
            type=click.IntRange(1, 16),
            default=1,
            show_default=True,
            metavar="N",
            help="Fetch a large archive over so many connections: where one alone is slow.",
        ),
        tries_option,
        stall_option,
        executor_option,
        watchdog_option,
        click.option(
            "--no-spool",
            "spool",
            flag_value=False,
            default=True,
            type=bool,
            help="Keep no archive bytes on disk: less room, but a killed run starts its shards afresh.",
        ),
        click.option("--keep-archives", is_flag=True, help="Keep the archives, under archives/."),
        click.option(
            "--no-index",
            "index",
            flag_value=False,
            default=True,
            type=bool,
            help="Keep no seek index of large shards: a repair then reads whole shards again.",
        ),
        click.option(
            "--index",
            "index_file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="With --class: seek indexes that somebody else has exported; of shards that mix classes "
            "only the wanted clips are fetched.",
        ),
        click.option(
            "--class-style",
            type=click.Choice(["mmaction2", "torchvision", "raw"]),
            help="How class folders are named; chosen once for a mirror.",
        ),
        click.option("--force", is_flag=True, help="Start even if the disk seems too small."),
        click.option(
            "--strict", is_flag=True, help="Count short, unlisted and never hosted clips as failures."
        ),
        ledger_option,
        face_options,
    ]
    more = [
        workers_option,
        click.option(
            "--level",
            type=click.Choice([level.value for level in Level]),
            default="probe",
            show_default=True,
            help="How deep clips are checked.",
        ),
        prober_option,
        click.option(
            "--recipe",
            "recipes",
            multiple=True,
            metavar="NAME|FILE:NAME",
            help="Make this derivative as well; repeatable.",
        ),
        click.option(
            "--derived",
            type=click.Path(path_type=Path, file_okay=False),
            help="Put derivatives on this disk.",
        ),
        hwaccel_option,
        click.option("--retry-failed", is_flag=True, help="Try derivatives again that failed before."),
    ]

    def decorate(function: Any) -> Any:
        for option in reversed(shared if fetch_only else [*shared[:-2], *more, *shared[-2:]]):
            function = option(function)
        return function

    return decorate


def run_mirror(
    verb: str,
    *,
    dataset: str,
    splits: tuple[str, ...],
    classes: tuple[str, ...],
    shards: tuple[str, ...],
    limit: int | None,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    log_json: Path | None,
    workers: int | None = None,
    level: str = "hash",
    **options: Any,
) -> int:
    """Run the verb, or show its plan; the exit code."""
    asked = MirrorOptions(
        dataset=dataset,
        verb=verb,
        choice=choice(splits, classes, shards=shards, limit=limit),
        workers=workers or 0,
        level=Level(level),
        **options,
    )
    if dry_run:
        return _show_plan(asked, as_json=as_json)
    from kdl.jobs.mirror import mirror

    prepare_heap()
    return run_verb(
        lambda bus: mirror(asked, bus), dataset=dataset, as_json=as_json, quiet=quiet, log_json=log_json
    )


def _show_plan(asked: MirrorOptions, *, as_json: bool) -> int:
    import asyncio

    from kdl.jobs.mirror_dry import dry_run
    from kdl.ui.consoles import console_on
    from kdl.ui.tables import render_plan

    began = time.monotonic()
    plan = asyncio.run(dry_run(asked, lambda event: None))
    code = 0 if all(volume["ok"] for volume in plan["volumes"]) or asked.force else 3
    if as_json:
        result = {
            "dataset": plan["dataset"],
            "exit_code": code,
            "elapsed_s": round(time.monotonic() - began, 3),
            "findings": []
            if code == 0
            else [_no_room(volume) for volume in plan["volumes"] if not volume["ok"]],
            "plan": plan,
        }
        sys.stdout.write(json.dumps(result) + "\n")
    else:
        console_on(sys.stdout).print(render_plan(plan))
    return code


def _no_room(volume: dict[str, Any]) -> dict[str, str]:
    return {
        "kind": "disk_full",
        "subject": volume["path"],
        "detail": f"needs {volume['needed_peak']} bytes at the peak, {volume['free']} are free",
        "fix": "make room, choose fewer --split or --class, or --force",
    }
