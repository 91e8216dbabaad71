"""The hosts' own tables of boxes and repetitions, joined to the clips that K700-2020 really lists."""

from __future__ import annotations

from pathlib import Path

import pytest

import kdl
from kdl.dataset.manifest import load_manifest
from kdl.events import Bus
from kdl.jobs.demo_archives import Member, write_archive
from kdl.jobs.listings import take_annotation
from kdl.jobs.run import open_run
from tests.replica import nginx
from tests.replica.build import REAL

HOSTED = REAL / "data/annotations"
KEY = "700_2020/annotations"

pytestmark = [
    pytest.mark.long,
    pytest.mark.skipif(not HOSTED.is_dir(), reason="no copies of the hosts' own files here"),
]


def listed(root: Path) -> None:
    """A mirror that knows what val and test list, and has no clip."""
    manifest = load_manifest("k700-2020")
    with open_run("mirror", manifest.name, manifest.name, root, Bus(), create=True) as run:
        run.paths.annotations.mkdir()
        for split in ("val", "test"):
            path = HOSTED / "k700_2020" / f"{split}.csv"
            take_annotation(run, manifest, manifest.split(split), path, "digest", "mmaction2")


def test_every_row_finds_its_clip_or_a_reason(tmp_path: Path) -> None:
    listed(tmp_path / "root")
    bucket = tmp_path / "bucket" / KEY
    boxes = [HOSTED / "ava_kinetics/kinetics_test_v1.0.csv"]
    write_archive(
        bucket / "ava_kinetics_v1_0.tar.gz", [Member(path.name, path.read_bytes()) for path in boxes]
    )
    counts = sorted((HOSTED / "countix").iterdir())
    write_archive(bucket / "countix.tar.gz", [Member(path.name, path.read_bytes()) for path in counts])
    with nginx.serve(tmp_path / "bucket") as server:
        done = kdl.annotated(
            "k700-2020", extras=["ava", "countix"], root=tmp_path / "root", origins=[server.url]
        )
    assert done.exit_code == 0
    assert {finding.kind for finding in done.findings} == {"extra_incomplete"}
    found = done.extra["annotated"]
    assert found["ava"]["test"]["key_frames"] == 64_304
    assert found["ava"]["test"]["not_here"] == {"not_listed": 2_912, "other_times": 4, "pending": 61_388}
    assert {split: told["not_here"] for split, told in found["countix"].items()} == {
        "train": {"not_listed": 4_507, "other_times": 2, "pending": 2},
        "val": {"other_times": 13, "pending": 1_421},
        "test": {"not_listed": 112, "pending": 2_535},
    }
