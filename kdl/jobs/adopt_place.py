"""Putting a file where the mirror wants it, so that nothing is ever overwritten."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from kdl.check.hashes import sha256_file
from kdl.jobs.run import Run

_NO_LINK = (errno.EXDEV, errno.EPERM, errno.EMLINK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EACCES)
"""Another file system, or one without hard links; too many of them; the kernel's guard on others' files."""


class InTheWay(Exception):
    """Another file has the place, and the ledger knows nothing of it."""


class Placer:
    """Brings files in by hard link or by copy, and moves the mirror's own."""

    def __init__(self, run: Run, *, copy: bool) -> None:
        self._run = run
        self._copy = copy
        self._told = False
        self.linked = 0
        self.copied = 0
        self.copied_bytes = 0

    def bring(self, source: Path, home: Path, sha256: str) -> None:
        """Let the user's file ``source``, of this digest, be at ``home`` as well.

        A link is made where one can be had, unless copies are asked for; a symbolic link is followed.
        Raises InTheWay, OSError.
        """
        home.parent.mkdir(parents=True, exist_ok=True)
        if self._there(source, home, sha256):
            return
        if not self._copy:
            try:
                os.link(os.path.realpath(source), home)
                self.linked += 1
                return
            except OSError as error:
                if error.errno not in _NO_LINK:
                    raise
                self._tell(error)
        temp = self._run.tmp / f"adopt-{home.name}"
        shutil.copyfile(source, temp)
        shutil.copystat(source, temp)
        temp.chmod(0o666 & ~_umask())
        temp.replace(home)
        self.copied += 1
        self.copied_bytes += home.stat().st_size

    def move(self, source: Path, home: Path, sha256: str) -> None:
        """Bring a file of the mirror's own to its place. Raises InTheWay, OSError."""
        home.parent.mkdir(parents=True, exist_ok=True)
        if source == home:
            return
        if self._there(source, home, sha256):
            source.unlink()
        else:
            source.replace(home)

    def _there(self, source: Path, home: Path, sha256: str) -> bool:
        """Whether the same bytes have the place already, as a killed run leaves them. Raises InTheWay."""
        if not home.exists():
            return False
        if source.samefile(home):
            return True
        if home.stat().st_size == source.stat().st_size and sha256_file(str(home)) == sha256:
            return True
        raise InTheWay

    def _tell(self, error: OSError) -> None:
        if not self._told:
            self._told = True
            self._run.note(
                f"no hard link can be had here ({error.strerror}): the clips are copied, and take room twice"
            )


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
