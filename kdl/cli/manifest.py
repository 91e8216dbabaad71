"""``kdl manifest``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from kdl import api
from kdl.api.choices import SPLITS
from kdl.events import Event, Noted


@click.group("manifest")
def command() -> None:
    """Manifests of your own."""


@command.command("init")
@click.argument("name")
@click.argument("place")
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The manifest's file; NAME.toml here if not given.",
)
@click.option("--title", metavar="TEXT", help="The dataset's name for people.")
@click.option(
    "--split",
    type=click.Choice(SPLITS),
    default="train",
    show_default=True,
    help="The split of what no name tells the split of.",
)
@click.option(
    "--labels",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="The classes in the order of their ids, one a line; else what folders and archives spell, sorted.",
)
@click.option(
    "--no-look",
    "look",
    flag_value=False,
    default=True,
    type=bool,
    help="Read no archive to see what is in it.",
)
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def init(
    ctx: click.Context,
    name: str,
    place: str,
    out: Path | None,
    title: str | None,
    split: str,
    labels: Path | None,
    look: bool,
    as_json: bool,
) -> None:
    """Write a first manifest for the dataset NAME, of what lies at PLACE.

    PLACE is a folder (a path, or a URL with a slash at its end), an archive, or a list of links.
    """
    began = time.monotonic()

    def tell(event: Event) -> None:
        if isinstance(event, Noted) and not as_json:
            click.echo(event.text, err=True)

    done = api.init_manifest(
        name, place, out=out, title=title, split=split, labels=labels, look=look, on_event=tell
    )
    if as_json:
        told = {
            "dataset": name,
            "exit_code": 0,
            "elapsed_s": round(time.monotonic() - began, 3),
            "manifest": str(done.path),
            "splits": done.splits,
            "labels": done.labels,
            "notes": list(done.notes),
            "findings": [],
        }
        click.echo(json.dumps(told))
    else:
        from kdl.ui.consoles import console_on
        from kdl.ui.tables import render_draft

        console_on(sys.stdout).print(render_draft(done.path, done.splits, done.labels, done.notes))
    ctx.exit(0)
