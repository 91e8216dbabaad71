"""Who is told of a night: the report's readers, Prometheus, and a webhook where there is trouble."""

from __future__ import annotations

import asyncio
import socket
import time
from typing import Any

from kdl import events
from kdl.errors import KdlError, worst
from kdl.jobs.nightly_options import NightlyOptions
from kdl.jobs.run import Run
from kdl.ledger.nights import (
    BadClip,
    Checked,
    Difference,
    LastNight,
    checked,
    difference,
    last_night,
    last_success,
    tell_bad,
)
from kdl.report.nights import next_name, prune_reports, write_report
from kdl.report.webhook import post
from kdl.urls import hide_secrets, only_host
from kdl.values import Finding

SHOWN = 500
"""Clips of each sort that a report names; it counts all."""
_SENT = 20
"""Findings that a webhook is sent."""
_WENT_THROUGH = (0, 1)
_INTERRUPTED = (130, 143)


class Teller:
    """Tells of one night."""

    def __init__(self, run: Run, options: NightlyOptions, bus: events.Bus) -> None:
        self._run = run
        self._options = options
        self._interrupted = asyncio.Event()
        bus.subscribe(self._hear)
        self.name = ""
        """Of the report, without an ending."""

    def _hear(self, event: events.Event) -> None:
        if isinstance(event, events.Interrupted):
            self._interrupted.set()

    async def tell(self, told: dict[str, Any]) -> dict[str, Any]:
        """Tell all who are to know; ``told`` with what was found out on the way. Troubles are findings."""
        run, reader = self._run, self._run.ledger.reader
        change = await asyncio.to_thread(lambda: difference(reader(), SHOWN))
        before = await asyncio.to_thread(lambda: last_night(reader()))
        ages = await asyncio.to_thread(lambda: checked(reader(), self._options.level))
        self.name = await self._named()
        told = {
            "night": self.name,
            "run": run.id,
            "started": round(run.started, 3),
            **told,
            "oldest_check": ages.oldest,
            "never_checked": ages.never,
            "difference": _difference_dict(change, before, told["clips"]),
            **_named_clips(change),
        }
        await self._call(told, change)
        await asyncio.to_thread(self._measure, told, change, ages)
        await self._write(told)
        return told

    async def _named(self) -> str:
        date = time.strftime("%Y-%m-%d", time.localtime(self._run.started))
        try:
            return await asyncio.to_thread(next_name, self._run.paths.reports, date)
        except KdlError as error:
            self._run.fail(error)
            return date

    async def _call(self, told: dict[str, Any], change: Difference) -> None:
        """Tell the webhook, if there is trouble; not while the run is asked to end."""
        url, code = self._options.webhook, self._code()
        trouble = change.new or told["verify"]["could_not_check"] or code not in _WENT_THROUGH
        if url is None or not trouble or self._run.interrupted or code in _INTERRUPTED:
            return
        posting = asyncio.ensure_future(post(url, self._message(told, change)))
        stopping = asyncio.ensure_future(self._interrupted.wait())
        await asyncio.wait((posting, stopping), return_when=asyncio.FIRST_COMPLETED)
        stopping.cancel()
        if not posting.done():
            posting.cancel()
            return
        if reason := posting.result():
            fix = "the report has what it was to be told; look at the address in kdl.toml"
            self._run.find(Finding("webhook_failed", only_host(url), reason, fix))

    def _code(self) -> int:
        return worst(self._run.codes)

    def _message(self, told: dict[str, Any], change: Difference) -> dict[str, Any]:
        run, code = self._run, self._code()
        message = {
            "text": sentence(run.dataset, code, change),
            "dataset": run.dataset,
            "host": socket.gethostname(),
            "mirror": str(run.paths.base),
            "run": run.id,
            "exit_code": code,
            "clips": told["clips"],
            "difference": told["difference"],
            "could_not_check": told["verify"]["could_not_check"],
            "newly_bad": told["newly_bad"][:_SENT],
            "findings": [finding.as_dict() for finding in run.findings[:_SENT]],
            "report": str(run.paths.reports / f"{self.name}.json"),
        }
        return _without_secrets(message)

    def _measure(self, told: dict[str, Any], change: Difference, ages: Checked) -> None:
        if self._options.metrics is None:
            return
        from kdl.report.metrics import NightNumbers, write_metrics

        now, code, verified = time.time(), self._code(), told["verify"]
        numbers = NightNumbers(
            clips={name: count for name, count in told["clips"].items() if name != "replaced"},
            clip_bytes=ages.bytes,
            never_checked=ages.never,
            oldest_check=ages.oldest,
            ended=now,
            last_success=now if code in _WENT_THROUGH else last_success(self._run.ledger.reader()),
            duration_s=self._run.elapsed(),
            exit_code=code,
            checked=verified["checked"],
            checked_bytes=verified["bytes"],
            not_reached=verified["not_reached"],
            could_not_check=verified["could_not_check"],
            newly_bad=change.new,
            repaired=change.mended,
            bad=change.left,
        )
        try:
            write_metrics(self._options.metrics, self._run.dataset, numbers)
        except KdlError as error:
            self._run.find(Finding("metrics_not_written", error.subject, error.message, error.fix))

    async def _write(self, told: dict[str, Any]) -> None:
        """Write the report, and only then call what is in it told."""
        run = self._run
        summary = _without_secrets(run.summary(told).as_dict())
        try:
            await asyncio.to_thread(write_report, run.paths.reports, self.name, summary)
            await asyncio.to_thread(prune_reports, run.paths.reports, self._options.keep_reports)
            await run.ledger.do(tell_bad)
        except KdlError as error:
            run.fail(error)


