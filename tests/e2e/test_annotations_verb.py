"""Lists of several publishers: fetched, compared with each other and with a mirror, and used to leave out."""

from __future__ import annotations

import csv
import hashlib
import io
import shutil
import sqlite3
import tarfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import pytest

import kdl as api
from kdl import events
from kdl.cli.annotations import command
from kdl.dataset.annotations import NORMALISED_COLUMNS, normalised_name
from kdl.dataset.manifest import load_manifest
from kdl.errors import KdlError, LockHeld
from kdl.jobs.listings import take_annotation
from kdl.jobs.run import open_run
from tests.e2e.hosted import Hosted
from tests.e2e.running import Ran, kdl
from tests.replica import nginx
from tests.replica.nginx import Nginx

PUBLISHERS = """
[[annotations]]
name = "them"
url = "https://lists.invalid/them/demo.tar.gz"
format = "tar"

[[annotations]]
name = "others"
url = ["https://lists.invalid/others/demo_val.csv", "https://lists.invalid/others/demo_gone.csv"]
format = "csv"
"""
MOVED = 'abseiling,"valClip_0_a",1,4,validate'


@dataclass(frozen=True)
class Compared:
    """A mirror whose lists were compared with those of two others, one of whose files is nowhere."""

    dataset: str
    root: Path
    lists: Nginx
    own: Nginx
    ran: Ran
    out: Path

    @property
    def base(self) -> Path:
        return self.root / "demo"

    @property
    def origins(self) -> list[str]:
        return [f"demo={self.own.url}", f"them={self.lists.url}them/", f"others={self.lists.url}others/"]

    def differences(self, kind: str) -> list[dict[str, str]]:
        """The rows of that kind that were written, each with its cells that say anything."""
        rows = csv.DictReader(io.StringIO(self.out.read_text()))
        return [{name: cell for name, cell in row.items() if cell} for row in rows if row["kind"] == kind]


def publish(demo: Hosted, folder: Path) -> None:
    """The demo's own lists once more: an archive without one clip, and a val list that is older."""
    own = {path.stem: path.read_bytes() for path in (demo.bucket / "demo/annotations").glob("*.csv")}
    lines = own["train"].splitlines(keepends=True)
    (folder / "them").mkdir(parents=True)
    (folder / "others").mkdir()
    members = {
        "demo/train.csv": b"".join(line for line in lines if b"knownAbsent" not in line),
        "demo/train.json": b"{}",
        "demo/validate.csv": own["val"],
        "demo/test.csv": own["test"],
    }
    with tarfile.open(folder / "them/demo.tar.gz", "w:gz") as tar:
        for name, content in members.items():
            info = tarfile.TarInfo(name)
            info.size = len(content)
            tar.addfile(info, io.BytesIO(content))
    val = own["val"].decode().replace("abseiling,valClip_0_a,0,3,validate", MOVED)
    val = val.replace("driving car,valClip_1_a", "abseiling,valClip_1_a")
    (folder / "others/demo_val.csv").write_text(val)


@pytest.fixture(scope="module")
def compared(demo: Hosted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Compared]:
    folder = tmp_path_factory.mktemp("compared")
    publish(demo, folder / "lists")
    dataset = folder / "demo.toml"
    dataset.write_text(Path(demo.dataset).read_text() + PUBLISHERS)
    shutil.copy(Path(demo.dataset).with_name("demo-never-hosted.txt"), folder)
    root = folder / "root"
    demo.copy(root)
    (root / "demo/annotations/test.csv").unlink()
    with nginx.serve(folder / "lists") as lists:
        out = folder / "differences.csv"
        origins = [f"demo={demo.server.url}", f"them={lists.url}them/", f"others={lists.url}others/"]
        ran = kdl(
            "annotations", dataset, "--root", root, "--compare", "demo,them,others", "--json", "--out", out,
            *[word for origin in origins for word in ("--origin", origin)],
        )  # fmt: skip
        yield Compared(str(dataset), root, lists, demo.server, ran, out)


def test_what_is_lacking_is_fetched_and_recorded(compared: Compared) -> None:
    folder = compared.base / "annotations"
    assert (folder / "them/demo.tar.gz").is_file()
    assert (folder / "others/demo_val.csv").is_file()
    assert not (folder / "others/demo_gone.csv").exists()
    assert (folder / "test.csv").is_file()
    with sqlite3.connect(compared.base / ".kdl/ledger.db") as ledger:
        rows = ledger.execute(
            "SELECT name, kind, state, sha256 FROM objects WHERE url LIKE '%lists.invalid%'"
        )
        found = {row[0]: row[1:] for row in rows}
        (code,) = ledger.execute("SELECT exit_code FROM runs WHERE command LIKE 'annotations %'").fetchone()
    digest = hashlib.sha256((folder / "them/demo.tar.gz").read_bytes()).hexdigest()
    assert found["demo.tar.gz"] == ("annotation", "done", digest)
    assert "demo_gone.csv" not in found  # a mirror is none the worse for it
    assert code == 4


