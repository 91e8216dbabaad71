"""Boxes and repetitions of a real mirror: fetched, unpacked, joined to its clips, listed."""

from __future__ import annotations

import csv
import json
import os
import random
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

import kdl
from kdl.jobs.demo_archives import APPLE_DOUBLE, Member, write_archive
from kdl.jobs.demo_server import DemoServer
from tests.e2e.hosted import Hosted
from tests.e2e.running import kdl as command
from tests.lists import ava_readers
from tests.replica import nginx

DATA = Path(__file__).parents[1] / "data"
TOP = "ava_kinetics_v1_0/"
AVA = {
    "kinetics_train_v1.0.csv": "-lead_dash0,13.4,0.1,0.2,0.5,0.9,12\r\n"
    "-lead_dash0,13.4,0.1,0.2,0.5,0.9,79,0\r\n-lead_dash0,13.4,0.6,0.2,0.9,0.9,12\r\nunder_score,1.500000\r\nnoMoovAtAll,16,0.1,0.1,0.2,0.2,12\r\n"
    "zeroBytes01,42,0,0,1,1,1\r\nneverHosted,9,0,0,1,1,1\r\nshorter_one,11,0,0,1,1,1\r\n"
    "secondSound,4.0,0.3,0.3,0.6,0.6,12\r\ntwice_taken,20,0,0,1,1,1\r\nnobodyKnows,3.0\r\nbroken\r\n",
    "kinetics_val_v1.0.csv": "valClip_0_a,1.0,0.1,0.1,0.2,0.2,12\nplainClip_1,2.0,0.1,0.1,0.2,0.2,12\n",
    "kinetics_test_v1.0.csv": "testClip_01,1.000\n-testClip02,12.0\n",
    "ava_train_v2.2.csv": "-5KQ66BBWC4,0902,0.077,0.151,0.283,0.811,80,1\n",
    "ava_train_excluded_timestamps_v2.2.csv": "secondSound,0004\n-5KQ66BBWC4,0903\n",
    "ava_action_list_v2.2.pbtxt": (DATA / "ava_actions.pbtxt").read_text(),
    "ava_action_list_v2.2_for_activitynet.pbtxt": (DATA / "ava_actions_evaluated.pbtxt").read_text(),
}
HEAD = "video_id,class,kinetics_start,kinetics_end,repetition_start,repetition_end,count\n"
COUNTIX = {
    "countix_train.csv": f"\n{HEAD}-lead_dash0,abseiling,12,15,12.5,14.25,6\n"
    "-lead_dash0,abseiling,12,15,14.5,15.000339,2\nshorter_one,abseiling,9,12,9.0,12.0,5\n"
    "-lead_dash0,abseiling,13,16,13.0,14.0,6\nnoMoovAtAll,driving car,15,18,15.0,18.0,4\n",
    "countix_test.csv": HEAD.replace("class,", "") + "testClip_01,0,3,0.5,2.0,4\n",
}
RECIPE = """
[thirty]
doc = "for a test"
kind = "frames"
size = [32, 32]
fps = 30
template = "frame_%05d.jpg"
bytes_per_clip = 1
"""


def archive(path: Path, files: dict[str, str], folder: str = TOP) -> None:
    members = [Member(f"{folder}{name}", text.encode()) for name, text in files.items()]
    odd = [Member(f"{folder}._{name}", APPLE_DOUBLE) for name in files]
    write_archive(path, [*odd, Member("../kinetics_val_v9.csv", b"outside,1"), *members])


@dataclass(frozen=True)
class Annotated:
    """A mirror of the demo whose manifest names boxes and repetitions, and what a run told of them."""

    manifest: Path
    mirror: Path
    server: nginx.Nginx
    told: kdl.RunSummary
    table: Path

    def run(self, *extras: str, **more: Any) -> kdl.RunSummary:
        origins = [self.server.url]
        root = self.mirror.parent
        return kdl.annotated(self.manifest, extras=extras, root=root, origins=origins, **more)

    def lists(self, **asked: Any) -> dict[str, Path]:
        """The lists written, by name."""
        done = kdl.write_lists(self.manifest, root=self.mirror.parent, **asked)
        assert (done.exit_code, done.findings) == (0, ())
        written = [each["path"] for found in done.extra["lists"].values() for each in found if each["path"]]
        return {Path(path).name: Path(path) for path in written if "slowfast" not in path}


