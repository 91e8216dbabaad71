"""How memory is kept while a run moves bytes."""

from __future__ import annotations

import ctypes
import gc

from kdl.settings import MIB

_M_TRIM_THRESHOLD, _M_MMAP_THRESHOLD = -1, -3
"""Of glibc's mallopt(3)."""


def prepare_heap() -> None:
    """Has freed buffers kept, and what is there already left alone; to be called once all is imported.

    By default glibc maps each large buffer, the kernel faults its pages in one by one, and unmaps it when
    it is freed: a tenth of all that `kdl fetch` computes. Now up to 64 MiB of what was freed are kept;
    other C libraries have no such call. And no garbage collection walks over the modules any more.
    """
    gc.freeze()
    libc = ctypes.CDLL(None)
    if hasattr(libc, "mallopt"):
        libc.mallopt(_M_MMAP_THRESHOLD, 32 * MIB)
        libc.mallopt(_M_TRIM_THRESHOLD, 64 * MIB)