def test_a_file_that_is_nowhere_is_told_and_the_rest_compared(compared: Compared) -> None:
    result = compared.ran.result
    assert compared.ran.code == 4
    (failed,) = result["findings"]
    assert (failed["kind"], "demo_gone.csv" in failed["subject"]) == ("object_failed", True)
    known = {each["name"]: each for each in result["publishers"]}
    assert known["others"]["missing"] == ["others/demo_gone.csv"]
    assert known["them"]["missing"] == []
    assert known["demo"]["splits"]["train"] == {
        "rows": 26, "bad": 0, "repeated": 0, "clips": 26, "ids": 25,
        "ids_with_several": 1, "labels": 4, "unlabelled": 0, "is_cc": 0,
    }  # fmt: skip


def test_the_differences_are_named(compared: Compared) -> None:
    found = compared.ran.result["compare"]
    assert found["publishers"] == ["demo", "them", "others"]
    assert {split: each["publishers"] for split, each in found["splits"].items()} == {
        "train": ["demo", "them"],
        "val": ["demo", "them", "others"],
        "test": ["demo", "them"],
    }
    assert found["splits"]["train"]["listed"] == {"demo": 1}
    assert found["splits"]["val"] | {"publishers": None} == {
        "publishers": None, "clips": 10, "same": 7, "listed": {}, "label": 1, "times": 1, "split": 0,
    }  # fmt: skip
    assert found["differences"] == {"split": 0, "times": 1, "listed": 1, "label": 1, "on_disk": 1}
    assert compared.differences("times") == [
        {
            "kind": "times",
            "split": "val",
            "youtube_id": "valClip_0_a",
            "demo": "0-3",
            "them": "0-3",
            "others": "1-4",
        }
    ]
    (label,) = compared.differences("label")
    assert (label["demo"], label["them"], label["others"]) == ("driving car", "driving car", "abseiling")
    assert [row["youtube_id"] for row in compared.differences("listed")] == ["knownAbsent"]
    assert [(row["kind"], row["youtube_id"]) for row in found["samples"]] == [
        ("times", "valClip_0_a"),
        ("listed", "knownAbsent"),
        ("label", "valClip_1_a"),
        ("on_disk", "inNoListing"),
    ]


def test_a_clip_on_disk_that_nobody_lists_is_named_by_its_path(compared: Compared) -> None:
    (row,) = compared.differences("on_disk")
    assert (compared.base / row["path"]).is_file()
    assert compared.ran.result["compare"]["on_disk"] == 1


def test_what_is_here_is_not_asked_for_again(compared: Compared) -> None:
    mark = len(compared.lists.asked())
    done = api.compare_annotations(compared.dataset, ["demo", "them"], root=compared.root)
    assert done.exit_code == 0
    assert done.extra["compare"]["differences"]["listed"] == 1
    assert compared.lists.asked()[mark:] == []


def test_refresh_asks_whether_it_is_still_the_same(compared: Compared) -> None:
    mark = len(compared.lists.asked())
    done = api.compare_annotations(
        compared.dataset, ["demo", "them"], root=compared.root, refresh=True, origins=compared.origins
    )
    assert done.exit_code == 0
    assert [(row.key, row.status) for row in compared.lists.asked()[mark:]] == [("them/demo.tar.gz", 304)]


def test_what_is_here_is_told_while_a_run_has_the_mirror(compared: Compared) -> None:
    shutil.rmtree(compared.base / "annotations/mine", ignore_errors=True)
    with open_run("verify", "demo", compared.dataset, compared.root, events.Bus(), create=False):
        done = api.describe_annotations(compared.dataset, root=compared.root)
        names = [each["name"] for each in done.extra["publishers"]]
        assert names == ["demo", "them", "others"]
        assert done.extra["publishers"][2]["splits"].keys() == {"val"}
        with pytest.raises(LockHeld):
            api.compare_annotations(compared.dataset, ["demo", "others"], root=compared.root)


