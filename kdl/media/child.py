"""One external program: started, bounded in time, its last words kept, always waited for.

A program started here runs in a session of its own, so that the terminal's Ctrl-C passes it by, and
ends with the process that started it: on Linux by the kernel (``PR_SET_PDEATHSIG``, prctl(2)), else
by :func:`end_children`, which an ending worker calls.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from dataclasses import dataclass

from kdl.errors import ToolMissing

TAIL = 64 * 1024
"""Bytes of stderr that are kept."""

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_running: set[int] = set()


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

    Call it from a thread that lives as long as the process: the kernel takes a thread's end for its
    parent's. Raises ToolMissing if there is no such program.
    """
    deadline = time.monotonic() + timeout
    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            start_new_session=True,
            preexec_fn=_Tether(os.getpid()),
        )
    except FileNotFoundError:
        raise ToolMissing(
            "not found on this machine", subject=argv[0], fix=f"install {argv[0]} and see `kdl doctor`"
        ) from None
    _running.add(process.pid)
    try:
        tail, timed_out = _read_tail(process, deadline)
    finally:
        _kill_group(process.pid)
        process.wait()
        _running.discard(process.pid)
    return Finished(process.returncode, tail.decode(errors="replace"), timed_out)


def end_children() -> None:
    """Kills, with their groups, the programs that this process runs, and waits for them."""
    for pid in tuple(_running):
        _kill_group(pid)
        with contextlib.suppress(ChildProcessError):  # its own thread was quicker
            os.waitpid(pid, 0)


def die_with_parent() -> None:
    """Asks the kernel for a SIGKILL when the thread that started this process ends; Linux only."""
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


class _Tether:
    """Runs in the child between fork and exec: nothing here may take a lock."""

    def __init__(self, parent: int) -> None:
        self._parent = parent

    def __call__(self) -> None:
        die_with_parent()
        if os.getppid() != self._parent:
            os._exit(1)


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


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