@pytest.fixture(scope="module")
def annotated(demo: Hosted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Annotated]:
    folder = tmp_path_factory.mktemp("annotated")
    mirror = demo.copy(folder / "root")
    archive(folder / "bucket/demo/ava.tar.gz", AVA)
    archive(folder / "bucket/demo/countix.tar.gz", COUNTIX, "")
    given = Path(demo.dataset)
    for file in given.parent.glob("*.txt"):
        (folder / file.name).write_bytes(file.read_bytes())
    manifest = folder / "annotated.toml"
    extras = "".join(
        f'[[extra]]\nname = "{name}"\nurl = "demo/{name}.tar.gz"\n' for name in ("ava", "countix")
    )
    manifest.write_text(f"{given.read_text()}\n{extras}")
    (folder / "recipes.toml").write_text(RECIPE)
    with nginx.serve(folder / "bucket") as server:
        table = folder / "table.csv"
        told = kdl.annotated(
            manifest, extras=["ava", "countix"], root=folder / "root", origins=[server.url], out=table
        )
        yield Annotated(manifest, mirror, server, told, table)


def test_which_clips_have_boxes_and_why_others_are_not_here(annotated: Annotated) -> None:
    assert annotated.told.exit_code == 0
    found = annotated.told.extra["annotated"]["ava"]
    assert found["train"] == {
        "key_frames": 9,
        "empty": 2,
        "boxes": 8,
        "actions": 9,
        "here": {"clips": 5, "key_frames": 5, "empty": 1, "boxes": 5, "actions": 6},
        "not_here": {"corrupt": 1, "never_hosted": 1, "not_listed": 1, "other_times": 1},
    }
    # the key-frame of val lies in a clip that this edition has in train
    assert found["val"]["here"] == {"clips": 2, "key_frames": 2, "empty": 0, "boxes": 2, "actions": 2}
    assert found["test"]["here"] == {"clips": 2, "key_frames": 2, "empty": 2, "boxes": 0, "actions": 0}


def test_which_clips_have_counts(annotated: Annotated) -> None:
    found = annotated.told.extra["annotated"]["countix"]
    assert found == {
        "train": {
            "stretches": 5,
            "repetitions": 23,
            "here": {"clips": 2, "stretches": 3, "repetitions": 13},
            "not_here": {"corrupt": 1, "other_times": 1},
        },
        "test": {
            "stretches": 1,
            "repetitions": 4,
            "here": {"clips": 1, "stretches": 1, "repetitions": 4},
            "not_here": {},
        },
    }


def test_rows_that_can_not_be_read_and_splits_that_are_not_there_are_told(annotated: Annotated) -> None:
    findings = {finding.kind: finding for finding in annotated.told.findings}
    assert set(findings) == {"annotation_rows", "extra_incomplete"}
    assert findings["annotation_rows"].detail == "1 rows can not be read: line 12: not a YouTube id: 'broken'"
    assert findings["extra_incomplete"].detail == "holds no table for val"


def test_the_table_has_a_row_for_everything_annotated(annotated: Annotated) -> None:
    with annotated.table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == annotated.told.extra["table"]["rows"] == 9 + 2 + 2 + 5 + 1
    first = rows[0]
    assert (first["clip"], first["boxes"], first["actions"], first["start"]) == (
        "-lead_dash0_000012_000015",
        "2",
        "3",
        "13.4",
    )
    for row in rows:
        assert (row["why"] == "here") == bool(row["path"])
        assert not row["path"] or (annotated.mirror / row["path"]).is_file()
    assert [row["repetitions"] for row in rows if row["annotation"] == "countix"] == [
        "6",
        "2",
        "5",
        "6",
        "4",
        "4",
    ]


def test_what_lies_beside_the_annotations(annotated: Annotated) -> None:
    folder = annotated.mirror / "annotations"
    assert {path.name for path in (folder / "ava").iterdir()} == {
        *(set(AVA) - {"ava_train_v2.2.csv"}),
        "ava.tar.gz",
        "actions.csv",
        "train.excluded.csv",
        *(f"{split}.normalised.csv" for split in ("train", "val", "test")),
    }
    assert {path.name for path in (folder / "countix").iterdir()} == {
        *COUNTIX,
        "countix.tar.gz",
        "train.normalised.csv",
        "test.normalised.csv",
    }
    frame = pd.read_csv(folder / "ava/train.normalised.csv")
    assert frame["action"].dropna().unique().tolist() == ["stand (still)", "talk to, or sing", "bend"]


def test_nothing_is_fetched_twice_but_what_has_gone(annotated: Annotated) -> None:
    mark = len(annotated.server.asked())
    assert annotated.run("ava").extra["annotated"]["ava"] == annotated.told.extra["annotated"]["ava"]
    assert len(annotated.server.asked()) == mark
    for table in ("train.normalised.csv", "actions.csv"):
        (annotated.mirror / "annotations/ava" / table).unlink()
    assert annotated.run("ava").extra["annotated"]["ava"] == annotated.told.extra["annotated"]["ava"]
    assert len(annotated.server.asked()) == mark
    (annotated.mirror / "annotations/countix/countix.tar.gz").unlink()
    again = annotated.run("countix")
    assert again.extra["annotated"]["countix"] == annotated.told.extra["annotated"]["countix"]
    assert [row.key for row in annotated.server.asked()[mark:] if row.method == "GET"] == [
        "demo/countix.tar.gz"
    ]


def test_lists_of_boxes_of_videos(annotated: Annotated) -> None:
    files = annotated.lists(consumers="ava")
    assert files["ava_train.csv"].read_text().splitlines()[:3] == [
        "train/abseiling/-lead_dash0_000012_000015.mp4,13,0.1,0.2,0.5,0.9,12,-1",
        "train/abseiling/-lead_dash0_000012_000015.mp4,13,0.1,0.2,0.5,0.9,79,-1",
        "train/abseiling/-lead_dash0_000012_000015.mp4,13,0.6,0.2,0.9,0.9,12,-1",
    ]
    # a file that ends before its key-frame, and what the hosts leave out themselves
    assert files["ava_train_excluded_timestamps.csv"].read_text().splitlines() == [
        "train/massaging_person's_head/secondSound_000003_000006.mp4,4",
        "train/abseiling/shorter_one_000009_000012.mp4,11",
    ]
    looked = files["ava_test_included_timestamps.csv"].read_text().splitlines()
    assert looked == ["test/-testClip02_000011_000014.mp4,12", "test/testClip_01_000000_000003.mp4,1"]


def test_trainers_show_pictures_that_are_there(annotated: Annotated) -> None:
    recipe = f"{annotated.manifest.parent}/recipes.toml:thirty"
    kdl.derive(annotated.manifest, root=annotated.mirror.parent, recipes=recipe, splits=["train", "val"])
    files = annotated.lists(consumers="ava", recipes=recipe)
    media = annotated.mirror / "derived/thirty"
    for split in ("train", "val"):
        boxes = files[f"ava_{split}.csv"]
        excluded = boxes.with_name(f"ava_{split}_excluded_timestamps.csv")
        seen = ava_readers.mmaction2(boxes, excluded, media, "frame_{:05d}.jpg")
        slow = boxes.parent / "slowfast"
        theirs = ava_readers.slowfast(slow / boxes.name, slow / "frame_lists" / f"{split}.csv", media)
        assert seen == theirs
        assert len(seen) == 2
        assert all(os.path.isfile(each.picture) for each in seen)


