"""The options of ``kdl mirror`` and ``kdl fetch`` about torrents."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import click

from kdl.api.torrents import DHT_ENTRY, DISCOVERIES, LISTEN_PORTS, NONE

F = TypeVar("F", bound=Callable[..., Any])


def torrent_options(function: F) -> F:
    """``--torrent`` and all that rules a torrent's traffic."""
    for option in reversed(_OPTIONS):
        function = option(function)
    return function


_OPTIONS = (
    click.option(
        "--torrent",
        type=click.Path(path_type=Path, dir_okay=False),
        metavar="FILE",
        help="The .torrent file of a dataset that comes as one: what it holds need not be asked for.",
    ),
    click.option(
        "--listen-ports",
        default=LISTEN_PORTS,
        show_default=True,
        metavar="A-B",
        help="Ports for a torrent's peers, over TCP and UDP; the first that is free is taken.",
    ),
    click.option(
        "--discovery",
        default=",".join(DISCOVERIES),
        show_default=True,
        metavar="WAYS",
        help="How a torrent's peers are found beside its trackers: the distributed table, what peers tell, "
        f"the local network; or {NONE}.",
    ),
    click.option(
        "--dht-entry",
        default=DHT_ENTRY,
        show_default=True,
        metavar="HOST:PORT",
        help="Who is asked first for the distributed table.",
    ),
    click.option(
        "--limit-upload",
        metavar="RATE",
        help="Bytes a second that a torrent's peers get from here, e.g. 2M.",
    ),
    click.option(
        "--seed-ratio",
        type=click.FloatRange(0),
        metavar="R",
        help="In the end give a torrent's peers R times what was fetched; by default nothing more.",
    ),
    click.option(
        "--seed-time",
        type=click.FloatRange(0),
        metavar="MINUTES",
        help="The same by time; with both, until the first is reached.",
    ),
)
