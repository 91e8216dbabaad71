"""``kdl pack``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kdl import aio
from kdl.api.choices import PACKS
from kdl.cli import completing
from kdl.cli.options import dataset_argument, face_options, ledger_option, root_option, split_option
from kdl.cli.running import run_verb


@click.command("pack")
@dataset_argument
@root_option
@click.option("--format", type=click.Choice(PACKS), default="webdataset", show_default=True)
@click.option(
    "--shard-size", default="1G", show_default=True, metavar="SIZE", help="Bytes of a shard at the most."
)
@click.option(
    "--recipe",
    metavar="NAME|FILE:NAME",
    shell_complete=completing.recipes,
    help="Pack this derivative instead of the clips.",
)
@split_option
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder; default: packs/ in the mirror."
)
@ledger_option
@face_options
@click.pass_context
def command(
    ctx: click.Context, /, dataset: str, as_json: bool, quiet: bool, log_json: Path | None, **options: Any
) -> None:
    """Put the sound clips into shards for sequential reading; shards that are whole are left alone."""
    ctx.exit(
        run_verb(
            lambda bus: aio.pack(dataset, **options, on_event=bus),
            dataset=dataset,
            as_json=as_json,
            quiet=quiet,
            log_json=log_json,
        )
    )
