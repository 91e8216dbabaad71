"""An error as people and programs read it. Needs no rich, so that it works before anything else does."""

from __future__ import annotations

import json as json_
import sys
from typing import IO

from kdl.errors import KdlError
from kdl.ui.streams import enduring, is_terminal
from kdl.ui.text import safe
from kdl.values import Finding, RunSummary


def error_summary(error: KdlError, *, dataset: str = "", elapsed_s: float = 0.0) -> RunSummary:
    """The result of a verb that ended with ``error``: its one finding."""
    finding = Finding(kind=error.kind, subject=error.subject, detail=error.message, fix=error.fix)
    return RunSummary(dataset, error.exit_code, elapsed_s, (finding,))


def error_lines(error: KdlError) -> list[str]:
    """``error: <subject>: <message>`` and, where there is a way out, ``try: <fix>``."""
    lines = [f"error: {safe(error)}"]
    return [*lines, f"try: {safe(error.fix)}"] if error.fix else lines


def print_error(error: KdlError, err: IO[str]) -> None:
    enduring(err).write("\n".join(error_lines(error)) + "\n")


def render_error(
    error: KdlError,
    *,
    json: bool = False,
    dataset: str = "",
    elapsed_s: float = 0.0,
    out: IO[str] | None = None,
    err: IO[str] | None = None,
) -> None:
    """Prints an error that came before a UI was there, as that UI would have.

    Lines go to ``err`` (default stderr). With ``json`` the result object goes to ``out`` (default
    stdout) and the lines only to a terminal.
    """
    out, err = out or sys.stdout, err or sys.stderr
    if not json or is_terminal(err):
        print_error(error, err)
    if json:
        out.write(json_.dumps(error_summary(error, dataset=dataset, elapsed_s=elapsed_s).as_dict()) + "\n")
        out.flush()
