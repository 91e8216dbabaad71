"""What a run is doing at this moment: a fold over its events.

:class:`RunState` turns the stream of :mod:`kdl.events` into one picture. The live terminal draws it,
:mod:`kdl.jobs.statusfile` publishes it, and ``kdl status`` reads it while another process runs.
"""

from __future__ import annotations

import os
import socket
import threading
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import singledispatchmethod
from typing import Any

from kdl import events
from kdl.values import Finding

SCHEMA = 1
"""Number of the snapshot's shape; a reader refuses what it does not know."""
RATE_WINDOW_S = 10.0
LAST_FINDINGS = 5
REASONS = 20
"""Reasons for retries told apart; what comes beyond is counted as "other"."""
_PLANNED_KINDS = ("shard", "replacement")


class Meter:
    """Bytes a second over the last :data:`RATE_WINDOW_S`, from samples half a second apart."""

    def __init__(self, start: float) -> None:
        self._samples: deque[tuple[float, int]] = deque([(start, 0)])
        self._total = 0

    def add(self, count: int, now: float) -> None:
        self._total += count
        if now - self._samples[-1][0] >= 0.5:
            self._samples.append((now, self._total))
            while len(self._samples) > 2 and now - self._samples[1][0] >= RATE_WINDOW_S:
                self._samples.popleft()

    def rate(self, now: float) -> float:
        """Bytes a second; falls to 0 while nothing comes."""
        window = now - RATE_WINDOW_S
        base_time, base = next((s for s in reversed(self._samples) if s[0] <= window), self._samples[0])
        span = now - base_time
        return (self._total - base) / max(span, 1.0)


@dataclass(slots=True)
class _Transfer:
    name: str
    kind: str
    split: str
    size: int | None
    resumed: int
    received: int
    fetched: int
    """Bytes over the network, of every attempt."""
    meter: Meter

    def snapshot(self, now: float) -> dict[str, Any]:
        return {
            "name": self.name,
            "kind": self.kind,
            "split": self.split,
            "received": self.received,
            "size": self.size,
            "resumed": self.resumed,
            "rate": round(self.meter.rate(now)),
        }


@dataclass(slots=True)
class _Wait:
    reason: str
    until: float
    """Unix seconds."""
    attempt: int
    of: int


@dataclass(slots=True)
class _Totals:
    """Counters that only grow."""

    fetched: int = 0
    """Bytes over the network, fetched twice counted twice."""
    planned_bytes: int | None = None
    planned_shards: int | None = None
    shards_done_before: int = 0
    retries: int = 0
    retry_reasons: dict[str, int] = field(default_factory=dict)
    retry_causes: dict[str, int] = field(default_factory=dict)
    findings: int = 0


