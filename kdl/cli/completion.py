"""``kdl completion``."""

from __future__ import annotations

import click
from click.shell_completion import get_completion_class

from kdl.errors import UsageError

SHELLS = ("bash", "zsh", "fish")


@click.command("completion")
@click.argument("shell", type=click.Choice(SHELLS))
@click.pass_context
def command(ctx: click.Context, shell: str) -> None:
    """Print the script that lets SHELL complete verbs, options, datasets, splits, classes and recipes.

    For bash, in ~/.bashrc: `source <(kdl completion bash)`.
    """
    found = get_completion_class(shell)
    if found is None:
        raise UsageError("click knows no completion for it", subject=shell)
    click.echo(found(ctx.find_root().command, {}, "kdl", "_KDL_COMPLETE").source())
