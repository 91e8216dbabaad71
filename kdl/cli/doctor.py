"""``kdl doctor``."""

from __future__ import annotations

import dataclasses
import json
import sys
import time
from pathlib import Path

import click

from kdl.cli.options import root_option


@click.command("doctor")
@root_option
@click.option("--json", "as_json", is_flag=True, help="One JSON object on stdout.")
@click.pass_context
def command(ctx: click.Context, root: Path, as_json: bool) -> None:
    """What is missing on this machine, and how to get it."""
    from kdl.jobs.doctor import diagnose, exit_code, findings

    began = time.monotonic()
    checks = diagnose(root)
    code = exit_code(checks)
    if as_json:
        click.echo(
            json.dumps(
                {
                    "dataset": "",
                    "exit_code": code,
                    "elapsed_s": round(time.monotonic() - began, 3),
                    "checks": [dataclasses.asdict(check) for check in checks],
                    "findings": [finding.as_dict() for finding in findings(checks)],
                }
            )
        )
    else:
        from kdl.ui.consoles import console_on
        from kdl.ui.tables import render_doctor

        console_on(sys.stdout).print(render_doctor(checks))
    ctx.exit(code)
