"""Parts of a dataset: what is asked of the host for them, and that parts add up to the whole."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hosted import Hosted
from tests.e2e.running import clips
from tests.replica import nginx
from tests.replica.build import Replica, build_replica

DRIVING, MASSAGING, TYING = "driving car", "massaging person's head", "tying knot (not on a tie)"
REPLACEMENT = "replacement_for_corrupted_demo.tgz"


@pytest.fixture(scope="module")
def replica_bucket(tmp_path_factory: pytest.TempPathFactory) -> Replica:
    return build_replica(tmp_path_factory.mktemp("replica"), editions=["k400"])


@pytest.fixture(scope="module")
def k400(replica_bucket: Replica, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Hosted]:
    """K400: its archives are mixed, so nothing tells where a class is."""
    with nginx.serve(replica_bucket.directory) as server:
        hosted = Hosted("k400", "k400", server, replica_bucket.directory, tmp_path_factory.mktemp("whole"))
        assert hosted.mirrored
        assert hosted.mirror(hosted.mirrored).code == 1
        yield hosted


def test_a_class_told_by_the_shards_name_is_fetched_alone(demo: Hosted, tmp_path: Path) -> None:
    mark = demo.mark()
    done = demo.mirror(tmp_path, "--split", "train", "--class", DRIVING)
    assert done.result["shards"] == {"done": 1, "failed": 0, "skipped": 0}
    assert demo.fetched(mark) == ["driving car.tar.gz", REPLACEMENT]
    assert {path.name for path in (tmp_path / "demo" / "videos").rglob("*") if path.is_dir()} == {
        "train",
        "driving_car",
    }


def test_a_class_told_by_the_shards_rank_is_fetched_alone(demo: Hosted, tmp_path: Path) -> None:
    mark = demo.mark()
    assert demo.mirror(tmp_path, "--split", "val", "--class", TYING).code == 0
    assert demo.fetched(mark) == ["demo_val_004.tar.gz"]


@pytest.mark.parametrize("spelling", ["driving car", "driving_car", '"driving car"'])
def test_a_class_has_several_spellings(demo: Hosted, tmp_path: Path, spelling: str) -> None:
    done = demo.mirror(tmp_path, "--split", "val", "--class", spelling, "--dry-run")
    assert [item["name"] for item in done.result["plan"]["objects"]] == ["demo_val_002.tar.gz"]


def test_classes_from_a_file_and_by_name(demo: Hosted, tmp_path: Path) -> None:
    names = tmp_path / "classes.txt"
    names.write_text(f"# two of them\n{MASSAGING}\n\ntying_knot_(not_on_a_tie)\n")
    done = demo.mirror(
        tmp_path, "--split", "val", "--class", f"@{names}", "--class", "abseiling", "--dry-run"
    )
    objects = done.result["plan"]["objects"]
    assert [item["name"] for item in objects] == [f"demo_val_{rank:03d}.tar.gz" for rank in (1, 3, 4)]


def test_shards_by_pattern_and_by_number(demo: Hosted, tmp_path: Path) -> None:
    mark = demo.mark()
    done = demo.mirror(tmp_path, "--split", "val,test", "--shard", "demo_val_00[13]", "--shard", "part_1*")
    assert done.result["shards"]["done"] == 3
    assert demo.fetched(mark) == ["demo_val_001.tar.gz", "demo_val_003.tar.gz", "part_1.tar.gz"]
    assert done.result["clips"]["never_hosted"] == 0  # the other shards may still hold the rest
    mark = demo.mark()
    done = demo.mirror(tmp_path, "--split", "val", "--limit", "2")
    assert done.result["shards"] == {"done": 1, "failed": 0, "skipped": 1}
    assert demo.fetched(mark) == ["demo_val_002.tar.gz"]


def test_splits_without_labels_are_left_out_with_a_word(demo: Hosted, tmp_path: Path) -> None:
    done = demo.run("mirror", tmp_path, "--class", DRIVING)
    assert done.code == 1  # clips of that class are corrupt
    assert "test have no labels" in done.out
    assert not (tmp_path / "demo" / "videos" / "test").exists()


def test_parts_add_up_to_the_whole(demo: Hosted, tmp_path: Path) -> None:
    assert demo.mirrored
    whole = demo.seen(demo.mirrored)
    for part in (
        ("--class", MASSAGING),
        ("--split", "train", "--limit", "1"),
        ("--class", DRIVING, "--class", TYING),
        ("--split", "test", "--shard", "part_1"),
    ):
        demo.mirror(tmp_path, *part)
    mark = demo.mark()
    assert demo.mirror(tmp_path).code == 1
    assert demo.seen(tmp_path) == whole
    assert demo.fetched(mark) == ["demo_val_001.tar.gz", "part_0.tar.gz"]


def test_a_finished_run_again_fetches_nothing(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    before = {path: path.stat().st_mtime_ns for path in (base / "videos").rglob("*")}
    mark = demo.mark()
    done = demo.mirror(tmp_path)
    assert done.code == 1
    assert demo.fetched(mark) == demo.headed(mark) == []
    assert done.result["shards"] == {"done": 0, "failed": 0, "skipped": 10}
    assert done.result["bytes"] == {"fetched": 0, "written": 0}
    assert {path: path.stat().st_mtime_ns for path in (base / "videos").rglob("*")} == before


def test_a_class_of_mixed_shards_is_filtered_while_streaming(
    k400: Hosted, replica_bucket: Replica, tmp_path: Path
) -> None:
    part = ("--split", "train", "--class", "abseiling")
    plan = k400.mirror(tmp_path, *part, "--dry-run").result["plan"]
    assert plan["shards"]["to_fetch"] == 5
    assert len([note for note in plan["notes"] if "are downloaded" in note]) == 1
    mark = k400.mark()
    k400.mirror(tmp_path, *part)
    assert len([name for name in k400.fetched(mark) if name.startswith("part_")]) == 5
    labels = replica_bucket.editions["k400"].labels
    found, whole = clips("k400", tmp_path), clips("k400", k400.mirrored or tmp_path)
    mine = {key for key in whole if key[0] == "train" and labels.get(key) == "abseiling"}
    assert len(mine) > 10
    assert {key: found[key]["verdict"] for key in mine} == {key: whole[key]["verdict"] for key in mine}
    (other,) = (key for key, label in labels.items() if key[0] == "train" and label == "zumba")
    assert (found[other]["verdict"], found[other]["path"]) == ("pending", "")
    assert {path.name for path in (tmp_path / "k400/videos/train").iterdir()} == {"abseiling"}


@pytest.mark.long
def test_classes_of_mixed_shards_add_up_to_the_whole(k400: Hosted, tmp_path: Path) -> None:
    assert k400.mirrored
    k400.mirror(tmp_path, "--split", "train", "--class", "zumba")
    mark = k400.mark()
    k400.mirror(tmp_path, "--class", "abseiling", "--split", "train")
    held = [name for name in k400.fetched(mark) if name.startswith("part_")]
    assert held == ["part_0.tar.gz", "part_1.tar.gz", "part_120.tar.gz", "part_2.tar.gz"]
    mark = k400.mark()
    again = k400.mirror(tmp_path, "--split", "train", "--class", "zumba")
    assert again.result["shards"] == {"done": 0, "failed": 0, "skipped": 5}
    assert k400.fetched(mark) == []  # it is known whose clips they hold
    assert k400.mirror(tmp_path).code == 1
    assert k400.seen(tmp_path) == k400.seen(k400.mirrored)


def test_one_mixed_shard_and_then_all(k400: Hosted, tmp_path: Path) -> None:
    assert k400.mirrored
    first = k400.mirror(tmp_path, "--limit", "1")
    assert first.result["shards"] == {"done": 1, "failed": 0, "skipped": 0}
    mark = k400.mark()
    k400.mirror(tmp_path)
    assert k400.fetched(mark).count("part_0.tar.gz") == 2  # of val and test, not of train again
    assert k400.seen(tmp_path) == k400.seen(k400.mirrored)