def test_people_read_tables(compared: Compared, capsys: pytest.CaptureFixture[str]) -> None:
    out = compared.out.with_name("again.csv")
    arguments = [compared.dataset, "--root", str(compared.root), "--compare", "demo,them", "--out", str(out)]
    assert command.main(arguments, standalone_mode=False) == 0
    shown = capsys.readouterr().out
    for words in (
        "only in demo",
        "knownAbsent",
        "listed by some only (1)",
        "on disk, and listed by nobody",
        out.name,
    ):
        assert words in shown


def lines(result: dict[str, Any], name: str) -> dict[str, set[str]]:
    """The lines of a consumer's lists by split."""
    return {
        each["split"]: {*Path(each["path"]).read_text().splitlines()}
        for each in result["lists"][name]
        if each["split"] and each["path"]
    }


def test_lists_leave_out_what_a_file_names(compared: Compared, tmp_path: Path) -> None:
    before = lines(
        api.write_lists(compared.dataset, root=compared.root, consumers="mmaction2").extra, "mmaction2"
    )
    names = tmp_path / "out.txt"
    names.write_text("# shared\ntwice_taken\nunder_score_000000_000003.mp4\nnobodyIsHim\nno id at all\n")
    done = api.write_lists(compared.dataset, root=compared.root, consumers="mmaction2", exclude=names)
    assert done.exit_code == 0
    assert done.extra["exclude"] == {"file": str(names), "entries": 3, "unknown": 1}
    after = lines(done.extra, "mmaction2")
    assert before["train"] - after["train"] == {
        line for line in before["train"] if "twice_taken" in line or "under_score" in line
    }
    assert len(before["train"] - after["train"]) == 3
    assert after["val"] == before["val"]
    told = {each["split"]: each for each in done.extra["lists"]["mmaction2"]}
    assert told["train"]["excluded"] == 3
    assert "3 clips of the exclusion list left out" in told["train"]["note"]
    assert "excluded" not in told["val"]


def test_links_leave_it_out_as_well(compared: Compared, tmp_path: Path) -> None:
    names = tmp_path / "out.txt"
    names.write_text("twice_taken\n")
    farm = tmp_path / "farm"
    done = api.write_lists(
        compared.dataset, root=compared.root, consumers="torchvision", links=farm, exclude=names
    )
    assert any(
        "2 clips of the exclusion list left out" in tree["note"] for tree in done.extra["links"]["trees"]
    )
    linked = {path.name[:11] for path in farm.rglob("*.mp4")}
    assert "twice_taken" not in linked
    assert "under_score" in linked


def test_a_list_of_which_all_is_left_out(compared: Compared, tmp_path: Path) -> None:
    names = tmp_path / "out.txt"
    names.write_text("".join(f"valClip_{number}_{letter}\n" for number in range(4) for letter in "ab"))
    with names.open("a") as file:
        file.write("valCutShort\n")
    done = api.write_lists(compared.dataset, root=compared.root, consumers="mmaction2", exclude=names)
    told = {each["split"]: each for each in done.extra["lists"]["mmaction2"]}
    assert told["val"]["path"] is None
    assert "are in the exclusion list" in told["val"]["note"]


def test_an_overlap_ends_in_a_file_that_lists_take(compared: Compared, tmp_path: Path) -> None:
    older = tmp_path / "lists" / "demo"
    older.mkdir(parents=True)
    for name in ("train", "val", "test"):
        shutil.copy(compared.base / f"annotations/{name}.csv", older)
    text = (older / "val.csv").read_text()
    (older / "val.csv").write_text(
        text + "abseiling,twice_taken,1,4,validate\nabseiling,CaseMatters,5,8,validate\n"
    )
    out = tmp_path / "shared.txt"
    side = (f"{compared.dataset}:val", f"{compared.dataset}:train")
    done = api.overlap(*side, folder=tmp_path / "lists", out=out)
    found = done.extra["overlap"]
    assert (found["first"], found["second"]) == ("demo:val", "demo:train")
    assert {key: found[key] for key in ("ids", "clips", "meeting", "first_clips", "second_clips")} == {
        "ids": 2,
        "clips": 1,
        "meeting": 2,
        "first_clips": 2,
        "second_clips": 3,
    }
    assert out.read_text().splitlines()[1:] == ["CaseMatters", "twice_taken"]
    listed = api.write_lists(compared.dataset, root=compared.root, consumers="slowfast", exclude=out)
    told = {each["split"]: each for each in listed.extra["lists"]["slowfast"]}
    assert told["train"]["excluded"] == 3
    # what is in the mirror shares nothing, and no host is asked
    alone = api.overlap(*side, root=compared.root).extra["overlap"]
    assert (alone["ids"], alone["samples"], alone["out"]) == (0, [], None)


