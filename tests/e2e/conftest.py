"""The demo's bucket behind a real nginx, and a finished mirror of it to take copies of."""

from __future__ import annotations

import subprocess
import tempfile
from collections.abc import Iterator

import pytest

from kdl.jobs.demo_bucket import DemoBucket, build_demo
from tests.e2e.cluster import Cluster, running_cluster
from tests.e2e.faulty import Faults, build_faults
from tests.e2e.hosted import Hosted
from tests.e2e.running import kdl
from tests.replica import nginx


def _mounts() -> bool:
    """Whether small disks can be mounted: by root, outside of most containers."""
    with tempfile.TemporaryDirectory() as folder:
        tried = subprocess.run(["mount", "-t", "tmpfs", "kdl-test", folder], capture_output=True)
        if tried.returncode == 0:
            subprocess.run(["umount", folder], check=True)
        return tried.returncode == 0


collect_ignore = [] if _mounts() else ["test_disk.py"]


@pytest.fixture(scope="session")
def demo_bucket(tmp_path_factory: pytest.TempPathFactory) -> DemoBucket:
    return build_demo(tmp_path_factory.mktemp("demo"))


@pytest.fixture(scope="session")
def faults(tmp_path_factory: pytest.TempPathFactory) -> Faults:
    return build_faults(tmp_path_factory.mktemp("faults"))


@pytest.fixture(scope="session")
def demo(demo_bucket: DemoBucket, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """The demo, hosted; ``demo.mirrored`` is a root with a finished mirror, not to be changed."""
    with nginx.serve(demo_bucket.directory) as server:
        root = tmp_path_factory.mktemp("mirrored")
        hosted = Hosted(str(demo_bucket.manifest_path), "demo", server, demo_bucket.directory, root)
        done = kdl("mirror", hosted.dataset, "--root", root, "--origin", server.url, "--json")
        assert done.code == 1, done.err  # corrupt clips without a replacement
        yield hosted


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A Dask scheduler with the workers ``one`` and ``two``; call ``ensure`` where one may
    have been killed."""
    with running_cluster(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster
