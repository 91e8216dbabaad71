"""``kdl mirror k400-paddle``, against a small replica of its hosts: the manifest is the one that ships."""

from __future__ import annotations

import csv
import io
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.cluster import Cluster
from tests.e2e.killing import killed_at, litter
from tests.e2e.paddle import (
    ABSEILING,
    ABSENT,
    AMBIGUOUS,
    DATASET,
    FRAMES,
    HEAD,
    HEAD_ID,
    MISFILED,
    PLAIN,
    SHORT,
    STRANGER,
    TRAIN,
    TWICE,
    Paddle,
    build,
    films,
)
from tests.e2e.running import Ran, kdl, tree
from tests.replica import nginx

VIDEOS = {
    *(f"train/{folder}/{name}" for folder, name in zip((ABSEILING, HEAD), TRAIN, strict=True)),
    *(f"val/{ABSEILING}/{name}{ext}" for name, ext in PLAIN.items()),
    *(f"val/{HEAD}/{name}" for name in (f"{TWICE}.mkv", f"{SHORT}.mp4", f"{MISFILED}.mp4")),
}


@pytest.fixture(scope="module")
def paddle(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Paddle]:
    folder = tmp_path_factory.mktemp("paddle")
    made = films(folder)
    build(folder / "bucket", made)
    with nginx.serve(folder / "bucket") as server:
        yield Paddle(server, folder / "bucket")


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("root")


@pytest.fixture(scope="module")
def mirrored(paddle: Paddle, root: Path) -> Ran:
    """One run that brings everything, remuxed and as frames."""
    done = paddle.run("mirror", root, "--recipe", "remux", "--recipe", "rawframes-native")
    assert done.code == 0, done.err
    return done


@pytest.fixture(scope="module")
def rows(mirrored: Ran, root: Path) -> dict[str, dict[str, str]]:
    """What the ledger has, by YouTube id."""
    return exported(root)


def exported(root: Path) -> dict[str, dict[str, str]]:
    done = kdl("export", DATASET, "--root", root, "--format", "csv")
    assert done.code == 0, done.err
    return {f"{row['youtube_id']} {row['time_start']}": row for row in csv.DictReader(io.StringIO(done.out))}


def findings(done: Ran, kind: str) -> dict[str, str]:
    return {each["subject"]: each["detail"] for each in done.result["findings"] if each["kind"] == kind}


def test_names_are_kept_and_times_come_from_the_annotation(
    mirrored: Ran, root: Path, rows: dict[str, dict[str, str]]
) -> None:
    assert set(tree(root / DATASET / "videos")) == VIDEOS
    for name, ext in PLAIN.items():
        row = rows[f"{name} 7"]
        assert (row["verdict"], row["time_end"]) == ("ok", "10")
        assert row["path"] == f"videos/val/{ABSEILING}/{name}{ext}"
    assert (rows[f"{SHORT} 20"]["verdict"], rows[f"{ABSENT} 0"]["verdict"]) == ("short", "never_hosted")
    assert [rows[f"{name[:11]} {start}"]["verdict"] for name, start in zip(TRAIN, (5, 0), strict=True)] == [
        "ok",
        "ok",
    ]
    assert mirrored.result["shards"] == {"done": 4, "failed": 0, "skipped": 0}


def test_what_the_annotation_does_not_settle_is_told_and_not_guessed(
    mirrored: Ran, root: Path, rows: dict[str, dict[str, str]]
) -> None:
    told = findings(mirrored, "ambiguous_name")
    assert list(told) == ["val/val_part2.tar.gz"]
    assert f"{AMBIGUOUS}.mp4: 0-3 s, 40-43 s" in told["val/val_part2.tar.gz"]
    assert {rows[f"{AMBIGUOUS} {start}"]["verdict"] for start in (0, 40)} == {"never_hosted"}
    unlisted = {f"unlisted/val/{name}.mp4" for name in (AMBIGUOUS, STRANGER)}
    assert {row["path"] for row in rows.values() if row["verdict"] == "unlisted"} == unlisted
    assert "misfiled" in findings(mirrored, "class_conflict")["val/val_part3.zip"]
    assert rows[f"{MISFILED} 0"]["path"] == f"videos/val/{HEAD}/{MISFILED}.mp4"


