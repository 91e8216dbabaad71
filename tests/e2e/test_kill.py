"""A mirror killed at any moment and started again ends as one that was not."""

from __future__ import annotations

import hashlib
import random
import secrets
import tarfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kdl.jobs.demo_bucket import DemoBucket
from tests.e2e.killing import (
    MIB,
    Kills,
    Live,
    Outcome,
    differences,
    end_all,
    fetched_again,
    heavy_bucket,
    litter,
    outcome,
    scratch,
    start,
)
from tests.replica import nginx

BALLAST = 400_000
RATE = 2_000_000
"""Bytes a second and connection: transfers last as long as the rest of the run."""
MAKING = ("--split", "val", "--recipe", "320p", "--recipe", "rawframes-256")


@dataclass(frozen=True)
class Unkilled:
    """What a run comes to that nobody kills."""

    bucket: DemoBucket
    options: tuple[str, ...]
    outcome: Outcome
    starts: float
    """Seconds until its first step."""
    seconds: float
    members: frozenset[str]
    """Digests of everything that the archives hold."""

    def begin(self, folder: Path, url: str) -> Live:
        arguments = ("mirror", self.bucket.manifest_path, "--root", folder, "--origin", url, "--jobs", 3)
        return start(folder / "log", *arguments, *self.options)


def _members(bucket: DemoBucket) -> frozenset[str]:
    found = set()
    for path in bucket.directory.rglob("*.t*gz"):
        with tarfile.open(path) as archive:
            for member in archive:
                file = archive.extractfile(member) if member.isreg() else None
                if file is not None:
                    found.add(hashlib.sha256(file.read()).hexdigest())
    return frozenset(found)


@pytest.fixture(autouse=True)
def _nothing_left_going() -> Iterator[None]:
    yield
    end_all()


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> DemoBucket:
    return heavy_bucket(tmp_path_factory.mktemp("kill"), BALLAST)


@pytest.fixture(
    scope="module",
    params=[
        pytest.param((), id="clips"),
        pytest.param(MAKING, id="derivatives", marks=pytest.mark.long),
    ],
)
def unkilled(
    request: pytest.FixtureRequest, bucket: DemoBucket, tmp_path_factory: pytest.TempPathFactory
) -> Unkilled:
    members = _members(bucket)
    with (
        scratch(tmp_path_factory.mktemp("unkilled")) as folder,
        nginx.serve(bucket.directory, limit_rate=RATE) as server,
    ):
        nothing = Outcome({}, {}, {}, {})
        run = Unkilled(bucket, request.param, nothing, 0, 0, members).begin(folder, server.url)
        run.wait_for_phase("")
        starts = time.monotonic() - run.began
        code, _, err = run.end()
        seconds = time.monotonic() - run.began
        assert code == 1, err
        found = outcome(folder / "demo")
        assert litter(folder / "demo") == []
    return Unkilled(bucket, request.param, found, starts, seconds, members)


def _no_partial_file(base: Path, wanted: Unkilled) -> None:
    """Whatever has a final name is whole, at any moment."""
    for top in ("videos", "unlisted", "annotations", "derived", "lists"):
        for path in (base / top).rglob("*"):
            relative = path.relative_to(base)
            if not path.is_file() or any(part.startswith(".") for part in relative.parts):
                continue
            if top == "lists":
                continue
            digest = hashlib.sha256(path.read_bytes()).hexdigest()
            whole = digest == wanted.outcome.files.get(str(relative))
            assert whole or (top in ("videos", "unlisted") and digest in wanted.members), relative


def _series(wanted: Unkilled, kills: int, seed: int, parent: Path) -> Kills:
    """Kill runs at random moments until it was ``kills`` times; each mirror is brought to its end."""
    dice, met = random.Random(seed), Kills()
    while met.count < kills:
        with scratch(parent) as folder:
            before = met.count
            with nginx.serve(wanted.bucket.directory, limit_rate=RATE) as server:
                while _killed(wanted.begin(folder, server.url), wanted, folder, dice, met):
                    if met.count == kills:
                        wanted.begin(folder, server.url).end()
                        break
            base = folder / "demo"
            assert differences(outcome(base), wanted.outcome) == {}
            assert litter(base) == []
            again = fetched_again(server.asked(), wanted.bucket)
            assert max(again.values()) <= (met.count - before) * MIB, again
    return met


def _killed(run: Live, wanted: Unkilled, folder: Path, dice: random.Random, met: Kills) -> bool:
    """Whether the run was killed; False where it had ended before."""
    until = run.began + dice.uniform(0.8 * wanted.starts, wanted.seconds)
    while run.process.poll() is None and time.monotonic() < until:
        time.sleep(0.005)
    if run.process.poll() is not None:
        assert run.end()[0] == 1
        return False
    run.kill(group=dice.random() < 0.3)
    met.note(run)
    _no_partial_file(folder / "demo", wanted)
    return True


@pytest.mark.timeout(600)
def test_killed_at_three_random_moments_of_each_kind(
    unkilled: Unkilled, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    seed = secrets.randbelow(1 << 30)
    print(f"seed {seed}, {unkilled.seconds:.1f} s without a kill")
    met = _series(unkilled, 3, seed, tmp_path)
    print(dict(met.phases))


@pytest.mark.long
@pytest.mark.timeout(3600)
def test_killed_at_a_hundred_random_moments_of_each_kind(unkilled: Unkilled, tmp_path: Path) -> None:
    seed = secrets.randbelow(1 << 30)
    print(f"seed {seed}, {unkilled.seconds:.1f} s without a kill")
    print(dict(_series(unkilled, 100, seed, tmp_path).phases))
