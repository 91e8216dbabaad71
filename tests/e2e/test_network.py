"""A network that misbehaves: what is borne, what is given up, and what the next run asks for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.unruly import (
    ANNOTATION,
    LIST,
    README,
    REPLACEMENT,
    Origin,
    host,
    plain_shards,
    shard_name,
    three_clips,
)
from tests.faults.hostile import GOOD, Act


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


HICCUPS = {
    "dropped half-way": [Act(close_after=200_000)],
    "dropped at once": [Act(close_after=0)],
    "reset half-way": [Act(reset_after=200_000)],
    "closed without an answer": [Act(hang_up=True)],
    "stalled half-way": [Act(stall_after=200_000)],
    "no answer": [Act(silent=True)],
    "chunked, cut": [Act(chunked=True, close_after=150_000)],
    "garbage": [Act(garbage=b"\x00\x01 no HTTP at all\r\n\r\n")],
    "garbage in the headers": [Act(garbage=b"HTTP/1.1 200 OK\r\nContent-Length: many\r\n\r\n")],
    "408": [Act(status=408)],
    "429 in seconds": [Act(status=429, headers=(("Retry-After", "2"),))],
    "503 without a time": [Act(status=503, body=b"<Error><Code>SlowDown</Code></Error>")],
    "a burst of 500": [Act(status=500)] * 3,
    "one by one": [Act(close_after=50_000), Act(status=502), Act(reset_after=50_000), Act(hang_up=True)],
}
ODDITIES = {
    "chunked, whole": ([Act(chunked=True)], 1),
    "connection lost after a good answer": ([Act(close=True)], 1),
    # It stalls, the rest is asked for (416), and then it is another object than was told of.
    "fewer bytes than told": ([Act(claim=1_000_000)], 3),
}


def test_every_hiccup_is_borne(origin: Origin, tmp_path: Path) -> None:
    cases = {name: (script, len(script) + 1) for name, script in HICCUPS.items()}
    cases |= ODDITIES
    shards = dict(zip(cases, map(shard_name, range(len(cases))), strict=True))
    data = host(origin, tmp_path, plain_shards(len(cases)), replacement=three_clips(90))
    for name, (script, _) in cases.items():
        data.thing(shards[name]).script = [*script]
    for path in (LIST, ANNOTATION, README, REPLACEMENT):
        data.thing(path).script = [Act(close_after=5), Act(status=503)]

    done = data.run("fetch", "--jobs", len(cases))

    assert (done.code, done.result["findings"]) == (0, [])
    assert data.videos() == data.clips
    assert set(data.verdicts().values()) == {"unchecked"}
    assert data.debris() == [f".kdl/replacements/{each.name[2:]}" for each in three_clips(90)]
    asked = {name: len(origin.gets(shard)) for name, shard in shards.items()}
    assert asked == {name: requests for name, (_, requests) in cases.items()}
    assert [len(origin.gets(path)) for path in (LIST, ANNOTATION, README, REPLACEMENT)] == [3, 3, 3, 3]
    assert data.objects()[REPLACEMENT]["proof"] == "md5"
    waits = {event["subject"]: event["delay"] for event in data.events("retry_scheduled")}
    assert waits[f"train/{shards['429 in seconds']}"] == 2


def test_what_is_given_up_is_named_and_the_next_run_fetches_it_alone(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(7))
    stubborn = {
        "part_0.tar.gz": (Act(status=500), "HTTP 500 Internal Server Error"),
        "part_1.tar.gz": (Act(hang_up=True), "the server closed the connection"),
        "part_2.tar.gz": (Act(silent=True), "stalled: no byte for 0.5 s"),
        "part_3.tar.gz": (Act(close_after=0), "the body broke off"),
        "part_4.tar.gz": (Act(garbage=b"hello\r\n\r\n"), "malformed answer"),
    }
    for name, (act, _) in stubborn.items():
        data.thing(name).always = act

    first = data.run("fetch", "--tries", 2, "--jobs", 7)

    assert first.code == 4
    findings = {finding["subject"]: finding for finding in first.result["findings"]}
    assert set(findings) == {origin.url(name) for name in stubborn}
    for name, (act, words) in stubborn.items():
        assert findings[origin.url(name)]["kind"] == "object_failed"
        assert words in findings[origin.url(name)]["detail"]
        # The client itself asks once more where a connection was closed before an answer.
        assert len(origin.gets(name)) == (4 if act.hang_up else 2)
    assert first.result["shards"] == {"done": 2, "failed": 5, "skipped": 0}
    assert data.videos().items() <= data.clips.items()
    assert len(data.videos()) == 6
    assert sorted(data.verdicts().values()) == ["pending"] * 15 + ["unchecked"] * 6
    assert data.debris() == []

    for name in stubborn:
        data.thing(name).always = GOOD
    origin.requests.clear()
    second = data.run("fetch")

    assert (second.code, second.result["findings"]) == (0, [])
    assert second.result["shards"] == {"done": 5, "failed": 0, "skipped": 2}
    assert data.videos() == data.clips
    fetched = [request for request in origin.gets() if request.headers.get("if-none-match") is None]
    assert sorted(request.path for request in fetched) == [*sorted(stubborn), LIST]
    assert data.debris() == []


@pytest.mark.long
def test_the_rest_of_a_broken_off_shard_is_all_that_the_next_run_asks_for(
    origin: Origin, tmp_path: Path
) -> None:
    data = host(origin, tmp_path, {shard_name(0): three_clips(0, 700_000)})
    data.thing(shard_name(0)).script = [Act(close_after=1_500_000), Act(status=503)]
    first = data.run("fetch", "--tries", 2)
    assert first.code == 4
    [spool] = data.debris()
    assert spool.startswith(".kdl/spool/train_part_0.tar.gz.")
    held = (data.base / spool).stat().st_size
    assert held == 1_500_000

    second = data.run("fetch")

    assert (second.code, data.videos(), data.debris()) == (0, data.clips, [])
    [request] = origin.gets(shard_name(0))[2:]
    assert request.range_start == held
    assert second.result["bytes"]["fetched"] < len(data.thing(shard_name(0)).body) - held + 1000


def test_one_try_is_one_request(origin: Origin, tmp_path: Path) -> None:
    data = host(origin, tmp_path, plain_shards(2))
    data.thing(shard_name(0)).script = [Act(status=503)]
    done = data.run("fetch", "--tries", 1)
    assert done.code == 4
    assert len(origin.gets(shard_name(0))) == 1
    assert done.result["shards"] == {"done": 1, "failed": 1, "skipped": 0}
