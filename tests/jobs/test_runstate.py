"""The fold over events, and its publication."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest

from kdl import events
from kdl.jobs.runstate import REASONS, RunState
from kdl.jobs.statusfile import StatusFile, condition, read_status
from kdl.values import Finding


class Clock:
    """Seconds that pass when told to."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def state(clock: Clock) -> RunState:
    state = RunState(clock=clock, ticks=clock)
    state.apply(events.RunStarted("mirror", "k400", "/data", "r1"))
    return state


def shard(name: str, size: int = 1_000, resumed: int = 0, split: str = "train") -> events.TransferStarted:
    return events.TransferStarted(name, "shard", split, size, resumed)


def ended(name: str, state: str, received: int, fetched: int, split: str = "train") -> events.TransferEnded:
    return events.TransferEnded(name, "shard", split, state, received, fetched, 10, 1.0)


def test_the_snapshot_has_its_whole_shape_from_the_start_and_is_json() -> None:
    fresh = json.loads(json.dumps(RunState().snapshot()))
    assert set(fresh) == {
        *("schema", "dataset", "verb", "run_id", "root", "pid", "host", "started", "updated", "phase"),
        *("bytes", "shards", "running", "clips", "stages", "disk_free", "retries", "waiting", "findings"),
        *("finished", "exit_code"),
    }
    assert fresh["bytes"] == {"fetched": 0, "done": 0, "total": None, "rate": 0, "eta_s": None}
    assert fresh["shards"] == {"done": 0, "failed": 0, "running": 0, "total": None}
    assert fresh["retries"] == {"count": 0, "by_reason": {}, "by_cause": {}}
    assert fresh["findings"] == {"count": 0, "last": []}
    assert fresh["pid"] == os.getpid()


def test_resumed_bytes_are_shown_but_neither_fetched_nor_counted_as_this_runs_work(
    state: RunState, clock: Clock
) -> None:
    state.apply(events.Planned(shards=2, shards_done=5, bytes_total=1_600))
    state.apply(shard("a", resumed=400))
    clock.now += 10
    state.apply(events.TransferProgress("a", 700))
    shown = state.snapshot()
    assert shown["running"] == [
        {
            "name": "a",
            "kind": "shard",
            "split": "train",
            "received": 700,
            "size": 1_000,
            "resumed": 400,
            "rate": 30,
        }
    ]
    assert shown["bytes"] == {"fetched": 300, "done": 300, "total": 1_600, "rate": 30, "eta_s": 43}
    assert shown["shards"] == {"done": 5, "failed": 0, "running": 1, "total": 7}


def test_an_object_begun_afresh_counts_twice_as_fetched_and_once_as_done(state: RunState) -> None:
    state.apply(shard("a"))
    state.apply(events.TransferProgress("a", 800))
    state.apply(shard("a"))
    state.apply(events.TransferProgress("a", 300))
    state.apply(ended("a", "done", 1_000, fetched=1_800))
    bytes_ = state.snapshot()["bytes"]
    assert (bytes_["fetched"], bytes_["done"]) == (1_800, 1_000)


def test_bytes_told_only_at_the_end_are_counted(state: RunState) -> None:
    state.apply(shard("a"))
    state.apply(ended("a", "failed", 0, fetched=250))
    state.apply(ended("never-started", "failed", 0, fetched=50))
    assert state.snapshot()["bytes"]["fetched"] == 300


def test_shards_are_counted_by_their_last_outcome(state: RunState) -> None:
    for name, outcome in (("a", "failed"), ("b", "broken"), ("c", "cancelled"), ("a", "done")):
        state.apply(shard(name))
        state.apply(ended(name, outcome, 0, 0))
    for split in ("train", "val"):
        state.apply(shard("same name", split=split))
        state.apply(ended("same name", "done", 1_000, 1_000, split=split))
    shards = state.snapshot()["shards"]
    assert (shards["done"], shards["failed"], shards["running"]) == (3, 1, 0)


def test_annotations_are_fetched_but_no_part_of_the_plan(state: RunState) -> None:
    state.apply(events.TransferStarted("train.csv", "annotation", "train", 50, 0))
    state.apply(events.TransferProgress("train.csv", 50))
    shown = state.snapshot()
    assert (shown["bytes"]["fetched"], shown["bytes"]["done"], shown["shards"]["running"]) == (50, 0, 0)


def test_the_rate_looks_back_ten_seconds_and_falls_to_nothing(state: RunState, clock: Clock) -> None:
    state.apply(shard("a", size=10_000))
    for second in range(1, 41):
        clock.now += 1
        state.apply(events.TransferProgress("a", min(second, 20) * 100 + max(second - 20, 0) * 50))
    assert state.snapshot()["bytes"]["rate"] == 50
    clock.now += 10
    shown = state.snapshot()["bytes"]
    assert shown["rate"] == 0
    assert shown["eta_s"] is None


