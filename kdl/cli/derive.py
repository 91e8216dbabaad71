"""``kdl derive``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kdl import aio
from kdl.cli import completing
from kdl.cli.options import (
    choice_options,
    dataset_argument,
    executor_option,
    face_options,
    hwaccel_option,
    ledger_option,
    root_option,
    watchdog_option,
    workers_option,
)
from kdl.cli.running import run_verb


@click.command("derive")
@dataset_argument
@root_option
@click.option(
    "--recipe",
    "recipes",
    shell_complete=completing.recipes,
    multiple=True,
    required=True,
    metavar="NAME|FILE:NAME",
    help="What to make; repeatable: several are made from one decoding.",
)
@choice_options
@click.option(
    "--derived", type=click.Path(path_type=Path, file_okay=False), help="Put derivatives on this disk."
)
@workers_option
@executor_option
@hwaccel_option
@click.option("--retry-failed", is_flag=True, help="Try again what failed before.")
@watchdog_option
@ledger_option
@face_options
@click.pass_context
def command(
    ctx: click.Context, /, dataset: str, as_json: bool, quiet: bool, log_json: Path | None, **options: Any
) -> None:
    """Make derivatives of the sound clips that are here; finished ones are skipped."""
    ctx.exit(
        run_verb(
            lambda bus: aio.derive(dataset, **options, on_event=bus),
            dataset=dataset,
            as_json=as_json,
            quiet=quiet,
            log_json=log_json,
        )
    )
