"""The ``kdl`` command. Verbs are loaded when they are called, so that ``--help`` is quick."""

from __future__ import annotations

import os
import sys
import time
from importlib import import_module
from typing import Any

import click

from kdl import __version__
from kdl.diskerrors import disk_error
from kdl.errors import EXIT_CODES, KdlError
from kdl.ui.errors import render_error
from kdl.ui.streams import buffered

VERBS = {
    "mirror": "Bring a dataset here: fetched, verified, repaired, resized and listed.",
    "fetch": "The first half of mirror: annotations, shards, clips and their hashes.",
    "adopt": "Take in clips and archives that are here already, or rebuild a lost ledger.",
    "verify": "Look whether what the ledger says is still true of the disk.",
    "repair": "Mend bad and missing clips, reading no more of a shard than is needed.",
    "nightly": "Look at a part of the mirror, mend what is bad, report; in one run.",
    "derive": "Make resized videos and frames of the clips that are here.",
    "pack": "Put clips or derivatives into shards for sequential reading.",
    "lists": "Write the lists that trainers read.",
    "export": "One row a clip: csv, jsonl, parquet or sha256sums.",
    "annotations": "Who lists which clips, where the lists differ, what two datasets share.",
    "status": "What a run is doing, and what the ledger knows.",
    "report": "One HTML page: is the mirror sound, and what is to be done.",
    "datasets": "The datasets kdl knows, with clips, shards, sizes and sources.",
    "manifest": "Manifests of your own: `kdl manifest init` writes a first one.",
    "config": "What kdl.toml says of a mirror, checked, and the defaults beside it.",
    "completion": "The script that lets bash, zsh or fish complete all this.",
    "doctor": "What is missing on this machine, and how to get it.",
    "demo": "Make a small dataset, serve it on loopback and mirror it.",
}
EPILOG = "Exit codes:\n\n\b\n" + "\n".join(f"{code:>3}  {meaning}" for code, meaning in EXIT_CODES.items())


class Verbs(click.Group):
    """A group that imports ``kdl.cli.<verb>`` only when the verb is called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in VERBS:
            return None
        command: click.Command = import_module(f"kdl.cli.{cmd_name}").command
        command.epilog = EPILOG
        return command

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except BrokenPipeError:  # click would call it a failure
            _hang_up()
            return 0

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Verbs"):
            formatter.write_dl(list(VERBS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        name = args[0] if args else ""
        if name and not name.startswith("-") and name not in VERBS:
            from difflib import get_close_matches

            near = get_close_matches(name, VERBS, n=1)
            hint = f"; did you mean {near[0]!r}?" if near else f"; there is {', '.join(VERBS)}"
            raise click.UsageError(f"no such verb {name!r}{hint}")
        return super().resolve_command(ctx, args)


@click.group(
    cls=Verbs,
    epilog=EPILOG,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(__version__, prog_name="kdl")
def kdl() -> None:
    """Mirrors the Kinetics video datasets.

    From link lists to verified, repaired, resized clips, and the lists that trainers read:

        kdl mirror k400 --root /data/kinetics
    """


def main() -> None:
    """Run the command line and leave with its exit code."""
    began = time.monotonic()
    sys.stdout = buffered(sys.stdout)
    try:
        code = kdl.main(prog_name="kdl", standalone_mode=False)
    except click.exceptions.Exit as leave:
        code = leave.exit_code
    except click.exceptions.Abort:
        code = 130
    except click.ClickException as error:
        _usage(error)
        code = 2
    except (KdlError, OSError) as error:
        known = error if isinstance(error, KdlError) else disk_error(error)
        render_error(known, json="--json" in sys.argv, dataset=_dataset(), elapsed_s=time.monotonic() - began)
        code = known.exit_code
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        _hang_up()
    sys.exit(code if isinstance(code, int) else 0)


def _hang_up() -> None:
    """Whoever read us is satisfied; nothing more can be said on that pipe."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _usage(error: click.ClickException) -> None:
    if "--json" in sys.argv:
        from kdl.errors import UsageError

        context = error.ctx if isinstance(error, click.UsageError) else None
        path = context.command_path if context else "kdl"
        known = UsageError(error.format_message(), subject=path, fix=f"{path} --help")
        render_error(known, json=True, dataset=_dataset())
    else:
        error.show()


def _dataset() -> str:
    """The dataset that was asked for, as far as the arguments tell."""
    words = [word for word in sys.argv[2:] if not word.startswith("-")]
    return words[0] if words else ""
