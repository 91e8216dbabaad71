"""``kdl repair``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path
from typing import Any

import click

from kdl import aio, api
from kdl.cli.options import (
    Rate,
    choice_options,
    dataset_argument,
    face_options,
    ledger_option,
    options_of,
    prober_option,
    root_option,
    stall_option,
    tries_option,
    watchdog_option,
    workers_option,
)
from kdl.cli.running import run_verb


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
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    log_json: Path | None,
    **options: Any,
) -> None:
    """Mend every bad or missing clip of DATASET at the least cost.

    Looked for in this order: elsewhere in the mirror, in the replacement archive, in the folders of
    --from, in its shard. Of a shard no more is read than is needed.
    """
    if dry_run:
        _show_plan(dataset, options, as_json=as_json)
        ctx.exit(0)
    ctx.exit(
        run_verb(
            lambda bus: aio.repair(dataset, **options, on_event=bus),
            dataset=dataset,
            as_json=as_json,
            quiet=quiet,
            log_json=log_json,
            moves_bytes=True,
        )
    )


def _show_plan(dataset: str, options: dict[str, Any], *, as_json: bool) -> None:
    from kdl.ui.consoles import console_on
    from kdl.ui.repairs import render_repair_plan

    began = time.monotonic()
    plan = api.plan_repair(dataset, **options_of(api.plan_repair, options)).as_dict()
    if as_json:
        elapsed = round(time.monotonic() - began, 3)
        result = {"dataset": plan["dataset"], "exit_code": 0, "elapsed_s": elapsed, "findings": []}
        sys.stdout.write(json.dumps({**result, "plan": plan}) + "\n")
    else:
        console_on(sys.stdout).print(render_repair_plan(plan))
