"""Runs ffprobe and ffmpeg on untrusted files: bounded in time, memory and output, gone with us.

Exit codes and output are handed back as they are; what they mean is the reader's business.
"""

from __future__ import annotations

import contextlib
import ctypes
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
from kdl.errors import MachineError, ToolMissing

_PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None, use_errno=True) if sys.platform == "linux" else None
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
    with tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
        child = _start(arguments, stdout, stderr, limits)
        try:
            timed_out = not _ends_within(child, seconds)
        finally:
            _end(child)
        ended_by = -child.returncode
        overflowed = ended_by == signal.SIGXFSZ
        if ended_by > 0 and not (timed_out or overflowed or ended_by in _CRASHES):
            name = signal.Signals(ended_by).name
            raise MachineError(f"killed by {name}", subject=arguments[0], fix="look for a shortage of memory")
        return Ended(_text(stdout), _text(stderr), timed_out, ended_by in _CRASHES, overflowed)


def _start(
    arguments: Sequence[str], stdout: IO[bytes], stderr: IO[bytes], limits: Limits
) -> subprocess.Popen[bytes]:
    environment = {name: value for name, value in os.environ.items() if name != "FFREPORT"}
    environment["AV_LOG_FORCE_NOCOLOR"] = "1"
    try:
        return subprocess.Popen(
            arguments,
            stdin=subprocess.DEVNULL,
            stdout=stdout,
            stderr=stderr,
            env=environment,
            process_group=0,
            preexec_fn=_bounds(limits),
        )
    except FileNotFoundError as error:
        raise ToolMissing(
            "not found on the PATH",
            subject=arguments[0],
            fix="install ffmpeg, which brings ffprobe: apt install ffmpeg, conda install ffmpeg",
        ) from error


def _bounds(limits: Limits) -> Callable[[], None]:
    """What the child does to itself before it becomes the tool: no locks, no imports, system calls only."""
    parent = os.getpid()

    def bound() -> None:
        if _LIBC is not None:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != parent:  # it ended before the call above
                os._exit(1)
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


def _end(child: subprocess.Popen[bytes]) -> None:
    """Kills what is left of the child's group and waits for the child."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(child.pid, signal.SIGKILL)
    child.wait()


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode("utf-8", errors="replace")
