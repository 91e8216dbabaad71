"""Kills between two steps that belong together: a file is moved, and the ledger is told of it."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdl.jobs.demo_bucket import REPLACEMENT, DemoBucket
from tests.e2e.killing import (
    MIB,
    Outcome,
    differences,
    fetched_again,
    heavy_bucket,
    killed_at,
    litter,
    outcome,
    scratch,
)
from tests.e2e.running import kdl
from tests.replica import nginx

PATH = "pathlib"
BRINGING = (
    ("kdl.jobs.listings", "set_object", "before", "a[2] == 'done'"),
    ("kdl.jobs.listings", "load_annotations", "after", "True"),
    ("kdl.jobs.listings", "finish_annotations", "before", "a[1] == 'val'"),
    ("kdl.jobs.replace", "record_replacement", "before", "k['name'].startswith('onlyMended1')"),
    ("kdl.jobs.replace", "set_object", "before", "a[2] == 'done'"),
    ("kdl.jobs.replace", "drop_spools", "before", "True"),
    ("kdl.jobs.replace", "judge_replacement", "after", "True"),
    ("kdl.jobs.shelf", "record_arrivals", "before", "True"),
    ("kdl.jobs.shelf", "record_duplicate", "before", "True"),
    ("kdl.jobs.shelving", "settle_shard", "before", "True"),
    ("kdl.jobs.shelving", "drop_spools", "before", "len(a[1]) == 1"),
    ("kdl.jobs.duplicates", "record_check", "before", "True"),
)
"""Steps from the annotations to the shards, in their order, and the choice among copies."""
MOVING = (
    ("kdl.jobs.checks", "record_check", "before", "a[3].verdict == 'corrupt'"),
    ("kdl.jobs.checks", "replace_at_once", "before", "True"),
    ("kdl.jobs.replace", "record_replaced", "before", "True"),
    (PATH, "Path.unlink", "before", "'quarantine/train/' in str(a[0])"),
    (PATH, "Path.unlink", "before", "'duplicates' in str(a[0])"),
    (PATH, "Path.replace", "before", "'duplicates' in str(a[0]) and 'twoCopies' not in str(a[0])"),
    ("kdl.jobs.settle", "mark_never_hosted", "before", "a[1] == 'train'"),
    ("kdl.jobs.replace", "record_replaced", "before", "k['name'].startswith('onlyMended1')"),
    ("kdl.jobs.course", "tidy", "before", "True"),
    (PATH, "Path.replace", "after", "'lists/paddlevideo' in str(a[0])"),
)
"""Steps from the first verdict to the lists, in their order."""
MAKING = (
    (PATH, "Path.replace", "after", "'.kdl/tmp' in str(a[0]) and 'valClip_1_b' in str(a[1])"),
    ("kdl.jobs.deriving", "record_derivatives", "before", "True"),
    ("kdl.jobs.deriving", "record_derivatives", "after", "True"),
    (PATH, "Path.replace", "after", "'lists/videomae' in str(a[0])"),
)
"""Steps of derivatives."""
RECIPES = ("--split", "val", "--recipe", "320p", "--recipe", "rawframes-256")


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> DemoBucket:
    return heavy_bucket(tmp_path_factory.mktemp("steps"), 200_000)


@pytest.fixture
def server(bucket: DemoBucket) -> Iterator[nginx.Nginx]:
    with nginx.serve(bucket.directory) as running:
        yield running


def _unkilled(bucket: DemoBucket, folder: Path, *options: object) -> Outcome:
    with nginx.serve(bucket.directory) as running, scratch(folder) as root:
        done = kdl("mirror", bucket.manifest_path, "--root", root, "--origin", running.url, *options)
        assert done.code == 1, done.err
        return outcome(root / "demo")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("steps", "options"),
    [
        pytest.param(BRINGING, (), id="bringing", marks=pytest.mark.long),
        pytest.param(MOVING, (), id="moving"),
        pytest.param(MAKING, RECIPES, id="making", marks=pytest.mark.long),
    ],
)
def test_killed_between_steps_one_after_another(
    bucket: DemoBucket,
    server: nginx.Nginx,
    tmp_path: Path,
    steps: tuple[tuple[str, ...], ...],
    options: tuple[str, ...],
) -> None:
    root = tmp_path / os.urandom(4).hex()
    mirror = ("mirror", bucket.manifest_path, "--root", root, "--origin", server.url, "--jobs", 1, *options)
    for step in steps:
        killed_at(step, *mirror)
    assert kdl(*mirror).code == 1

    assert differences(outcome(root / "demo"), _unkilled(bucket, tmp_path, *options)) == {}
    assert litter(root / "demo") == []
    again = fetched_again(server.asked(), bucket)
    assert again.pop(REPLACEMENT, 0) == 0
    assert max(again.values()) <= MIB, again
