"""How the C library keeps the memory that buffers of a megabyte come from."""

from __future__ import annotations

import ctypes

from kdl.settings import MIB

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of glibc's mallopt(3)."""


def keep_freed_buffers() -> None:
    """Has glibc keep up to 64 MiB of what was freed, in place of giving it back to the kernel at once.

    By default each large buffer is mapped, its pages faulted in one by one, and unmapped: a tenth of
    all that `kdl fetch` computes. Other C libraries have no such call; there nothing happens.
    """
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, 32 * MIB)
        libc.mallopt(_M_TRIM_THRESHOLD, 64 * MIB)
