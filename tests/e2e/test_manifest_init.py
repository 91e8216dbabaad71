"""`kdl manifest init`, and the mirror of what it wrote: a dataset that is not Kinetics."""

from __future__ import annotations

import re
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from kdl.dataset.manifest import load_manifest
from kdl.jobs.demo_archives import Member, write_archive
from kdl.jobs.demo_clips import Scene, render, stamp
from tests.e2e.running import Ran, kdl
from tests.replica import nginx

DOCS = Path(__file__).parents[2] / "docs" / "datasets.md"
CLASSES = ("ApplyEyeMakeup", "Archery", "BabyCrawling")


@pytest.fixture(scope="module")
def film() -> bytes:
    return render([Scene("testsrc2", 2, size="64x48")])[0]


def members(film: bytes, top: str = "UCF-101") -> list[Member]:
    """Groups 1 to 3 of each class, as UCF-101 names and lays them out."""
    return [
        Member(f"{top}/{label}/v_{label}_g{group:02d}_c01.mp4", stamp(film, f"{label}{group}"))
        for label in CLASSES
        for group in (1, 2, 3)
    ]


def table(groups: range) -> str:
    """One of the lists that docs/datasets.md makes of UCF-101's own."""
    rows = [f"{label},v_{label}_g{group:02d}_c01" for label in CLASSES for group in groups]
    return "label,youtube_id\n" + "".join(f"{row}\n" for row in rows)


@dataclass(frozen=True)
class Made:
    """A manifest that was written, and the mirror of what it describes."""

    folder: Path
    told: Ran
    done: Ran

    @property
    def text(self) -> str:
        return (self.folder / "ucf101.toml").read_text()

    def files(self) -> list[str]:
        top = self.folder / "root" / "ucf101"
        return sorted(
            str(path.relative_to(top))
            for name in ("videos", "unlisted")
            for path in (top / name).rglob("*.mp4")
        )


@pytest.fixture(scope="module")
def ucf(film: bytes, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Made]:
    """One archive with class folders inside a top folder, names without times, two lists beside it."""
    folder = tmp_path_factory.mktemp("ucf")
    bucket = folder / "bucket"
    write_archive(bucket / "UCF 101.tar.gz", members(film))
    (bucket / "train.csv").write_text(table(range(1, 2)))
    (bucket / "test.csv").write_text(table(range(2, 3)))
    with nginx.serve(bucket, listing=True) as server:
        out = folder / "ucf101.toml"
        told = kdl("manifest", "init", "ucf101", server.url, "--out", out, "--title", "UCF 101", "--json")
        done = kdl("mirror", out, "--root", folder / "root", "--json")
        yield Made(folder, told, done)


def test_a_folder_on_a_server_becomes_a_manifest(ucf: Made) -> None:
    assert ucf.told.code == 0, ucf.told.err
    assert ucf.told.result["splits"] == {
        name: {"archives": 1, "clips": 9, "classes": 3, "class_from": "folder"} for name in ("train", "test")
    }
    manifest = load_manifest(ucf.folder / "ucf101.toml")
    assert manifest.title == "UCF 101"
    assert manifest.labels.names == CLASSES
    for split in manifest.splits:
        assert (split.strip, split.times, split.any_id) == (1, False, True)
        assert split.split_from == "annotation"
        assert split.annotation is not None
        assert split.annotation.file_name == f"{split.name}.csv"
    assert "# UCF-101/" in ucf.text


def test_it_is_mirrored_as_its_lists_say(ucf: Made) -> None:
    assert ucf.done.code == 0, ucf.done.out
    assert ucf.done.result["clips"]["ok"] == 6
    assert ucf.done.result["clips"]["unlisted"] == 3
    assert ucf.files() == [
        *(f"unlisted/train/v_{label}_g03_c01.mp4" for label in CLASSES),
        *(f"videos/test/{label}/v_{label}_g02_c01.mp4" for label in CLASSES),
        *(f"videos/train/{label}/v_{label}_g01_c01.mp4" for label in CLASSES),
    ]
    listed = (ucf.folder / "root/ucf101/lists/mmaction2/ucf101_train_list_videos.txt").read_text()
    assert listed.splitlines() == [f"{label}/v_{label}_g01_c01.mp4 {at}" for at, label in enumerate(CLASSES)]


