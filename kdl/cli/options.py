"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from kdl.errors import UsageError
from kdl.fetch.timetable import Timetable, parse_limit
from kdl.jobs.options import Choice
from kdl.media.hwaccel import HWACCELS
from kdl.settings import STALL_S, TRIES, WATCHDOG_S

F = TypeVar("F", bound=Callable[..., Any])

dataset_argument = click.argument("dataset")


class Rate(click.ParamType[int | Timetable]):
    """``50M``, or ``08:00,20M 20:00,off``."""

    name = "rate"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> int | Timetable:
        if not isinstance(value, str):
            return cast(int | Timetable, value)
        try:
            return parse_limit(value)
        except UsageError as error:
            self.fail(str(error), param, ctx)


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
        type=click.Choice(["auto", "ffprobe"]),
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
        callback=lambda ctx, param, words: tuple(name for word in words for name in word.split(",") if name),
        help="Only this split; repeatable, or a,b.",
    )(function)


def choice_options(function: F) -> F:
    """``--split`` and ``--class``."""
    classes = click.option(
        "--class",
        "classes",
        multiple=True,
        metavar="NAME|@FILE",
        help="Only this class; repeatable. @FILE holds one a line.",
    )
    return split_option(classes(function))


def choice(splits: tuple[str, ...], classes: tuple[str, ...], **more: Any) -> Choice:
    """The choice that these options make."""
    return Choice(splits=splits, classes=classes, **more)
