"""``kdl verify``."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from kdl.cli.options import (
    Rate,
    choice,
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
from kdl.jobs.verify_options import WHOLE, parse_moment, parse_span, parse_subset
from kdl.values import Level

T = TypeVar("T")


def _read(parse: Callable[[str], T]) -> Callable[[click.Context, click.Parameter, str | None], T | None]:
    """A callback that reads an option's words."""

    def callback(ctx: click.Context, param: click.Parameter, text: str | None) -> T | None:
        try:
            return None if text is None else parse(text)
        except UsageError as error:
            raise click.BadParameter(str(error), ctx, param) from None

    return callback


_file = click.Path(path_type=Path, dir_okay=False)


@click.command("verify")
@dataset_argument
@root_option
@click.option(
    "--level",
    type=click.Choice([level.value for level in Level]),
    default="hash",
    show_default=True,
    help="How deep: size and time; every byte; opened as well; every frame decoded.",
)
@choice_options
@click.option(
    "--max-age",
    "max_age_s",
    metavar="30d",
    callback=_read(parse_span),
    help="Leave out what was looked at as deep within this time; new and bad clips never.",
)
@click.option(
    "--max-duration",
    "max_duration_s",
    metavar="2h",
    callback=_read(parse_span),
    help="Begin no further clip after so long; the next run goes on.",
)
@click.option(
    "--subset",
    metavar="1/7|10%|50G",
    callback=_read(parse_subset),
    help="A part, the next one each night; or so much, the least recently checked.",
)
@click.option(
    "--since",
    metavar="7d|DATE",
    callback=_read(lambda text: parse_moment(text, time.time())),
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
    root: Path,
    level: str,
    splits: tuple[str, ...],
    classes: tuple[str, ...],
    workers: int | None,
    repair: bool,
    folders: tuple[Path, ...],
    origins: tuple[str, ...],
    as_json: bool,
    quiet: bool,
    log_json: Path | None,
    **options: Any,
) -> None:
    """Is what the ledger says still true of the disk? Nothing is changed there, but by --repair.

    The least recently checked clips come first, and new and bad ones always.
    """
    from kdl.jobs.repair_options import RepairOptions
    from kdl.jobs.verify import verify
    from kdl.jobs.verify_options import VerifyOptions

    if (folders or origins) and not repair:
        raise click.UsageError("--from and --origin say where --repair takes clips from: give that as well")
    chosen = choice(splits, classes)
    repairs = RepairOptions(
        dataset, root, chosen, folders, origins, workers=workers or 0, prober=options["prober"]
    )
    options["subset"] = options["subset"] or WHOLE
    asked = VerifyOptions(
        dataset,
        root,
        Level(level),
        chosen,
        workers=workers or 0,
        repair=repairs if repair else None,
        **options,
    )
    ctx.exit(
        run_verb(
            lambda bus: verify(asked, bus), dataset=dataset, as_json=as_json, quiet=quiet, log_json=log_json
        )
    )
