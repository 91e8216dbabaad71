"""``kdl datasets``."""

from __future__ import annotations

import json
import sys
import time

import click

from kdl import api


@click.command("datasets")
@click.argument("names", nargs=-1, metavar="[DATASET]...")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def command(ctx: click.Context, names: tuple[str, ...], as_json: bool) -> None:
    """The datasets kdl knows, or the named manifests: clips, shards, sizes and sources."""
    began = time.monotonic()
    found = [each.as_dict() for each in api.datasets(names)]
    if as_json:
        elapsed = round(time.monotonic() - began, 3)
        dataset = found[0]["name"] if len(names) == 1 else ""
        click.echo(
            json.dumps(
                {"dataset": dataset, "exit_code": 0, "elapsed_s": elapsed, "datasets": found, "findings": []}
            )
        )
    else:
        from kdl.ui.consoles import console_on
        from kdl.ui.tables import render_datasets

        console_on(sys.stdout).print(render_datasets(found))
    ctx.exit(0)
