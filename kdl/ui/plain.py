"""Lines for logs and pipes: one for each telling thing, never a control sequence."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from functools import singledispatchmethod
from typing import IO, Any

from kdl import events
from kdl.jobs.runstate import RunState
from kdl.settings import human_size
from kdl.ui.faces import HumanUI
from kdl.ui.text import counted, human_duration, object_name, percent, safe, tally

PROGRESS_S = 30.0
"""Seconds between two lines of progress."""
FINDINGS_A_KIND = 20
"""Findings said as they are met; the rest of a kind waits for the end."""


class PlainUI(HumanUI):
    """Each line begins with the local time, since what writes to a file often runs for days."""

    def __init__(self, out: IO[str], err: IO[str], *, clock: Callable[[], float] = time.time) -> None:
        super().__init__(out, err)
        self._out = out
        self._clock = clock
        self._lock = threading.Lock()
        self._state = RunState(clock=clock, ticks=clock)
        self._spoke = clock()
        self._found: Counter[str] = Counter()
        self._swarms = SwarmLines(clock)

    def listen(self, event: events.Event) -> None:
        self._state.apply(event)
        with self._lock:
            for line in self._lines(event):
                self._say(line)
            if self._clock() - self._spoke >= PROGRESS_S:
                self._spoke = self._clock()
                self._say(progress_line(self._state.snapshot()))

    def _say(self, line: str) -> None:
        stamp = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(self._clock()))
        self._out.write(f"{stamp}  {line}\n")
        self._out.flush()

    @singledispatchmethod
    def _lines(self, event: events.Event) -> Iterator[str]:
        yield from ()

    @_lines.register
    def _(self, event: events.RunStarted) -> Iterator[str]:
        yield f"kdl {safe(event.verb)} {safe(event.dataset)} in {safe(event.root)}, run {safe(event.run_id)}"

    @_lines.register
    def _(self, event: events.PhaseStarted) -> Iterator[str]:
        yield f"step: {safe(event.name)}"

    @_lines.register
    def _(self, event: events.Planned) -> Iterator[str]:
        yield (
            f"to fetch: {counted(event.shards, 'shard')}, {human_size(event.bytes_total)}; "
            f"done already: {event.shards_done:,}"
        )

    @_lines.register
    def _(self, event: events.TransferStarted) -> Iterator[str]:
        if event.resumed:
            name = object_name(event.name, event.split)
            yield f"{name}: resumes at {human_size(event.resumed)} of {human_size(event.size)}"

    @_lines.register
    def _(self, event: events.TransferEnded) -> Iterator[str]:
        parts = [safe(event.state), f"{human_size(event.fetched)} fetched"]
        if event.seconds > 0:
            rate = human_size(event.fetched / event.seconds)
            parts[1] += f" in {human_duration(event.seconds)} ({rate}/s)"
        if event.kind in ("shard", "replacement"):
            parts.append(counted(event.clips, "clip"))
        error = f": {safe(event.error)}" if event.error else ""
        yield f"{object_name(event.name, event.split)}: {', '.join(parts)}{error}"

    @_lines.register
    def _(self, event: events.RetryScheduled) -> Iterator[str]:
        yield (
            f"{safe(event.subject)}: {safe(event.reason)}; "
            f"try {event.attempt + 1} of {event.of} in {human_duration(event.delay)}"
        )

    @_lines.register
    def _(self, event: events.JobsChanged) -> Iterator[str]:
        yield jobs_line(event)

    @_lines.register
    def _(self, event: events.FindingRaised) -> Iterator[str]:
        finding = event.finding
        kind = safe(finding.kind).replace("_", " ")
        self._found[kind] += 1
        if self._found[kind] <= FINDINGS_A_KIND:
            fix = f"; try: {safe(finding.fix)}" if finding.fix else ""
            yield f"finding: {kind}: {safe(finding.subject)}: {safe(finding.detail)}{fix}"
        if self._found[kind] == FINDINGS_A_KIND:
            yield f"finding: {kind}: any more are told at the end"

    @_lines.register
    def _(self, event: events.SwarmProgress) -> Iterator[str]:
        yield from self._swarms.lines(event)

    @_lines.register
    def _(self, event: events.Noted) -> Iterator[str]:
        yield safe(event.text)


class SwarmLines:
    """How far torrents are: now and then a line of each."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._said: dict[str, float] = {}

    def lines(self, event: events.SwarmProgress) -> Iterator[str]:
        """The line that is due, if one is."""
        now = self._clock()
        if now - self._said.get(event.name, float("-inf")) >= PROGRESS_S or event.received == event.size:
            self._said[event.name] = now
            yield (
                f"{safe(event.name)}: {human_size(event.received)} of {human_size(event.size)} wanted, "
                f"{counted(event.peers, 'peer')}, {human_size(event.speed)}/s"
            )


def jobs_line(event: events.JobsChanged) -> str:
    """That the host bears another number of jobs than before."""
    return f"jobs: {event.jobs} of {event.of} from here on: {safe(event.reason)}"


def progress_line(snapshot: dict[str, Any]) -> str:
    """A snapshot in one line."""
    shards, clips = snapshot["shards"], snapshot["clips"]
    parts = [_bytes_words(snapshot["bytes"])]
    if shards["total"]:
        failed = f", {shards['failed']:,} failed" if shards["failed"] else ""
        parts.append(f"shards {shards['done']:,} of {shards['total']:,}, {shards['running']} running{failed}")
    if any(clips.values()):
        parts.append(f"clips {tally(clips)}")
    parts += [f"{safe(name)} {tally(stage) or 'idle'}" for name, stage in snapshot["stages"].items()]
    parts += [f"{human_size(disk['free'])} free on {safe(disk['path'])}" for disk in snapshot["disk_free"]]
    return "progress: " + "; ".join(parts)


def _bytes_words(counts: dict[str, Any]) -> str:
    rate = f"{human_size(counts['rate'])}/s"
    if not counts["total"]:
        return f"{human_size(counts['fetched'])}, {rate}"
    share = percent(counts["done"], counts["total"])
    eta = f", ETA {human_duration(counts['eta_s'])}" if counts["eta_s"] is not None else ""
    return f"{human_size(counts['done'])} of {human_size(counts['total'])} ({share}), {rate}{eta}"
