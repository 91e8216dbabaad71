"""Every error kdl raises on purpose, and the exit code each ends with.

::

    KdlError                        1
    ├── UsageError                  2   the command line
    │   └── ManifestError           2   file, key, reason
    ├── MachineError                3   this machine
    │   ├── ToolMissing             3   ffmpeg, ffprobe, an encoder, an extra
    │   ├── DiskFull                3
    │   ├── LockHeld                3   another run has the mirror
    │   ├── LedgerError             3   unreadable, or from a newer kdl
    │   ├── ClusterError            3   the machines of --executor
    │   └── Hung                    3   nothing moved any more; 4 where it was the network
    ├── FetchError                  4   an object given up
    │   ├── TransientError          4   worth another try
    │   │   └── SourceChanged       4   the object is another one than before
    │   └── PermanentError          4   403, 404, 410, a page in place of data: never retried
    ├── ArchiveError                1   the archive can not be read at all
    ├── MediaError                  1   ffmpeg failed on a clip
    └── WorkerLost                  1   a worker process crashed or ran out of time

Where several hold at the end of a run: 130/143, then 2, 3, 4, 1 (:func:`worst`).
"""

from __future__ import annotations

from collections.abc import Iterable
from enum import StrEnum

EXIT_CODES: dict[int, str] = {
    0: "all well (short, unlisted and never_hosted are reported and do not count, unless --strict)",
    1: "corrupt, missing or failed items remain",
    2: "wrong usage or manifest",
    3: "this machine: a tool missing, disk full, unusable root, lock held",
    4: "an object was given up for network reasons",
    130: "interrupted (SIGINT)",
    143: "terminated (SIGTERM)",
}
_PRECEDENCE = (130, 143, 2, 3, 4, 1, 0)


def worst(codes: Iterable[int]) -> int:
    """The exit code to end with where several hold; 0 for none."""
    found = set(codes)
    return next((code for code in _PRECEDENCE if code in found), 0)


class KdlError(Exception):
    """Base of all: a message for a person, and the next command where one helps.

    ``subject`` names the thing (a file, a URL, a class), ``fix`` the way out.
    """

    exit_code = 1
    kind = "failed"

    def __init__(self, message: str, *, subject: str = "", fix: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.subject = subject
        self.fix = fix

    def __str__(self) -> str:
        return f"{self.subject}: {self.message}" if self.subject else self.message

    def __reduce__(self) -> tuple[object, ...]:
        return (_rebuild, (type(self), self.message, dict(self.__dict__)))


def _rebuild(cls: type[KdlError], message: str, state: dict[str, object]) -> KdlError:
    error = cls.__new__(cls)
    Exception.__init__(error, message)
    error.__dict__.update(state)
    return error


class UsageError(KdlError):
    """The command line asks for something that is not there."""

    exit_code = 2
    kind = "usage"


class ManifestError(UsageError):
    """A manifest or recipe file is malformed; ``subject`` is the file, the message names the key."""

    kind = "manifest"


class MachineError(KdlError):
    """Something on this machine stands in the way."""

    exit_code = 3
    kind = "machine"


class ToolMissing(MachineError):
    """A program, an encoder or an optional package is not installed."""

    kind = "tool_missing"


class DiskFull(MachineError):
    """No room, before or during a run."""

    kind = "disk_full"


class LockHeld(MachineError):
    """Another run holds the mirror's lock."""

    kind = "lock_held"


class LedgerError(MachineError):
    """The ledger can not be used."""

    kind = "ledger"


class ClusterError(MachineError):
    """The cluster, or one of its workers, can not do the work."""

    kind = "cluster"


class RetryCause(StrEnum):
    """Why a request has to be made again, for programs; :func:`kdl.fetch.retry.cause_of` tells it."""

    DNS = "dns"
    """The host's name has no address."""
    REFUSED = "refused"
    """No connection came about: refused, unreachable, or not within the time limit."""
    TLS = "tls"
    PROXY = "proxy"
    """The proxy refuses, or is not there."""
    MACHINE = "machine"
    """This machine has no file descriptor left."""
    WORKER = "worker"
    """The worker of a cluster that had the shard was lost."""
    CLOSED = "closed"
    """The connection was closed before an answer."""
    RESET = "reset"
    """The connection broke."""
    STALL = "stall"
    """No byte came for the time that is borne."""
    TRUNCATED = "truncated"
    """The body ended before its end."""
    MALFORMED = "malformed"
    """The answer is no HTTP."""
    RANGE = "range"
    """Another part came than was asked for."""
    CHANGED = "changed"
    """The object is another one than before."""
    MISMATCH = "mismatch"
    """The bytes are not those of the host's digest."""
    DAMAGED = "damaged"
    """The archive is not whole, and nothing proves that the host has it so."""
    HTTP_408 = "http_408"
    HTTP_425 = "http_425"
    HTTP_429 = "http_429"
    HTTP_500 = "http_500"
    HTTP_502 = "http_502"
    HTTP_503 = "http_503"
    HTTP_504 = "http_504"
    HTTP_5XX = "http_5xx"
    """Any other status of the server's own failures."""
    OTHER = "other"


class Hung(MachineError):
    """Nothing moved for so long that the run was ended."""

    kind = "hung"

    def __init__(self, message: str, *, subject: str = "", fix: str = "", network: bool = False) -> None:
        super().__init__(message, subject=subject, fix=fix)
        self.exit_code = 4 if network else 3


class FetchError(KdlError):
    """An object could not be fetched. ``subject`` is its URL, ``status`` the HTTP status if any."""

    exit_code = 4
    kind = "object_failed"

    def __init__(
        self,
        message: str,
        *,
        subject: str = "",
        fix: str = "",
        status: int | None = None,
        retry_after: float | None = None,
        refused: bool = False,
        cause: RetryCause | None = None,
    ) -> None:
        super().__init__(message, subject=subject, fix=fix)
        self.status = status
        self.cause = cause
        """Where the status does not tell it."""
        self.retry_after = retry_after
        """Seconds the server asked us to wait."""
        self.refused = refused
        """The origin took no connection at all."""


class TransientError(FetchError):
    """Worth another try: connection errors, stalls, short bodies, 408, 429, 5xx, malformed answers."""


class SourceChanged(TransientError):
    """The object's identity (ETag, size) changed between requests: start it afresh."""


class PermanentError(FetchError):
    """Another try will not help: 401, 403, 404, 410, a page in place of data."""


class ArchiveError(KdlError):
    """What came is no archive that kdl can read."""

    kind = "archive"


class MediaError(KdlError):
    """ffmpeg failed; the message ends with its own last words."""

    kind = "media"


class WorkerLost(KdlError):
    """A worker process died (``crashed``) or was ended at its time limit."""

    kind = "worker_lost"

    def __init__(self, message: str, *, subject: str = "", fix: str = "", timed_out: bool = False) -> None:
        super().__init__(message, subject=subject, fix=fix)
        self.timed_out = timed_out
