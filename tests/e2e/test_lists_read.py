"""``kdl lists`` of a real mirror, read by the consumers' own packages, or by their rules."""

from __future__ import annotations

import contextlib
import csv
import json
import os
import sqlite3
import warnings
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import pytest
from click.testing import CliRunner

from kdl.cli.main import kdl
from tests.e2e.hosted import Hosted
from tests.e2e.running import Ran, clips
from tests.lists import folder_readers, readers

os.environ["HF_HUB_OFFLINE"] = os.environ["HF_DATASETS_OFFLINE"] = "1"
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # of the packages' own making, as they are imported
    import datasets

RECIPES = """
[small]
kind = "video"
short_side = 32
preset = "ultrafast"
[tiny]
kind = "frames"
size = [32, 32]
count = 5
template = "frame_%05d.jpg"
[six]
kind = "frames"
size = [32, 32]
count = 4
template = "frame_%06d.jpg"
[flow]
kind = "flow"
size = [32, 32]
algorithm = "dis"
template = "flow_{}_%05d.jpg"
""".replace("\nkind", '\ndoc = "for a test"\nbytes_per_clip = 1\nkind')
FRAMES = "rawframes-256"
"""Of the shipped recipes; the others are small."""
VIDEOS = ("mmaction2", "paddlevideo", "slowfast", "pytorchvideo", "videomae", "videomaev2", "internvideo",
          "uniformer", "gluoncv", "dali", "huggingface")  # fmt: skip
Samples = list[readers.Sample]


@dataclass(frozen=True)
class Shelf:
    """A mirror whose val clips have been derived, and what the mirror itself says of its clips."""

    demo: Hosted
    mirror: Path
    recipes: Path
    labelled: dict[str, dict[str, int]]
    """The id of each sound clip with a label, by split and stem."""
    unlabelled: set[str]

    def run(self, *arguments: object, mirror: Path | None = None) -> Ran:
        """The command in this very process: a start costs more than most of what it does here."""
        root = (mirror or self.mirror).parent
        words = ["lists", self.demo.dataset, "--root", root, "--json", *arguments]
        done = CliRunner().invoke(kdl, [*map(str, words)])
        assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
        return Ran(done.exit_code, done.stdout, done.stderr)

    def lists(self, *arguments: object) -> Path:
        """The folder of the lists, once they are written."""
        done = self.run(*arguments)
        assert done.code == 0, done.out
        return self.mirror / "lists"

    def recipe(self, name: str) -> tuple[str, str]:
        return "--recipe", name if name == FRAMES else f"{self.recipes}:{name}"


@pytest.fixture(scope="module")
def shelf(demo: Hosted, tmp_path_factory: pytest.TempPathFactory) -> Shelf:
    mirror = demo.copy(tmp_path_factory.mktemp("read"))
    recipes = mirror.parent / "own.toml"
    recipes.write_text(RECIPES)
    labels = sorted({row["label"] for row in clips(demo.dataset, mirror.parent).values()} - {""})
    sound: dict[str, dict[str, int]] = {"train": {}, "val": {}}
    unlabelled = set()
    for (split, name), row in clips(demo.dataset, mirror.parent).items():
        if row["verdict"] not in ("ok", "short"):
            continue
        if row["label"]:
            sound[split][name[:-4]] = labels.index(row["label"])
        else:
            unlabelled.add(name[:-4])
    shelf = Shelf(demo, mirror, recipes, sound, unlabelled)
    names = [word for name in ("small", FRAMES, "tiny", "six", "flow") for word in shelf.recipe(name)]
    done = demo.run("derive", mirror.parent, "--split", "val", *names)
    assert done.code == 0, done.err
    return shelf


def stems(samples: Samples) -> dict[str, int]:
    """The ids by stem; every path must be there."""
    assert all(os.path.exists(path) for path, _, _ in samples)
    return {os.path.basename(path).removesuffix(".mp4"): number for path, _, number in samples}


