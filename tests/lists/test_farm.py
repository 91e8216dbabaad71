"""Folders of links: made, made again, moved, killed half-way, and shared with somebody else's files."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from kdl.errors import UsageError
from kdl.lists.farm import MARK, FarmPlan, Link, LinkFarm, Tally

OWNER = {"consumer": "torchvision", "dataset": "k400"}
Clips = Mapping[str, Iterable[str]]
"""Names of clips by class folder."""


class Bench:
    """A mirror with two splits, and a farm that is made from it."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.media = folder / "mirror" / "k400" / "videos"
        self.farm = folder / "farms" / "tv"

    def plan(self, media: Path | None = None, **changes: object) -> FarmPlan:
        trees = {split: (media or self.media) / split for split in ("train", "val")}
        given: dict[str, object] = {"owner": OWNER, "trees": trees, "links": {}, "files": (), **changes}
        return FarmPlan(**given)  # type: ignore[arg-type]

    def begin(self, plan: FarmPlan | None = None) -> LinkFarm:
        return LinkFarm(self.farm, plan or self.plan())

    def make(self, clips: Clips, plan: FarmPlan | None = None) -> Tally:
        """All clips into train, none into val."""
        farm = self.begin(plan)
        farm.place("train", links(clips))
        farm.place("val", [])
        return farm.finish()

    def seen(self) -> dict[str, str]:
        """Every link of the farm with its text, and every file with what it holds."""
        found = {}
        for path in sorted(self.farm.rglob("*")):
            if path.name != MARK and (path.is_symlink() or path.is_file()):
                text = str(path.readlink()) if path.is_symlink() else f"file {path.read_text()}"
                found[str(path.relative_to(self.farm))] = text
        return found


def links(clips: Clips) -> list[Link]:
    return [Link(folder, name, folder) for folder, names in clips.items() for name in names]


def due(clips: Clips) -> dict[str, str]:
    up = "../../../.."
    return {
        f"train/{folder}/{name}": f"{up}/mirror/k400/videos/train/{folder}/{name}"
        for folder, names in clips.items()
        for name in names
    }


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


CLIPS = {"abseiling": ["a.mp4", "b.mp4"], "zumba": ["c.mp4"]}


def test_the_links_lead_to_the_clips_and_survive_a_move_of_both(bench: Bench) -> None:
    for name in due(CLIPS):
        clip = bench.media / name
        clip.parent.mkdir(parents=True, exist_ok=True)
        clip.write_text(name)
    assert bench.make(CLIPS) == Tally(made=3)
    assert bench.seen() == due(CLIPS)
    other = bench.folder / "elsewhere"
    other.mkdir()
    for name in ("mirror", "farms"):
        (bench.folder / name).rename(other / name)
    assert (other / "farms/tv/train/zumba/c.mp4").read_text() == "train/zumba/c.mp4"


def test_a_second_run_makes_nothing(bench: Bench) -> None:
    bench.make(CLIPS)
    inodes = {path: path.lstat().st_ino for path in bench.farm.rglob("*.mp4")}
    assert bench.make(CLIPS) == Tally(kept=3)
    assert {path: path.lstat().st_ino for path in bench.farm.rglob("*.mp4")} == inodes


def test_what_is_due_no_more_goes_with_its_empty_folder(bench: Bench) -> None:
    bench.make(CLIPS)
    now = {"abseiling": ["b.mp4"], "yoga": ["d.mp4"]}
    assert bench.make(now) == Tally(made=1, kept=1, removed=2)
    assert bench.seen() == due(now)
    assert sorted(path.name for path in (bench.farm / "train").iterdir()) == ["abseiling", "yoga"]
    assert bench.make({}) == Tally(removed=2)
    assert [path.name for path in bench.farm.iterdir()] == [MARK]


def test_it_appears_whole_and_a_killed_run_is_gone_on_with(bench: Bench) -> None:
    farm = bench.begin()
    farm.place("train", links({"abseiling": ["a.mp4", "stale.mp4"]}))
    assert not bench.farm.exists()
    assert bench.make(CLIPS) == Tally(made=2, kept=1, removed=1)
    assert bench.seen() == due(CLIPS)
    assert [path.name for path in bench.farm.parent.iterdir()] == ["tv"], "nothing is left beside it"


