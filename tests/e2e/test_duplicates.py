"""Copies of a clip in the shards: the first sound one wins, in whichever order they arrive."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdl.jobs.demo_clips import Scene, cut_short, render, stamp, without_index
from tests.e2e.running import clips
from tests.e2e.unruly import (
    ANNOTATION,
    LABELS,
    Dataset,
    Member,
    Origin,
    always,
    annotation,
    clip_name,
    host,
    shard_name,
    targz,
)
from tests.faults.hostile import GOOD, Act

SHARDS = 3
COPIES: dict[int, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    # by clip: what each shard holds of it; a film's name is followed by what makes its bytes its own
    1: (("cut",), ("film b",), ()),
    2: (("film a",), ("cut",), ()),
    3: (("film a",), ("film b",), ()),
    4: (("cut",), ("film b",), ("film c",)),
    5: (("cut",), ("no index",), ("film c",)),
    6: (("cut",), ("text",), ("empty",)),
    7: (("cut", "film a"), (), ()),
    8: (("film a", "cut"), (), ()),
    9: (("cut",), ("film b",), ()),
    10: (("cut",), ("text",), ()),
    11: (("film a",), ("film a",), ("film a",)),
    12: (("empty",), ("film b",), ()),
    13: ((), ("text", "no index"), ("film c",)),
    14: (("empty",), ("text",), ()),
    15: (("no index",), (), ("cut", "film c")),
    16: (("text",), ("empty", "film b"), ("film c",)),
}
MENDED = (9, 10)
"""Clips that the replacement archive holds as well."""
OUTCOMES = {
    # verdict, cause, what it shows, shard
    1: ("ok", "", "film b", 1),
    2: ("ok", "", "film a", 0),
    3: ("ok", "", "film a", 0),
    4: ("ok", "", "film b", 1),
    5: ("ok", "", "film c", 2),
    6: ("corrupt", "truncated", "cut", 0),
    7: ("ok", "", "film a", 0),
    8: ("ok", "", "film a", 0),
    9: ("ok", "", "film b", 1),
    10: ("ok", "", "mended", 0),
    11: ("ok", "", "film a", 0),
    12: ("ok", "", "film b", 1),
    13: ("ok", "", "film c", 2),
    14: ("corrupt", "zero_bytes", "empty", 0),
    15: ("ok", "", "film c", 2),
    16: ("ok", "", "film b", 1),
}


@pytest.fixture(scope="module")
def film() -> bytes:
    return render([Scene("testsrc2", 3, size="160x120")])[0]


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


def shown(film: bytes, what: str, number: int) -> bytes:
    name = f"{what} of {number}"
    match what:
        case "empty":
            return b""
        case "text":
            return f"{name}: no video at all".encode() * 40
        case "cut":
            return cut_short(film)[: -number - 1]
        case "no index":
            return without_index(stamp(film, name))
    return stamp(film, name)


@pytest.fixture
def data(origin: Origin, tmp_path: Path, film: bytes) -> Dataset:
    shards = {
        shard_name(at): targz(
            Member(f"./{folder}/{clip_name(number)}", shown(film, what, number))
            for folder in range(2)
            for number, copies in COPIES.items()
            for what in copies[at][folder : folder + 1]
        )
        for at in range(SHARDS)
    }
    mends = [Member(f"mends/{clip_name(number)}", shown(film, "mended", number)) for number in MENDED]
    return host(origin, tmp_path, shards, listed=map(clip_name, COPIES), replacement=mends)


def slow(data: Dataset, at: int) -> None:
    """The shard arrives when the others have long been checked."""
    thing = data.thing(shard_name(at))
    thing.script = [Act(rate=len(thing.body) // 3)]


@pytest.mark.parametrize(
    "order",
    [
        "as listed",
        "0 late",
        pytest.param("1 late", marks=pytest.mark.long),
        pytest.param("2 late", marks=pytest.mark.long),
        pytest.param("0 in a later run", marks=pytest.mark.long),
        pytest.param("1 in a later run", marks=pytest.mark.long),
    ],
)
def test_the_first_sound_copy_wins(data: Dataset, film: bytes, order: str) -> None:
    at = int(order[0]) if order[0].isdigit() else None
    if at is not None and "run" in order:
        always(Act(status=404), data.thing(shard_name(at)))
        assert data.run("mirror").code == 4
        data.thing(shard_name(at)).always, data.thing(shard_name(at)).heads = GOOD, []
    elif at is not None:
        slow(data, at)

    done = data.run("mirror", "--jobs", 1 if at is None else SHARDS)

    assert done.code == 1
    rows = clips(data.manifest, data.root)
    found = {
        number: (row["verdict"], row["cause"], row["sha256"], row["shard"], row["replaced"])
        for number in COPIES
        for row in [rows["train", clip_name(number)]]
    }
    wanted = {
        number: (
            verdict,
            cause,
            hashlib.sha256(shown(film, what, number)).hexdigest(),
            shard_name(shard),
            str(what == "mended").lower(),
        )
        for number, (verdict, cause, what, shard) in OUTCOMES.items()
    }
    assert found == wanted
    assert data.videos() == {
        f"videos/train/abseiling/{clip_name(number)}": sha256
        for number, (verdict, _, sha256, _, _) in wanted.items()
        if verdict == "ok"
    }
    assert [
        name for name in data.debris() if not name.startswith((".kdl/replacements/", ".kdl/quarantine/"))
    ] == []
    corrupt = [number for number, (verdict, *_) in wanted.items() if verdict == "corrupt"]
    quarantined = {path.name for path in (data.base / ".kdl/quarantine").rglob("*") if path.is_file()}
    assert quarantined == {clip_name(number) for number in corrupt}
    again = data.run("mirror")
    assert (again.code, again.result["shards"]["skipped"]) == (1, SHARDS)
    assert clips(data.manifest, data.root) == rows


@pytest.mark.parametrize("late", [0, 1])
def test_a_copy_brings_its_class_with_it(origin: Origin, tmp_path: Path, film: bytes, late: int) -> None:
    """Where archives tell the class by their names, copies may lie in two of them."""
    names = [f"{label}.tar.gz" for label in LABELS]
    held = {
        names[0]: [Member(clip_name(1), cut_short(film)), Member(clip_name(2), stamp(film, "first"))],
        names[1]: [Member(clip_name(1), stamp(film, "other")), Member(clip_name(2), stamp(film, "second"))],
    }
    data = host(origin, tmp_path, {name: targz(members) for name, members in held.items()}, listed=[])
    data.manifest.write_text(
        data.manifest.read_text().replace('class_from = "annotation"', 'class_from = "shard-name"')
    )
    origin.put(ANNOTATION, annotation([clip_name(1), clip_name(2)]))
    data.thing(names[late]).script = [Act(rate=len(data.thing(names[late]).body) // 2)]

    done = data.run("mirror")

    assert (done.code, done.kinds()) == (0, {"duplicate_clip", "class_conflict"})
    assert data.videos() == {
        f"videos/train/driving_car/{clip_name(1)}": hashlib.sha256(stamp(film, "other")).hexdigest(),
        f"videos/train/abseiling/{clip_name(2)}": hashlib.sha256(stamp(film, "first")).hexdigest(),
    }
    assert data.debris() == []