def video_lists(shelf: Shelf, base: Path, out: str, split: str) -> Iterator[tuple[str, Samples]]:
    """What every reader of videos makes of its list."""
    lists = shelf.mirror / "lists"
    media = base / split

    def place(name: str) -> Path:
        folder = "videos" if name == "huggingface" and not out else out
        return lists / name / folder

    yield (
        "mmaction2",
        list(readers.mmaction2_videos(place("mmaction2") / f"demo_{split}_list_videos.txt", media)),
    )
    yield "paddlevideo", list(readers.paddlevideo_videos(place("paddlevideo") / f"{split}.list", media))
    yield "slowfast", list(readers.slowfast_videos(place("slowfast") / f"{split}.csv", base))
    yield "pytorchvideo", list(readers.pytorchvideo_paths(place("pytorchvideo") / f"{split}.csv", base))
    for name in ("videomae", "videomaev2"):
        yield name, list(readers.videomae_videos(place(name) / f"{split}.csv"))
    yield "internvideo", list(readers.internvideo_videos(place("internvideo") / f"{split}.csv", base))
    yield "uniformer", list(readers.slowfast_videos(place("uniformer") / f"{split}.csv", base, ","))
    yield "gluoncv", list(readers.gluoncv_custom(place("gluoncv") / f"demo_{split}_list_videos.txt", media))
    yield "dali", list(readers.dali_file_list(place("dali") / f"{split}_file_list.txt"))
    yield "huggingface", list(readers.huggingface_metadata(place("huggingface") / split / "metadata.jsonl"))


def test_every_reader_of_videos_finds_the_sound_clips_with_their_ids(shelf: Shelf) -> None:
    asked = [word for name in VIDEOS for word in ("--for", name)]
    shelf.lists(*asked)
    for split, expected in shelf.labelled.items():
        read = dict(video_lists(shelf, shelf.mirror / "videos", "", split))
        assert [*read] == [*VIDEOS]
        assert {name: stems(samples) for name, samples in read.items()} == dict.fromkeys(VIDEOS, expected)
    shelf.lists(*asked, *shelf.recipe("small"))
    for name, samples in video_lists(shelf, shelf.mirror / "derived" / "small", "small", "val"):
        assert stems(samples) == shelf.labelled["val"], name


def test_decoders_open_what_is_listed(shelf: Shelf) -> None:
    lists = shelf.lists("--for", "dali", "--for", "gluoncv")
    for path, _, _ in readers.dali_file_list(lists / "dali/train_file_list.txt"):
        with av.open(path) as container:
            assert next(container.decode(video=0)).width > 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        decord = pytest.importorskip("decord", reason="it has no build for this machine")
    listed = readers.gluoncv_custom(lists / "gluoncv/demo_val_list_videos.txt", shelf.mirror / "videos/val")
    for path, frames, _ in listed:
        video = decord.VideoReader(path, num_threads=1)
        assert len(video) == frames
        assert video[0].shape[2] == 3


def test_readers_of_pictures_find_every_picture(shelf: Shelf) -> None:
    expected = shelf.labelled["val"]
    lists = shelf.lists("--for", "mmaction2", "--for", "tsm", *shelf.recipe(FRAMES), *shelf.recipe("flow"))
    derived = shelf.mirror / "derived"
    for recipe, kind, tail, names in (
        (FRAMES, "rawframes", "", ("img_{:05d}.jpg",)),
        ("flow", "flow", "_flow", ("flow_x_{:05d}.jpg", "flow_y_{:05d}.jpg")),
    ):
        media = derived / recipe / "val"
        file = lists / "mmaction2" / recipe / f"demo_val_list_{kind}.txt"
        samples = list(readers.mmaction2_rawframes(file, media))
        file = lists / "tsm" / recipe / f"val_videofolder{tail}.txt"
        assert list(readers.tsm_frames(file, media)) == samples
        assert stems(samples) == expected
        for folder, frames, _ in samples:
            wanted = {name.format(number) for number in range(1, (frames or 0) + 1) for name in names}
            assert wanted == set(os.listdir(folder))

    lists = shelf.lists("--for", "tinykinetics", "--for", "gluoncv", *shelf.recipe("tiny"))
    samples = list(readers.tinykinetics_frames(lists / "tinykinetics/tiny", "val"))
    assert stems(samples) == expected
    assert all(os.path.isfile(f"{folder}/frame_{frames:05d}.jpg") for folder, frames, _ in samples)
    file = lists / "gluoncv/tiny/demo_val_list_rawframes.txt"
    assert stems(list(readers.gluoncv_custom(file, derived / "tiny" / "val"))) == expected

    lists = shelf.lists("--for", "seco", *shelf.recipe("six"))
    samples = list(readers.seco_frames(lists / "seco/six", "val"))
    assert stems(samples) == expected
    assert all(os.path.isfile(f"{folder}/frame_{frames:06d}.jpg") for folder, frames, _ in samples)