def test_a_run_killed_in_a_farm_that_is_there_leaves_nothing_foreign(bench: Bench) -> None:
    """The mirror has moved, the run dies half-way through, and its rest is still kdl's own."""
    bench.make(CLIPS)
    moved = bench.media.parent.parent.parent / "moved" / "k400" / "videos"
    farm = bench.begin(bench.plan(moved))
    farm.place("train", links({"abseiling": ["a.mp4"]}))
    (bench.farm / "train" / "abseiling" / ".kdl-links.tmp").symlink_to("half")
    assert bench.make({"zumba": ["c.mp4"]}) == Tally(made=1, removed=1)
    assert bench.seen() == due({"zumba": ["c.mp4"]})


def test_a_mirror_that_moved_gets_its_links_anew(bench: Bench) -> None:
    bench.make(CLIPS)
    (bench.folder / "mirror").mkdir()
    (bench.folder / "mirror").rename(bench.folder / "moved")
    moved = bench.folder / "moved" / "k400" / "videos"
    assert bench.make(CLIPS, bench.plan(moved)) == Tally(made=3)
    assert set(bench.seen()) == set(due(CLIPS))
    assert all("/moved/k400/videos/train/" in text for text in bench.seen().values())


def test_a_link_in_the_way_to_the_farm_is_seen_through(bench: Bench) -> None:
    """``..`` goes up from where a folder really is."""
    clip = bench.media / "train" / "abseiling" / "a.mp4"
    clip.parent.mkdir(parents=True)
    clip.write_text("here")
    (bench.folder / "far" / "away" / "deep").mkdir(parents=True)
    (bench.folder / "farms").symlink_to(bench.folder / "far" / "away" / "deep")
    bench.make({"abseiling": ["a.mp4"]})
    assert (bench.farm / "train/abseiling/a.mp4").read_text() == "here"


def test_a_folder_that_holds_something_else_is_left_alone(bench: Bench) -> None:
    bench.farm.mkdir(parents=True)
    (bench.farm / "notes.txt").write_text("mine")
    with pytest.raises(UsageError) as caught:
        bench.begin()
    assert caught.value.subject == str(bench.farm)
    assert "notes.txt" in caught.value.message
    assert bench.seen() == {"notes.txt": "file mine"}


def test_an_empty_folder_is_taken(bench: Bench) -> None:
    bench.farm.mkdir(parents=True)
    before = bench.farm.stat().st_ino
    assert bench.make(CLIPS) == Tally(made=3)
    assert bench.farm.stat().st_ino == before


def test_a_file_or_anothers_farm_is_no_place(bench: Bench) -> None:
    bench.make(CLIPS)
    with pytest.raises(UsageError) as caught:
        bench.begin(bench.plan(owner={"consumer": "fiftyone", "dataset": "k600"}))
    assert "k400 for torchvision" in caught.value.message
    (bench.farm / MARK).write_text("{")
    with pytest.raises(UsageError) as caught:
        bench.begin()
    assert caught.value.subject == str(bench.farm / MARK)
    bench.farm = bench.farm / "train" / "abseiling" / "a.mp4"
    bench.media.joinpath("train/abseiling").mkdir(parents=True)
    bench.media.joinpath("train/abseiling/a.mp4").write_text("a clip")
    with pytest.raises(UsageError):
        bench.begin()


def test_strangers_in_a_farm_stay_as_they_are(bench: Bench) -> None:
    bench.make(CLIPS)
    mine = bench.farm / "train" / "zumba"
    (mine / "notes.txt").write_text("mine")
    (mine / "far.mp4").symlink_to("/nowhere/far.mp4")
    (mine / "renamed.mp4").symlink_to("../../../../mirror/k400/videos/train/zumba/c.mp4")
    (bench.farm / "mine").mkdir()
    (bench.farm / "mine" / "a.mp4").symlink_to("../../../mirror/k400/videos/train/a.mp4")
    bench.make({"abseiling": ["a.mp4"]})
    assert bench.seen() == due({"abseiling": ["a.mp4"]}) | {
        "train/zumba/notes.txt": "file mine",
        "train/zumba/far.mp4": "/nowhere/far.mp4",
        "train/zumba/renamed.mp4": "../../../../mirror/k400/videos/train/zumba/c.mp4",
        "mine/a.mp4": "../../../mirror/k400/videos/train/a.mp4",
    }


