"""Programs that end with whoever started them.

A program started here runs in a session of its own, so that the terminal's Ctrl-C passes it by, and
ends with the process that started it: on Linux by the kernel (``PR_SET_PDEATHSIG``, prctl(2)), else
by :func:`end_children`, which an ending worker calls.
"""

from __future__ import annotations

import contextlib
import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import IO

from kdl.errors import ToolMissing

_PR_SET_PDEATHSIG = 1
_libc = ctypes.CDLL(None) if sys.platform == "linux" else None
_running: set[int] = set()


@contextlib.contextmanager
def tethered(
    argv: Sequence[str],
    *,
    stdout: int | IO[bytes],
    stderr: int | IO[bytes],
    environment: Mapping[str, str] | None = None,
    bound: Callable[[], None] | None = None,
    pass_fds: Sequence[int] = (),
) -> Iterator[subprocess.Popen[bytes]]:
    """A running program with an empty stdin; killed with all of its group, and waited for, at the end.

    ``bound`` runs in the child before it becomes the program: system calls only, nothing that takes a
    lock. ``pass_fds`` stay open in it, under their numbers. Call it from a thread that lives as long as
    the program: the kernel takes a thread's end for its parent's. Raises ToolMissing if there is no such
    program.
    """
    parent = os.getpid()

    def begin() -> None:
        die_with_parent()
        if os.getppid() != parent:  # it ended before the call above
            os._exit(1)
        if bound is not None:
            bound()

    try:
        process = subprocess.Popen(
            argv,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=environment,
            start_new_session=True,
            preexec_fn=begin,
            pass_fds=pass_fds,
        )
    except FileNotFoundError:
        raise ToolMissing(
            "not found on the PATH",
            subject=argv[0],
            fix="install ffmpeg, which brings ffprobe: apt install ffmpeg, conda install ffmpeg",
        ) from None
    _running.add(process.pid)
    try:
        yield process
    finally:
        _kill_group(process.pid)
        process.wait()
        _running.discard(process.pid)


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


def outlive_parent() -> None:
    """Takes :func:`die_with_parent` back: for who learns of its parent's end by itself, and has programs of
    its own to take along.
    """
    if _libc is not None:
        _libc.prctl(_PR_SET_PDEATHSIG, 0)


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
