"""A night in numbers for Prometheus, as its node exporter's textfile collector reads them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from prometheus_client import CollectorRegistry, Gauge, write_to_textfile

from kdl.diskerrors import disk_errors


@dataclass(frozen=True, slots=True)
class NightNumbers:
    """What is told of a mirror and its last night. Moments are Unix seconds, sizes bytes."""

    clips: Mapping[str, int]
    """By verdict."""
    clip_bytes: int
    """Of the clips that have a file."""
    never_checked: int
    oldest_check: float | None
    """None where nothing was looked at yet."""
    ended: float
    last_success: float | None
    """None before the first."""
    duration_s: float
    exit_code: int
    checked: int
    """Clips, as are all that follow but the bytes."""
    checked_bytes: int
    not_reached: int
    could_not_check: int
    newly_bad: int
    repaired: int
    bad: int


METRICS = {
    "clips": "Clips by verdict.",
    "clip_bytes": "Bytes of the clips that are here.",
    "never_checked_clips": "Clips that no look of the night's level has met yet.",
    "oldest_check_timestamp_seconds": "When the clip that waits longest was looked at.",
    "nightly_end_timestamp_seconds": "When the last night ended.",
    "nightly_last_success_timestamp_seconds": "When a night last went through (exit code 0 or 1).",
    "nightly_duration_seconds": "How long the last night took.",
    "nightly_exit_code": "The last night's exit code.",
    "nightly_checked_clips": "Clips that the last night looked at.",
    "nightly_checked_bytes": "Bytes that the last night read.",
    "nightly_not_reached_clips": "Clips that were due and that the last night's time did not reach.",
    "nightly_could_not_check_clips": "Clips that could not be looked at.",
    "nightly_newly_bad_clips": "Clips found bad since the night before, mended or not.",
    "nightly_repaired_clips": "Clips mended since the night before.",
    "nightly_bad_clips": "Clips that are bad at the night's end.",
}
"""Every metric, without ``kdl_`` before its name; all are gauges with the label ``dataset``."""


def write_metrics(path: Path, dataset: str, night: NightNumbers) -> None:
    """Write them to ``path``, whole or not at all. What is None is left out.

    Raises MachineError and DiskFull.
    """
    registry = CollectorRegistry()

    def tell(name: str, value: float | None) -> None:
        if value is not None:
            Gauge(f"kdl_{name}", METRICS[name], ["dataset"], registry=registry).labels(dataset).set(value)

    clips = Gauge("kdl_clips", METRICS["clips"], ["dataset", "verdict"], registry=registry)
    for verdict, count in night.clips.items():
        clips.labels(dataset, verdict).set(count)
    tell("clip_bytes", night.clip_bytes)
    tell("never_checked_clips", night.never_checked)
    tell("oldest_check_timestamp_seconds", night.oldest_check)
    tell("nightly_end_timestamp_seconds", night.ended)
    tell("nightly_last_success_timestamp_seconds", night.last_success)
    tell("nightly_duration_seconds", night.duration_s)
    tell("nightly_exit_code", night.exit_code)
    tell("nightly_checked_clips", night.checked)
    tell("nightly_checked_bytes", night.checked_bytes)
    tell("nightly_not_reached_clips", night.not_reached)
    tell("nightly_could_not_check_clips", night.could_not_check)
    tell("nightly_newly_bad_clips", night.newly_bad)
    tell("nightly_repaired_clips", night.repaired)
    tell("nightly_bad_clips", night.bad)
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        write_to_textfile(str(path), registry)