def sentence(dataset: str, code: int, change: Difference) -> str:
    """A night in a sentence, for a person's telephone."""
    parts = [f"{change.new:,} newly bad", f"{change.mended:,} repaired", f"{change.left:,} still bad"]
    return f"kdl nightly {dataset} on {socket.gethostname()}: exit code {code}; clips: {', '.join(parts)}"


async def tell_of_error(url: str, dataset: str, error: KdlError) -> None:
    """Tell the webhook of a night that could not begin. That it can not be told changes nothing."""
    said = {"kind": error.kind, "subject": error.subject, "detail": error.message, "fix": error.fix}
    text = f"kdl nightly {dataset} on {socket.gethostname()} could not begin: {error}"
    message = {
        "text": text,
        "dataset": dataset,
        "host": socket.gethostname(),
        "exit_code": error.exit_code,
        "findings": [said],
    }
    await post(url, _without_secrets(message))


def _difference_dict(change: Difference, before: LastNight | None, clips: dict[str, int]) -> dict[str, Any]:
    known = clips if before is None else before.clips
    return {
        "since": before.run_id if before is not None else None,
        "bad_before": change.before,
        "newly_bad": change.new,
        "repaired": change.mended,
        "still_bad": change.left,
        "clips": {
            name: count - known.get(name, 0) for name, count in clips.items() if count != known.get(name, 0)
        },
    }


def _named_clips(change: Difference) -> dict[str, list[dict[str, Any]]]:
    def listed(clips: tuple[BadClip, ...]) -> list[dict[str, Any]]:
        return [{"path": c.path, "kind": c.kind, "detail": c.detail, "mended": c.mended} for c in clips]

    return {
        "newly_bad": listed(change.newly_bad),
        "repaired": listed(change.repaired),
        "still_bad": listed(change.still_bad),
    }


def _without_secrets(message: dict[str, Any]) -> dict[str, Any]:
    """The same, with what URLs in its texts hide."""

    def clean(value: Any) -> Any:
        if isinstance(value, str):
            return hide_secrets(value)
        if isinstance(value, dict):
            return {name: clean(item) for name, item in value.items()}
        return [clean(item) for item in value] if isinstance(value, list) else value

    found: dict[str, Any] = clean(message)
    return found
