"""Faults by the handful, drawn from a seed: what passes leaves no trace, and what lasts costs its own alone.

A seed that failed is told with what was drawn from it; ``KDL_FAULT_SEED=N`` draws it again, alone.
"""

from __future__ import annotations

import os
import random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.e2e.archives import BROKEN, zipped
from tests.e2e.engine import IMPATIENT_S, Engine, engine, tree_digest
from tests.e2e.unruly import Dataset, Origin, host, shard_name, tar, targz, three_clips
from tests.faults.hostile import GOOD, Act
from tests.faults.vocabulary import LASTING, PASSING, Lasting, flipped, stalls

__all__ = ["engine"]

SHARDS = 5
SIZE = 40_000
TRIES = 12
"""More than faults that can meet one shard, three times over."""
PACKED = (targz, targz, targz, tar, zipped)
SLOW = frozenset({"headers without an end", "chunked without an end"})
"""They take their time, and are waited for in the matrix."""

ALONE = frozenset({"416", "416 without a word", "a page for the rest"})
"""Said of the rest they pass; of the whole, where another fault leads there, they are taken at their word."""


def seeds() -> list[Any]:
    told = os.environ.get("KDL_FAULT_SEED")
    if told is not None:
        return [int(told)]
    return [*range(12), *(pytest.param(seed, marks=pytest.mark.long) for seed in range(12, 212))]


@dataclass
class Storm:
    """What was drawn: for each shard its archive, what befalls it, and whether that lasts."""

    options: dict[str, Any]
    s3: bool
    packed: list[str] = field(default_factory=list)
    passing: list[list[str]] = field(default_factory=lambda: [[] for _ in range(SHARDS)])
    lasting: dict[int, str] = field(default_factory=dict)
    broken: dict[int, str] = field(default_factory=dict)


def draw(seed: int) -> Storm:
    """Two to six faults over the shards; in every other storm some of them last."""
    rng = random.Random(seed)
    options = {"jobs": rng.randint(1, SHARDS), "spool": rng.random() < 0.7, "tries": TRIES}
    storm = Storm(options, s3=rng.random() < 0.7)
    storm.packed = [rng.choice(PACKED).__name__ for _ in range(SHARDS)]
    passing = sorted(set(PASSING) - SLOW)
    lasting = sorted(name for name in LASTING if name not in SLOW and not stalls(name))
    for _ in range(rng.randint(2, 6)):
        at = rng.randrange(SHARDS)
        if seed % 2 == 0 or rng.random() < 0.6:
            storm.passing[at].append(rng.choice(passing))
        elif rng.random() < 0.5:
            storm.broken.setdefault(at, rng.choice(sorted(BROKEN)))
        else:
            storm.lasting.setdefault(at, rng.choice(lasting))
    storm.passing = [[f for f in faults if f not in ALONE or len(faults) == 1] for faults in storm.passing]
    for number in storm.lasting:
        storm.broken.pop(number, None)
        storm.passing[number] = []
    return storm


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


@pytest.mark.parametrize("seed", seeds())
def test_storm(origin: Origin, tmp_path: Path, engine: Engine, seed: int) -> None:
    storm = draw(seed)
    print(f"KDL_FAULT_SEED={seed}: {storm}")
    data = loose(origin, tmp_path, storm, seed)
    hit = set(storm.lasting) | set(storm.broken)
    lost = {Path(each.name).name for number in hit for each in three_clips(number, SIZE)}

    done = engine(data, stall_s=IMPATIENT_S, **storm.options)

    spared = {name: digest for name, digest in data.clips.items() if Path(name).name not in lost}
    assert tree_digest({name: done.files.get(name, "") for name in spared}) == tree_digest(spared)
    assert done.code == (4 if storm.lasting else 1 if storm.broken else 0)
    assert {finding.subject.rpartition("/")[2] for finding in done.findings} == {shard_name(n) for n in hit}
    assert done.kinds <= {"object_failed", "shard_broken"}
    require_provisional(data, done.files, set(done.files) - set(spared))
    assert {done.verdicts[Path(name).name] for name in done.files} == {"unchecked"}
    assert {verdict for name, verdict in done.verdicts.items() if name in lost} <= {"unchecked", "pending"}
    assert [name for name in done.debris if not (hit and name.startswith(".kdl/spool/"))] == []

    for number in hit:
        thing = data.thing(shard_name(number))
        thing.script, thing.always, thing.heads = [], GOOD, []
        if number in storm.broken:
            origin.put(shard_name(number), targz(three_clips(number, SIZE)), s3=storm.s3)
    mended = engine(data, stall_s=IMPATIENT_S, **storm.options)
    assert (mended.code, mended.findings, mended.debris) == (0, (), ())
    assert mended.tree == tree_digest(data.clips)
    assert set(mended.verdicts.values()) == {"unchecked"}


def require_provisional(data: Dataset, files: dict[str, str], kept: set[str]) -> None:
    """What is had of a shard that is not proved is marked so; nothing else is, nor of other bytes."""
    rows = data.rows("SELECT path FROM clips WHERE path IS NOT NULL AND provisional")
    assert {row["path"] for row in rows} == kept
    assert {name for name, digest in files.items() if digest != data.clips.get(name)} <= kept


def loose(origin: Origin, folder: Path, storm: Storm, seed: int) -> Dataset:
    """The storm's dataset, hosted, with everything that is to befall it."""
    makers = {make.__name__: make for make in PACKED}
    data = host(origin, folder, {shard_name(n): three_clips(n, SIZE) for n in range(SHARDS)}, s3=storm.s3)
    rng = random.Random(seed)
    for number, packed in enumerate(storm.packed):
        # What has no checksum of its own needs the host's, or a flipped byte would pass for the clip's.
        sure = storm.s3 or packed != "tar"
        make = makers[packed] if sure else targz
        body = make(three_clips(number, SIZE))
        if number in storm.broken:
            body = BROKEN[storm.broken[number]].make(three_clips(number, SIZE))
        origin.put(shard_name(number), body, s3=storm.s3)
        thing = data.thing(shard_name(number))
        thing.script = [act for fault in storm.passing[number] for act in acts(fault, body, rng)]
        if number in storm.lasting:
            befall(data, number, LASTING[storm.lasting[number]])
    return data


def acts(fault: str, body: bytes, rng: random.Random) -> list[Act]:
    """A fault twice the same is none that passes: bytes flip at another place each time."""
    if not body:
        return []
    if fault == "a flipped byte":
        return [Act(body=flipped(body, rng.randrange(len(body) // 4, len(body) // 2)))]
    if fault == "longer than told":
        return [Act(claim=rng.randrange(len(body) // 4, len(body) // 2))]
    return [*PASSING[fault](body)]


def befall(data: Dataset, number: int, case: Lasting) -> None:
    thing = data.thing(shard_name(number))
    thing.script, thing.always = [*case.first(thing.body)], case.always(thing.body)
    thing.heads = [thing.always] * 100 if case.heads else []
