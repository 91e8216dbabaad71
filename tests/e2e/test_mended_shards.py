"""Clips that a shard gave before it was sound, and what becomes of them when it is."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdl.jobs.demo_clips import Scene, cut_short, render, stamp
from tests.e2e.unruly import (
    Member,
    Origin,
    clip_name,
    host,
    shard_name,
    tar,
    wrong_checksum,
)
from tests.faults.hostile import Act


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


@pytest.fixture(scope="module")
def film() -> bytes:
    return render([Scene("testsrc2", 3, size="160x120")])[0]


def test_what_was_judged_of_bytes_that_proved_wrong_is_forgotten(
    origin: Origin, tmp_path: Path, film: bytes
) -> None:
    """A clip is damaged on the way, checked while its shard goes on, replaced - and then comes right."""
    members = [Member(clip_name(n), stamp(film, str(n))) for n in range(12)]
    damaged = [Member(clip_name(n), cut_short(film)) for n in range(12)]
    mends = [Member(clip_name(n), stamp(film, f"mends {n}")) for n in range(6)]
    data = host(origin, tmp_path, {shard_name(0): members}, replacement=mends)
    body = tar(damaged)
    data.thing(shard_name(0)).script = [
        Act(body=body, rate=len(body), headers=(("Content-Length", ""),), chunked=True)
    ]

    done = data.run("mirror")

    assert (done.code, done.result["findings"]) == (0, [])
    assert done.result["clips"]["ok"] == 12
    assert done.result["clips"]["replaced"] == 0
    assert data.videos() == data.clips
    assert [name for name in data.debris() if not name.startswith(".kdl/replacements/")] == []
    assert len(origin.gets(shard_name(0))) == 2
    again = data.run("mirror")
    assert (again.code, again.result["findings"]) == (0, [])


def test_the_mended_shard_overwrites_what_the_broken_one_gave(
    origin: Origin, tmp_path: Path, film: bytes
) -> None:
    sound = [Member(clip_name(n), stamp(film, str(n))) for n in range(4)]
    broken = [Member(clip_name(0), cut_short(film)), sound[1], Member(clip_name(2), b""), sound[3]]
    data = host(origin, tmp_path, {shard_name(0): sound})
    whole, etag = data.thing(shard_name(0)).body, data.thing(shard_name(0)).etag
    data.thing(shard_name(0)).body = wrong_checksum(broken)
    data.thing(shard_name(0)).etag = '"' + hashlib.md5(data.thing(shard_name(0)).body).hexdigest() + '"'

    first = data.run("mirror")
    assert first.code == 1
    assert first.kinds() == {"shard_broken", "corrupt_clip"}
    assert [data.verdicts()[clip_name(n)] for n in range(4)] == ["corrupt", "ok", "corrupt", "ok"]
    assert len(data.videos()) == 2

    data.thing(shard_name(0)).body, data.thing(shard_name(0)).etag = whole, etag
    second = data.run("mirror")
    assert (second.code, second.result["findings"]) == (0, [])
    assert data.videos() == data.clips
    assert set(data.verdicts().values()) == {"ok"}
    assert data.debris() == []
