"""Feeds an invented run to a UI: `python stream_driver.py [seconds] [--fast]` draws on its own stdout.

Tests use its events; run by hand it shows what the live terminal looks like.
"""

from __future__ import annotations

import random
import sys
import time
from collections.abc import Iterator

from kdl import events
from kdl.ui.factory import make_ui
from kdl.values import Finding, RunSummary

MB = 1_000_000
SHARD = 1_530 * MB


def opening(running: int = 4) -> Iterator[events.Event]:
    """The first events of a run that resumes one shard, has met trouble, and holds hostile names."""
    yield events.RunStarted("mirror", "k400", "/data/kinetics", "1a2b3c")
    yield events.PhaseStarted("shards")
    yield events.Planned(shards=242, shards_done=59, bytes_total=242 * SHARD)
    for number in range(running):
        resumed = 640 * MB if number == 1 else 0
        yield events.TransferStarted(f"train/part_{number}.tar.gz", "shard", "train", SHARD, resumed)
        yield events.TransferProgress(f"train/part_{number}.tar.gz", resumed + (number + 1) * 170 * MB)
    yield events.TransferEnded("train/part_77.tar.gz", "shard", "train", "failed", 0, 0, 0, 3.0, "HTTP 404")
    yield events.CountsChanged(
        {"ok": 98_123, "short": 312, "corrupt": 41, "pending": 143_000, "never_hosted": 1_145, "replaced": 38}
    )
    yield events.StageProgress("check", 98_400, 0, 12)
    yield events.StageProgress("derive", 97_000, 3, 1_400)
    yield events.DiskLeft("/data/kinetics", 812_000 * MB)
    yield events.DiskLeft("/ssd/derived", 93_000 * MB)
    for attempt in (1, 2):
        yield events.RetryScheduled(
            "train/part_120.tar.gz", "HTTP 503", 24.0 * attempt, attempt, 6, "http_503"
        )
    yield events.RetryScheduled("val/[red]wrestling\x1b[31m.tar.gz", "no byte for 30 s", 7.0, 1, 6, "stall")
    yield events.FindingRaised(
        Finding(
            "corrupt_clip", "videos/train/abseiling/-x[bold]\n.mp4", "moov atom not found", "kdl repair k400"
        )
    )


def summary() -> RunSummary:
    clips = {"ok": 98_123, "short": 312, "corrupt": 41, "pending": 0, "never_hosted": 1_145, "replaced": 38}
    findings = [
        Finding(
            "corrupt_clip",
            f"videos/train/abseiling/{n:011}_000001_000011.mp4",
            "moov atom not found",
            "kdl repair k400",
        )
        for n in range(41)
    ]
    failed = Finding("object_failed", "train/part_77.tar.gz", "HTTP 404", "kdl mirror k400 --shard part_77")
    return RunSummary(
        "k400",
        4,
        5025.0,
        (*findings, failed),
        {
            "shards": {"done": 241, "failed": 1, "skipped": 0},
            "bytes": {"fetched": 370_000 * MB, "written": 372_000 * MB},
            "clips": clips,
            "derived": {"320p": {"done": 97_000, "failed": 3}},
        },
    )


def main(seconds: float, running: int) -> None:
    chance = random.Random(7)
    with make_ui() as ui:
        for event in opening(running):
            ui.listen(event)
        received = dict.fromkeys(range(running), 700 * MB)
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            time.sleep(0.05)
            for number in received:
                received[number] = min(SHARD, received[number] + chance.randrange(MB))
                ui.listen(events.TransferProgress(f"train/part_{number}.tar.gz", received[number]))
        ui.listen(events.Noted("a note between the pictures"))
        ui.listen(events.RunEnded(4, seconds))
        ui.finish(summary())


if __name__ == "__main__":
    main(float(sys.argv[1]), int(sys.argv[2]))
