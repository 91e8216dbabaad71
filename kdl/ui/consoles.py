"""Consoles that treat all text as text."""

from __future__ import annotations

from typing import IO

from rich.console import Console

from kdl.ui.streams import can_draw, enduring, is_terminal

PIPED_WIDTH = 120
"""Cells a table may be wide where there is no terminal to ask."""


def console_on(stream: IO[str]) -> Console:
    """A console that parses neither markup nor emoji codes, and guesses no colours.

    It moves the cursor and colours (``NO_COLOR`` honoured) where ``stream`` is a terminal that can;
    elsewhere it writes text alone. A reader that goes away (``| head``) is no error.
    """
    draws = can_draw(stream)
    return Console(
        file=enduring(stream),
        force_terminal=draws,
        color_system="auto" if draws else None,
        markup=False,
        emoji=False,
        highlight=False,
        width=None if is_terminal(stream) else PIPED_WIDTH,
    )
