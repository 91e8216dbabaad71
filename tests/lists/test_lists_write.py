"""Lists, read back by every consumer's rules."""

from __future__ import annotations

import dataclasses
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import readers
from hypothesis import given, settings
from hypothesis import strategies as st

from kdl.errors import MachineError, UsageError
from kdl.lists import CONSUMERS, ListContext, ListRow, WrittenList, write_lists
from kdl.lists.rows import Kind, Rows

LABELS = ("abseiling", "massaging person's head", "skiing (not slalom or crosscountry)")
DIRS = tuple(label.replace(" ", "_") for label in LABELS)


def row(number: int, name: str, split: str = "train", frames: int | None = None) -> ListRow:
    return ListRow(split, LABELS[number], DIRS[number], name, frames)


CLIPS = [
    row(0, "-0wR5jVB-WP_000417_000427.mp4", frames=300),
    row(0, "__abcdefg-k_000001_000011.mp4", frames=250),
    row(1, "0000000000-_000001_000011.mp4", frames=299),
    row(2, "zzzzzzzzzzz_000001_000011.mp4", frames=1),
    row(2, "abcdefghijk_000002_000012.mp4", "val", frames=12),
]


def context(folder: Path, kind: Kind = "video", **changes: object) -> ListContext:
    base = ListContext(
        out_dir=folder / "lists",
        media_root=folder / "videos",
        kind=kind,
        keep_extension=False,
        splits=("train", "val"),
        labels=LABELS,
        dataset_prefix="kinetics400",
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def source(rows: list[ListRow]) -> Rows:
    def of_split(split: str) -> Iterator[ListRow]:
        return (one for one in rows if one.split == split)

    return of_split


def path_of(written: list[WrittenList], split: str) -> Path:
    """The first list of a split."""
    path = next(result.path for result in written if result.split == split)
    assert path is not None
    return path


def read_videos(consumer: str, file: Path, media: Path, split: str) -> list[readers.Sample]:
    """What a consumer's reader makes of its list, told of the clips as docs/lists.md says."""
    match consumer:
        case "mmaction2":
            return list(readers.mmaction2_videos(file, media / split))
        case "paddlevideo":
            return list(readers.paddlevideo_videos(file, media / split))
        case "slowfast":
            return list(readers.slowfast_videos(file, media))
        case "pytorchvideo":
            return list(readers.pytorchvideo_paths(file, media))
        case "videomae" | "videomaev2":
            return list(readers.videomae_videos(file))
        case "internvideo":
            return list(readers.internvideo_videos(file, media))
        case "uniformer":
            return list(readers.slowfast_videos(file, media, ","))
        case "gluoncv":
            return [(path, None, label) for path, _, label in readers.gluoncv_custom(file, media / split)]
        case "dali":
            return list(readers.dali_file_list(file))
        case "huggingface":
            return [(os.path.realpath(path), None, n) for path, _, n in readers.huggingface_metadata(file)]
    raise AssertionError(consumer)


VIDEO_CONSUMERS = [name for name, consumer in CONSUMERS.items() if "video" in consumer.forms]


names = st.from_regex(r"[A-Za-z0-9_-]{11}_\d{6}_\d{6}\.(mp4|mkv|mp4\.webm)", fullmatch=True)


@settings(max_examples=25, deadline=None)
@given(clips=st.lists(st.tuples(st.integers(0, 2), names), min_size=1, max_size=20, unique=True))
def test_every_reader_agrees_on_path_and_id(
    clips: list[tuple[int, str]], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("agree")
    rows = [row(number, name) for number, name in sorted(clips)]
    expected = [(f"{folder}/videos/train/{DIRS[n]}/{name}", None, n) for n, name in sorted(clips)]
    for consumer in VIDEO_CONSUMERS:
        where = context(folder, out_dir=folder / consumer)
        file = path_of(write_lists(consumer, source(rows), where), "train")
        assert read_videos(consumer, file, where.media_root, "train") == expected, consumer


def test_lists_of_videos_byte_for_byte(tmp_path: Path) -> None:
    golden = {
        "mmaction2": ("kinetics400_val_list_videos.txt", ""),
        "paddlevideo": ("val.list", ""),
        "videomae": ("val.csv", f"{tmp_path}/videos/val/"),
        "slowfast": ("val.csv", "val/"),
        "pytorchvideo": ("val.csv", "val/"),
        "videomaev2": ("val.csv", f"{tmp_path}/videos/val/"),
        "internvideo": ("val.csv", "val/"),
        "uniformer": ("val.csv", "val/"),
        "gluoncv": ("kinetics400_val_list_videos.txt", ""),
        "dali": ("val_file_list.txt", f"{tmp_path}/videos/val/"),
        "huggingface": ("val/metadata.jsonl", "clips/"),
    }
    ends = {"uniformer": ",2\n", "gluoncv": " 12 2\n"}
    assert [*golden] == VIDEO_CONSUMERS
    for consumer, (name, start) in golden.items():
        out = tmp_path / consumer
        written = write_lists(consumer, source(CLIPS), context(tmp_path, out_dir=out))
        path = f"{start}skiing_(not_slalom_or_crosscountry)/abcdefghijk_000002_000012.mp4"
        line = path + ends.get(consumer, " 2\n")
        if consumer == "huggingface":
            line = f'{{"file_name": "{path}", "label": 2, "class": "{LABELS[2]}"}}\n'
        assert (out / name).read_bytes() == line.encode()
        forms = len(CONSUMERS[consumer].forms["video"])
        assert [result.lines for result in written] == [*[4, 1] * forms, 3]
        assert (out / "label_map.txt").read_text() == "".join(f"{label}\n" for label in LABELS)
        assert len(list(out.iterdir())) == 2 * forms + 1, "nothing is left beside the lists"


def test_lists_of_frame_folders(tmp_path: Path) -> None:
    stems = [(f"{tmp_path}/videos/train/{c.class_dir}/{c.name[:-4]}", c.frames, DIRS.index(c.class_dir))
             for c in CLIPS[:4]]  # fmt: skip
    frames = context(tmp_path, "frames")
    split = tmp_path / "videos" / "train"

    file = path_of(write_lists("mmaction2", source(CLIPS), frames), "train")
    assert file.name == "kinetics400_train_list_rawframes.txt"
    assert list(readers.mmaction2_rawframes(file, split)) == stems

    file = path_of(write_lists("videomae", source(CLIPS), frames), "train")
    assert list(readers.videomaev2_rawframes(file)) == stems

    file = path_of(write_lists("pytorchvideo", source(CLIPS), frames), "train")
    assert list(readers.pytorchvideo_paths(file, tmp_path / "videos")) == [(p, None, n) for p, _, n in stems]

    file = path_of(
        write_lists("paddlevideo", source(CLIPS), dataclasses.replace(frames, keep_extension=True)), "train"
    )
    assert file.name == "train_frames.list"
    assert file.read_text().splitlines()[0] == "abseiling/-0wR5jVB-WP_000417_000427.mp4 300 0"
    assert list(readers.paddlevideo_frames(file, split)) == [(f"{p}.mp4", f, n) for p, f, n in stems]


def test_a_stem_loses_both_extensions(tmp_path: Path) -> None:
    clips = [row(0, "abcdefghijk.mp4.mkv", frames=3)]
    file = path_of(write_lists("mmaction2", source(clips), context(tmp_path, "frames")), "train")
    assert file.read_text() == "abseiling/abcdefghijk 3 0\n"


def test_a_flat_split_has_no_folder_in_its_paths(tmp_path: Path) -> None:
    clips = [ListRow("val", LABELS[1], "", "abcdefghijk_000001_000011.mp4", None)]
    file = path_of(write_lists("slowfast", source(clips), context(tmp_path)), "val")
    assert file.read_text() == "val/abcdefghijk_000001_000011.mp4 1\n"


def test_a_folder_without_frames_is_never_listed(tmp_path: Path) -> None:
    clips = [row(0, "a.mp4", frames=0), row(0, "b.mp4", frames=7), row(0, "c.mp4"), row(0, "d.mp4", "val")]
    train, val, _ = write_lists("mmaction2", source(clips), context(tmp_path, "frames"))
    assert train.path is not None
    assert train.path.read_text() == "abseiling/b 7 0\n"
    assert "2 clips without frames left out" in train.note
    assert (val.path, val.lines) == (None, 0)
    assert "frames" in val.note


def test_slowfast_refuses_frames_and_says_who_reads_them(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        write_lists("slowfast", source(CLIPS), context(tmp_path, "frames"))
    assert all(name in caught.value.fix for name in ("mmaction2", "paddlevideo", "videomae", "pytorchvideo"))
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_consumer_is_told_the_known_ones(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        write_lists("keras", source(CLIPS), context(tmp_path))
    assert "pytorchvideo" in caught.value.fix


def test_a_split_without_labels_has_no_list_and_a_reason(tmp_path: Path) -> None:
    clips = [CLIPS[0], ListRow("val", "", "", "abcdefghijk_000001_000011.mp4", None)]
    train, val, _ = write_lists("videomae", source(clips), context(tmp_path))
    assert train.lines == 1
    assert val == WrittenList("val", None, 0, "no list: its 1 clips have no labels, and every line needs one")
    assert sorted(p.name for p in (tmp_path / "lists").iterdir()) == ["label_map.txt", "train.csv"]


def test_clips_without_a_label_among_others_are_counted(tmp_path: Path) -> None:
    clips = [CLIPS[0], ListRow("train", "", "", "abcdefghijk_000001_000011.mp4", None)]
    train, *_ = write_lists("slowfast", source(clips), context(tmp_path))
    assert train.lines == 1
    assert "1 clips without a label left out" in train.note


def test_nothing_to_list_writes_nothing_and_removes_the_older_list(tmp_path: Path) -> None:
    write_lists("slowfast", source(CLIPS), context(tmp_path))
    train, val, _ = write_lists("slowfast", source(CLIPS[:4]), context(tmp_path))
    assert train.lines == 4
    assert val.path is None
    assert not (tmp_path / "lists" / "val.csv").exists()

    (other,) = write_lists("slowfast", source([]), context(tmp_path, splits=("test",)))
    assert (other.path, other.note) == (None, "no list: no sound clips there")
    assert (tmp_path / "lists" / "train.csv").exists(), "splits that were not asked for are left alone"


def test_the_note_tells_how_to_point_the_trainer_at_the_clips(tmp_path: Path) -> None:
    for consumer, expected in {
        "mmaction2": f"data_prefix=dict(video='{tmp_path}/videos/train')",
        "paddlevideo": f'data_prefix: "{tmp_path}/videos/train"',
        "slowfast": f"DATA.PATH_TO_DATA_DIR '{tmp_path}/lists' DATA.PATH_PREFIX '{tmp_path}/videos'",
        "videomae": f"--data_path '{tmp_path}/lists'",
        "pytorchvideo": f"video_path_prefix='{tmp_path}/videos'",
    }.items():
        train, *_ = write_lists(consumer, source(CLIPS), context(tmp_path))
        assert train.note == expected


@pytest.mark.parametrize("blank", [" ", "\t", "\u00a0", "\u2028", "\x1c", "\n", "\udcff"])
def test_a_blank_in_a_path_is_refused_and_leaves_the_older_lists(tmp_path: Path, blank: str) -> None:
    write_lists("mmaction2", source(CLIPS), context(tmp_path))
    before = {p: p.read_bytes() for p in (tmp_path / "lists").iterdir()}
    bad = ListRow("val", LABELS[0], f"air{blank}drumming", "abcdefghijk_000001_000011.mp4", None)
    with pytest.raises(UsageError) as caught:
        write_lists("mmaction2", source([*CLIPS[:2], bad]), context(tmp_path))
    assert caught.value.subject == f"val/air{blank}drumming/abcdefghijk_000001_000011.mp4"
    assert "class folders" in caught.value.fix
    assert {p: p.read_bytes() for p in (tmp_path / "lists").iterdir()} == before


def test_a_refused_first_run_leaves_no_folder(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        write_lists("slowfast", source([row(0, "a b.mp4")]), context(tmp_path))
    assert caught.value.fix == "rename the clip"
    assert list(tmp_path.iterdir()) == []


def test_a_root_with_a_blank_matters_to_absolute_paths_only(tmp_path: Path) -> None:
    spaced = context(tmp_path / "my disk")
    with pytest.raises(UsageError) as caught:
        write_lists("videomae", source(CLIPS), spaced)
    assert caught.value.subject == str(tmp_path / "my disk" / "videos")
    assert "--root" in caught.value.fix
    assert list(tmp_path.iterdir()) == []
    for consumer in sorted({*VIDEO_CONSUMERS} - {"videomae", "videomaev2", "dali"}):
        file = path_of(write_lists(consumer, source(CLIPS), spaced), "train")
        assert len(read_videos(consumer, file, spaced.media_root, "train")) == 4


def test_a_link_in_the_root_is_kept(tmp_path: Path) -> None:
    (tmp_path / "my disk" / "videos").mkdir(parents=True)
    (tmp_path / "link").symlink_to(tmp_path / "my disk")
    file = path_of(write_lists("videomae", source(CLIPS), context(tmp_path / "link")), "train")
    assert file.read_text().startswith(f"{tmp_path}/link/videos/train/abseiling/")


def test_an_unwritable_folder_is_named(tmp_path: Path) -> None:
    (tmp_path / "lists").write_text("a file where the folder should be")
    with pytest.raises(MachineError) as caught:
        write_lists("slowfast", source(CLIPS), context(tmp_path))
    assert caught.value.subject == str(tmp_path / "lists")


def test_what_a_killed_run_left_goes_and_a_living_one_keeps_its_own(tmp_path: Path) -> None:
    out = tmp_path / "lists"
    out.mkdir()
    child = subprocess.run(
        [sys.executable, "-c", "import os; print(os.getpid())"], capture_output=True, check=True
    )
    dead = out / f".train.csv.{int(child.stdout)}.tmp"
    alive = out / f".train.csv.{os.getppid()}.tmp"
    dead.write_text("half")
    alive.write_text("half")
    write_lists("slowfast", source(CLIPS), context(tmp_path))
    assert not dead.exists()
    assert alive.exists()


def test_rows_are_taken_one_at_a_time(tmp_path: Path) -> None:
    """A generator that frees each row before it makes the next sees none of them held."""
    import weakref

    class Traced(str):
        __slots__ = ("__weakref__",)

    alive: weakref.WeakSet[Traced] = weakref.WeakSet()
    most = 0

    def rows(split: str) -> Iterator[ListRow]:
        nonlocal most
        for number in range(2000 if split == "train" else 0):
            name = Traced(f"abcdefghijk_{number:06d}_{number + 10:06d}.mp4")
            alive.add(name)
            most = max(most, len(alive))
            yield ListRow(split, LABELS[0], DIRS[0], name, None)

    train, *_ = write_lists("pytorchvideo", rows, context(tmp_path))
    assert train.lines == 2000
    assert most <= 3
