"""``kdl repair``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from kdl.cli.options import (
    Rate,
    choice,
    choice_options,
    dataset_argument,
    face_options,
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
from kdl.jobs.repair_options import RepairOptions


@click.command("repair")
@dataset_argument
@root_option
@choice_options
@click.option(
    "--from",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="Take clips from here before their shards are asked for: another mirror, or any folder that has "
    "files of their names; repeatable.",
)
@click.option("--dry-run", is_flag=True, help="Show which shards would be read, how, and how many bytes.")
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="Fetch from here instead of the manifest's own host; repeatable, tried in order.",
)
@click.option(
    "--jobs", type=click.IntRange(1, 64), default=4, show_default=True, help="Shards read at a time."
)
@click.option(
    "--limit-rate", type=Rate(), metavar="RATE", help="Bytes a second for all transfers together, e.g. 50M."
)
@tries_option
@stall_option
@workers_option
@prober_option
@watchdog_option
@ledger_option
@face_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    dataset: str,
    splits: tuple[str, ...],
    classes: tuple[str, ...],
    dry_run: bool,
    workers: int | None,
    as_json: bool,
    quiet: bool,
    log_json: Path | None,
    **options: Any,
) -> None:
    """Mend every bad or missing clip of DATASET at the least cost.

    Looked for in this order: elsewhere in the mirror, in the replacement archive, in the folders of
    --from, in its shard. Of a shard no more is read than is needed.
    """
    asked = RepairOptions(dataset=dataset, choice=choice(splits, classes), workers=workers or 0, **options)
    if dry_run:
        _show_plan(asked, as_json=as_json)
        ctx.exit(0)
    from kdl.jobs.repair import repair

    prepare_heap()
    ctx.exit(
        run_verb(
            lambda bus: repair(asked, bus), dataset=dataset, as_json=as_json, quiet=quiet, log_json=log_json
        )
    )


def _show_plan(asked: RepairOptions, *, as_json: bool) -> None:
    import asyncio

    from kdl.jobs.repair_dry import dry_run
    from kdl.ui.consoles import console_on
    from kdl.ui.repairs import render_repair_plan

    began = time.monotonic()
    plan = asyncio.run(dry_run(asked))
    if as_json:
        elapsed = round(time.monotonic() - began, 3)
        result = {"dataset": plan["dataset"], "exit_code": 0, "elapsed_s": elapsed, "findings": []}
        sys.stdout.write(json.dumps({**result, "plan": plan}) + "\n")
    else:
        console_on(sys.stdout).print(render_repair_plan(plan))
