"""``kdl report``."""

from __future__ import annotations

import webbrowser
from pathlib import Path
from typing import Any

import click

from kdl import aio
from kdl.cli.options import dataset_argument, face_options, ledger_option, root_option
from kdl.cli.running import run_verb
from kdl.events import Bus
from kdl.values import RunSummary


@click.command("report")
@dataset_argument
@root_option
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    help="The page to write; default: reports/report.html in the mirror.",
)
@click.option("--open", "show", is_flag=True, help="Open it in the browser.")
@click.option(
    "--pictures/--no-pictures",
    default=True,
    show_default=True,
    help="Show small pictures of suspicious clips, and of a few sound ones of each class.",
)
@ledger_option
@face_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    dataset: str,
    show: bool,
    as_json: bool,
    quiet: bool,
    log_json: Path | None,
    **options: Any,
) -> None:
    """One HTML page that tells how a mirror is, and what to do next; at any time."""
    pages: list[Path] = []

    async def written(bus: Bus) -> RunSummary:
        summary = await aio.write_report(dataset, **options, on_event=bus)
        pages.append(Path(summary.extra["report"]))
        return summary

    code = run_verb(written, dataset=dataset, as_json=as_json, quiet=quiet, log_json=log_json)
    for page in pages if show and code == 0 else ():
        if not webbrowser.open(page.as_uri()):
            click.echo(f"no browser can be opened here; the page is {page}", err=True)
    ctx.exit(code)
