"""``kdl mirror``."""

from __future__ import annotations

from typing import Any

import click

from kdl.cli.mirroring import mirror_options, run_mirror
from kdl.cli.options import dataset_argument


@click.command("mirror")
@dataset_argument
@mirror_options(fetch_only=False)
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Bring DATASET here and to the state asked for; what is there already is left alone.

    DATASET is a name that `kdl datasets` shows, or a manifest file of your own.
    """
    ctx.exit(run_mirror("mirror", **options))
