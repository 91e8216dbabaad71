"""A kernel that refuses: errnos, waits and jumps of the clock under the real command, by ``faults.c``."""

from __future__ import annotations

import errno
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest


@dataclass(frozen=True)
class Faults:
    """The library that stands between a command and its kernel; its methods give an environment."""

    library: Path

    def failing(self, call: str, part: str, number: int, after: int = 0) -> dict[str, str]:
        """``call`` on a path with ``part`` in it fails with the errno, ``after`` calls that pass."""
        return self._under(KDL_FAULTS=f"{call} {part} {number} {after}")

    def slow(self, call: str, part: str, seconds: int, told: Path) -> dict[str, str]:
        """``call`` on such a path takes so much longer; ``told`` is a file once it has begun to."""
        return self._under(KDL_FAULTS=f"{call} {part} sleep={seconds}", KDL_WAITING=str(told))

    def jumping(self, after: float, seconds: int) -> dict[str, str]:
        """The wall clock is off by ``seconds`` from ``after`` seconds on, in every process."""
        return self._under(KDL_CLOCK=f"{after} {seconds}")

    def _under(self, **environment: str) -> dict[str, str]:
        return {"LD_PRELOAD": str(self.library), **environment}


def build_faults(folder: Path) -> Faults:
    """Compile the library, or skip the test where that can not be."""
    compiler = shutil.which("cc") or shutil.which("gcc")
    if sys.platform != "linux" or compiler is None:
        pytest.skip("faults are injected by a library for Linux, and there is no C compiler to build it")
    library = folder / "faults.so"
    source = Path(__file__).with_name("faults.c")
    build = (compiler, "-shared", "-fPIC", "-O1", "-o", library, source, "-ldl", "-lpthread")
    subprocess.run(build, check=True)
    tried = subprocess.run(
        [sys.executable, "-c", "import os; os.open('/dev/null', os.O_RDONLY)"],
        env=Faults(library).failing("open", "/dev/null", errno.EDQUOT),
        stderr=subprocess.PIPE,
        text=True,
    )
    if f"Errno {errno.EDQUOT}" not in tried.stderr:
        pytest.skip("this Python's system calls can not be stepped between")
    return Faults(library)
