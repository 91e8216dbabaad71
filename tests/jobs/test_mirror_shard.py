"""A shard as a worker mirrors it, in a worker process: what it stages, and what it leaves alone."""

from __future__ import annotations

import pickle
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from kdl.archive.staged import Skipped, entries
from kdl.errors import WorkerLost
from kdl.jobs.staging import Staged, Wants, key_line
from kdl.media.worker import Worker
from kdl.values import ClipFile, ClipKey
from tests.e2e.unruly import (
    LABELS,
    Member,
    Origin,
    clip_name,
    host,
    noise,
    shard_name,
    tar,
    targz,
    three_clips,
)
from tests.faults.hostile import Act
from tests.jobs.shard_task import Task

MIB = 1 << 20
HELD = 700_000
KEYS = [ClipKey("train", f"clip{n:07d}", 0, 3) for n in range(3)]


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


@pytest.fixture(scope="module")
def worker() -> Iterator[Worker]:
    made = Worker()
    made.call(pickle.dumps((key_line, (KEYS[0],))), 60).value()  # it loads what it needs, and is quick then
    yield made
    made.end()


@pytest.fixture
def task(origin: Origin, tmp_path: Path) -> Task:
    return Task(host(origin, tmp_path, {shard_name(0): three_clips(0)}), tmp_path)


@pytest.fixture
def stalling(origin: Origin, tmp_path: Path) -> Task:
    """A larger one, of which no more than ``HELD`` bytes come when it is first asked for."""
    task = Task(host(origin, tmp_path, {shard_name(0): three_clips(0, MIB)}), tmp_path)
    origin.things[shard_name(0)].script = [Act(stall_after=HELD)]
    return task


def clips(staged: Staged, number: int = 1) -> list[ClipFile]:
    return [entry for entry in entries(staged.journal(number)) if isinstance(entry, ClipFile)]


def test_all_clips_are_staged_in_order(task: Task, worker: Worker) -> None:
    staged = task.mirror(worker)
    assert (staged.passes, staged.result.state) == (1, "done")
    members = three_clips(0)
    assert [(clip.member, clip.seq) for clip in clips(staged)] == [(m.name, n) for n, m in enumerate(members)]
    for clip, member in zip(clips(staged), members, strict=True):
        assert clip.written
        assert Path(str(clip.path)).read_bytes() == member.data
        assert Path(str(clip.path)).parent.parent == staged.folder


def test_what_nobody_wants_is_not_staged(task: Task, worker: Worker, tmp_path: Path) -> None:
    wanted = tmp_path / "wanted"
    wanted.write_text(f"{key_line(KEYS[1])}\n")
    staged = task.mirror(worker, Wants(frozenset([LABELS[0]]), wanted))
    assert [clip.path is not None for clip in clips(staged)] == [False, True, False]
    assert len(list((staged.folder / "1").iterdir())) == 1


def test_where_the_archive_tells_the_class_the_list_is_not_asked(
    origin: Origin, worker: Worker, tmp_path: Path
) -> None:
    members = [Member(f"{LABELS[n % 2]}/{clip_name(n)}", noise(str(n))) for n in range(3)]
    task = Task(host(origin, tmp_path, {shard_name(0): members}), tmp_path)
    wanted = tmp_path / "wanted"
    wanted.touch()
    staged = task.mirror(worker, Wants(frozenset([LABELS[1]]), wanted))
    assert [clip.path is not None for clip in clips(staged)] == [False, True, False]


def test_what_is_here_already_is_compared_and_not_staged(task: Task, worker: Worker, tmp_path: Path) -> None:
    first = clips(task.mirror(worker))
    here = {}
    for number, clip in enumerate(first[:2]):
        place = tmp_path / clip.name
        Path(str(clip.path)).replace(place)
        # Of the second one the ledger has another digest.
        here[KEYS[number]] = (str(place), str(clip.sha256) if number == 0 else "0" * 64)
    again = clips(task.mirror(worker, Wants(here=here)))
    assert [clip.written for clip in again] == [False, True, True]
    assert again[0].path == here[KEYS[0]][0]
    assert [clip.sha256 for clip in again] == [clip.sha256 for clip in first]


def test_a_second_pass_takes_over_what_comes_the_same_again(
    origin: Origin, worker: Worker, tmp_path: Path
) -> None:
    members = three_clips(0)
    other = [members[0], Member(members[1].name, noise("another")), members[2], Member("./notes.txt", b"x")]
    body, changed = targz(members)[:-20], targz(other)[:-20]  # neither is whole
    task = Task(host(origin, tmp_path, {shard_name(0): body}, listed=[], s3=False), tmp_path)
    origin.things[shard_name(0)].script = [Act(body=changed)]
    staged = task.mirror(worker)
    assert (staged.passes, staged.result.state) == (3, "broken")
    by_pass = [[Path(str(clip.path)).exists() for clip in clips(staged, n)] for n in (1, 2, 3)]
    assert by_pass == [[False, True, False], [False] * 3, [True] * 3]
    assert [Path(str(clip.path)).read_bytes() for clip in clips(staged, 3)] == [m.data for m in members]
    assert any(isinstance(entry, Skipped) for entry in entries(staged.journal(1)))


def test_one_that_is_told_to_stop_leaves_its_spool_alone(
    stalling: Task, origin: Origin, worker: Worker
) -> None:
    entered = stalling.enter()

    def stop() -> None:
        while not entered.look().events:
            time.sleep(0.02)
        entered.stop()

    stopping = threading.Thread(target=stop)
    stopping.start()
    with pytest.raises(WorkerLost, match="told to stop"):
        stalling.carry(worker, entered, Wants())
    stopping.join()
    assert [path.name for path in stalling.shard.tmp.iterdir()] == ["turns"]
    assert stalling.spooled() == HELD
    assert stalling.mirror(worker).result.state == "done"
    assert origin.gets(shard_name(0))[-1].range_start == HELD


def test_two_that_have_the_same_shard_do_not_spoil_its_spool(
    stalling: Task, origin: Origin, worker: Worker
) -> None:
    """The first was taken for lost, and is not; the second goes on from where it was."""
    other, entered = Worker(), stalling.enter()
    try:
        with ThreadPoolExecutor(1) as beside:
            lost = beside.submit(stalling.carry, other, entered, Wants())
            while not stalling.spooled():
                time.sleep(0.02)
            heir = stalling.mirror(worker)
            both = [heir, lost.result()]
    finally:
        other.end()
    starts = [request.range_start for request in origin.gets(shard_name(0))]
    assert starts.count(None) == 1
    assert len(starts) > 1
    for staged in both:
        assert staged.result.state == "done"
        assert [clip.sha256 for clip in clips(staged)] == [clip.sha256 for clip in clips(heir)]
    (spool,) = stalling.folder.glob("spool/*")
    assert spool.read_bytes() == origin.things[shard_name(0)].body


@pytest.mark.parametrize(("pack", "start"), [(targz, 100_000), (tar, None)])
def test_a_lost_worker_s_spool_serves_where_checksums_vouch_for_it(
    origin: Origin, worker: Worker, tmp_path: Path, pack: Any, start: int | None
) -> None:
    """What a machine had not sent to the file server when it was lost would be a hole."""
    body = pack(three_clips(0))
    task = Task(host(origin, tmp_path, {shard_name(0): body}, listed=[]), tmp_path)
    task.mirror(worker)
    (spool,) = task.folder.glob("spool/*")
    spool.write_bytes(body[:100_000])
    assert task.mirror(worker, again=True).result.state == "done"
    assert origin.gets(shard_name(0))[-1].range_start == start
