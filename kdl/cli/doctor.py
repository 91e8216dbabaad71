"""``kdl doctor``."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path

import click

from kdl import api
from kdl.cli.options import root_option


@click.command("doctor")
@root_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def command(ctx: click.Context, root: Path, as_json: bool) -> None:
    """What is missing on this machine, and how to get it."""
    began = time.monotonic()
    found = api.doctor(root=root)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "dataset": "",
                    "exit_code": found.exit_code,
                    "elapsed_s": round(time.monotonic() - began, 3),
                    "checks": [dataclasses.asdict(check) for check in found.checks],
                    "findings": [finding.as_dict() for finding in found.findings],
                }
            )
        )
    else:
        from kdl.ui.consoles import console_on
        from kdl.ui.tables import render_doctor

        console_on(sys.stdout).print(render_doctor(found.checks))
    ctx.exit(found.exit_code)
