"""What happens during a run, as values: jobs emit them, user interfaces and logs listen.

Library code never prints. Every event is a frozen dataclass; :func:`to_dict` gives the JSON form
that ``--log-json`` writes, one object a line with ``event`` and ``time`` (Unix seconds).
"""

from __future__ import annotations

import dataclasses
import re
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from kdl.values import Finding


@dataclass(frozen=True, slots=True)
class Event:
    """Base of all events."""


@dataclass(frozen=True, slots=True)
class RunStarted(Event):
    verb: str
    dataset: str
    root: str
    run_id: str


@dataclass(frozen=True, slots=True)
class PhaseStarted(Event):
    """A step of the run begins; ``name`` is for people: "link lists", "annotations", "shards" …"""

    name: str


@dataclass(frozen=True, slots=True)
class Planned(Event):
    """The amount of work is known: shards and bytes that this run will fetch."""

    shards: int
    shards_done: int
    """Shards of the selection that need nothing."""
    bytes_total: int


@dataclass(frozen=True, slots=True)
class TransferStarted(Event):
    """An object's bytes begin to flow. ``resumed`` of ``size`` bytes came from the spool."""

    name: str
    kind: str
    """``shard``, ``replacement``, ``annotation``, ``list`` or ``readme``."""
    split: str
    size: int | None
    resumed: int


@dataclass(frozen=True, slots=True)
class TransferProgress(Event):
    """At most a few times a second an object. ``received`` counts from byte 0, spool included."""

    name: str
    received: int


@dataclass(frozen=True, slots=True)
class SwarmProgress(Event):
    """A torrent brings many objects at a time, in pieces from all over: how far it is with those wanted."""

    name: str
    received: int
    size: int
    """Bytes of the files that are wanted by now."""
    peers: int
    """Connected at this moment."""
    speed: int
    """Bytes a second that come in."""


@dataclass(frozen=True, slots=True)
class TransferEnded(Event):
    """``state`` is done, failed, broken (whole at the host, unreadable) or cancelled."""

    name: str
    kind: str
    split: str
    state: str
    received: int
    fetched: int
    """Bytes that came over the network in this run."""
    clips: int
    seconds: float
    error: str = ""


@dataclass(frozen=True, slots=True)
class RetryScheduled(Event):
    """A request failed and is tried again after ``delay`` seconds."""

    subject: str
    reason: str
    delay: float
    attempt: int
    of: int
    cause: str
    """A word for programs: one of :class:`kdl.errors.RetryCause`."""


@dataclass(frozen=True, slots=True)
class ShardChanged(Event):
    """A shard is at the next step of its way; all of them together are its story."""

    name: str
    split: str
    state: str
    """queued, started, resumed, retried, unpacked, proved; then done, broken, failed or cancelled."""
    received: int
    """Bytes held, from the first on."""
    size: int | None
    """Bytes of the whole."""
    seconds: float
    """Since its turn came; 0 while it is queued."""
    detail: str
    """The cause of a retry, the proof, or why it is broken or failed."""


@dataclass(frozen=True, slots=True)
class JobsChanged(Event):
    """The host was found short of breath, or had time to recover: so many shards run at a time now."""

    jobs: int
    of: int
    """As many as were asked for."""
    reason: str


@dataclass(frozen=True, slots=True)
class CountsChanged(Event):
    """Clips of the selection by verdict, and clips ``replaced``."""

    clips: dict[str, int]


@dataclass(frozen=True, slots=True)
class StageProgress(Event):
    """How far a stage is; ``waiting`` counts what is ready for it and not finished.

    ``stage`` is ``check``, ``derive``, ``verify``, ``adopt`` or ``youtube``.
    """

    stage: str
    done: int
    failed: int
    waiting: int


@dataclass(frozen=True, slots=True)
class DiskLeft(Event):
    path: str
    free: int


@dataclass(frozen=True, slots=True)
class FindingRaised(Event):
    finding: Finding


@dataclass(frozen=True, slots=True)
class Noted(Event):
    """Something worth a line and nothing more."""

    text: str


@dataclass(frozen=True, slots=True)
class Interrupted(Event):
    """Somebody asked the run to end: it records what it has and does so."""

    signal: str
    """``SIGINT`` or ``SIGTERM``."""
    exit_code: int


@dataclass(frozen=True, slots=True)
class RunHung(Event):
    """Nothing has moved for too long: the run is being ended."""

    where: str
    exit_code: int


@dataclass(frozen=True, slots=True)
class RunEnded(Event):
    exit_code: int
    elapsed_s: float
    summary: dict[str, Any] = field(default_factory=dict)


Listener = Callable[[Event], None]


class Bus:
    """Hands each event to every listener, in order, in the caller's thread.

    Listeners must be quick and thread-safe: emitters live in the loop and in worker threads.
    """

    def __init__(self) -> None:
        self._listeners: list[Listener] = []

    def subscribe(self, listener: Listener) -> None:
        self._listeners.append(listener)

    def emit(self, event: Event) -> None:
        for listener in self._listeners:
            listener(event)


def event_name(event: type[Event] | Event) -> str:
    """``TransferStarted`` -> ``transfer_started``."""
    cls = event if isinstance(event, type) else type(event)
    return re.sub(r"(?<!^)(?=[A-Z])", "_", cls.__name__).lower()


def to_dict(event: Event) -> dict[str, Any]:
    """The event as JSON-ready values, with its name and the time."""
    return {"event": event_name(event), "time": round(time.time(), 3), **dataclasses.asdict(event)}


def from_dict(told: dict[str, Any]) -> Event:
    """The event of which :func:`to_dict` made ``told``. Raises KeyError and TypeError for anything else."""
    fields = {name: value for name, value in told.items() if name not in ("event", "time")}
    if "finding" in fields:
        fields["finding"] = Finding(**fields["finding"])
    return _BY_NAME[told["event"]](**fields)


_BY_NAME: dict[str, type[Event]] = {event_name(kind): kind for kind in Event.__subclasses__()}
