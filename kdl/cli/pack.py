"""``kdl pack``."""

from __future__ import annotations

from pathlib import Path

import click

from kdl.cli.options import dataset_argument, face_options, ledger_option, root_option, split_option
from kdl.cli.running import run_verb
from kdl.events import Bus
from kdl.settings import parse_size
from kdl.values import RunSummary


@click.command("pack")
@dataset_argument
@root_option
@click.option(
    "--format", "format_", type=click.Choice(["webdataset"]), default="webdataset", show_default=True
)
@click.option(
    "--shard-size", default="1G", show_default=True, metavar="SIZE", help="Bytes of a shard at the most."
)
@click.option("--recipe", metavar="NAME|FILE:NAME", help="Pack this derivative instead of the clips.")
@split_option
@click.option(
    "--out", type=click.Path(path_type=Path, file_okay=False), help="Folder; default: packs/ in the mirror."
)
@ledger_option
@face_options
@click.pass_context
def command(
    ctx: click.Context,
    dataset: str,
    root: Path,
    format_: str,
    shard_size: str,
    recipe: str | None,
    splits: tuple[str, ...],
    out: Path | None,
    ledger: Path | None,
    as_json: bool,
    quiet: bool,
    log_json: Path | None,
) -> None:
    """Put the sound clips into shards for sequential reading; shards that are whole are left alone."""
    from kdl.jobs.pack import PackOptions, pack

    async def packed(bus: Bus) -> RunSummary:
        options = PackOptions(dataset, root, parse_size(shard_size), recipe, splits, out, ledger)
        return await pack(options, bus)

    ctx.exit(run_verb(packed, dataset=dataset, as_json=as_json, quiet=quiet, log_json=log_json))
