"""What is here already is taken in, and a mirror fetches the rest and no more."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from kdl.archive.indexing import build_index
from kdl.archive.seekindex import index_path, save_index
from tests.e2e.adopting import NAME, Mixed, build_mixed, in_pieces, label_of, laid_out, put, told
from tests.e2e.hosted import Hosted
from tests.e2e.running import clips, tree
from tests.replica import nginx

LAYOUTS = ("flat", "cvdf", "mmaction2", "torchvision")
"""Of abseiling, driving car, massaging person's head and tying knot (not on a tie), which tell them."""


@pytest.fixture(scope="module")
def mixed(tmp_path_factory: pytest.TempPathFactory) -> Mixed:
    return build_mixed(tmp_path_factory.mktemp("mixed"))


@pytest.fixture(scope="module")
def hosted(mixed: Mixed) -> Iterator[Hosted]:
    with nginx.serve(mixed.directory) as server:
        yield Hosted(str(mixed.manifest), NAME, server, mixed.directory)


def _annotations(demo: Hosted) -> Path:
    return demo.bucket / "demo" / "annotations"


def test_layouts_are_recognised_and_whole_classes_are_not_fetched(demo: Hosted, tmp_path: Path) -> None:
    """Each class of val comes in another layout; one of the second's clips is not sound."""
    assert demo.mirrored is not None
    videos, have = demo.mirrored / "demo" / "videos", tmp_path / "have"
    layouts = dict(zip(sorted(path.name for path in (videos / "val").iterdir()), LAYOUTS, strict=True))
    for folder, layout in layouts.items():
        laid_out((videos / "val" / folder).glob("*"), have / layout, layout)
    before = tree(have)
    done = demo.run("adopt", tmp_path, have, "--annotations", _annotations(demo), "--json")
    assert done.code == 0, done.err
    assert done.result["adopted"]["by_split"] == {"val": 8}
    assert done.result["adopted"]["linked"] == 8
    found = {Path(each["folder"]).parent.name: each["layout"] for each in done.result["recognised"]}
    assert found == {layout: layout for layout in LAYOUTS}
    planned = demo.mirror(tmp_path, "--dry-run", "--split", "val").result["plan"]["objects"]
    needed = {item["name"]: item["state"] for item in planned}
    assert needed == {f"demo_val_{rank:03d}.tar.gz": "fetch" if rank == 2 else "done" for rank in range(1, 5)}
    assert tree(have) == before
    assert tree(tmp_path / "demo" / "videos" / "val") == tree(videos / "val")


def test_a_mirror_after_it_is_as_if_all_had_been_fetched(demo: Hosted, tmp_path: Path) -> None:
    """Without an annotation, which the mirror brings: it tells the classes of val's flat clips as well."""
    assert demo.mirrored is not None
    have = tmp_path / "have"
    laid_out((demo.mirrored / "demo" / "videos" / "train").glob("*/*"), have, "cvdf")
    laid_out((demo.mirrored / "demo" / "videos" / "val").glob("*/*"), have, "flat")
    done = demo.run("adopt", tmp_path, have, "--copy", "--json")
    assert done.result["adopted"]["copied"] == done.result["adopted"]["clips"] == 30
    assert told(done, "adopt_unannotated") == ["train", "val"]
    mark = demo.mark()
    after = demo.mirror(tmp_path)
    assert after.code == 1
    # Each of these has a clip that is not sound, or one that nobody hosts, or no class at all.
    assert demo.fetched(mark) == [
        "abseiling.tar.gz",
        "demo_val_002.tar.gz",
        "driving car.tar.gz",
        "massaging person's head.tar.gz",
        "part_0.tar.gz",
        "part_1.tar.gz",
        "replacement_for_corrupted_demo.tgz",
    ]
    assert after.result["shards"]["skipped"] == 4
    files = {n: d for n, d in demo.seen(tmp_path)[0].items() if n.startswith(("videos", "unlisted"))}
    assert files == {
        n: d for n, d in demo.seen(demo.mirrored)[0].items() if n.startswith(("videos", "unlisted"))
    }