def test_a_mirrors_tables_say_who_published_them(compared: Compared) -> None:
    """Those that an older kdl wrote are written again when the annotations are next looked at."""
    manifest = load_manifest(compared.dataset)
    spec = manifest.split("val")
    hosted = compared.base / "annotations/val.csv"
    table = compared.base / "annotations" / normalised_name("val")
    with table.open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert tuple(rows[0]) == NORMALISED_COLUMNS
    assert {(row["source"], row["is_cc"]) for row in rows} == {("demo", "")}
    whole = table.read_bytes()
    table.write_text("label,youtube_id,time_start,time_end,split\nabseiling,valClip_0_a,0,3,val\n")
    digest = hashlib.sha256(hosted.read_bytes()).hexdigest()
    with open_run("fetch", "demo", compared.dataset, compared.root, events.Bus(), create=False) as run:
        take_annotation(run, manifest, spec, hosted, digest, "mmaction2")
        assert table.read_bytes() == whole
        told = table.stat().st_mtime_ns
        take_annotation(run, manifest, spec, hosted, digest, "mmaction2")
        assert table.stat().st_mtime_ns == told


@pytest.mark.parametrize(
    ("publishers", "more", "words"),
    [
        (["demo", "thim"], {}, "nobody of that name publishes this dataset.*did you mean them"),
        (["demo", "demo"], {}, "it takes two publishers"),
        (["demo", "them"], {"folder": "nowhere"}, "no such folder"),
        (["demo", "them"], {"folder": ".", "refresh": True}, "nothing is fetched with --from"),
        (
            ["demo", "them"],
            {"folder": ".", "origins": "them=http://h.example/"},
            "nothing is fetched with --from",
        ),
        (
            ["demo", "them"],
            {"origins": "http://h.example/", "refresh": True},
            "several hosts.*--origin demo=",
        ),
    ],
)
def test_what_can_not_be_compared_is_refused(
    compared: Compared, publishers: list[str], more: dict[str, Any], words: str
) -> None:
    with pytest.raises(KdlError) as caught:
        api.compare_annotations(compared.dataset, publishers, root=compared.root, **more)
    assert caught.value.exit_code == 2
    assert list(_in_order(words.split(".*"), f"{caught.value} {caught.value.fix}"))


def _in_order(words: list[str], text: str) -> Iterator[int]:
    at = -1
    for word in words:
        at = text.index(word, at + 1)
        yield at


def test_lists_that_are_not_here(compared: Compared, tmp_path: Path) -> None:
    with pytest.raises(KdlError, match="no list of clips lies here") as caught:
        api.describe_annotations(compared.dataset, root=tmp_path)
    assert caught.value.fix.startswith("kdl annotations")
    done = api.compare_annotations(compared.dataset, ["demo", "them"], root=tmp_path, folder=tmp_path)
    assert done.exit_code == 1
    assert [finding.subject for finding in done.findings] == ["demo", "them"]
    assert "compare" not in done.extra


def test_clips_without_a_ledger_are_not_hidden_by_a_new_one(compared: Compared, tmp_path: Path) -> None:
    (tmp_path / "demo/videos/val/abseiling").mkdir(parents=True)
    with pytest.raises(KdlError) as caught:
        api.compare_annotations(compared.dataset, ["demo", "them"], root=tmp_path, origins=compared.origins)
    assert "kdl adopt" in caught.value.fix
    assert not (tmp_path / "demo/.kdl/ledger.db").exists()


@pytest.mark.parametrize(
    "arguments",
    [
        [],
        ["k400", "--overlap", "k400:val", "k600:val"],
        ["--overlap", "k400:val", "k600:val", "--compare", "cvdf,deepmind"],
        ["k400", "--out", "x.csv"],
    ],
)
def test_options_that_do_not_go_together(arguments: list[str]) -> None:
    with pytest.raises(click.UsageError):
        command.main(arguments, standalone_mode=False)


@pytest.mark.parametrize(("side", "words"), [("k400:vel", "no such split"), ("k4000:val", "no such dataset")])
def test_a_side_that_is_none(side: str, words: str, tmp_path: Path) -> None:
    with pytest.raises(KdlError, match=words):
        api.overlap(side, "k600:test", root=tmp_path)


def test_a_side_without_an_annotation(tmp_path: Path) -> None:
    path = tmp_path / "bare.toml"
    path.write_text(
        'name = "bare"\ntitle = "Bare"\nlabels = ["a"]\n[[split]]\nname = "val"\nclass_from = "folder"\n'
        'archives = ["https://h.example/a.tar"]\n'
    )
    with pytest.raises(KdlError, match="has no annotation to be held against"):
        api.overlap(str(path), "k600:test", root=tmp_path)