def test_a_manifest_that_is_there_is_not_replaced(ucf: Made) -> None:
    before = ucf.text
    again = kdl("manifest", "init", "ucf101", ucf.folder / "bucket", "--out", ucf.folder / "ucf101.toml")
    assert again.code == 2
    assert "is there already" in again.err
    assert ucf.text == before


def test_folders_of_this_machine_with_splits_and_loose_clips(film: bytes, tmp_path: Path) -> None:
    """Splits told by folders; a clip is called after its video."""
    for split, number in (("train", 1), ("val", 2)):
        for label in CLASSES:
            place = tmp_path / "data" / f"videos_{split}" / label
            place.mkdir(parents=True)
            (place / f"{label[:6]}0000{number}.mp4").write_bytes(stamp(film, f"{split}{label}"))
    (tmp_path / "data" / "readme.txt").write_text("hello")
    out = tmp_path / "own.toml"
    told = kdl("manifest", "init", "own", tmp_path / "data", "--out", out, "--json")
    assert told.code == 0, told.err
    assert {name: seen["clips"] for name, seen in told.result["splits"].items()} == {"train": 3, "val": 3}
    manifest = load_manifest(out)
    assert [split.list_url for split in manifest.splits] == [
        f"{(tmp_path / 'data').as_uri()}/videos_{split}/" for split in ("train", "val")
    ]


def test_a_list_of_links_and_labels_of_ones_own(film: bytes, tmp_path: Path) -> None:
    bucket = tmp_path / "bucket"
    bucket.mkdir()
    for label in ("Archery", "BabyCrawling"):
        with zipfile.ZipFile(bucket / f"{label}.zip", "w") as file:
            file.writestr(f"v_{label}_g01_c01.mp4", film)
    (tmp_path / "labels.txt").write_text("BabyCrawling\nArchery\n")
    with nginx.serve(bucket) as server:
        (bucket / "links.txt").write_text(
            f"{server.url}Archery.zip\n# a remark\n{server.url}BabyCrawling.zip\n"
        )
        out, labels = tmp_path / "zips.toml", tmp_path / "labels.txt"
        told = kdl("manifest", "init", "zips", f"{server.url}links.txt", "--out", out, "--labels", labels)
        assert told.code == 0, told.err
        assert "kdl mirror" in told.out
        done = kdl("mirror", out, "--root", tmp_path, "--json")
    assert done.code == 0, done.out
    manifest = load_manifest(out)
    assert manifest.labels.names == ("BabyCrawling", "Archery")
    assert (manifest.splits[0].class_from, manifest.splits[0].archive) == ("shard-name", "unknown")
    assert (tmp_path / "zips/videos/train/Archery/v_Archery_g01_c01.mp4").is_file()


@pytest.mark.parametrize(
    ("place", "words"),
    [
        ("nowhere/at/all", "not an http"),
        ("{tmp}/nothing/", "neither archives nor videos"),
        ("{tmp}/words.txt", "no list of links"),
        ("{tmp}/broken.tar.gz", "can not be read to its end"),
    ],
)
def test_places_that_hold_no_dataset(place: str, words: str, tmp_path: Path) -> None:
    (tmp_path / "nothing").mkdir()
    (tmp_path / "words.txt").write_text("some words\n")
    (tmp_path / "broken.tar.gz").write_bytes(b"no archive at all" * 100)
    done = kdl("manifest", "init", "x", place.format(tmp=tmp_path), "--out", tmp_path / "x.toml")
    assert done.code in (1, 2)
    assert words in done.err
    assert not list(tmp_path.glob("*.toml"))


def test_the_guides_manifest_is_what_init_writes(ucf: Made) -> None:
    (shown,) = re.findall(r"```toml\n(.*?)```", DOCS.read_text(), re.DOTALL)
    own = re.sub(r"http://127[^/]*/", "https://example.org/ucf/", ucf.text)
    keys = [line.partition("#")[0].rstrip() for line in own.splitlines() if line.partition("#")[0].strip()]
    assert [line.rstrip() for line in shown.splitlines() if line.strip()] == keys
