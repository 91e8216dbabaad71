"""``kdl verify``."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kdl import aio
from kdl.api.choices import LEVELS
from kdl.api.words import read_moment, read_span, read_subset
from kdl.cli.options import (
    Rate,
    choice_options,
    dataset_argument,
    face_options,
    ledger_option,
    prober_option,
    root_option,
    watchdog_option,
)
from kdl.cli.running import run_verb
from kdl.errors import UsageError


def _checked(
    read: Callable[[str], object],
) -> Callable[[click.Context, click.Parameter, str | None], str | None]:
    """A callback that has an option's words looked at before anything is begun."""

    def callback(ctx: click.Context, param: click.Parameter, text: str | None) -> str | None:
        try:
            if text is not None:
                read(text)
        except UsageError as error:
            raise click.BadParameter(str(error), ctx, param) from None
        return text

    return callback


_file = click.Path(path_type=Path, dir_okay=False)


@click.command("verify")
@dataset_argument
@root_option
@click.option(
    "--level",
    type=click.Choice(LEVELS),
    default="hash",
    show_default=True,
    help="How deep: size and time; every byte; opened as well; every frame decoded.",
)
@choice_options
@click.option(
    "--max-age",
    metavar="30d",
    callback=_checked(read_span),
    help="Leave out what was looked at as deep within this time; new and bad clips never.",
)
@click.option(
    "--max-duration",
    metavar="2h",
    callback=_checked(read_span),
    help="Begin no further clip after so long; the next run goes on.",
)
@click.option(
    "--subset",
    metavar="1/7|10%|50G",
    callback=_checked(read_subset),
    help="A part, the next one each night; or so much, the least recently checked.",
)
@click.option(
    "--since",
    metavar="7d|DATE",
    callback=_checked(read_moment),
    help="Only clips whose file came or was touched since.",
)
@click.option(
    "--combined", type=_file, metavar="FILE", help="A line for each path: `= - + * !` and the path."
)
@click.option(
    "--against",
    type=_file,
    metavar="FILE",
    help="Tell what differs from another copy, by its SHA256SUMS or its `kdl export`.",
)
@click.option(
    "--limit-rate",
    type=Rate(),
    metavar="RATE",
    help="Bytes a second that are read, e.g. 50M; or by the time of day, e.g. '08:00,20M 20:00,off'.",
)
@click.option("--io-nice", is_flag=True, help="Read only when nobody else wants the disk.")
@click.option(
    "--workers", type=click.IntRange(1), metavar="N", help="Clips looked at at a time; default: one a core."
)
@prober_option
@click.option("--repair", is_flag=True, help="Mend what is bad, in the same run; see kdl repair.")
@click.option(
    "--from",
    "folders",
    multiple=True,
    type=click.Path(path_type=Path),
    metavar="DIR",
    help="With --repair: take clips from here before their shards are asked for; repeatable.",
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="URL",
    help="With --repair: fetch from here instead of the manifest's own host; repeatable, tried in order.",
)
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
    """Is what the ledger says still true of the disk? Nothing is changed there, but by --repair.

    The least recently checked clips come first, and new and bad ones always.
    """
    ctx.exit(
        run_verb(
            lambda bus: aio.verify(dataset, **options, on_event=bus),
            dataset=dataset,
            as_json=as_json,
            quiet=quiet,
            log_json=log_json,
        )
    )
