"""One external program: bounded in time, its last words kept."""

from __future__ import annotations

import contextlib
import os
import selectors
import subprocess
import time
from collections.abc import Sequence
from dataclasses import dataclass

from kdl.tether import tethered

TAIL = 64 * 1024
"""Bytes of stderr that are kept."""


class Deadline:
    """So many seconds from now on."""

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._end = time.monotonic() + seconds

    @property
    def left(self) -> float:
        """Seconds, none of them negative."""
        return max(0.0, self._end - time.monotonic())

    def __str__(self) -> str:
        return f"its time limit of {self._seconds:g} s"


@dataclass(frozen=True, slots=True)
class Finished:
    """How a program ended."""

    returncode: int
    """Negative: the signal that ended it."""
    stderr_tail: str
    """The end of what it wrote, at most :data:`TAIL` bytes; undecodable bytes replaced."""
    timed_out: bool
    """It was ended at its time limit."""


def run_child(
    argv: Sequence[str], *, timeout: float, hand_over: Sequence[int] = (), talks_on_stdout: bool = False
) -> Finished:
    """Runs a program to its end, or for ``timeout`` seconds; its stdin is empty, its stdout dropped.

    With ``talks_on_stdout`` what it writes there counts as written to stderr.

    The file descriptors to ``hand_over`` are open in it, and closed here: they are the program's
    alone, so that its end is seen at the other ends of its pipes. Raises as
    :func:`kdl.tether.tethered` does.
    """
    deadline = time.monotonic() + timeout
    ours = contextlib.ExitStack()
    for fd in hand_over:
        ours.callback(os.close, fd)
    nowhere, pipe = subprocess.DEVNULL, subprocess.PIPE
    out, err = (pipe, subprocess.STDOUT) if talks_on_stdout else (nowhere, pipe)
    with ours, tethered(argv, stdout=out, stderr=err, pass_fds=hand_over) as process:
        ours.close()
        tail, timed_out = _read_tail(process, deadline)
    return Finished(process.returncode, tail.decode(errors="replace"), timed_out)


def _read_tail(process: subprocess.Popen[bytes], deadline: float) -> tuple[bytes, bool]:
    """The end of what it said, and whether the deadline came before the program's end."""
    stream = process.stderr or process.stdout
    assert stream is not None
    tail = b""
    with stream, selectors.DefaultSelector() as selector:
        selector.register(stream, selectors.EVENT_READ)
        while selector.select(max(0.0, deadline - time.monotonic())):
            chunk = os.read(stream.fileno(), TAIL)
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
