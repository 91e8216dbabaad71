"""``kdl nightly``."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from kdl import aio
from kdl.api.choices import LEVELS
from kdl.cli.options import dataset_argument, face_options, ledger_option, root_option, watchdog_option
from kdl.cli.running import run_verb


@click.command("nightly")
@dataset_argument
@root_option
@click.option(
    "--level",
    type=click.Choice(LEVELS),
    help="How deep clips are looked at. [default: hash]",
)
@click.option(
    "--subset", metavar="1/30|10%|50G|off", help="How much a night looks at, the next part each night."
)
@click.option("--max-age", metavar="30d|off", help="Leave out what was looked at within this time.")
@click.option("--max-duration", metavar="2h|off", help="Look at no further clip after so long.")
@click.option("--limit-rate", metavar="RATE|off", help="Bytes a second that are read, and fetched.")
@click.option(
    "--io-nice/--no-io-nice", default=None, help="Read only when nobody else wants the disk. [default: yes]"
)
@click.option(
    "--workers", type=click.IntRange(0), metavar="N", help="Clips looked at at a time; 0: one a core."
)
@click.option("--repair/--no-repair", default=None, help="Mend what is bad. [default: yes]")
@click.option(
    "--from",
    "folders",
    multiple=True,
    type=click.Path(),
    metavar="DIR",
    help="A mirror or folder to take clips from; repeatable.",
)
@click.option(
    "--origin", "origins", multiple=True, metavar="URL", help="Fetch from here instead; repeatable."
)
@click.option(
    "--keep-reports", type=click.IntRange(1), metavar="NIGHTS", help="Reports that are kept. [default: 90]"
)
@click.option("--page/--no-page", default=None, help="Write the HTML report as well. [default: yes]")
@click.option("--metrics", type=click.Path(), metavar="FILE.prom|off", help="For Prometheus' node exporter.")
@watchdog_option
@ledger_option
@face_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    dataset: str,
    as_json: bool,
    quiet: bool,
    log_json: Path | None,
    **options: Any,
) -> None:
    """Look at a part of the mirror, mend what is bad, report; in one run.

    What is not given here stands in kdl.toml; `kdl config` shows it. A webhook to tell of trouble stands
    there or in KDL_WEBHOOK, never on the command line.
    """
    ctx.exit(
        run_verb(
            lambda bus: aio.nightly(dataset, **options, on_event=bus),
            dataset=dataset,
            as_json=as_json,
            quiet=quiet,
            log_json=log_json,
        )
    )
