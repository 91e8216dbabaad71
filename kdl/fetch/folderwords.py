"""What the file system says against reading a file, in plain words and with what to do next."""

from __future__ import annotations

import errno
import shlex
import stat as modes
from http import HTTPStatus
from pathlib import Path

from kdl.errors import FetchError, PermanentError, RetryCause, TransientError

CHECK_MOUNT = "look at the mount (findmnt, dmesg), mount it anew, or name another --origin; then run again"
_CHECK_DISK = "look at the disk (dmesg, smartctl), or name another --origin; then run again"
_GONE = frozenset(
    {errno.ESTALE, errno.ENOTCONN, errno.ENODEV, errno.ENXIO, errno.EHOSTDOWN, errno.EHOSTUNREACH}
    | {errno.ETIMEDOUT, errno.ENETDOWN, errno.ENETUNREACH, errno.ECONNREFUSED, errno.ECONNRESET}
)
"""What a mount says whose disk or server is not there any more."""
_FULL_TABLES = (errno.EMFILE, errno.ENFILE)
_BAD_NAMES = {
    errno.ENAMETOOLONG: "its name is too long for this file system",
    errno.ELOOP: "its links lead in a circle",
    errno.EINVAL: "its name is none for this file system",
}
_KINDS = (
    (modes.S_ISDIR, "a folder"),
    (modes.S_ISFIFO, "a pipe"),
    (modes.S_ISSOCK, "a socket"),
    (modes.S_ISCHR, "a device"),
    (modes.S_ISBLK, "a device"),
)


def file_error(url: str, path: Path, error: OSError) -> FetchError:
    """The error of a call about ``path``. Looks at the folders around it, so call it in a thread."""
    words = error.strerror or str(error)
    match error.errno:
        case errno.ENOENT:
            return _absent(url, path)
        case errno.ENOTDIR:
            words = "a file, where a folder should be"
            return PermanentError(words, subject=url, status=HTTPStatus.NOT_FOUND)
        case errno.EACCES | errno.EPERM:
            shown = shlex.quote(str(error.filename or path))
            fix = f"let this user read it: `namei -l {shown}` shows where it ends"
            return PermanentError("may not be read", subject=url, fix=fix, status=HTTPStatus.FORBIDDEN)
        case code if code in _BAD_NAMES:
            return PermanentError(_BAD_NAMES[code], subject=url, status=HTTPStatus.NOT_FOUND)
        case code if code in _GONE:
            words = f"the mount does not answer: {words}"
            return TransientError(words, subject=url, fix=CHECK_MOUNT, refused=True, cause=RetryCause.REFUSED)
        case code if code in _FULL_TABLES:
            words = "this machine has no file descriptor left"
            return TransientError(words, subject=url, cause=RetryCause.MACHINE)
        case _:
            words = f"can not be read: {words}"
            return TransientError(words, subject=url, fix=_CHECK_DISK, cause=RetryCause.RESET)


def misplaced(url: str, mode: int) -> PermanentError:
    """Of something that is no file, by its ``st_mode``."""
    kind = next((words for fits, words in _KINDS if fits(mode)), "something else")
    return PermanentError(f"{kind}, where a file should be", subject=url, status=HTTPStatus.NOT_FOUND)


def _absent(url: str, path: Path) -> PermanentError:
    """Nothing there: the file alone, its folder, or all that a disk held."""
    missing = path
    while not _is_there(missing.parent):
        missing = missing.parent
    words, fix = "no such file", ""
    if missing != path:
        words = f"no such file: there is no {missing}"
        fix = f"mount the disk that {missing} is on, or name another --origin; then run again"
    elif _is_empty(missing.parent):
        words = f"no such file: {missing.parent} is empty"
        fix = f"mount the disk of {missing.parent}, or name another --origin; then run again"
    return PermanentError(words, subject=url, fix=fix, status=HTTPStatus.NOT_FOUND)


def _is_there(folder: Path) -> bool:
    try:
        return folder.is_dir()
    except OSError:
        return False


def _is_empty(folder: Path) -> bool:
    try:
        return next(folder.iterdir(), None) is None
    except OSError:
        return False
