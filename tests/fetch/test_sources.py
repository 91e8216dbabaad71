"""The suite of :mod:`conformance` over the kinds that need no more than a server or a folder."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from itertools import count
from pathlib import Path

import pytest
from bucket_host import BucketServer
from conformance import Conformance
from providers import Bucket, Folder, OnDisk, Scripted

from tests.faults.hostile import HostileOrigin
from tests.replica import nginx

_numbers = count()


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Path, str]]:
    folder = tmp_path_factory.mktemp("served")
    with nginx.serve(folder, exact=False, listing=True) as server:
        yield folder, server.url


@pytest.fixture(scope="module")
def buckets() -> Iterator[BucketServer]:
    with BucketServer() as server:
        yield server


class TestNginx(Conformance):
    @pytest.fixture
    def provider(self, served: tuple[Path, str]) -> OnDisk:
        folder, url = served
        name = f"test-{next(_numbers)}"
        (folder / name).mkdir()
        return OnDisk(folder / name, f"{url}{name}/")


class TestScriptedOrigin(Conformance):
    @pytest.fixture
    async def provider(self) -> AsyncIterator[Scripted]:
        async with HostileOrigin() as origin:
            yield Scripted(origin)


class TestFolder(Conformance):
    @pytest.fixture
    def provider(self, tmp_path_factory: pytest.TempPathFactory) -> Folder:
        return Folder(tmp_path_factory.mktemp("a folder + its files #1"))


class TestS3(Conformance):
    @pytest.fixture
    def provider(self, buckets: BucketServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Bucket:
        for name, value in buckets.surroundings(tmp_path).items():
            monkeypatch.setenv(name, value)
        return Bucket(buckets, f"lab-{next(_numbers)}")