def test_lists_of_repetitions(annotated: Annotated) -> None:
    files = annotated.lists(consumers=["countix"])
    table = pd.read_csv(files["countix_train.csv"])
    path = "train/abseiling/-lead_dash0_000012_000015.mp4"
    assert table.to_numpy().tolist() == [[path, "abseiling", 6, 0.5, 2.25], [path, "abseiling", 2, 2.5, 3.0]]
    assert all((annotated.mirror / "videos" / path).is_file() for path in table["path"])
    assert set(files) == {"countix_train.csv", "countix_test.csv"}


def test_what_can_not_be_listed_is_refused(annotated: Annotated, tmp_path: Path, demo: Hosted) -> None:
    with pytest.raises(kdl.UsageError, match="as its readers want them"):
        annotated.lists(consumers="ava", separator="comma")
    done = kdl.write_lists(annotated.manifest, root=annotated.mirror.parent, consumers="ava", recipes="320p")
    assert [finding.kind for finding in done.findings] == ["usage"]
    demo.copy(tmp_path / "root")
    done = kdl.write_lists(annotated.manifest, root=tmp_path / "root", consumers="countix")
    assert done.exit_code == 2
    (finding,) = done.findings
    assert finding.detail == "these annotations are not here yet"
    assert finding.fix.startswith("kdl annotations ")
    assert finding.fix.endswith("--with countix")


def test_an_archive_that_breaks_off_is_gone_on_with(
    annotated: Annotated, demo: Hosted, tmp_path: Path
) -> None:
    demo.copy(tmp_path / "root")
    hosted = tmp_path / "bucket/demo/ava.tar.gz"
    films = Member("films.bin", random.Random(7).randbytes(3_000_000))
    write_archive(hosted, [films, *(Member(f"{TOP}{name}", text.encode()) for name, text in AVA.items())])
    with DemoServer(tmp_path / "bucket", drop="demo/ava.tar.gz") as server:
        done = kdl.annotated(annotated.manifest, extras="ava", root=tmp_path / "root", origins=[server.url])
        answers = server.served
    assert done.extra["annotated"]["ava"] == annotated.told.extra["annotated"]["ava"]
    assert [each.status for each in answers] == [200, 206]
    assert answers[1].sent < hosted.stat().st_size
    assert not (tmp_path / "root/demo/annotations/ava/films.bin").exists()


@pytest.mark.parametrize(
    ("name", "code", "kind", "words"),
    [
        ("cut", 1, "archive", "is damaged"),
        ("page", 4, "object_failed", "page"),
        ("none", 1, "archive", "holds no table of countix"),
        ("absent", 4, "object_failed", "404"),
    ],
)
def test_an_archive_that_is_of_no_use(
    annotated: Annotated, demo: Hosted, tmp_path: Path, name: str, code: int, kind: str, words: str
) -> None:
    whole = annotated.manifest.parent / "bucket/demo/countix.tar.gz"
    odd = whole.with_name(f"{name}.tar.gz")
    if name == "cut":
        odd.write_bytes(whole.read_bytes()[:-40])
    elif name == "page":
        odd.write_text("<html><body>moved</body></html>")
    elif name == "none":
        archive(odd, {"README.md": "nothing here"}, "")
    manifest = annotated.manifest.with_name(f"{name}.toml")
    manifest.write_text(annotated.manifest.read_text().replace("demo/countix.tar.gz", f"demo/{name}.tar.gz"))
    mirror = demo.copy(tmp_path / "root")
    done = kdl.annotated(
        manifest, extras="countix", root=tmp_path / "root", origins=[annotated.server.url], tries=1
    )
    assert (done.exit_code, done.extra["annotated"]) == (code, {})
    (finding,) = done.findings
    assert finding.kind == kind
    assert words in finding.detail
    with sqlite3.connect(mirror / ".kdl/ledger.db") as connection:
        assert connection.execute("SELECT value FROM meta WHERE key = 'extra.countix'").fetchall() == []
    connection.close()


def test_the_command_tells_it(annotated: Annotated) -> None:
    words = ("annotations", annotated.manifest, "--root", annotated.mirror.parent, "--with", "ava")
    done = command(*words, "--with", "countix", "--json")
    assert json.loads(done.out)["annotated"] == annotated.told.extra["annotated"]
