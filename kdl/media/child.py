"""One external program: bounded in time, its last words kept."""

from __future__ import annotations

import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from kdl.tether import tethered

TAIL = 64 * 1024
"""Bytes of stderr that are kept."""


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended."""

    returncode: int
    """Negative: the signal that ended it."""
    stderr_tail: str
    """The end of what it wrote, at most :data:`TAIL` bytes; undecodable bytes replaced."""
    timed_out: bool
    """It was ended at its time limit."""


def run_child(argv: Sequence[str], *, timeout: float) -> Finished:
    """Runs a program to its end, or for ``timeout`` seconds; its stdin is empty, its stdout dropped.

    Raises as :func:`kdl.tether.tethered` does.
    """
    deadline = time.monotonic() + timeout
    with tethered(argv, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE) as process:
        tail, timed_out = _read_tail(process, deadline)
    return Finished(process.returncode, tail.decode(errors="replace"), timed_out)


def _read_tail(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bool]:
    """The end of stderr, and whether the deadline came before the program's end."""
    assert process.stderr is not None
    tail = b""
    with process.stderr as stderr, selectors.DefaultSelector() as selector:
        selector.register(stderr, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(stderr.fileno(), TAIL)
            if not chunk:
                break
            tail = (tail + chunk)[-TAIL:]
            if time.monotonic() >= deadline:
                return tail, True
        else:
            return tail, True
    try:
        process.wait(max(0.0, deadline - time.monotonic()))
    except subprocess.TimeoutExpired:
        return tail, True
    return tail, False