class RunState:
    """The reducer. Every method may be called from any thread.

    A transfer's ``name`` identifies it within the run: two objects that are in flight together must
    not share one. ``clock`` gives Unix seconds, ``ticks`` seconds that never jump.
    """

    def __init__(
        self, *, clock: Callable[[], float] = time.time, ticks: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._ticks = ticks
        self._lock = threading.Lock()
        self._started = clock()
        self._run = events.RunStarted(verb="", dataset="", root="", run_id="")
        self._phase = ""
        self._totals = _Totals()
        self._meter = Meter(ticks())
        self._running: dict[str, _Transfer] = {}
        self._gained: dict[tuple[str, str], tuple[int, int]] = {}
        """(split, planned object) -> (bytes it had when first met, bytes it has)."""
        self._outcomes: dict[tuple[str, str], str] = {}
        """(split, shard) -> how its last transfer ended."""
        self._clips: dict[str, int] = {}
        self._stages: dict[str, dict[str, int]] = {}
        self._disks: dict[str, int] = {}
        self._waits: dict[str, _Wait] = {}
        self._last: deque[Finding] = deque(maxlen=LAST_FINDINGS)
        self._ended: tuple[float, int] | None = None

    @property
    def run_id(self) -> str:
        return self._run.run_id

    def apply(self, event: events.Event) -> None:
        """Folds one event in; events that change nothing here are ignored."""
        with self._lock:
            self._fold(event)

    @singledispatchmethod
    def _fold(self, event: events.Event) -> None:
        pass

    @_fold.register
    def _(self, event: events.RunStarted) -> None:
        self._run = event
        self._started = self._clock()

    @_fold.register
    def _(self, event: events.PhaseStarted) -> None:
        self._phase = event.name

    @_fold.register
    def _(self, event: events.Planned) -> None:
        self._totals.planned_bytes = event.bytes_total
        self._totals.planned_shards = event.shards
        self._totals.shards_done_before = event.shards_done

    @_fold.register
    def _(self, event: events.TransferStarted) -> None:
        self._waits.pop(event.name, None)
        before = self._running.get(event.name)
        self._running[event.name] = _Transfer(
            name=event.name,
            kind=event.kind,
            split=event.split,
            size=event.size,
            resumed=event.resumed,
            received=event.resumed,
            fetched=before.fetched if before else 0,
            meter=before.meter if before else Meter(self._ticks()),
        )
        if event.kind in _PLANNED_KINDS:
            key = (event.split, event.name)
            first, _ = self._gained.get(key, (event.resumed, 0))
            self._gained[key] = (first, event.resumed)

    @_fold.register
    def _(self, event: events.TransferProgress) -> None:
        transfer = self._running.get(event.name)
        if transfer is not None:
            self._waits.pop(event.name, None)
            self._advance(transfer, event.received)

    @_fold.register
    def _(self, event: events.TransferEnded) -> None:
        self._waits.pop(event.name, None)
        transfer = self._running.pop(event.name, None)
        counted = 0
        if transfer is not None:
            self._advance(transfer, event.received)
            counted = transfer.fetched
        self._totals.fetched += max(0, event.fetched - counted)
        if event.kind == "shard":
            self._outcomes[event.split, event.name] = event.state

    def _advance(self, transfer: _Transfer, received: int) -> None:
        """A transfer stands at ``received``; standing lower than before, it began afresh."""
        new = received - transfer.received if received >= transfer.received else received
        transfer.received = received
        transfer.resumed = min(transfer.resumed, received)
        transfer.fetched += new
        self._totals.fetched += new
        now = self._ticks()
        transfer.meter.add(new, now)
        self._meter.add(new, now)
        key = (transfer.split, transfer.name)
        if key in self._gained:
            self._gained[key] = (self._gained[key][0], received)

    @_fold.register
    def _(self, event: events.RetryScheduled) -> None:
        totals = self._totals
        totals.retries += 1
        known = event.reason in totals.retry_reasons or len(totals.retry_reasons) < REASONS
        reason = event.reason if known else "other"
        totals.retry_reasons[reason] = totals.retry_reasons.get(reason, 0) + 1
        totals.retry_causes[event.cause] = totals.retry_causes.get(event.cause, 0) + 1
        self._waits[event.subject] = _Wait(event.reason, self._clock() + event.delay, event.attempt, event.of)

    @_fold.register
    def _(self, event: events.CountsChanged) -> None:
        self._clips = dict(event.clips)

    @_fold.register
    def _(self, event: events.StageProgress) -> None:
        self._stages[event.stage] = {"done": event.done, "failed": event.failed, "waiting": event.waiting}

    @_fold.register
    def _(self, event: events.DiskLeft) -> None:
        self._disks[event.path] = event.free

    @_fold.register
    def _(self, event: events.FindingRaised) -> None:
        self._totals.findings += 1
        self._last.append(event.finding)

    @_fold.register
    def _(self, event: events.RunEnded) -> None:
        self._ended = (self._clock(), event.exit_code)
        self._waits.clear()

    def snapshot(self) -> dict[str, Any]:
        """The picture as JSON-ready values; times are Unix seconds, sizes bytes, rates bytes a second."""
        with self._lock:
            now, ticks = self._clock(), self._ticks()
            self._waits = {subject: wait for subject, wait in self._waits.items() if wait.until > now}
            finished, exit_code = self._ended or (None, None)
            return {
                "schema": SCHEMA,
                "dataset": self._run.dataset,
                "verb": self._run.verb,
                "run_id": self._run.run_id,
                "root": self._run.root,
                "pid": os.getpid(),
                "host": socket.gethostname(),
                "started": round(self._started, 3),
                "updated": round(now, 3),
                "phase": self._phase,
                "bytes": self._bytes(ticks),
                "shards": self._shards(),
                "running": [transfer.snapshot(ticks) for transfer in self._running.values()],
                "clips": dict(self._clips),
                "stages": {name: dict(counts) for name, counts in self._stages.items()},
                "disk_free": [{"path": path, "free": free} for path, free in self._disks.items()],
                "retries": {
                    "count": self._totals.retries,
                    "by_reason": dict(self._totals.retry_reasons),
                    "by_cause": dict(self._totals.retry_causes),
                },
                "waiting": [
                    {
                        "subject": subject,
                        "reason": wait.reason,
                        "until": round(wait.until, 3),
                        "attempt": wait.attempt,
                        "of": wait.of,
                    }
                    for subject, wait in sorted(self._waits.items(), key=lambda item: item[1].until)
                ],
                "findings": {
                    "count": self._totals.findings,
                    "last": [finding.as_dict() for finding in self._last],
                },
                "finished": None if finished is None else round(finished, 3),
                "exit_code": exit_code,
            }

    def _bytes(self, ticks: float) -> dict[str, Any]:
        done = sum(max(0, has - first) for first, has in self._gained.values())
        total = self._totals.planned_bytes
        rate = self._meter.rate(ticks)
        left = None if total is None else max(0, total - done)
        eta = None if left is None or (rate < 1 and left) else round(left / max(rate, 1.0))
        return {
            "fetched": self._totals.fetched,
            "done": done,
            "total": total,
            "rate": round(rate),
            "eta_s": eta,
        }

    def _shards(self) -> dict[str, int | None]:
        states = list(self._outcomes.values())
        before, planned = self._totals.shards_done_before, self._totals.planned_shards
        return {
            "done": before + states.count("done"),
            "failed": states.count("failed") + states.count("broken"),
            "running": sum(transfer.kind == "shard" for transfer in self._running.values()),
            "total": None if planned is None else before + planned,
        }
