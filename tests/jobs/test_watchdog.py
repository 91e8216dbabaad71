"""A run that stands still is ended and says where; one that waits on purpose is left alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import subprocess
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from kdl import events
from kdl.fetch.limits import RateLimit
from kdl.jobs.ending import recorded
from kdl.jobs.pulse import Pulse
from kdl.jobs.run import Run, open_run
from kdl.values import RunSummary

LIMIT_S = 1.0
Work = Callable[[Run], Awaitable[None]]


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Run]:
    with open_run("mirror", "tiny", "tiny", tmp_path, events.Bus(), create=True) as made:
        yield made


async def end_of(run: Run, work: Work, limit_s: float = LIMIT_S) -> RunSummary:
    async def going() -> None:
        run.phase("shards")
        await work(run)

    async def result() -> dict[str, Any]:
        return {"told": True}

    async with asyncio.timeout(120):
        return await recorded(run, going(), result, watchdog_s=limit_s)


async def never() -> None:
    await asyncio.Event().wait()


async def test_standing_still_ends_with_what_everybody_was_doing(run: Run) -> None:
    told: list[events.Event] = []
    run._bus.subscribe(told.append)

    async def stuck(run: Run) -> None:
        run.emit(events.TransferStarted("train/a.tar", "shard", "train", 9_000_000, 0))
        run.emit(events.TransferProgress("train/a.tar", 5_000_000))
        run.emit(events.StageProgress("check", 3, 0, 2))
        await asyncio.gather(asyncio.create_task(run.in_thread(time.sleep, 2.5), name="train/a.tar"), never())

    summary = await end_of(run, stuck)
    [finding] = summary.findings
    assert (finding.kind, summary.exit_code, summary.extra) == ("hung", 3, {"told": True})
    for words in ("in the step 'shards'", "train/a.tar at 5 MB of 9 MB", "check: 2 waiting"):
        assert words in finding.detail
    assert "train/a.tar in jobs.run.Run.in_thread" in finding.detail
    assert [event for event in told if isinstance(event, events.RunHung)] == [
        events.RunHung(finding.detail, 3)
    ]
    row = run.ledger.one("SELECT exit_code FROM runs WHERE id = ?", (run.id,))
    assert row is not None
    assert row[0] == 3


async def moving(run: Run) -> None:
    for number in range(30):
        run.emit(events.TransferProgress("a", number))
        await asyncio.sleep(0.1)


async def writing(run: Run) -> None:
    for _ in range(30):
        await run.ledger.do(lambda connection: None)
        await asyncio.sleep(0.1)


async def working_in_a_thread(run: Run) -> None:
    def look() -> None:
        for _ in range(30):
            run.checkpoint()
            time.sleep(0.1)

    await run.in_thread(look)


async def obeying_retry_after(run: Run) -> None:
    run.emit(events.RetryScheduled("a", "HTTP 503", 3.0, 1, 6, "http_503"))
    await asyncio.sleep(3.0)


async def bounded_by_itself(run: Run) -> None:
    with run.pulse.bounded(60.0):
        await asyncio.sleep(3.0)


async def held_back_by_the_rate(run: Run) -> None:
    rate = RateLimit(1_000)
    run.pulse.excuse(lambda: rate.waiting > 0)
    await rate.pay(3_000)


WELL = (moving, writing, working_in_a_thread, obeying_retry_after, bounded_by_itself, held_back_by_the_rate)


async def test_what_moves_or_waits_on_purpose_is_left_alone(tmp_path: Path) -> None:
    with contextlib.ExitStack() as stack:
        runs = {
            work: stack.enter_context(
                open_run("mirror", work.__name__, "tiny", tmp_path, events.Bus(), create=True)
            )
            for work in WELL
        }
        ends = await asyncio.gather(*(end_of(run, work, limit_s=2.0) for work, run in runs.items()))
    assert {end.dataset: end.findings for end in ends} == {work.__name__: () for work in WELL}


async def test_no_limit_watches_nothing(run: Run) -> None:
    before = threading.active_count()

    async def look(run: Run) -> None:
        assert threading.active_count() == before

    assert (await end_of(run, look, limit_s=0)).exit_code == 0


def test_what_is_told_again_unchanged_is_no_progress() -> None:
    pulse = Pulse()
    for _ in range(3):
        pulse.hear(events.CountsChanged({"ok": 3}))
        pulse.hear(events.StageProgress("check", 3, 0, 1))
        pulse.hear(events.StageProgress("derive", 3, 0, 1))
        pulse.hear(events.DiskLeft("/", 7))
    assert pulse.beats == 3
    pulse.hear(events.CountsChanged({"ok": 4}))
    assert pulse.beats == 4


STUCK = """
import asyncio, sys, time
from pathlib import Path
from kdl.cli import running
from kdl.jobs.ending import recorded
from kdl.jobs.run import open_run

running._GRACE_S = 0.5

async def work(bus):
    with open_run("mirror", "tiny", "tiny", Path(sys.argv[1]), bus, create=True) as run:
        async def going():
            time.sleep(600)  # the loop itself is stuck
        async def result():
            return {}
        return await recorded(run, going(), result, watchdog_s=0.5)

sys.exit(running.run_verb(work, dataset="tiny", as_json=True, quiet=False, log_json=None))
"""


def test_a_run_that_can_not_even_end_is_left_with_a_result(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-c", STUCK, str(tmp_path)], capture_output=True, text=True, timeout=120
    )
    result = json.loads(done.stdout)
    assert (done.returncode, result["exit_code"]) == (3, 3)
    assert [finding["kind"] for finding in result["findings"]] == ["hung"]
    assert "threads: MainThread in " in result["findings"][0]["detail"]
