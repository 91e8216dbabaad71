"""A task's folder, from both sides."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest

from kdl import events
from kdl.cluster import beacon as room
from kdl.cluster.beacon import Beacon, TaskFolder
from kdl.errors import MachineError
from kdl.events import Event, Noted
from kdl.values import Finding


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic clock of both sides, as the first item."""
    now = [1000.0]
    monkeypatch.setattr(room, "time", SimpleNamespace(monotonic=lambda: now[0]))
    return now


@pytest.fixture
def folder(tmp_path: Path, clock: list[float]) -> TaskFolder:
    return TaskFolder(tmp_path / "tasks" / "1")


def every_event() -> list[Event]:
    """One of each, with values of the types that its fields have."""
    values = {
        "str": "é\n",
        "int": 3,
        "float": 2.5,
        "int | None": None,
        "Finding": Finding("a", "b", "c", "d"),
    }
    return [
        kind(**{each.name: values.get(str(each.type), {"k": 1}) for each in dataclasses.fields(kind)})
        for kind in {events.event_name(kind): kind for kind in Event.__subclasses__()}.values()
    ]


def test_every_event_arrives_as_it_was_told_and_once(folder: TaskFolder) -> None:
    told = every_event()
    assert len(told) > 15
    first, second = Beacon(folder.path), Beacon(folder.path)
    for event in told:
        first.tell(event)
    assert folder.look().events == tuple(told)
    second.tell(Noted("more"))
    assert folder.look().events == (Noted("more"),)
    assert folder.look().events == ()


def test_half_a_line_is_read_when_it_is_whole(folder: TaskFolder) -> None:
    beacon = Beacon(folder.path)
    beacon.tell(Noted("whole"))
    log = folder.path / "log"
    line = log.read_bytes()
    with log.open("ab") as file:
        file.write(line[:7])
    assert folder.look().events == (Noted("whole"),)
    with log.open("ab") as file:
        file.write(line[7:])
    assert folder.look().events == (Noted("whole"),)


def test_one_worker_takes_it(folder: TaskFolder) -> None:
    assert folder.look().worker == ""
    assert Beacon(folder.path).enter("node-1 (pid 7)")
    assert not Beacon(folder.path).enter("node-2 (pid 7)")
    assert folder.look().worker == "node-1 (pid 7)"


def test_age_counts_from_the_last_sign_of_life(folder: TaskFolder, clock: list[float]) -> None:
    beacon = Beacon(folder.path)
    clock[0] += 100
    assert folder.look().age is None
    beacon.enter("node")
    assert folder.look().age == 0
    clock[0] += 10
    assert folder.look().age == 10
    beacon.beat(4)
    assert (folder.look().age, folder.look().item) == (0, 4)
    clock[0] += 5
    beacon.beat()
    assert (folder.look().age, folder.look().item) == (0, 4)
    clock[0] += 5
    beacon.tell(Noted("x"))
    assert folder.look().age == 0


def test_the_stop_mark_is_seen(folder: TaskFolder, clock: list[float]) -> None:
    beacon = Beacon(folder.path)
    assert not beacon.stopped()
    folder.stop()
    clock[0] += 1
    assert beacon.stopped()
    folder.beat()
    assert beacon.stopped()
    assert Beacon(folder.path).stopped()


def test_a_folder_that_has_gone_stops_the_task_and_stays_gone(folder: TaskFolder, clock: list[float]) -> None:
    beacon = Beacon(folder.path)
    assert not beacon.stopped()
    folder.remove()
    clock[0] += 1
    assert beacon.stopped()
    with pytest.raises(FileNotFoundError):
        beacon.beat()
    with pytest.raises(FileNotFoundError):
        beacon.tell(Noted("x"))
    assert not beacon.enter("late")
    assert not folder.path.exists()


def test_a_task_without_a_coordinator_stops(folder: TaskFolder, clock: list[float]) -> None:
    beacon = Beacon(folder.path)
    for _ in range(20):
        clock[0] += 10
        folder.beat()
        assert not beacon.stopped()
    for _ in range(6):
        clock[0] += 10
        assert not beacon.stopped()
    clock[0] += 10
    assert beacon.stopped()


def test_a_worker_that_was_stopped_for_a_while_does_not_take_that_for_silence(
    folder: TaskFolder, clock: list[float]
) -> None:
    beacon = Beacon(folder.path)
    assert not beacon.stopped()
    clock[0] += 3600
    assert not beacon.stopped()


def test_it_is_asked_often_and_looks_seldom(folder: TaskFolder, clock: list[float]) -> None:
    beacon = Beacon(folder.path)
    assert not beacon.stopped()
    folder.stop()
    clock[0] += 0.01
    assert not beacon.stopped()
    clock[0] += 1
    assert beacon.stopped()


def test_where_no_folder_can_be_made_the_path_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError, match="file"):
        TaskFolder(tmp_path / "file" / "1")


def test_several_writers_do_not_write_over_one_another(folder: TaskFolder) -> None:
    beacons = [Beacon(folder.path) for _ in range(3)]
    for number in range(300):
        beacons[number % 3].tell(Noted(f"{number} " + "x" * 200))
    assert [int(event.text.split()[0]) for event in folder.look().events] == list(range(300))  # type: ignore[attr-defined]