def test_a_clip_under_two_extensions_is_told_and_the_sound_one_stands(
    mirrored: Ran, rows: dict[str, dict[str, str]]
) -> None:
    ((_, detail),) = findings(mirrored, "duplicate_clip").items()
    assert f"{TWICE}.mkv and {TWICE}.mp4" in detail
    assert "the first was not sound, a later one is used" in detail
    assert (rows[f"{TWICE} 0"]["verdict"], rows[f"{TWICE} 0"]["vcodec"]) == ("ok", "h264")


def test_the_published_lists_are_held_against_what_is_here(mirrored: Ran, root: Path) -> None:
    base = root / DATASET
    kept = {path.name for path in (base / "annotations" / "paddle").iterdir()}
    assert kept == {"train.list", "train_frames.list", "val.list", "val_frames.list"}
    told = findings(mirrored, "published_list_differs")
    assert sorted(told) == ["annotations/paddle/val.list", "annotations/paddle/val_frames.list"]
    assert told["annotations/paddle/val.list"] == (
        "10 rows: 1 of another class, 1 only here, 2 only there, 1 there twice"
    )
    lines = findings(mirrored, "published_list_lines")
    assert lines == {
        "annotations/paddle/val.list": "1 lines name no clip of val: line 11: 'no line of a list'"
    }
    with (base / "reports" / "published-paddle.csv").open(newline="") as file:
        report = [tuple(row.values()) for row in csv.DictReader(file)]
    of_videos = [row[1:] for row in report if row[0] == "val.list"]
    assert of_videos == [
        ("class", f"{HEAD}/{SHORT}.mp4", "1", str(HEAD_ID)),
        ("only_here", f"{ABSEILING}/plain_webm_.webm", "-", "0"),
        ("only_there", f"{HEAD}/{ABSENT}.mp4", str(HEAD_ID), "never_hosted"),
        ("only_there", f"{HEAD}/{STRANGER}.mp4", str(HEAD_ID), "not annotated"),
        ("twice", f"{HEAD}/{TWICE}.mkv", f"{HEAD}/{TWICE}.mp4", "2"),
    ]
    of_frames = [row[1:] for row in report if row[0] == "val_frames.list"]
    assert [row for row in of_frames if row[0] == "frames"] == [
        ("frames", f"{ABSEILING}/plain_mkv_-.mkv", str(FRAMES + 1), str(FRAMES))
    ]
    assert {row[0] for row in report} == {"val.list", "val_frames.list"}


def test_lists_are_written_with_what_is_here(mirrored: Ran, root: Path) -> None:
    lists = root / DATASET / "lists" / "paddlevideo"
    videos = sorted((lists / "val.list").read_text().splitlines())
    assert videos == sorted(
        f"{name[4:]} {0 if ABSEILING in name else HEAD_ID}" for name in VIDEOS if name[0] == "v"
    )
    remuxed = (lists / "remux" / "val.list").read_text().splitlines()
    assert sorted(remuxed) == sorted(
        f"{path.partition('.')[0]}.mp4 {path.rpartition(' ')[2]}" for path in videos
    )
    frames = (lists / "rawframes-native" / "val_frames.list").read_text().splitlines()
    assert sorted(frames) == [
        f"{path.rpartition(' ')[0]} {FRAMES} {path.rpartition(' ')[2]}" for path in videos
    ]
    for line in frames:
        folder = root / DATASET / "derived" / "rawframes-native" / "val" / line.split()[0]
        assert len(list(folder.glob("img_*.jpg"))) == FRAMES


def test_remuxed_clips_are_mp4s_and_mp4s_take_no_room(mirrored: Ran, root: Path) -> None:
    base = root / DATASET
    assert mirrored.result["derived"]["remux"] == {"done": len(VIDEOS), "failed": 0}
    for name in VIDEOS:
        clip = base / "videos" / name
        made = (
            base
            / "derived"
            / "remux"
            / clip.relative_to(base / "videos").with_name(f"{clip.name.partition('.')[0]}.mp4")
        )
        assert made.read_bytes()[4:8] == b"ftyp"
        assert made.samefile(clip) == (clip.suffix == ".mp4")


def test_a_second_run_and_lists_ask_for_nothing_again(mirrored: Ran, paddle: Paddle, root: Path) -> None:
    again = paddle.run("lists", root, "--for", "paddlevideo", "--recipe", "rawframes-native")
    assert again.code == 0
    assert list(again.result["lists"]) == ["paddlevideo"]
    assert findings(again, "published_list_differs") == findings(mirrored, "published_list_differs")


