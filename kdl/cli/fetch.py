"""``kdl fetch``."""

from __future__ import annotations

from typing import Any

import click

from kdl.cli.mirroring import mirror_options, run_mirror
from kdl.cli.options import dataset_argument


@click.command("fetch")
@dataset_argument
@mirror_options(fetch_only=True)
@click.pass_context
def command(ctx: click.Context, /, **options: Any) -> None:
    """Annotations, shards, clips with their hashes, and the replacements: no probing, no derivatives.

    `kdl mirror DATASET` goes on from there.
    """
    ctx.exit(run_mirror("fetch", **options))
