"""``kdl export``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from kdl.cli.options import dataset_argument, ledger_option, root_option
from kdl.values import Verdict


@click.command("export")
@dataset_argument
@root_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(["csv", "jsonl", "parquet", "sha256sums"]),
    default="csv",
    show_default=True,
)
@click.option("--out", type=click.Path(path_type=Path), help="File to write; default: stdout.")
@click.option("--split", "splits", multiple=True, metavar="NAME", help="Only this split; repeatable.")
@click.option(
    "--verdict",
    "verdicts",
    multiple=True,
    type=click.Choice([v.value for v in Verdict]),
    help="Only clips of this verdict; repeatable.",
)
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout at the end; needs --out.")
@click.pass_context
def command(
    ctx: click.Context,
    dataset: str,
    root: Path,
    format_: str,
    out: Path | None,
    splits: tuple[str, ...],
    verdicts: tuple[str, ...],
    ledger: Path | None,
    as_json: bool,
) -> None:
    """One row a clip. `sha256sum -c` accepts the format sha256sums, run in the mirror's folder."""
    from kdl.jobs.views import dataset_name, export_clips

    if as_json and out is None:
        raise click.UsageError("--json prints its result on stdout, so the rows need --out FILE")
    began = time.monotonic()
    target = sys.stdout.buffer if out is None else out
    rows = export_clips(dataset, root, format_, target, splits=splits, verdicts=verdicts, ledger_path=ledger)
    if as_json:
        elapsed = round(time.monotonic() - began, 3)
        click.echo(
            json.dumps(
                {
                    "dataset": dataset_name(dataset),
                    "exit_code": 0,
                    "elapsed_s": elapsed,
                    "rows": rows,
                    "out": str(out),
                    "findings": [],
                }
            )
        )
    elif out is not None:
        click.echo(f"{rows} clips written to {out}")
    ctx.exit(0)
