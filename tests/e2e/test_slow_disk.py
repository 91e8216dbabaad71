"""A disk that does not come to an end with what it was given does not keep a run that is to end."""

from __future__ import annotations

import os
import signal
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path

import pytest

from tests.e2e.faulty import Faults
from tests.e2e.hosted import Hosted
from tests.e2e.killing import Live, end_all, litter, start

FOREVER = 600
ENDS_WITHIN_S = 5.0
VAL = ("--split", "val")


@pytest.fixture(autouse=True)
def _nothing_left_going() -> Iterator[None]:
    yield
    end_all()


def _interrupt(run: Live) -> None:
    began = time.monotonic()
    os.killpg(run.process.pid, signal.SIGINT)
    code, _, err = run.end(timeout=30)
    assert (code, err) == (130, "")
    assert time.monotonic() - began < ENDS_WITHIN_S
    run.gone(1)


def test_ctrl_c_while_a_shard_waits_to_be_on_disk(demo: Hosted, faults: Faults, tmp_path: Path) -> None:
    origin = ("--origin", demo.server.url)
    slow = faults.slow("sync", "demo/videos", FOREVER, tmp_path / "told")
    run = start(tmp_path / "log", "mirror", demo.dataset, "--root", tmp_path, *origin, *VAL, **slow)
    _wait_for_barrier(run, tmp_path / "told")
    _interrupt(run)
    with closing(sqlite3.connect(tmp_path / "demo/.kdl/ledger.db")) as ledger:
        assert ledger.execute(
            "SELECT count(*) FROM objects WHERE state = 'done' AND kind = 'shard'"
        ).fetchone() == (0,)
    done = demo.mirror(tmp_path, *VAL)
    assert (done.code, done.result["shards"]) == (1, {"done": 4, "failed": 0, "skipped": 0})
    assert litter(tmp_path / "demo") == []


def test_ctrl_c_while_derivatives_wait_to_be_on_disk(demo: Hosted, faults: Faults, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    derive = ("derive", demo.dataset, "--root", tmp_path, *VAL, "--recipe", "320p")
    slow = faults.slow("sync", "/derived", FOREVER, tmp_path / "told")
    run = start(tmp_path / "log", *derive, **slow)
    _wait_for_barrier(run, tmp_path / "told")
    _interrupt(run)
    with closing(sqlite3.connect(base / ".kdl/ledger.db")) as ledger:
        assert ledger.execute("SELECT count(*) FROM derivatives").fetchone() == (0,)
    done = demo.run("derive", tmp_path, *VAL, "--recipe", "320p", "--json")
    assert (done.code, done.result["derived"]) == (0, {"320p": {"done": 8, "failed": 0}})
    assert litter(base) == []


def _wait_for_barrier(run: Live, told: Path) -> None:
    """Until a barrier has begun to wait for the disk."""
    until = time.monotonic() + 60
    while not told.exists():
        assert run.process.poll() is None
        assert time.monotonic() < until
        time.sleep(0.01)