@pytest.mark.long
@pytest.mark.parametrize(
    "step",
    [
        ("kdl.jobs.shelving", "settle_shard", "before", "True"),
        ("kdl.jobs.duplicates", "choose_duplicate", "after", "True"),
        ("kdl.ledger.published", "differences", "before", "True"),
    ],
    ids=["a shard read", "a copy chosen", "lists compared"],
)
def test_killed_and_run_again_it_ends_as_if_left_alone(
    paddle: Paddle, mirrored: Ran, root: Path, tmp_path: Path, step: tuple[str, ...]
) -> None:
    recipes = ("--recipe", "remux", "--recipe", "rawframes-native")
    killed_at(step, *paddle.command("mirror", tmp_path, *recipes))
    done = paddle.run("mirror", tmp_path, *recipes)
    assert done.code == 0, done.err
    assert {n: d for n, d in tree(tmp_path / DATASET).items() if "videomae" not in n} == (
        {n: d for n, d in tree(root / DATASET).items() if "videomae" not in n}
    )
    assert exported(tmp_path) == exported(root)
    assert litter(tmp_path / DATASET) == []


@pytest.mark.long
def test_a_lost_ledger_is_given_back_with_every_name_as_it_came(
    paddle: Paddle, mirrored: Ran, root: Path, tmp_path: Path
) -> None:
    shutil.copytree(root / DATASET, tmp_path / DATASET)
    (tmp_path / DATASET / ".kdl" / "ledger.db").unlink()
    done = paddle.run("adopt", tmp_path)
    assert done.code == 0, done.err
    assert set(tree(tmp_path / DATASET / "videos")) == VIDEOS
    before, after = exported(root), exported(tmp_path)
    kept = ("path", "verdict", "sha256", "label")
    assert {k: [row[c] for c in kept] for k, row in after.items() if row["path"]} == {
        k: [row[c] for c in kept] for k, row in before.items() if row["path"]
    }
    again = paddle.run("mirror", tmp_path)
    assert (again.code, again.result["shards"]["skipped"]) == (0, 4)


@pytest.mark.long
def test_on_a_cluster_it_is_the_same(
    paddle: Paddle, mirrored: Ran, root: Path, cluster: Cluster, tmp_path: Path
) -> None:
    """Workers know no annotation: they stage what a name may mean; here a class alone, then the rest."""
    cluster.ensure("one", "two")
    part = paddle.run("mirror", tmp_path, "--executor", cluster.executor, "--class", ABSEILING)
    assert part.code == 0, part.err
    found = set(tree(tmp_path / DATASET / "videos"))
    assert found == {name for name in VIDEOS if f"/{ABSEILING}/" in name}
    done = paddle.run("mirror", tmp_path, "--executor", cluster.executor)
    assert done.code == 0, done.err
    assert tree(tmp_path / DATASET / "videos") == tree(root / DATASET / "videos")
    assert exported(tmp_path) == exported(root)


@pytest.mark.long
def test_a_changed_annotation_finds_its_clips_without_fetching(
    paddle: Paddle, mirrored: Ran, root: Path, tmp_path: Path
) -> None:
    shutil.copytree(root / DATASET, tmp_path / DATASET)
    annotation = paddle.bucket / "cvdf" / "400" / "annotations" / "val.csv"
    before = annotation.read_text()
    try:
        changed = before.replace(f"{SHORT},20,30", f"{SHORT},20,23")
        annotation.write_text(f"{changed}abseiling,{STRANGER},1,4,val\n")
        done = paddle.run("mirror", tmp_path)
    finally:
        annotation.write_text(before)
    assert (done.code, done.result["shards"]["skipped"], done.result["bytes"]["written"]) == (0, 4, 0)
    rows = exported(tmp_path)
    assert (rows[f"{SHORT} 20"]["verdict"], rows[f"{SHORT} 20"]["time_end"]) == ("ok", "23")
    stranger = rows[f"{STRANGER} 1"]
    assert (stranger["verdict"], stranger["label"]) == ("ok", "abseiling")
    assert (tmp_path / DATASET / stranger["path"]).is_file()
    assert not list((tmp_path / DATASET / "unlisted").glob(f"*/{STRANGER}*"))
