"""Wall clocks jump and processes stand still: waiting goes by the monotonic clock, and nothing is lost."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.faulty import Faults
from tests.e2e.hosted import Hosted
from tests.e2e.killing import end_all, litter, start

TEN_YEARS = 315_360_000


@pytest.fixture(autouse=True)
def _nothing_left_going() -> Iterator[None]:
    yield
    end_all()


@pytest.mark.parametrize(
    "seconds",
    [pytest.param(TEN_YEARS, marks=pytest.mark.long, id="ahead"), pytest.param(-TEN_YEARS, id="back")],
)
def test_a_clock_that_jumps_in_a_run_and_is_set_right_after_it(
    demo: Hosted, faults: Faults, tmp_path: Path, seconds: int
) -> None:
    """Verdicts of one run are then years apart; the next run's clock has gone back, or on."""
    making = ("--recipe", "256p-dense")
    done = demo.mirror(tmp_path, "--split", "val", *making, **faults.jumping(1.2, seconds))
    assert done.code == 1
    assert done.result["elapsed_s"] < 100
    assert done.result["derived"] == {"256p-dense": {"done": 8, "failed": 0}}
    mark = demo.mark()
    again = demo.mirror(tmp_path, "--split", "val", *making)
    assert (again.code, again.result["clips"], again.result["derived"]) == (
        1,
        done.result["clips"],
        done.result["derived"],
    )
    assert demo.fetched(mark) == []
    assert demo.run("status", tmp_path, "--json").code == 0


def test_files_of_the_future_are_still_the_same(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    for clip in (base / "videos").rglob("*.mp4"):
        os.utime(clip, (5_000_000_000, 5_000_000_000))
    mark = demo.mark()
    done = demo.mirror(tmp_path)
    assert (done.code, done.kinds() & {"clip_changed", "missing_clip"}) == (1, set())
    assert demo.fetched(mark) == []
    assert demo.seen(tmp_path) == demo.seen(demo.mirrored or tmp_path)


@pytest.mark.parametrize(
    ("seconds", "stall"),
    [(2.5, "1"), pytest.param(60, "30", marks=pytest.mark.long)],
    ids=["for a moment", "for a minute"],
)
def test_a_run_that_stood_still(demo: Hosted, tmp_path: Path, seconds: float, stall: str) -> None:
    """Stopped for longer than a stall may last, then let go on."""
    slowly = ("--limit-rate", "1M", "--stall", stall)
    origin = ("--origin", demo.server.url)
    run = start(tmp_path / "log", "mirror", demo.dataset, "--root", tmp_path / "root", *origin, *slowly)
    assert run.wait_for(lambda event: event["event"] == "transfer_started" and event["kind"] == "shard")
    os.kill(run.process.pid, signal.SIGSTOP)
    time.sleep(seconds)
    os.kill(run.process.pid, signal.SIGCONT)
    code, _, err = run.end()
    assert code == 1, err
    assert demo.seen(tmp_path / "root") == demo.seen(demo.mirrored or tmp_path)
    assert litter(tmp_path / "root/demo") == []
