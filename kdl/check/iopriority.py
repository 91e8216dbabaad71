"""Letting others have the disk first."""

from __future__ import annotations

import ctypes
import os
import sys

_IDLE = 3 << 13
"""ioprio_set(2): served when nobody else wants the disk."""
_WHO_PROCESS = 1
_CALLS = {"x86_64": 251, "aarch64": 30, "riscv64": 30, "ppc64le": 273, "s390x": 282}
"""The system call's number; the C library has no function for it."""


def idle_io() -> bool:
    """Give this thread, and whatever it starts from now on, the lowest priority at the disk.

    False where the system has no such thing, or does not allow it. How much it does is for the disk's
    scheduler to say.
    """
    number = _CALLS.get(os.uname().machine)
    if sys.platform != "linux" or number is None:
        return False
    libc = ctypes.CDLL(None)
    return bool(libc.syscall(number, _WHO_PROCESS, 0, _IDLE) == 0)
