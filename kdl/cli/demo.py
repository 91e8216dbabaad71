"""``kdl demo``."""

from __future__ import annotations

from pathlib import Path

import click

from kdl import aio
from kdl.api.asking import demo_folder
from kdl.cli.options import face_options
from kdl.cli.running import run_verb


@click.command("demo")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=demo_folder(),
    show_default=True,
    help="Folder for the dataset and its mirror; what an earlier demo left there is removed.",
)
@click.option("--quick", is_flag=True, help="As fast as it goes, instead of at a pace that can be watched.")
@face_options
@click.pass_context
def command(
    ctx: click.Context, out: Path, quick: bool, as_json: bool, quiet: bool, log_json: Path | None
) -> None:
    """Make a small dataset with every known fault planted, serve it on loopback and mirror it."""
    ctx.exit(
        run_verb(
            lambda bus: aio.demo(out=out, quick=quick, on_event=bus),
            dataset="demo",
            as_json=as_json,
            quiet=quiet,
            log_json=log_json,
        )
    )
