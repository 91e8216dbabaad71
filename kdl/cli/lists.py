"""``kdl lists``."""

from __future__ import annotations

from pathlib import Path

import click

from kdl.cli.options import dataset_argument, face_options, ledger_option, root_option
from kdl.cli.running import run_verb
from kdl.lists.consumer import SEPARATORS
from kdl.lists.consumers import CONSUMERS, USUAL
from kdl.lists.layouts import LAYOUTS

_NAMES = list(dict.fromkeys((*CONSUMERS, *LAYOUTS)))


@click.command("lists")
@dataset_argument
@root_option
@click.option(
    "--for",
    "consumers",
    multiple=True,
    metavar="CONSUMER",
    type=click.Choice(_NAMES),
    help=f"{', '.join(_NAMES[:-1])} or {_NAMES[-1]}; repeatable. Default: {', '.join(USUAL)}.",
)
@click.option(
    "--recipe",
    "recipes",
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
    type=click.Choice(list(SEPARATORS)),
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
@ledger_option
@face_options
@click.pass_context
def command(
    ctx: click.Context,
    dataset: str,
    root: Path,
    consumers: tuple[str, ...],
    recipes: tuple[str, ...],
    label_map: Path | None,
    separator: str | None,
    name_template: str | None,
    links: Path | None,
    ledger: Path | None,
    as_json: bool,
    quiet: bool,
    log_json: Path | None,
) -> None:
    """Write the lists that trainers read, of sound clips only, under lists/; or links to the clips."""
    from kdl.jobs.listwriting import ListOptions, lists

    options = ListOptions(
        dataset, root, consumers, recipes, label_map, separator, name_template, links, ledger
    )

    ctx.exit(
        run_verb(
            lambda bus: lists(options, bus), dataset=dataset, as_json=as_json, quiet=quiet, log_json=log_json
        )
    )
