"""Every odd and every broken archive, one at a time, over the real engine."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdl.events import Noted
from tests.e2e.archives import BROKEN, ODD_CLIP, SOUND, Shape
from tests.e2e.engine import HANG_S, Engine, Outcome, engine, tree_digest
from tests.e2e.unruly import Dataset, Member, Origin, clip_name, host, noise, shard_name, targz, three_clips

__all__ = ["engine"]

SIZE = 60_000
BAD, GOOD_ONE = shard_name(0), shard_name(1)
FOLDER = "videos/train/abseiling"
LISTED = [clip_name(10 * shard + number) for shard in range(2) for number in range(3)]


@pytest.fixture
def origin() -> Iterator[Origin]:
    with Origin() as server:
        yield server


def hosted(origin: Origin, folder: Path, shape: Shape) -> Dataset:
    """The archive of this shape, and a sound one."""
    shards = {BAD: shape.make(three_clips(0, SIZE)), GOOD_ONE: targz(three_clips(1, SIZE))}
    return host(origin, folder, shards, listed=LISTED, top=shape.top)


def files(names: list[str]) -> dict[str, str]:
    return {f"{FOLDER}/{name}": hashlib.sha256(noise(name, SIZE)).hexdigest() for name in names}


def require(data: Dataset, done: Outcome, had: list[str], fate: str) -> None:
    """These clips are there, each as it was packed, and the others have this verdict."""
    assert done.tree == tree_digest(files(had))
    assert done.verdicts == {name: "unchecked" if name in had else fate for name in LISTED}
    assert [name for name in done.debris if not name.startswith(".kdl/duplicates/")] == []
    assert list(data.base.parent.parent.rglob(f"*{ODD_CLIP}*")) == []
    assert not Path("/tmp", ODD_CLIP).exists()


@pytest.mark.parametrize("name", SOUND)
def test_what_is_odd_and_sound(origin: Origin, tmp_path: Path, engine: Engine, name: str) -> None:
    shape = SOUND[name]
    data = hosted(origin, tmp_path, shape)
    done = engine(data)
    assert done.code == 0
    had = [*([] if name == "a clip that is too large" else LISTED[3:]), *(LISTED[n] for n in shape.had)]
    require(data, done, had, "never_hosted")
    assert done.kinds == {
        *(["members_skipped"] if shape.skipped else []),
        *(["never_hosted_clips"] if len(had) < len(LISTED) else []),
    }
    told = done.details("members_skipped").get(f"train/{BAD}", "")
    assert [words for words in shape.skipped if words not in told] == []
    assert len(done.debris) == shape.aside
    for finding in done.findings:
        if finding.kind == "members_skipped" and len(had) < len(LISTED):
            assert "clips among them are not had" in finding.fix
    assert {row["state"] for row in data.objects().values()} == {"done"}
    assert len(origin.gets(BAD)) == 1
    noted = [each.text for each in done.events(Noted) if "belong to no archive follow its end" in each.text]
    assert len(noted) == ("trailing garbage" in name)


@pytest.mark.parametrize("name", BROKEN)
def test_what_is_broken_is_named_and_mended(
    origin: Origin, tmp_path: Path, engine: Engine, name: str
) -> None:
    shape = BROKEN[name]
    data = hosted(origin, tmp_path, shape)
    done = engine(data)
    assert done.code == 1
    [finding] = done.findings
    assert (finding.kind, finding.subject) == ("shard_broken", f"train/{BAD}")
    assert shape.broken in finding.detail
    require(data, done, [*LISTED[3:], *(LISTED[number] for number in shape.had)], "pending")
    provisional = data.rows("SELECT path FROM clips WHERE path IS NOT NULL AND provisional")
    assert {row["path"] for row in provisional} == {f"{FOLDER}/{LISTED[number]}" for number in shape.had}
    assert len(origin.gets(BAD)) == 1

    origin.put(BAD, targz(three_clips(0, SIZE)), s3=True)
    mended = engine(data)
    assert (mended.code, mended.findings) == (0, ())
    require(data, mended, LISTED, "")


def test_names_that_differ_in_case_alone(origin: Origin, tmp_path: Path, engine: Engine) -> None:
    names = [
        "abcdefghijK_000000_000003.mp4",
        "abcdefghijk_000000_000003.mp4",
        "ABCDEFGHIJK_000000_000003.mp4",
    ]
    data = host(origin, tmp_path, {BAD: [Member(name, noise(name, SIZE)) for name in names]})
    done = engine(data)
    assert (done.code, done.findings) == (0, ())
    assert done.tree == tree_digest(data.clips)
    assert len(done.files) == 3


@pytest.mark.parametrize(
    "count", [pytest.param(1500), pytest.param(100_000, marks=[pytest.mark.long, pytest.mark.timeout(1500)])]
)
def test_tiny_clips(origin: Origin, tmp_path: Path, engine: Engine, count: int) -> None:
    data = host(origin, tmp_path, {BAD: [Member(clip_name(n), b"%d" % n) for n in range(count)]})
    done = engine(data, hang_s=HANG_S + count / 100)
    assert (done.code, done.findings) == (0, ())
    assert done.tree == tree_digest(data.clips)
    assert (len(done.files), set(done.verdicts.values())) == (count, {"unchecked"})