def test_of_mixed_shards_nothing_tells_which_hold_what_is_lacking(
    mixed: Mixed, hosted: Hosted, tmp_path: Path
) -> None:
    train = {f"train/{name}": body for (split, name), body in mixed.clips.items() if split == "train"}
    lacking = next(iter(train))
    have = put(tmp_path / "have", {name: body for name, body in train.items() if name != lacking})
    arguments = (have, "--annotations", mixed.annotations, "--json")
    rehearsed = hosted.run("adopt", tmp_path, *arguments, "--dry-run")
    assert rehearsed.code == 0, rehearsed.err
    assert not (tmp_path / NAME).exists()
    assert rehearsed.result["would_adopt"]["clips"] == 11
    done = hosted.run("adopt", tmp_path, *arguments)
    for run in (rehearsed, done):
        assert run.result["outlook"]["train"] == {
            "listed": 12,
            "here": 11,
            "lacking": 1,
            "shards": 3,
            "shards_to_fetch": 3,
            "bytes_to_fetch": 3_000_000_000,
        }
        (finding,) = (f for f in run.result["findings"] if f["kind"] == "adopt_refetch")
        assert "1 of 12 clips are not here" in finding["detail"]
        assert "reads 3 of them (3 GB)" in finding["detail"]
    shards = [mixed.archive("train", number) for number in range(3)]
    for shard in shards:
        url = f"https://mixed.invalid/{NAME}/train/{shard.name}"
        index = build_index(shard, url, '"anybody\'s"', is_clip=lambda name: name.endswith(".mp4"))
        assert index is not None
        save_index(index, index_path(tmp_path / NAME / ".kdl" / "index", "train", shard.name))
    mark = hosted.mark()
    assert hosted.mirror(tmp_path, "--split", "train").code == 0
    assert hosted.fetched(mark) == ["part_0.tar.gz"]
    rows = clips(hosted.dataset, tmp_path)
    assert {row["label"] for row in rows.values()} == {label_of(Path(name).name) for name in train}


def test_a_split_that_is_here_needs_no_shard(mixed: Mixed, hosted: Hosted, tmp_path: Path) -> None:
    """Flat, in a folder that tells nothing, under an annotation that knows whose the clips are."""
    have = put(tmp_path / "have", {name: body for (_, name), body in mixed.clips.items()})
    done = hosted.run("adopt", tmp_path, have, "--annotations", mixed.annotations)
    assert done.code == 0, done.err
    assert "train then  12 clips here of 12 listed; 0 of 3 shards to fetch" in done.out
    mark = hosted.mark()
    mirrored = hosted.mirror(tmp_path)
    assert mirrored.code == 0
    assert mirrored.result["shards"] == {"done": 0, "failed": 0, "skipped": 4}
    assert (hosted.fetched(mark), hosted.headed(mark)) == ([], [])


def test_archives_are_taken_in_whole_or_in_pieces(mixed: Mixed, hosted: Hosted, tmp_path: Path) -> None:
    have = tmp_path / "have"
    (have / "train").mkdir(parents=True)
    shutil.copy(mixed.archive("train", 0), have / "train")
    in_pieces(mixed.archive("train", 1), have / "train", ["aa", "ab", "ac"])
    broken = have / "train" / mixed.archive("train", 2).name
    broken.write_bytes(mixed.archive("train", 2).read_bytes()[:-3000])
    in_pieces(mixed.archive("val", 0), have / "val", ["00", "01", "02"])
    (have / "val" / "part_0.tar.gz.01").unlink()
    before = tree(have)
    done = hosted.run("adopt", tmp_path, have, "--json")
    assert done.code == 1, done.err
    states = {(Path(each["path"]).name, each["state"]) for each in done.result["archives"]}
    assert states == {
        ("part_0.tar.gz", "adopted"),
        ("part_1.tar.gz", "adopted"),
        ("part_2.tar.gz", "broken"),
    }
    assert told(done, "adopt_archive_broken") == ["part_2.tar.gz"]
    assert told(done, "adopt_piece_missing") == ["part_0.tar.gz"]
    assert tree(have) == before
    again = hosted.run("adopt", tmp_path, have / "train" / "part_0.tar.gz", "--split", "train", "--json")
    assert [each["state"] for each in again.result["archives"]] == ["already here"]
    mark = hosted.mark()
    assert hosted.mirror(tmp_path).code == 0
    assert hosted.fetched(mark) == ["part_0.tar.gz", "part_2.tar.gz"]  # val's, and the broken one
    wanted = {f"videos/{split}/{label_of(name).replace(' ', '_')}/{name}" for split, name in mixed.clips}
    assert {name for name in tree(tmp_path / NAME) if name.startswith("videos")} == wanted


