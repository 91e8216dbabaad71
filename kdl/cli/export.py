"""``kdl export``."""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path

import click

from kdl.cli.options import dataset_argument, ledger_option, root_option, split_option
from kdl.values import Verdict


@click.command("export")
@dataset_argument
@root_option
@click.option(
    "--format",
    "format_",
    type=click.Choice(["csv", "jsonl", "parquet", "sha256sums", "index"]),
    default="csv",
    show_default=True,
)
@click.option("-o", "--out", type=click.Path(path_type=Path), help="File to write; default: stdout.")
@split_option
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
    """One row a clip. `sha256sum -c` accepts the format sha256sums, run in the mirror's folder.

    The format index is the seek indexes of the shards, for `kdl mirror --class NAME --index FILE`.
    """
    from kdl.jobs.indexpack import export_indexes
    from kdl.jobs.views import dataset_name, export_clips

    if as_json and out is None:
        raise click.UsageError("--json prints its result on stdout, so the rows need --out FILE")
    began = time.monotonic()
    target = sys.stdout.buffer if out is None else out
    if format_ == "index":
        if verdicts:
            raise click.UsageError("indexes are of whole shards: leave --verdict out")
        rows, what = export_indexes(dataset, root, target, splits=splits, ledger_path=ledger), "seek indexes"
    else:
        rows = export_clips(
            dataset, root, format_, target, splits=splits, verdicts=verdicts, ledger_path=ledger
        )
        what = "clips"
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
        click.echo(f"{rows} {what} written to {out}")
    ctx.exit(0)