@pytest.mark.parametrize("stranger", ["file", "link", "folder", "class is a link", "class is a file"])
def test_a_stranger_in_the_way_is_named_and_kept(bench: Bench, stranger: str) -> None:
    bench.make({"abseiling": ["a.mp4"]})
    place = bench.farm / "train" / "zumba" / "c.mp4"
    if not stranger.startswith("class"):
        place.parent.mkdir()
    other = bench.folder / "other"
    other.mkdir()
    match stranger:
        case "file":
            place.write_text("mine")
        case "link":
            place.symlink_to(other / "c.mp4")
        case "folder":
            place.mkdir()
        case "class is a link":
            place = place.parent
            place.symlink_to(other)
        case "class is a file":
            place = place.parent
            place.write_text("mine")
    before = bench.seen()
    with pytest.raises(UsageError) as caught:
        bench.make(CLIPS)
    assert caught.value.subject == str(place)
    assert bench.seen() == before | due({"abseiling": ["a.mp4", "b.mp4"]})
    assert list(other.iterdir()) == []


def test_files_and_single_links_beside_the_trees(bench: Bench) -> None:
    tables = bench.folder / "mirror" / "k400" / "annotations"
    plan = bench.plan(links={"annotations/train.csv": tables / "train.normalised.csv"}, files=("map.txt",))
    farm = bench.begin(plan)
    farm.place("train", [])
    (farm.work / "map.txt").write_text("0")
    farm.finish()
    text = "../../../mirror/k400/annotations/train.normalised.csv"
    assert bench.seen() == {"annotations/train.csv": text, "map.txt": "file 0"}
    bench.make({})
    assert bench.seen() == {}
    (bench.farm / "map.txt").write_text("mine")
    with pytest.raises(UsageError) as caught:
        bench.begin(plan)
    assert caught.value.subject == str(bench.farm / "map.txt")
    (bench.farm / "map.txt").unlink()
    (bench.farm / "annotations").mkdir()
    (bench.farm / "annotations" / "train.csv").write_text("mine")
    for _ in range(2):
        with pytest.raises(UsageError) as caught:
            bench.begin(plan)
        assert caught.value.subject == str(bench.farm / "annotations" / "train.csv")


folders = st.sampled_from(["", "abseiling", "zumba"])
names = st.sampled_from(["a.mp4", "b.mp4", "c.mp4"])
states = st.dictionaries(folders, st.sets(names, min_size=1), max_size=3)


@settings(max_examples=40, deadline=None)
@given(
    history=st.lists(states, min_size=1, max_size=4), strangers=st.sets(st.tuples(folders, names), max_size=2)
)
def test_whatever_was_there_the_last_run_says_what_is(
    history: list[dict[str, set[str]]], strangers: set[tuple[str, str]]
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bench = Bench(Path(folder))
        bench.make(history[0])
        foreign = {}
        for at, name in strangers:
            place = bench.farm / "train" / at / f"x-{name}"
            place.parent.mkdir(parents=True, exist_ok=True)
            os.symlink(f"/elsewhere/{name}", place)
            foreign[os.path.normpath(f"train/{at}/x-{name}")] = f"/elsewhere/{name}"
        for clips in history[1:] or history:
            bench.make(clips)
        wanted = {
            os.path.normpath(f"train/{at}/{name}"): os.path.normpath(
                f"{'../' * (4 if at else 3)}mirror/k400/videos/train/{at}/{name}"
            )
            for at, clips in (history[1:] or history)[-1].items()
            for name in clips
        }
        assert bench.seen() == foreign | wanted
