"""``kdl adopt``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kdl import aio
from kdl.api.choices import STYLES
from kdl.cli.options import (
    dataset_argument,
    face_options,
    ledger_option,
    prober_option,
    root_option,
    watchdog_option,
    workers_option,
)
from kdl.cli.running import run_verb


@click.command("adopt")
@dataset_argument
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@root_option
@click.option(
    "--link",
    "way",
    flag_value="link",
    default="link",
    help="Hard links: no room, and nothing of yours is touched; copies where there can be none. The default.",
)
@click.option("--copy", "way", flag_value="copy", help="Copies, so that the mirror shares nothing with you.")
@click.option(
    "--move",
    "way",
    flag_value="move",
    help="Remove each file of yours once its clip is here, on disk, on record and sound.",
)
@click.option("--split", metavar="NAME", help="The split of clips whose folders do not tell it.")
@click.option(
    "--annotations",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Annotations as they are hosted, where the mirror has none yet.",
)
@click.option("--dry-run", is_flag=True, help="Say what is recognised and what a mirror would skip.")
@click.option(
    "--class-style",
    type=click.Choice(STYLES),
    help="How class folders are named; chosen once for a mirror.",
)
@workers_option
@prober_option
@watchdog_option
@ledger_option
@face_options
@click.pass_context
def command(
    ctx: click.Context, /, dataset: str, as_json: bool, quiet: bool, log_json: Path | None, **options: Any
) -> None:
    """Take in clips and archives that are here already; without a PATH, give a lost ledger back.

    Then `kdl mirror` fetches only what is missing. Needs no network.
    """
    ctx.exit(
        run_verb(
            lambda bus: aio.adopt(dataset, **options, on_event=bus),
            dataset=dataset,
            as_json=as_json,
            quiet=quiet,
            log_json=log_json,
        )
    )
