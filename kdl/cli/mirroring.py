"""What ``kdl mirror`` and ``kdl fetch`` share: their options, the dry run, the run."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from kdl import aio, api
from kdl.api.choices import CONNECTIONS, CUTS, HEIGHTS, JOBS, LEVELS, SOURCES, STYLES, VIDEOS
from kdl.cli import completing
from kdl.cli.options import (
    Rate,
    choice_options,
    executor_option,
    face_options,
    hwaccel_option,
    ledger_option,
    options_of,
    prober_option,
    root_option,
    stall_option,
    tries_option,
    watchdog_option,
    workers_option,
)
from kdl.cli.running import run_verb
from kdl.cli.torrenting import torrent_options
from kdl.settings import VIDEO_HEIGHT, VIDEO_SLEEP_S


def mirror_options(*, fetch_only: bool) -> Callable[[Any], Any]:
    """The options of ``fetch``, and with ``fetch_only`` unset those of ``mirror``."""
    shared = [
        root_option,
        choice_options,
        click.option(
            "--shard",
            "shards",
            multiple=True,
            metavar="PATTERN",
            help="Only shards of this name, e.g. 'part_1*'; repeatable.",
        ),
        click.option(
            "--limit",
            type=click.IntRange(1),
            metavar="N",
            help="At the most N shards; with --source youtube, N clips.",
        ),
        click.option("--dry-run", is_flag=True, help="Show the plan; nothing is written."),
        click.option(
            "--origin",
            "origins",
            multiple=True,
            metavar="URL",
            help="Fetch from here instead of the manifest's own host: a URL, a folder or "
            "s3://BUCKET/PREFIX; repeatable, tried in order; "
            "`default` is the manifest's own; "
            "HOST=URL where it has several.",
        ),
        click.option(
            "--jobs",
            type=click.IntRange(*JOBS),
            default=4,
            show_default=True,
            help="Shards fetched at a time.",
        ),
        click.option(
            "--limit-rate",
            type=Rate(),
            metavar="RATE",
            help="Bytes a second for all transfers together, e.g. 50M; or by the time of day, "
            "e.g. '08:00,20M 20:00,off'.",
        ),
        click.option(
            "--connections-per-file",
            type=click.IntRange(*CONNECTIONS),
            default=1,
            show_default=True,
            metavar="N",
            help="Fetch a large archive over so many connections: where one alone is slow.",
        ),
        tries_option,
        stall_option,
        executor_option,
        watchdog_option,
        click.option(
            "--no-spool",
            "spool",
            flag_value=False,
            default=True,
            type=bool,
            help="Keep no archive bytes on disk: less room, but a killed run starts its shards afresh.",
        ),
        click.option("--keep-archives", is_flag=True, help="Keep the archives, under archives/."),
        click.option(
            "--no-index",
            "index",
            flag_value=False,
            default=True,
            type=bool,
            help="Keep no seek index of large shards: a repair then reads whole shards again.",
        ),
        click.option(
            "--index",
            "index_file",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="With --class: seek indexes that somebody else has exported; of shards that mix classes "
            "only the wanted clips are fetched.",
        ),
        click.option(
            "--class-style",
            type=click.Choice(STYLES),
            help="How class folders are named; chosen once for a mirror.",
        ),
        click.option("--force", is_flag=True, help="Start even if the disk seems too small."),
        click.option(
            "--strict", is_flag=True, help="Count short, unlisted and never hosted clips as failures."
        ),
        torrent_options,
        ledger_option,
        face_options,
    ]
    more = [
        workers_option,
        click.option(
            "--level",
            type=click.Choice(LEVELS),
            default="probe",
            show_default=True,
            help="How deep clips are checked.",
        ),
        prober_option,
        click.option(
            "--recipe",
            "recipes",
            shell_complete=completing.recipes,
            multiple=True,
            metavar="NAME|FILE:NAME",
            help="Make this derivative as well; repeatable.",
        ),
        click.option(
            "--derived",
            type=click.Path(path_type=Path, file_okay=False),
            help="Put derivatives on this disk.",
        ),
        hwaccel_option,
        click.option(
            "--retry-failed",
            is_flag=True,
            help="Try derivatives again that failed before, and ask again for videos that were refused.",
        ),
        click.option(
            "--source",
            type=click.Choice(SOURCES),
            default="shards",
            show_default=True,
            help="Where clips come from: the hosted archives, or the videos that they were cut out of.",
        ),
        click.option(
            "--fill-missing",
            is_flag=True,
            help="After the shards, ask YouTube for the clips that none of them can bring.",
        ),
        click.option(
            "--max-height",
            type=click.IntRange(*HEIGHTS),
            default=VIDEO_HEIGHT,
            show_default=True,
            metavar="LINES",
            help="Of YouTube's formats take the best whose shorter side has no more.",
        ),
        click.option(
            "--cut",
            type=click.Choice(CUTS),
            default="exact",
            show_default=True,
            help="Encode what is cut out of a video anew, to the picture; or copy it from a key frame on.",
        ),
        click.option(
            "--sleep",
            "sleep_s",
            type=click.FloatRange(0),
            default=VIDEO_SLEEP_S,
            show_default=True,
            metavar="SECONDS",
            help="Between two videos from YouTube.",
        ),
        click.option(
            "--cookies",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Ask YouTube as who wrote these: a browser's cookies, in Netscape's format.",
        ),
        click.option(
            "--youtube-jobs",
            type=click.IntRange(*VIDEOS),
            default=1,
            show_default=True,
            metavar="N",
            help="Videos asked for at a time.",
        ),
    ]

    def decorate(function: Any) -> Any:
        for option in reversed(shared if fetch_only else [*shared[:-2], *more, *shared[-2:]]):
            function = option(function)
        return function

    return decorate


def run_mirror(
    verb: str,
    *,
    dataset: str,
    dry_run: bool,
    as_json: bool,
    quiet: bool,
    log_json: Path | None,
    **options: Any,
) -> int:
    """Run the verb, or show its plan; the exit code."""
    if dry_run:
        return _show_plan(dataset, options, as_json=as_json)
    bring = aio.mirror if verb == "mirror" else aio.fetch_only
    return run_verb(
        lambda bus: bring(dataset, **options, on_event=bus),
        dataset=dataset,
        as_json=as_json,
        quiet=quiet,
        log_json=log_json,
        moves_bytes=True,
    )


def _show_plan(dataset: str, options: dict[str, Any], *, as_json: bool) -> int:
    from kdl.ui.consoles import console_on
    from kdl.ui.tables import render_plan

    began = time.monotonic()
    plan = api.plan(dataset, **options_of(api.plan, options))
    if as_json:
        result = {
            "dataset": plan.dataset,
            "exit_code": plan.exit_code,
            "elapsed_s": round(time.monotonic() - began, 3),
            "findings": [finding.as_dict() for finding in plan.findings],
            "plan": plan.as_dict(),
        }
        sys.stdout.write(json.dumps(result) + "\n")
    else:
        console_on(sys.stdout).print(render_plan(plan.as_dict()))
    return plan.exit_code