def test_what_is_wrong_is_told_and_stays_where_it_is(mixed: Mixed, hosted: Hosted, tmp_path: Path) -> None:
    train = {name: body for (split, name), body in mixed.clips.items() if split == "train"}
    names = sorted(train)
    sound, other = train[names[0]], train[names[5]]
    (val,) = [name for split, name in mixed.clips if split == "val"][:1]
    folders = {name: label_of(name).replace(" ", "_") for name in names}
    wrong = {
        f"videos_train/{folders[names[1]]}/{names[1]}": b"",
        f"videos_train/{folders[names[2]]}/{names[2]}": train[names[2]][:2000],
        f"videos_train/{folders[names[0]]}/holiday.mp4": sound,
        "videos_train/abseiling/notListed_1_000000_000003.mp4": sound,
        f"zz/videos_train/{folders[names[0]]}/{names[0]}": other,
    }
    right = {
        f"videos_train/{folders[names[0]]}/{names[0]}": sound,
        f"videos_train/{folders[names[4]]}/{names[3]}": train[names[3]],  # another class's folder
        f"videos_train/{folders[names[0]]}/{val}": mixed.clips["val", val],  # another split's
    }
    place = f"{folders[names[6]]}/{names[6]}"
    wrong[f"videos_train/{place}"] = train[names[6]]
    put(tmp_path / NAME / "videos" / "train", {place: other})  # nobody knows where it came from
    have = put(tmp_path / "have", {**wrong, **right, "notes.txt": b"mine"})
    done = hosted.run("adopt", tmp_path, have, "--annotations", mixed.annotations, "--move", "--json")
    assert done.code == 1, done.err
    assert told(done, "adopt_corrupt") == [names[1], names[2]]
    assert told(done, "adopt_unknown_name") == ["holiday.mp4"]
    assert told(done, "adopt_unlisted") == ["notListed_1_000000_000003.mp4"]
    assert told(done, "adopt_duplicate") == [names[0]]
    assert told(done, "adopt_in_the_way") == [names[6]]
    assert (tmp_path / NAME / "videos" / "train" / place).read_bytes() == other
    assert told(done, "adopt_misplaced") == sorted([names[3], val])
    assert done.result["adopted"]["clips"] == done.result["adopted"]["released"] == 3
    assert {name for name in tree(have) if not name.startswith("mixed")} == {*wrong, "notes.txt"}
    rows = clips(hosted.dataset, tmp_path)
    assert rows["train", names[3]]["path"] == f"videos/train/{folders[names[3]]}/{names[3]}"
    assert rows["val", val]["verdict"] == "ok"


def test_a_lost_ledger_is_rebuilt_and_nothing_is_fetched(demo: Hosted, tmp_path: Path) -> None:
    assert demo.mirrored is not None
    (demo.copy(tmp_path) / ".kdl" / "ledger.db").unlink()
    done = demo.run("adopt", tmp_path, "--json")
    assert done.code == 1, done.err  # the corrupt clips that it had
    assert done.result["adopted"]["clips"] == 35
    assert done.result["adopted"]["shards_rebuilt"] == 11
    mark = demo.mark()
    assert demo.mirror(tmp_path).code == 1
    assert (demo.fetched(mark), demo.headed(mark)) == ([], [])
    assert demo.seen(tmp_path) == demo.seen(demo.mirrored)
