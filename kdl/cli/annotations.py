"""``kdl annotations``."""

from __future__ import annotations

from collections.abc import Callable, Coroutine
from functools import partial
from pathlib import Path
from typing import Any

import click

from kdl import aio
from kdl.api.choices import EXTRAS
from kdl.cli.options import face_options, ledger_option, root_option, stall_option, tries_option
from kdl.cli.running import run_verb
from kdl.values import RunSummary

_OF_COMPARE = ("ledger",)
"""Options that only a comparison takes."""
_OF_BOTH = ("out", "refresh", "origins", "tries", "stall_s")
"""Those that an overlap takes as well."""


@click.command("annotations")
@click.argument("dataset", required=False, default="")
@root_option
@click.option(
    "--compare",
    metavar="NAME,NAME…",
    callback=lambda ctx, param, text: tuple(name for name in (text or "").split(",") if name),
    help="Hold the lists of these publishers against each other and against the clips on disk; what is not "
    "here is fetched.",
)
@click.option(
    "--overlap",
    nargs=2,
    metavar="DATASET[:SPLIT] DATASET[:SPLIT]",
    help="Tell which YouTube videos two lists share.",
)
@click.option(
    "--with",
    "extras",
    multiple=True,
    type=click.Choice(EXTRAS),
    help="Fetch these annotations beside the classes, boxes or repetitions, and tell which clips here have "
    "them; repeatable.",
)
@click.option(
    "--from",
    "folder",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Read the lists here and fetch none.",
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Every difference as CSV; with --overlap the shared ids, for kdl lists --exclude; with --with all "
    "that is annotated.",
)
@click.option(
    "--refresh", is_flag=True, help="Ask the hosts whether the lists that are here are still theirs."
)
@click.option(
    "--origin",
    "origins",
    multiple=True,
    metavar="NAME=URL",
    help="Fetch from here instead of a host or publisher; repeatable, tried in order.",
)
@tries_option
@stall_option
@ledger_option
@face_options
@click.pass_context
def command(
    ctx: click.Context,
    /,
    dataset: str,
    root: Path,
    compare: tuple[str, ...],
    overlap: tuple[str, str] | None,
    extras: tuple[str, ...],
    folder: Path | None,
    as_json: bool,
    quiet: bool,
    log_json: Path | None,
    **options: Any,
) -> None:
    """Who lists which clips of a dataset, where the lists differ, and what two datasets share.

    Alone it tells what is here of every publisher's lists.
    """
    if bool(dataset) == bool(overlap):
        raise click.UsageError("name a dataset, or two lists with --overlap", ctx)
    if compare and overlap:
        raise click.UsageError("--compare is of one dataset: leave it or --overlap out", ctx)
    if extras and (compare or overlap or folder or options["refresh"]):
        raise click.UsageError("--with goes with --out, --origin, --tries and --stall alone", ctx)
    if options["out"] and not (compare or overlap or extras):
        raise click.UsageError("--out is for what --compare, --overlap or --with finds", ctx)
    shared: dict[str, Any] = {"root": root, "folder": folder}
    work: Callable[..., Coroutine[Any, Any, RunSummary]]
    if overlap:
        chosen = {name: options[name] for name in _OF_BOTH}
        first, second = overlap
        work = partial(aio.overlap, first, second, **shared, **chosen)
    elif compare:
        chosen = {name: options[name] for name in (*_OF_BOTH, *_OF_COMPARE)}
        work = partial(aio.compare_annotations, dataset, compare, **shared, **chosen)
    elif extras:
        chosen = {name: value for name, value in options.items() if name != "refresh"}
        work = partial(aio.annotated, dataset, extras=extras, root=root, **chosen)
    else:
        work = partial(aio.describe_annotations, dataset, **shared)
    ctx.exit(
        run_verb(
            lambda bus: work(on_event=bus),
            dataset=dataset,
            as_json=as_json,
            quiet=quiet,
            log_json=log_json,
        )
    )
