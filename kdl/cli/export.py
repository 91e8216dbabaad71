"""``kdl export``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from kdl import api
from kdl.api.choices import EXPORTS, VERDICTS
from kdl.cli.options import dataset_argument, ledger_option, root_option, split_option


@click.command("export")
@dataset_argument
@root_option
@click.option(
    "--format",
    type=click.Choice(EXPORTS),
    default="csv",
    show_default=True,
)
@click.option(
    "-o",
    "--out",
    type=click.Path(path_type=Path),
    help="File to write, default: stdout; for the format origin a folder.",
)
@split_option
@click.option(
    "--verdict",
    "verdicts",
    multiple=True,
    type=click.Choice(VERDICTS),
    help="Only clips of this verdict; repeatable.",
)
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout at the end; needs --out.")
@click.pass_context
def command(
    ctx: click.Context,
    dataset: str,
    root: Path,
    format: str,
    out: Path | None,
    splits: tuple[str, ...],
    verdicts: tuple[str, ...],
    ledger: Path | None,
    as_json: bool,
) -> None:
    """One row a clip. `sha256sum -c` accepts the format sha256sums, run in the mirror's folder.

    The format index is the seek indexes of the shards, for `kdl mirror --class NAME --index FILE`. The format
    origin is a folder to serve, for `kdl mirror --origin URL`.
    """
    if as_json and out is None:
        raise click.UsageError("--json prints its result on stdout, so the rows need --out FILE")
    began = time.monotonic()
    done = api.export(
        dataset,
        sys.stdout.buffer if out is None else out,
        root=root,
        format=format,
        splits=splits,
        verdicts=verdicts,
        ledger=ledger,
    )
    if as_json:
        elapsed = round(time.monotonic() - began, 3)
        click.echo(
            json.dumps(
                {
                    "dataset": done.dataset,
                    "exit_code": 0,
                    "elapsed_s": elapsed,
                    "rows": done.rows,
                    "out": str(out),
                    "findings": [],
                }
            )
        )
    elif out is not None:
        click.echo(f"{done.rows} {done.what} written to {out}")
    ctx.exit(0)
