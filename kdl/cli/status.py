"""``kdl status``."""

from __future__ import annotations

import json
import signal
import sys
import time
from pathlib import Path
from typing import Never

import click

from kdl import api
from kdl.api.asking import dataset_name
from kdl.cli.options import dataset_argument, ledger_option, root_option

_INTERVAL_S = 2.0


@click.command("status")
@dataset_argument
@root_option
@click.option(
    "--show",
    metavar="VERDICT|replaced",
    help="List the clips of a verdict (corrupt, missing, never_hosted …), or those replaced and by what.",
)
@click.option(
    "--watch",
    is_flag=True,
    help="Go on looking until Ctrl-C. Piped or with --json: print each look that differs from the last.",
)
@click.option(
    "--interval",
    type=click.FloatRange(0.1),
    metavar="SECONDS",
    help="Between two looks of --watch; default: 2.",
)
@ledger_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def command(
    ctx: click.Context,
    dataset: str,
    root: Path,
    show: str | None,
    watch: bool,
    interval: float | None,
    ledger: Path | None,
    as_json: bool,
) -> None:
    """What a run is doing now, and what the ledger knows; at any time."""
    if watch and show is not None:
        raise click.UsageError("--watch shows the whole mirror; leave --show out")
    if interval is not None and not watch:
        raise click.UsageError("--interval is for --watch")
    if watch:
        _watch(dataset, root, ledger, interval or _INTERVAL_S, as_json=as_json)
    began = time.monotonic()
    if show is not None:
        rows = (clip.as_dict() for clip in api.show(dataset, show, root=root, ledger=ledger))
        if as_json:
            _print(dataset_name(dataset), began, {"clips": list(rows)})
        else:
            from kdl.ui.clips import clip_lines

            for line in clip_lines(rows):
                click.echo(line)
        ctx.exit(0)
    found = api.status(dataset, root=root, ledger=ledger)
    if as_json:
        _print(found.dataset, began, found.as_dict())
    else:
        from kdl.ui.consoles import console_on
        from kdl.ui.status import render_status

        counts = {name: each for name, each in (("clips", found.clips), ("shards", found.shards)) if each}
        counts |= {f"derived {recipe}": states for recipe, states in found.derived.items()}
        console_on(sys.stdout).print(render_status(found.run, counts))
    ctx.exit(0)


def _watch(dataset: str, root: Path, ledger: Path | None, interval_s: float, *, as_json: bool) -> Never:
    """Until a signal ends it: SIGINT is raised by Python, SIGTERM here, so that the cursor comes back."""
    from kdl.ui.streams import can_draw
    from kdl.ui.watch import watch_json, watch_live, watch_plain

    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
    look = api.watch(dataset, root=root, ledger=ledger).look
    if as_json:
        watch_json(look, interval_s, dataset_name(dataset), lambda found: click.echo(json.dumps(found)))
    elif can_draw(sys.stdout):
        watch_live(look, interval_s)
    else:
        watch_plain(look, interval_s, click.echo)


def _print(dataset: str, began: float, found: dict[str, object]) -> None:
    elapsed = round(time.monotonic() - began, 3)
    click.echo(
        json.dumps({"dataset": dataset, "exit_code": 0, "elapsed_s": elapsed, **found, "findings": []})
    )