def test_waits_end_with_their_time_or_with_the_next_byte(state: RunState, clock: Clock) -> None:
    state.apply(shard("a"))
    state.apply(events.RetryScheduled("b", "HTTP 503", 20.0, 2, 6, "http_503"))
    state.apply(events.RetryScheduled("a", "reset", 5.0, 1, 6, "reset"))
    waits = state.snapshot()["waiting"]
    assert waits[0] == {"subject": "a", "reason": "reset", "until": 1_005.0, "attempt": 1, "of": 6}
    assert [wait["subject"] for wait in waits] == ["a", "b"]
    state.apply(events.TransferProgress("a", 1))
    assert [wait["subject"] for wait in state.snapshot()["waiting"]] == ["b"]
    clock.now += 20
    assert state.snapshot()["waiting"] == []
    assert state.snapshot()["retries"] == {
        "count": 2,
        "by_reason": {"HTTP 503": 1, "reset": 1},
        "by_cause": {"http_503": 1, "reset": 1},
    }


def test_a_server_with_a_new_reason_each_time_does_not_fill_memory(state: RunState) -> None:
    for number in range(REASONS + 30):
        state.apply(events.RetryScheduled("a", f"reason {number}", 1.0, 1, 6, "other"))
    reasons = state.snapshot()["retries"]["by_reason"]
    assert reasons["other"] == 30
    assert len(reasons) == REASONS + 1


def test_the_rest_is_kept_as_told(state: RunState, clock: Clock) -> None:
    state.apply(events.PhaseStarted("shards"))
    state.apply(events.CountsChanged({"ok": 3}))
    state.apply(events.StageProgress("derive", 3, 1, 9))
    state.apply(events.DiskLeft("/data", 10))
    state.apply(events.DiskLeft("/ssd", 20))
    state.apply(events.DiskLeft("/data", 9))
    for number in range(8):
        state.apply(events.FindingRaised(Finding("k", str(number), "d")))
    clock.now += 5
    state.apply(events.RunEnded(1, 5.0))
    shown = state.snapshot()
    assert shown["phase"] == "shards"
    assert shown["clips"] == {"ok": 3}
    assert shown["stages"] == {"derive": {"done": 3, "failed": 1, "waiting": 9}}
    assert shown["disk_free"] == [{"path": "/data", "free": 9}, {"path": "/ssd", "free": 20}]
    assert shown["findings"]["count"] == 8
    assert [finding["subject"] for finding in shown["findings"]["last"]] == list("34567")
    assert (shown["finished"], shown["exit_code"]) == (1_005.0, 1)


def test_threads_lose_no_event(state: RunState) -> None:
    def emit(worker: int) -> None:
        state.apply(shard(str(worker), size=2_000))
        for received in range(1, 501):
            state.apply(events.TransferProgress(str(worker), received))
            state.apply(events.FindingRaised(Finding("k", "s", "d")))

    threads = [threading.Thread(target=emit, args=(worker,)) for worker in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    shown = state.snapshot()
    assert shown["bytes"]["fetched"] == 3_000
    assert shown["findings"]["count"] == 3_000


def test_a_reader_of_the_status_file_never_sees_half_of_it(tmp_path: Path, state: RunState) -> None:
    path = tmp_path / "status.json"
    seen: list[dict[str, Any]] = []
    with StatusFile(path, state, every_s=0.0005):
        for number in range(400):
            state.apply(events.FindingRaised(Finding("k", "s" * number, "d")))
            found = json.loads(path.read_text())
            assert found["schema"] == 1
            seen.append(found)
        state.apply(events.RunEnded(0, 1.0))
    assert read_status(path) == state.snapshot()
    assert {found["run_id"] for found in seen} == {"r1"}
    assert os.listdir(tmp_path) == ["status.json"]


def test_a_status_that_can_not_be_written_costs_nothing_and_is_tried_again(
    tmp_path: Path, state: RunState
) -> None:
    path = tmp_path / "gone" / "status.json"
    with StatusFile(path, state, every_s=3_600) as status:
        assert isinstance(status.error, FileNotFoundError)
        path.parent.mkdir()
    assert status.error is None
    assert read_status(path) == state.snapshot()


def test_hostile_names_survive_the_way_through_the_file(tmp_path: Path, state: RunState) -> None:
    state.apply(shard("\udc80\x1b[31m\n日本"))
    with StatusFile(tmp_path / "s", state):
        pass
    found = read_status(tmp_path / "s")
    assert found is not None
    assert found["running"][0]["name"] == "\udc80\x1b[31m\n日本"


@pytest.mark.parametrize("content", [None, b"", b"{", b"[]", b"{}", b'{"schema": 99}', b"\xff\xfe"])
def test_what_can_not_be_understood_is_no_status(tmp_path: Path, content: bytes | None) -> None:
    path = tmp_path / "status.json"
    if content is not None:
        path.write_bytes(content)
    assert read_status(path) is None


def test_condition() -> None:
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    mine = {"finished": None, "updated": 100.0, "host": socket.gethostname(), "pid": os.getpid()}
    assert condition(mine, now=101) == "live"
    assert condition(mine, now=200) == "stale"
    assert condition({**mine, "finished": 100.0}, now=101) == "ended"
    assert condition({**mine, "pid": gone.pid}, now=101) == "stale"
    assert condition({**mine, "pid": gone.pid, "host": "elsewhere"}, now=101) == "live"
