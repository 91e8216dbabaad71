"""``kdl status``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from kdl.cli.options import dataset_argument, ledger_option, root_option


@click.command("status")
@dataset_argument
@root_option
@click.option(
    "--show",
    metavar="VERDICT|replaced",
    help="List the clips of a verdict (corrupt, missing, never_hosted …), or those replaced and by what.",
)
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def command(
    ctx: click.Context, dataset: str, root: Path, show: str | None, ledger: Path | None, as_json: bool
) -> None:
    """What a run is doing now, and what the ledger knows; at any time."""
    from kdl.jobs import views

    began = time.monotonic()
    if show is not None:
        rows = views.show(dataset, root, show, ledger)
        if as_json:
            _print(views.dataset_name(dataset), began, {"clips": list(rows)})
        else:
            from kdl.ui.clips import clip_lines

            for line in clip_lines(rows):
                click.echo(line)
        ctx.exit(0)
    found = views.status(dataset, root, ledger)
    if as_json:
        _print(views.dataset_name(dataset), began, found)
    else:
        from kdl.ui.consoles import console_on
        from kdl.ui.status import render_status

        counts = {name: found[name] for name in ("clips", "shards") if found.get(name)}
        counts |= {f"derived {recipe}": states for recipe, states in found.get("derived", {}).items()}
        console_on(sys.stdout).print(render_status(found["run"], counts))
    ctx.exit(0)


def _print(dataset: str, began: float, found: dict[str, object]) -> None:
    elapsed = round(time.monotonic() - began, 3)
    click.echo(
        json.dumps({"dataset": dataset, "exit_code": 0, "elapsed_s": elapsed, **found, "findings": []})
    )
