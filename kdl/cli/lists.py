"""``kdl lists``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kdl import aio
from kdl.api.consumers import CONSUMERS, LAYOUTS, SEPARATORS, USUAL
from kdl.cli import completing
from kdl.cli.options import dataset_argument, face_options, ledger_option, root_option
from kdl.cli.running import run_verb


@click.command("lists")
@dataset_argument
@root_option
@click.option(
    "--for",
    "consumers",
    multiple=True,
    metavar="CONSUMER",
    type=click.Choice(CONSUMERS),
    help=f"{', '.join(CONSUMERS[:-1])} or {CONSUMERS[-1]}; repeatable. Default: {', '.join(USUAL)}.",
)
@click.option(
    "--recipe",
    "recipes",
    shell_complete=completing.recipes,
    multiple=True,
    metavar="NAME|FILE:NAME",
    help="List this derivative instead of the original clips; repeatable.",
)
@click.option(
    "--label-map",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Class ids from this file instead of the rank of the class.",
)
@click.option(
    "--separator",
    type=click.Choice(SEPARATORS),
    help="What stands between the fields of a line, for readers that take it. Default: each one's own.",
)
@click.option(
    "--name-template",
    metavar="TEMPLATE",
    help="What a line says in place of the path: {split}, {class}, {name} and {stem} are filled in.",
)
@click.option(
    "--links",
    metavar="DIR",
    type=click.Path(path_type=Path),
    help=f"Make a folder of links in the layout of one of {', '.join(LAYOUTS)}.",
)
@click.option(
    "--exclude",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Leave out the clips of these YouTube ids and clip names, one a line: kdl annotations --overlap.",
)
@ledger_option
@face_options
@click.pass_context
def command(
    ctx: click.Context, /, dataset: str, as_json: bool, quiet: bool, log_json: Path | None, **options: Any
) -> None:
    """Write the lists that trainers read, of sound clips only, under lists/; or links to the clips."""
    ctx.exit(
        run_verb(
            lambda bus: aio.write_lists(dataset, **options, on_event=bus),
            dataset=dataset,
            as_json=as_json,
            quiet=quiet,
            log_json=log_json,
        )
    )
