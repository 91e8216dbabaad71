"""Options that several verbs share."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from kdl.api.choices import HWACCELS, PROBERS
from kdl.api.words import read_rate, read_splits
from kdl.cli import completing
from kdl.errors import UsageError
from kdl.settings import STALL_S, TRIES, WATCHDOG_S

F = TypeVar("F", bound=Callable[..., Any])

dataset_argument = click.argument("dataset", shell_complete=completing.datasets)


class Rate(click.ParamType[str]):
    """``50M``, or ``08:00,20M 20:00,off``; looked at before anything is begun."""

    name = "rate"

    def convert(self, value: str, param: click.Parameter | None, ctx: click.Context | None) -> str:
        try:
            read_rate(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)
        return value


def watchdog_option(function: F) -> F:
    """``--watchdog``, in minutes; ``watchdog_s`` is in seconds."""
    return click.option(
        "--watchdog",
        "watchdog_s",
        type=click.FloatRange(0),
        default=WATCHDOG_S / 60,
        show_default=True,
        metavar="MINUTES",
        callback=lambda ctx, param, minutes: minutes * 60,
        help="End the run if nothing at all moves for so long; 0 for never.",
    )(function)


def root_option(function: F) -> F:
    """``--root``."""
    return click.option(
        "--root",
        type=click.Path(path_type=Path),
        envvar="KDL_ROOT",
        default=Path("kinetics"),
        show_default="./kinetics",
        help="Folder of the mirrors; the dataset gets a folder of its own in it. Env: KDL_ROOT.",
    )(function)


def ledger_option(function: F) -> F:
    """``--ledger``."""
    return click.option(
        "--ledger",
        type=click.Path(path_type=Path, dir_okay=False),
        help="The ledger, where it is not in the mirror: on a local disk when the root is on NFS or Lustre.",
    )(function)


def face_options(function: F) -> F:
    """``--json``, ``--quiet`` and ``--log-json``."""
    for option in (
        click.option(
            "--log-json",
            type=click.Path(path_type=Path, dir_okay=False),
            help="Append every event as a JSON line to this file.",
        ),
        click.option("--quiet", is_flag=True, help="Nothing but findings and errors."),
        click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout at the end."),
    ):
        function = option(function)
    return function


def executor_option(function: F) -> F:
    """``--executor``."""
    return click.option(
        "--executor",
        default="local",
        show_default=True,
        metavar="WHERE",
        help="Where work is done: local, dask://HOST:PORT, dask:local or slurm; see docs/cluster.md.",
    )(function)


def workers_option(function: F) -> F:
    """``--workers``."""
    return click.option(
        "--workers", type=click.IntRange(1), metavar="N", help="Worker processes; default: one a core."
    )(function)


def prober_option(function: F) -> F:
    """``--prober``."""
    return click.option(
        "--prober",
        type=click.Choice(PROBERS),
        default="auto",
        show_default=True,
        help="auto: in-process first, ffprobe for every clip that is not plainly sound.",
    )(function)


def tries_option(function: F) -> F:
    """``--tries``."""
    return click.option(
        "--tries",
        type=click.IntRange(1),
        default=TRIES,
        show_default=True,
        help="Attempts without a new byte before an object is given up.",
    )(function)


def stall_option(function: F) -> F:
    """``--stall``."""
    return click.option(
        "--stall",
        "stall_s",
        type=click.FloatRange(0.1),
        default=STALL_S,
        show_default=True,
        help="Seconds without a byte that make a stall.",
    )(function)


def hwaccel_option(function: F) -> F:
    """``--hwaccel``."""
    return click.option(
        "--hwaccel",
        type=click.Choice(HWACCELS),
        default="none",
        show_default=True,
        help="Let ffmpeg decode for derivatives on a graphics card.",
    )(function)


def split_option(function: F) -> F:
    """``--split``; ``splits`` are single names, however they were given."""
    return click.option(
        "--split",
        "splits",
        multiple=True,
        metavar="NAME",
        shell_complete=completing.splits,
        callback=lambda ctx, param, words: read_splits(words),
        help="Only this split; repeatable, or a,b.",
    )(function)


def choice_options(function: F) -> F:
    """``--split`` and ``--class``."""
    classes = click.option(
        "--class",
        "classes",
        multiple=True,
        metavar="NAME|@FILE",
        shell_complete=completing.classes,
        help="Only this class; repeatable. @FILE holds one a line.",
    )
    return split_option(classes(function))


def options_of(function: Callable[..., Any], options: dict[str, Any]) -> dict[str, Any]:
    """Those of the options that ``function`` takes: a plan has no use for all that a run has."""
    taken = inspect.signature(function).parameters
    return {name: value for name, value in options.items() if name in taken}
