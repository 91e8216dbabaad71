"""``kdl lists``."""

from __future__ import annotations

from pathlib import Path

import click

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
    type=click.Choice(["mmaction2", "paddlevideo", "videomae", "slowfast", "pytorchvideo"]),
    help="mmaction2, paddlevideo, videomae, slowfast or pytorchvideo; repeatable. Default: all.",
)
@click.option(
    "--recipe", metavar="NAME|FILE:NAME", help="List this derivative instead of the original clips."
)
@click.option(
    "--label-map",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Class ids from this file instead of the rank of the class.",
)
@ledger_option
@face_options
@click.pass_context
def command(
    ctx: click.Context,
    dataset: str,
    root: Path,
    consumers: tuple[str, ...],
    recipe: str | None,
    label_map: Path | None,
    ledger: Path | None,
    as_json: bool,
    quiet: bool,
    log_json: Path | None,
) -> None:
    """Write the lists that trainers read, of sound clips only, under lists/."""
    from kdl.jobs.listwriting import ListOptions, lists

    options = ListOptions(dataset, root, consumers, recipe, label_map, ledger)

    ctx.exit(
        run_verb(
            lambda bus: lists(options, bus), dataset=dataset, as_json=as_json, quiet=quiet, log_json=log_json
        )
    )
