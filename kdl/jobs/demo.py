"""``kdl demo``: the main job, end to end, on a small dataset that goes wrong in every known way."""

from __future__ import annotations

import asyncio
import shutil
import time
from pathlib import Path

from kdl import events
from kdl.errors import UsageError
from kdl.jobs.demo_bucket import build_demo
from kdl.jobs.demo_cast import Planted
from kdl.jobs.demo_server import DemoServer
from kdl.jobs.mirror import mirror
from kdl.jobs.options import MirrorOptions
from kdl.jobs.run import mirror_paths
from kdl.jobs.tools import require_tools
from kdl.jobs.views import export_clips
from kdl.ledger.ledger import open_ledger
from kdl.settings import MirrorPaths
from kdl.values import Finding, RunSummary

_MARKER = ".kdl-demo"
RECIPES = ("320p", "rawframes-256")
RATE = 1_500_000
"""Bytes a second, so that there is something to watch."""


async def demo(out: Path, bus: events.Bus, *, quick: bool = False) -> RunSummary:
    """Make the bucket under ``out``, serve it on loopback, mirror it, and hold the outcome against the plan.

    The summary is the mirror run's; its ``planted`` says whether every clip came out as planted, and
    ``look`` where to look. The exit code is 0 if so: that some of the clips are beyond mending is part of
    the show.
    """
    require_tools(probing=True, deriving=True)
    began = time.monotonic()
    bus.emit(events.PhaseStarted("making a small dataset with ffmpeg"))
    await asyncio.to_thread(_clear, out)
    bucket = await asyncio.to_thread(build_demo, out)
    root = out / "mirror"
    with DemoServer(bucket.directory, drop=bucket.dropped) as server:
        summary = await mirror(
            MirrorOptions(
                dataset=str(bucket.manifest_path),
                root=root,
                origins=(server.url,),
                recipes=RECIPES,
                limit_rate=None if quick else RATE,
            ),
            bus,
        )
    paths = mirror_paths(root, summary.dataset)
    sums = paths.base / "SHA256SUMS"
    await asyncio.to_thread(export_clips, str(bucket.manifest_path), root, "sha256sums", sums)
    wrong = await asyncio.to_thread(_differences, paths, bucket.planted)
    findings = (*summary.findings, *(Finding("demo_differs", name, what) for name, what in wrong))
    look = {
        "videos": str(paths.videos),
        "derived": str(paths.derived),
        "lists": str(paths.lists),
        "checksums": str(sums),
        "status": f"kdl status {bucket.manifest_path} --root {root}",
        "corrupt clips": f"kdl status {bucket.manifest_path} --root {root} --show corrupt",
    }
    extra = {**summary.extra, "planted": {"clips": len(bucket.planted), "wrong": len(wrong)}, "look": look}
    code = 1 if wrong or summary.exit_code not in (0, 1) else 0
    return RunSummary(summary.dataset, code, time.monotonic() - began, findings, extra)


def _clear(out: Path) -> None:
    """Remove what an earlier demo left. Raises UsageError for a folder that holds anything else."""
    marker = out / _MARKER
    if out.exists() and any(out.iterdir()) and not marker.exists():
        raise UsageError("this folder is not empty, and no demo made it", subject=str(out), fix="--out DIR")
    shutil.rmtree(out, ignore_errors=True)
    out.mkdir(parents=True, exist_ok=True)
    marker.touch()


def _differences(paths: MirrorPaths, planted: dict[tuple[str, str], Planted]) -> list[tuple[str, str]]:
    """Clips that did not come out as planted: (split/name, what is and what should be)."""
    wrong = []
    with open_ledger(paths.ledger, read_only=True) as ledger:
        found = {}
        for row in ledger.rows("SELECT * FROM clips"):
            stem = f"{row['youtube_id']}_{row['time_start']:06d}_{row['time_end']:06d}.mp4"
            found[row["split"], stem] = (row["verdict"], row["cause"], row["origin"] == "replacement")
    for key, clip in planted.items():
        expected = (str(clip.verdict), clip.cause and str(clip.cause), clip.replaced)
        got = found.pop(key, None)
        if got is None or got[0] != expected[0] or got[2] != expected[2]:
            wrong.append(("/".join(key), f"is {got}, planted as {expected}"))
    wrong += [("/".join(key), f"is {got}, was not planted") for key, got in found.items()]
    return wrong
