"""Which face a run has."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import IO

from kdl.ui.eventlog import LoggedUI
from kdl.ui.faces import UI, JsonUI, QuietUI
from kdl.ui.live import LiveUI
from kdl.ui.plain import PlainUI
from kdl.ui.streams import can_draw, enduring, is_terminal


def make_ui(
    *,
    json: bool = False,
    quiet: bool = False,
    stream: IO[str] | None = None,
    err: IO[str] | None = None,
    log_json: Path | None = None,
) -> UI:
    """The face that the options and the streams ask for; ``stream`` is stdout if not given, ``err`` stderr.

    ``json``: one object on ``stream`` at the end, and lines for people on ``err`` if that is a
    terminal and ``quiet`` is not asked. ``quiet``: findings and errors on ``err``. Else live where
    ``stream`` is a terminal that can be drawn on, and plain lines where it is not.
    Raises MachineError if ``log_json`` can not be opened.
    """
    out, err = stream or sys.stdout, err or sys.stderr
    ui = _json(out, err, quiet) if json else _human(enduring(out), enduring(err), quiet)
    return LoggedUI(ui, log_json, err) if log_json else ui


def _json(out: IO[str], err: IO[str], quiet: bool) -> UI:
    people = None if quiet or not is_terminal(err) else PlainUI(enduring(err), enduring(err))
    return JsonUI(out, people)


def _human(out: IO[str], err: IO[str], quiet: bool) -> UI:
    if quiet:
        return QuietUI(err)
    return LiveUI(out, err) if can_draw(out) else PlainUI(out, err)
