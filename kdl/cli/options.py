"""Options that several verbs share."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar, cast

import click

from kdl.errors import UsageError
from kdl.fetch.timetable import Timetable, parse_limit
from kdl.jobs.options import Choice
from kdl.settings import WATCHDOG_S

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


def choice_options(function: F) -> F:
    """``--split`` and ``--class``."""
    for option in (
        click.option(
            "--class",
            "classes",
            multiple=True,
            metavar="NAME|@FILE",
            help="Only this class; repeatable. @FILE holds one a line.",
        ),
        click.option(
            "--split", "splits", multiple=True, metavar="NAME", help="Only this split; repeatable, or a,b."
        ),
    ):
        function = option(function)
    return function


def choice(splits: tuple[str, ...], classes: tuple[str, ...], **more: Any) -> Choice:
    """The choice that these options make."""
    named = tuple(name for value in splits for name in value.split(",") if name)
    return Choice(splits=named, classes=classes, **more)
