"""Every misbehaviour of a network, one at a time, over the real engine.

Each ends in one of two ways: with the tree and the verdicts of an undisturbed run, or with a finding that
names the cause, the other shards' clips, and a second run that mends it. No file of another kind is left.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.engine import IMPATIENT_S, Engine, Outcome, engine, tree_digest
from tests.e2e.unruly import (
    ANNOTATION,
    LIST,
    README,
    REPLACEMENT,
    Dataset,
    Origin,
    clip_name,
    host,
    shard_name,
    three_clips,
)
from tests.faults.hostile import GOOD
from tests.faults.vocabulary import (
    BORNE,
    LASTING,
    PASSING,
    RETRY_AFTER,
    Lasting,
    before_the_body,
    of_the_rest,
    stalls,
)

__all__ = ["engine"]

SIZE = 60_000
"""Of a clip, in bytes."""
BAD = shard_name(1)
"""Of three shards, the one that is met by a fault."""
PIECE = 16_384
"""Of the first ranges, in bytes."""
WAYS = [(fault, True) for fault in PASSING]
WAYS += [(fault, False) for fault in PASSING if not before_the_body(fault)]
"""Of bringing a shard: each fault with a spool, and without where that makes a difference."""
SMALL = (LIST, ANNOTATION, README, REPLACEMENT)


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


@pytest.fixture
def data(origin: Origin, tmp_path: Path) -> Dataset:
    """Three shards of three clips, and all that belongs to them."""
    shards = {shard_name(number): three_clips(number, SIZE) for number in range(3)}
    return host(origin, tmp_path, shards, replacement=three_clips(90, SIZE))


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """An object of a hundred thousand bytes is large enough for several connections."""
    monkeypatch.setattr("kdl.fetch.ranges.SMALL", PIECE)
    monkeypatch.setattr("kdl.fetch.ranges._LAST", PIECE)


def require_clean(data: Dataset, done: Outcome) -> None:
    """The run ended as an undisturbed one does."""
    assert (done.code, done.findings) == (0, ())
    assert done.tree == tree_digest(data.clips)
    assert done.verdicts == {Path(name).name: "unchecked" for name in data.clips}
    assert not_replacements(done) == []


def not_replacements(done: Outcome) -> list[str]:
    return [name for name in done.debris if not name.startswith(".kdl/replacements/clip")]


@pytest.mark.parametrize("connections", [1, 4])
def test_an_undisturbed_run(data: Dataset, engine: Engine, connections: int, small_pieces: None) -> None:
    done = engine(data, connections_per_file=connections)
    require_clean(data, done)
    assert done.retries == []
    assert len(done.files) == 9
    assert (len(data.origin.gets(BAD)) > 4) == (connections > 1)


@pytest.mark.parametrize(("fault", "spool"), WAYS)
def test_what_passes_is_borne(data: Dataset, engine: Engine, fault: str, spool: bool) -> None:
    thing = data.thing(BAD)
    thing.script = [*PASSING[fault](thing.body)]
    done = engine(data, spool=spool, **patience(fault))
    require_clean(data, done)
    assert thing.script == []
    assert all(each.reason and each.attempt < each.of for each in done.retries)


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_borne_over_four_connections(
    data: Dataset, engine: Engine, fault: str, small_pieces: None
) -> None:
    """The first requests, all for ranges of one shard, are met: what breaks off does so inside a range."""
    thing = data.thing(BAD)
    thing.script = [*PASSING[fault](thing.body[: PIECE // 2])]
    done = engine(data, connections_per_file=4, **patience(fault))
    require_clean(data, done)
    assert thing.script == []


@pytest.mark.parametrize("fault", PASSING)
def test_what_passes_is_borne_for_small_objects(data: Dataset, engine: Engine, fault: str) -> None:
    for path in (REPLACEMENT,) if of_the_rest(fault) else SMALL:
        data.thing(path).script = [*PASSING[fault](data.thing(path).body)]
    done = engine(data, **patience(fault))
    require_clean(data, done)
    assert [path for path in SMALL if data.thing(path).script] == []
    replacements = {Path(name).name for name in done.debris}
    assert replacements == {clip_name(900 + number) for number in range(3)}


@pytest.mark.parametrize("fault", BORNE)
def test_what_lasts_and_does_no_harm(data: Dataset, engine: Engine, fault: str) -> None:
    for thing in data.origin.things.values():
        [thing.always] = BORNE[fault](thing.body)
    require_clean(data, engine(data))


def test_servers_say_when_to_come_back(origin: Origin, tmp_path: Path, engine: Engine) -> None:
    shards = dict(zip(RETRY_AFTER, map(shard_name, range(len(RETRY_AFTER))), strict=True))
    data = host(origin, tmp_path, {name: three_clips(n, SIZE) for n, name in enumerate(shards.values())})
    for fault, name in shards.items():
        data.thing(name).script = [RETRY_AFTER[fault]]
    done = engine(data, jobs=len(shards))
    require_clean(data, done)
    waits = {each.subject: each for each in done.retries}
    for fault, name in shards.items():
        waited = waits[f"train/{name}"]
        assert f"HTTP {fault.split()[0]}" in waited.reason
        if fault.endswith("seconds"):
            assert waited.delay == 1
        elif fault.endswith("a date"):
            assert 0.5 < waited.delay <= 2
        else:
            assert waited.delay <= 0.01
        assert len(origin.gets(name)) == 2


@pytest.mark.parametrize("fault", LASTING)
def test_what_lasts_is_named_and_costs_its_shard_alone(data: Dataset, engine: Engine, fault: str) -> None:
    case = LASTING[fault]
    befall(data, BAD, case)
    done = engine(data, tries=3, **patience(fault))

    lost = [clip_name(10 + n) for n in range(3)]
    kept = {f"videos/train/abseiling/{lost[n]}" for n in case.kept}
    assert done.code == 4
    [finding] = done.findings
    assert (finding.kind, finding.subject) == ("object_failed", data.origin.url(BAD))
    assert re.search(case.words, finding.detail)
    sound = {name: digest for name, digest in done.files.items() if Path(name).name not in lost}
    assert tree_digest(sound) == tree_digest(
        {n: d for n, d in data.clips.items() if Path(n).name not in lost}
    )
    assert set(done.files) - set(sound) == kept
    expected = {Path(name).name: "unchecked" for name in {*sound, *kept}}
    assert done.verdicts == {**dict.fromkeys(lost, "pending"), **expected}
    provisional = data.rows("SELECT path FROM clips WHERE path IS NOT NULL AND provisional")
    assert {row["path"] for row in provisional} == kept
    assert [each for each in not_replacements(done) if not each.startswith(".kdl/spool/")] == []
    if case.asked_once:
        assert done.retries == []
        assert len(data.origin.gets(BAD)) <= 1

    heal(data, BAD)
    require_clean(data, engine(data))


@pytest.mark.parametrize("fault", [name for name, case in LASTING.items() if not case.first(b"")])
def test_without_its_annotation_a_split_waits(data: Dataset, engine: Engine, fault: str) -> None:
    befall(data, ANNOTATION, LASTING[fault])
    done = engine(data, tries=3, **patience(fault))
    assert (done.code, done.files, done.verdicts) == (4, {}, {})
    [finding] = done.findings
    assert (finding.kind, finding.subject) == ("object_failed", data.origin.url(ANNOTATION))
    assert re.search(LASTING[fault].words, finding.detail)
    assert not_replacements(done) == []

    heal(data, ANNOTATION)
    require_clean(data, engine(data))


def patience(fault: str) -> dict[str, float]:
    return {"stall_s": IMPATIENT_S} if stalls(fault) else {}


def befall(data: Dataset, path: str, case: Lasting) -> None:
    thing = data.thing(path)
    thing.script, thing.always = [*case.first(thing.body)], case.always(thing.body)
    thing.heads = [thing.always] * 100 if case.heads else []


def heal(data: Dataset, path: str) -> None:
    thing = data.thing(path)
    thing.script, thing.always, thing.heads = [], GOOD, []
