"""A host short of breath, one that never speaks again, and what a run tells of its ways."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import KDL, kdl
from tests.e2e.unruly import ALONE, Origin, host, plain_shards, shard_name, three_clips
from tests.faults.hostile import GOOD, Act, Request

MEGABYTE = 1_000_000


class Narrow(Origin):
    """Bears two archives at a time and refuses more."""

    def __init__(self) -> None:
        super().__init__()
        self.busy = 0
        self.most = 0

    async def _answer(self, request: Request, writer: asyncio.StreamWriter) -> bool:
        if request.method != "GET" or not request.path.startswith("part_"):
            return await super()._answer(request, writer)
        thing = self.things[request.path]
        if self.busy == 2:
            thing.script.insert(0, Act(status=503))
            return await super()._answer(request, writer)
        self.busy += 1
        self.most = max(self.most, self.busy)
        try:
            thing.script.insert(0, Act(rate=MEGABYTE))
            return await super()._answer(request, writer)
        finally:
            self.busy -= 1


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


def test_a_host_short_of_breath_is_asked_for_less_at_a_time(tmp_path: Path) -> None:
    with Narrow() as origin:
        data = host(origin, tmp_path, plain_shards(8))
        done = data.run("fetch", "--jobs", 8)
    assert (done.code, done.result["findings"]) == (0, [])
    assert data.videos() == data.clips
    assert origin.most == 2
    changes = data.events("jobs_changed")
    assert (changes[0]["jobs"], changes[0]["of"]) == (4, 8)
    assert min(change["jobs"] for change in changes) >= 1
    assert done.result["retries"] == {"http_503": len(data.events("retry_scheduled"))}
    # Lanes that were refused wait for those that are served, not for their patience to end.
    assert max(event["attempt"] for event in data.events("retry_scheduled")) < 6


def test_each_shard_has_its_story_and_the_summary_counts_by_cause(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(4))
    scripts = [[], [Act(close_after=200_000), Act(status=502)], [Act(stall_after=100_000)], [Act(status=404)]]
    for number, script in enumerate(scripts):
        data.thing(shard_name(number)).script = script
    done = data.run("fetch")
    assert done.code == 4
    assert done.result["retries"] == {"http_502": 1, "stall": 1, "truncated": 1}
    stories: dict[str, list[str]] = {}
    changes = data.events("shard_changed")
    for event in changes:
        stories.setdefault(event["name"], []).append(event["state"])
    good = ["unpacked", "proved", "done"]
    assert stories == {
        "train/part_0.tar.gz": ["queued", "started", *good],
        "train/part_1.tar.gz": ["queued", "started", "retried", "retried", *good],
        "train/part_2.tar.gz": ["queued", "started", "retried", *good],
        "train/part_3.tar.gz": ["queued", "failed"],
    }
    for number in range(3):
        size = len(data.thing(shard_name(number)).body)
        mine = [event for event in changes if event["name"].endswith(shard_name(number))]
        assert {event["size"] for event in mine} == {size}
        assert [event["received"] for event in mine[-3:]] == [size] * 3
        assert [event["seconds"] for event in mine] == sorted(event["seconds"] for event in mine)
    assert [e["detail"] for e in changes if e["state"] == "retried" and "part_1" in e["name"]] == [
        "truncated",
        "http_502",
    ]
    assert {event["detail"] for event in changes if event["state"] == "proved"} == {"md5"}


def test_what_the_spool_holds_is_told_as_resumed(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, {shard_name(0): three_clips(0, 700_000)})
    data.thing(shard_name(0)).script = [Act(close_after=1_500_000), Act(status=503)]
    assert data.run("fetch", "--tries", 2).code == 4
    assert [event["state"] for event in data.events("shard_changed")][-2:] == ["retried", "failed"]
    [spool] = data.debris()
    held = (data.base / spool).stat().st_size
    assert data.events("shard_changed")[-1]["received"] == held > 1_000_000
    assert data.run("fetch").code == 0
    [resumed] = [event for event in data.events("shard_changed") if event["state"] == "resumed"]
    assert resumed["received"] == held


def test_people_are_told_how_often_it_tried_again(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(1))
    data.thing(shard_name(0)).script = [Act(status=503), Act(reset_after=100_000)]
    where = ("--root", data.root, "--origin", origin.base, "--jobs", 2)
    done = kdl("fetch", data.manifest, *where, **ALONE)
    assert done.code == 0
    lines = done.out.splitlines()
    assert any(line.startswith("retries") and "http 503 1" in line and "reset 1" in line for line in lines)
    assert any("jobs: 1 of 2 from here on: HTTP 503 Service Unavailable" in line for line in lines)


def test_connections_of_one_archive_are_many_and_its_clips_the_same(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, {shard_name(0): three_clips(0, 2 * MEGABYTE)})
    data.thing(shard_name(0)).script = [GOOD, GOOD, Act(reset_after=1_000)]
    done = data.run("fetch", "--connections-per-file", 4)
    assert (done.code, data.videos(), data.debris()) == (0, data.clips, [])
    assert done.result["retries"] == {"reset": 1}
    assert len({request.connection for request in origin.gets(shard_name(0))}) > 2


def test_an_origin_that_falls_silent_ends_the_run_and_the_next_one_goes_on(
    origin: Origin, tmp_path: Path
) -> None:
    shards = {shard_name(0): three_clips(0), shard_name(1): three_clips(1, 700_000)}
    data = host(origin, tmp_path, shards)
    data.thing(shard_name(1)).script = [Act(stall_after=1_500_000)]
    done = data.run("fetch", "--watchdog", 0.05, "--stall", 600)
    assert done.code == 4
    [finding] = done.result["findings"]
    assert finding["kind"] == "hung"
    for words in ("in the step 'shards'", "train/part_1.tar.gz at ", " of 2.1 MB", "fetch.stream.Transfer"):
        assert words in finding["detail"]
    [hung] = data.events("run_hung")
    assert (hung["where"], hung["exit_code"]) == (finding["detail"], 4)
    assert data.events("run_ended")[0]["exit_code"] == 4
    assert [row["exit_code"] for row in data.rows("SELECT exit_code FROM runs")] == [4]
    assert done.result["shards"]["done"] == 1

    origin.requests.clear()
    assert data.run("fetch").code == 0
    [request] = origin.gets(shard_name(1))
    assert request.range_start is not None
    assert request.range_start > 1_000_000
    assert data.videos() == data.clips


def test_a_run_that_was_stopped_for_a_while_goes_on(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, {shard_name(0): three_clips(0, 700_000)})
    data.thing(shard_name(0)).always = Act(rate=MEGABYTE)
    words = [
        "fetch",
        data.manifest,
        "--root",
        data.root,
        "--origin",
        origin.base,
        "--watchdog",
        0.03,
        "--json",
    ]
    with subprocess.Popen(
        [*KDL, *map(str, words)], stdout=subprocess.PIPE, text=True, env={**os.environ, **ALONE}
    ) as process:
        try:
            until = time.monotonic() + 120
            while not origin.gets(shard_name(0)) and time.monotonic() < until:
                time.sleep(0.02)
            process.send_signal(signal.SIGSTOP)
            time.sleep(3.0)  # longer than the watchdog bears
            process.send_signal(signal.SIGCONT)
            out, _ = process.communicate(timeout=120)
        finally:
            process.kill()
    assert (process.returncode, json.loads(out)["findings"]) == (0, [])
    assert data.videos() == data.clips


@pytest.mark.parametrize(
    ("rate", "words"),
    [
        ("08:00,20M 25:00,off", "25:00: no time of a day"),
        ("8am,20M", "8am,20M: no entry of a timetable"),
        ("08:00,fast", "fast: not a size"),
        ("08:00,1M 08:00,off", "08:00 stands in it twice"),
    ],
)
def test_a_timetable_that_is_none_is_named(rate: str, words: str, tmp_path: Path) -> None:
    done = kdl("fetch", "k400", "--root", tmp_path, "--limit-rate", rate)
    assert done.code == 2
    assert words in " ".join(done.err.split())
