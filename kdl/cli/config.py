"""``kdl config``."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kdl import api
from kdl.cli.options import dataset_argument, root_option

if TYPE_CHECKING:
    from kdl import Config


@click.command("config")
@dataset_argument
@root_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def command(ctx: click.Context, dataset: str, root: Path, as_json: bool) -> None:
    """What kdl.toml says, checked, and what holds where it is silent; it can stand in a kdl.toml."""
    began = time.monotonic()
    found = api.config(dataset, root=root)
    if as_json:
        tables = {name: {line.name: line.as_dict() for line in lines} for name, lines in found.tables.items()}
        told = {
            "dataset": found.dataset,
            "exit_code": 0,
            "elapsed_s": round(time.monotonic() - began, 3),
            "files": [{"path": str(path), "there": path.is_file()} for path in found.files],
            "config": tables,
            "findings": [],
        }
        click.echo(json.dumps(told))
    else:
        for text in _toml(found):
            click.echo(text)
    ctx.exit(0)


def _toml(found: Config) -> Iterator[str]:
    """The lines of a file that says the same."""
    for path in found.files:
        yield f"# {path}{'' if path.is_file() else ' (not there)'}"
    for name, lines in found.tables.items():
        yield ""
        yield f"[{name}]"
        for line in lines:
            # What JSON calls a text, a number, a truth or a list, TOML calls the same.
            value = json.dumps(line.value, ensure_ascii=False).replace("\x7f", "\\u007f")
            yield f"# {line.meaning}"
            yield f"{line.name} = {value}  # {line.source}"