def videofolder(folder: Path, cache: Path) -> dict[str, dict[str, int]]:
    """What Hugging Face's VideoFolder makes of a folder: ids by split and stem."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of progress bars without a terminal
        loaded = datasets.load_dataset("videofolder", data_dir=str(folder), cache_dir=str(cache))
        found = {}
        for split, dataset in loaded.items():
            rows = dataset.cast_column("video", datasets.Video(decode=False))
            assert set(rows.column_names) == {"video", "label", "class"}
            found[str(split)] = stems([(row["video"]["path"], None, row["label"]) for row in rows])
    return found


def test_hugging_face_loads_lists_and_links(shelf: Shelf, tmp_path: Path) -> None:
    expected = {"train": shelf.labelled["train"], "validation": shelf.labelled["val"]}
    lists = shelf.lists("--for", "huggingface", "--for", "huggingface", *shelf.recipe("small"))
    shelf.lists("--for", "huggingface")
    assert videofolder(lists / "huggingface/videos", tmp_path / "one") == expected
    assert videofolder(lists / "huggingface/small", tmp_path / "two") == {"validation": shelf.labelled["val"]}
    farm = tmp_path / "training dogs"
    shelf.lists("--for", "huggingface", "--links", farm)
    assert videofolder(farm, tmp_path / "three") == expected


def links(done: Ran) -> dict[str, int]:
    assert done.code == 0, done.out
    told: dict[str, Any] = done.result["links"]
    return {name: told[name] for name in ("made", "kept", "removed")}


def test_mmaction2_has_its_whole_tree(shelf: Shelf, tmp_path: Path) -> None:
    root = tmp_path / "data" / "kinetics400"
    ask = ("--for", "mmaction2", "--links", root)
    more = (*shelf.recipe(FRAMES), *shelf.recipe("flow"))
    clips = sum(map(len, shelf.labelled.values())) + len(shelf.unlabelled)
    val = len(shelf.labelled["val"])
    done = shelf.demo.run("lists", shelf.mirror.parent, "--json", *ask, *more)
    assert links(done) == {"made": clips + 2 * val + 3, "kept": 0, "removed": 0}
    for split, expected in shelf.labelled.items():
        file = root / f"demo_{split}_list_videos.txt"
        samples = list(readers.mmaction2_videos(file, root / f"videos_{split}"))
        assert stems(samples) == expected
        # Its own tools make lists from the annotations: they come to the same.
        annotated = folder_readers.mmaction2_annotated(root / "annotations", split)
        assert {line.removesuffix(".mp4"): n for line, n in lines(file)}.items() <= annotated.items()
    for kind in ("rawframes", "flow"):
        media = root / f"{kind}_val"
        assert (
            stems(list(readers.mmaction2_rawframes(root / f"demo_val_list_{kind}.txt", media)))
            == (shelf.labelled["val"])
        )
    assert {path.stem for path in (root / "videos_test").iterdir()} == shelf.unlabelled
    # Frames of a shipped recipe are taken without being named; the flow was of another.
    bare = shelf.run(*ask)
    assert links(bare) == {"made": 0, "kept": clips + val + 3, "removed": val}
    assert {"folder": "rawframes_val", "split": "val", "links": val, "note": f"of {FRAMES}"} in (
        bare.result["links"]["trees"]
    )
    assert not list(root.glob("*flow*"))
    small = shelf.run(*ask, *shelf.recipe("small"))
    assert links(small) == {"made": val, "kept": 3, "removed": clips}
    assert not list(root.glob("rawframes*"))
    again = shelf.run(*ask, *shelf.recipe("small"))
    assert links(again) == {"made": 0, "kept": val + 3, "removed": 0}


def lines(file: Path) -> list[tuple[str, int]]:
    rows = (line.split() for line in file.read_text().splitlines())
    return [(path, int(number)) for path, number in rows]


def test_torchvision_finds_its_classes(shelf: Shelf, tmp_path: Path) -> None:
    root = tmp_path / "kinetics"
    done = shelf.run("--for", "torchvision", "--links", root)
    assert done.kinds() == set()
    for split, expected in shelf.labelled.items():
        classes, samples = folder_readers.torchvision_kinetics(root, split)
        assert classes == ["abseiling", "driving_car", "massaging_persons_head", "tying_knot_not_on_a_tie"]
        assert stems(samples) == expected
        with (root / "annotations" / f"{split}.csv").open(newline="") as stream:
            assert {"label", "youtube_id", "time_start", "time_end"} <= set(next(csv.DictReader(stream)))
    assert not (root / "test").exists(), "a class for what has no class"
    notes = [tree["note"] for tree in done.result["links"]["trees"]]
    assert f"Kinetics('{root}', frames_per_clip=…, split='val')" in notes
    assert f"{len(shelf.unlabelled)} clips without a label left out" in notes


def condemn(mirror: Path, which: str) -> None:
    """Have the ledger say that clips are corrupt."""
    with contextlib.closing(sqlite3.connect(mirror / ".kdl" / "ledger.db")) as ledger, ledger:
        ledger.execute(f"UPDATE clips SET verdict = 'corrupt' WHERE {which}")


def test_torchvision_numbers_what_it_finds_and_that_is_said(shelf: Shelf, tmp_path: Path) -> None:
    mirror = shelf.demo.copy(tmp_path)
    condemn(mirror, "split = 'train' AND class_dir <> 'abseiling'")
    done = shelf.run("--for", "torchvision", "--links", tmp_path / "farm", mirror=mirror)
    (finding,) = done.result["findings"]
    assert (done.code, finding["kind"]) == (0, "class_ids_differ")
    assert "train lacks 3 of 4" in finding["detail"]


def test_fiftyone_imports_a_tree_with_names_as_they_are(shelf: Shelf, tmp_path: Path) -> None:
    root = tmp_path / "kinetics-400"
    shelf.lists("--for", "fiftyone", "--links", root)
    labels = {0: "abseiling", 1: "driving car", 2: "massaging person's head", 3: "tying knot (not on a tie)"}
    for split, ours in (("train", "train"), ("validation", "val")):
        samples = folder_readers.fiftyone_tree(root / split)
        assert {Path(path).stem: label for path, label in samples} == {
            stem: labels[number] for stem, number in shelf.labelled[ours].items()
        }
    assert {Path(path).stem: label for path, label in folder_readers.fiftyone_tree(root / "test")} == (
        dict.fromkeys(shelf.unlabelled)
    )
    assert not (root / "info.json").exists(), "its zoo knows no demo"


def test_a_clip_that_goes_takes_its_link_with_it(shelf: Shelf, tmp_path: Path) -> None:
    mirror = shelf.demo.copy(tmp_path)
    farm = tmp_path / "farm"
    ask = ("--for", "fiftyone", "--links", farm)
    made = links(shelf.run(*ask, mirror=mirror))["made"]
    gone = next((mirror / "videos" / "val" / "driving_car").iterdir())
    condemn(mirror, f"name = '{gone.name}'")
    assert links(shelf.run(*ask, mirror=mirror)) == {"made": 0, "kept": made - 1, "removed": 1}
    assert not (farm / "validation" / "driving car" / gone.name).is_symlink()


@pytest.mark.parametrize(
    ("arguments", "subject"),
    [
        (("--for", "torchvision"), "torchvision"),
        (("--links", "DIR"), "--links"),
        (("--for", "dali", "--links", "DIR"), "--links"),
        (("--for", "mmaction2", "--for", "fiftyone", "--links", "DIR"), "--links"),
        (("--for", "mmaction2", "--links", "DIR", "--separator", "comma"), "--separator"),
        (("--for", "mmaction2", "--links", "DIR", "--name-template", "{name}"), "--name-template"),
        (("--for", "torchvision", "--links", "DIR", "--label-map", "MAP"), "--label-map"),
        (("--for", "slowfast", "--name-template", "x"), "x"),
        (("--for", "dali", "--separator", "comma"), "dali"),
        (("--for", "mmaction2", "--links", "ROOT"), "ROOT"),
        (("--for", "mmaction2", "--links", "ROOT/demo/videos"), "ROOT/demo/videos"),
        (("--for", "mmaction2", "--links", "DIR", "--recipe", "320p", "--recipe", "256p"), "256p"),
        (("--for", "torchvision", "--links", "DIR", "--recipe", "rawframes-256"), "rawframes-256"),
        (("--for", "mmaction2", "--recipe", "rawframes-256-zip"), "rawframes-256-zip"),
    ],
)
def test_what_does_not_go_together(
    shelf: Shelf, arguments: tuple[str, ...], subject: str, tmp_path: Path
) -> None:
    named = {"DIR": str(tmp_path / "farm"), "MAP": str(shelf.recipes.with_name("map.txt"))}
    Path(named["MAP"]).write_text("abseiling\n")
    words = [named.get(word, word.replace("ROOT", str(shelf.mirror.parent))) for word in arguments]
    done = shelf.run(*words)
    (finding,) = done.result["findings"]
    assert (done.code, finding["kind"]) == (2, "usage")
    assert finding["subject"] == subject.replace("ROOT", str(shelf.mirror.parent))
    assert finding["fix"]
    assert not (tmp_path / "farm").exists()


def test_views_in_the_mirror_are_a_place_for_links(shelf: Shelf) -> None:
    farm = shelf.mirror / "views" / "fiftyone"
    shelf.lists("--for", "fiftyone", "--links", farm)
    link = next(path for path in farm.rglob("*") if path.is_symlink())
    assert os.readlink(link).startswith("../../../../videos/")
    assert json.loads((farm / ".kdl-links.json").read_text())["owner"]["dataset"] == "demo"
