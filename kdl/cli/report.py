"""``kdl report``."""

from __future__ import annotations

import webbrowser
from pathlib import Path

import click

from kdl.cli.options import dataset_argument, face_options, ledger_option, root_option
from kdl.cli.running import run_verb


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
    dataset: str,
    root: Path,
    out: Path | None,
    show: bool,
    pictures: bool,
    ledger: Path | None,
    as_json: bool,
    quiet: bool,
    log_json: Path | None,
) -> None:
    """One HTML page that tells how a mirror is, and what to do next; at any time."""
    from kdl.jobs.report import ReportOptions, report, report_file

    options = ReportOptions(dataset, root, out, pictures, ledger)
    code = run_verb(
        lambda bus: report(options, bus), dataset=dataset, as_json=as_json, quiet=quiet, log_json=log_json
    )
    if show and code == 0 and not webbrowser.open(report_file(options).as_uri()):
        click.echo(f"no browser can be opened here; the page is {report_file(options)}", err=True)
    ctx.exit(code)
