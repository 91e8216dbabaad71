"""A clip whose class changes takes everything with it: its file, its derivatives, whatever was killed."""

from __future__ import annotations

import contextlib
import hashlib
import shutil
import sqlite3
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from kdl.jobs.demo_clips import Scene, render, stamp
from tests.e2e.killing import killed_at
from tests.e2e.running import kdl, tree
from tests.e2e.unruly import ALONE, LABELS, Dataset, Member, Origin, always, clip_name, host, targz
from tests.faults.hostile import GOOD, Act

FIRST, SECOND = (f"{label}.tar.gz" for label in LABELS)
MAKING = ("--recipe", "256p-dense", "--recipe", "rawframes-256")


@pytest.fixture(scope="module")
def film() -> bytes:
    return render([Scene("testsrc2", 1, size="160x120")])[0]


@pytest.fixture(scope="module")
def second(tmp_path_factory: pytest.TempPathFactory, film: bytes) -> Iterator[Dataset]:
    """A mirror that has the second copy of a clip, and what was made of it; the first one is there to be
    had now, and is of another class."""
    with Origin() as origin:
        shards = {
            FIRST: targz([Member(clip_name(1), stamp(film, "first"))]),
            SECOND: targz([Member(clip_name(1), stamp(film, "second"))]),
        }
        data = host(origin, tmp_path_factory.mktemp("second"), shards, listed=[clip_name(1)])
        told = data.manifest.read_text().replace('class_from = "annotation"', 'class_from = "shard-name"')
        data.manifest.write_text(told)
        always(Act(status=404), data.thing(FIRST))
        assert data.run("mirror", *MAKING).code == 4
        assert data.videos() == _videos(film, "driving_car", "second")
        assert _made(data) == _derived("driving_car")
        data.thing(FIRST).always, data.thing(FIRST).heads = GOOD, []
        yield data


@pytest.fixture
def data(second: Dataset, tmp_path: Path) -> Dataset:
    shutil.copytree(second.root, tmp_path / "mirror", symlinks=True)
    return replace(second, root=tmp_path / "mirror", log=tmp_path / "log")


def _videos(film: bytes, folder: str, words: str) -> dict[str, str]:
    return {f"videos/train/{folder}/{clip_name(1)}": hashlib.sha256(stamp(film, words)).hexdigest()}


def _made(data: Dataset) -> set[str]:
    """Every file and folder of the derivatives but the frames themselves."""
    return {name for name in _names(data.base / "derived") if not name.endswith(".jpg")}


def _names(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*")}


def _derived(folder: str) -> set[str]:
    stem = clip_name(1).removesuffix(".mp4")
    made = {f"256p-dense/train/{folder}/{stem}.mp4", f"rawframes-256/train/{folder}/{stem}"}
    return made | {str(above) for path in made for above in Path(path).parents if above != Path()}


def test_it_is_moved_with_all_that_was_made_of_it(data: Dataset, film: bytes) -> None:
    done = data.run("mirror", *MAKING)
    assert done.code == 0
    assert data.videos() == _videos(film, "abseiling", "first")
    assert _made(data) == _derived("abseiling")
    frames = tree(data.base / "derived/rawframes-256")
    again = data.run("mirror", *MAKING)
    assert (again.code, tree(data.base / "derived/rawframes-256")) == (0, frames)


@pytest.mark.parametrize(
    ("module", "name", "wanted"),
    [
        ("pathlib", "Path.unlink", "'videos/train/driving_car' in str(a[0])"),
        ("pathlib", "Path.replace", "'duplicates' in str(a[0])"),
        pytest.param(
            *("shutil", "rmtree", "'rawframes-256/train/driving_car' in str(a[0])"), marks=pytest.mark.long
        ),
    ],
)
def test_a_kill_between_two_folders_leaves_nothing_in_the_old_one(
    data: Dataset, film: bytes, module: str, name: str, wanted: str
) -> None:
    mirror = ("mirror", data.manifest, "--root", data.root, "--origin", data.origin.base, *MAKING)
    killed_at((module, name, "before", wanted), *mirror, **ALONE)
    assert data.run("mirror", *MAKING).code == 0
    assert data.videos() == _videos(film, "abseiling", "first")
    assert _made(data) == _derived("abseiling")


def test_derive_moves_what_lies_under_an_older_class(data: Dataset) -> None:
    """Nothing is made again for it: the bytes are the same."""
    tops = [data.base / "derived" / name / "train" for name in ("256p-dense", "rawframes-256")]
    for top in tops:
        (top / "driving_car").rename(top / "old_class")
    made = [_written(top / "old_class") for top in tops]
    with contextlib.closing(sqlite3.connect(data.base / ".kdl/ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE derivatives SET path = replace(path, 'driving_car', 'old_class')")
    done = kdl("derive", data.manifest, "--root", data.root, *MAKING)
    assert done.code == 0, done.err
    assert [_written(top / "driving_car") for top in tops] == made
    assert _made(data) == _derived("driving_car")


def _written(folder: Path) -> dict[str, int]:
    """Every file with the time it was written at."""
    return {str(path.relative_to(folder)): path.stat().st_mtime_ns for path in folder.rglob("*.*")}
