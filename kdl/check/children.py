"""Runs ffprobe and ffmpeg on untrusted files: bounded in time, memory and output, gone with us.

Exit codes and output are handed back as they are; what they mean is the reader's business.
"""

from __future__ import annotations

import contextlib
import os
import resource
import select
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import IO

from kdl.check.limits import Limits
from kdl.errors import MachineError
from kdl.tether import tethered

_CRASHES = frozenset((signal.SIGSEGV, signal.SIGBUS, signal.SIGFPE, signal.SIGILL, signal.SIGABRT))


@dataclass(frozen=True, slots=True)
class Ended:
    """How a child ended, and what it wrote."""

    stdout: str
    """Bytes that are not UTF-8 replaced: tags in clips often are not."""
    stderr: str
    """Likewise."""
    timed_out: bool
    crashed: bool
    """Ended by a signal of its own making."""
    overflowed: bool
    """Ended for writing more than it may."""


def run_bounded(arguments: Sequence[str], seconds: float, limits: Limits) -> Ended:
    """Runs a command to its end, or to the end of ``seconds`` of wall-clock time.

    It runs in its own process group, which is killed as a whole; it reads nothing from the terminal;
    on Linux it dies with the thread that called this. Raises ToolMissing if there is no such program,
    and MachineError if something on this machine killed it.
    """
    environment = {name: value for name, value in os.environ.items() if name != "FFREPORT"}
    environment["AV_LOG_FORCE_NOCOLOR"] = "1"
    with _scratch() as stdout, _scratch() as stderr:
        with tethered(
            arguments, stdout=stdout, stderr=stderr, environment=environment, bound=_bounds(limits)
        ) as child:
            timed_out = not _ends_within(child, seconds)
        ended_by = -child.returncode
        overflowed = ended_by == signal.SIGXFSZ
        if ended_by > 0 and not (timed_out or overflowed or ended_by in _CRASHES):
            name = signal.Signals(ended_by).name
            raise MachineError(f"killed by {name}", subject=arguments[0], fix="look for a shortage of memory")
        return Ended(_text(stdout), _text(stderr), timed_out, ended_by in _CRASHES, overflowed)


def _scratch() -> IO[bytes]:
    """A file without a name. In memory where that can be: what a full disk swallows of the tool's words
    would be missing from what is known of the clip."""
    if sys.platform == "linux":
        return os.fdopen(os.memfd_create("kdl-check"), "w+b")
    return tempfile.TemporaryFile()


def _bounds(limits: Limits) -> Callable[[], None]:
    """What the child does to itself before it becomes the tool: no locks, no imports, system calls only."""

    def bound() -> None:
        if sys.platform == "linux":
            _lower(resource.RLIMIT_AS, limits.address_space)
        _lower(resource.RLIMIT_FSIZE, limits.output)
        _lower(resource.RLIMIT_CORE, 0)

    return bound


def _lower(kind: int, value: int) -> None:
    hard = resource.getrlimit(kind)[1]
    bound = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(kind, (bound, bound))


def _ends_within(child: subprocess.Popen[bytes], seconds: float) -> bool:
    if not hasattr(os, "pidfd_open"):
        with contextlib.suppress(subprocess.TimeoutExpired):
            child.wait(seconds)
        return child.returncode is not None
    # Popen.wait with a time limit looks only every 50 ms, which is what the tools take.
    descriptor = os.pidfd_open(child.pid)
    try:
        poll = select.poll()
        poll.register(descriptor, select.POLLIN)
        return bool(poll.poll(seconds * 1000))
    finally:
        os.close(descriptor)


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", errors="replace")
