"""Separators, templates, pictures: what a list can be other than ``path id``."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import readers

from kdl.errors import UsageError
from kdl.lists import CONSUMERS, USUAL, ListContext, ListRow, Pictures, write_lists
from kdl.lists.layouts import zoo_info
from kdl.lists.rows import Kind
from kdl.lists.write import check_name_template, suits

LABELS = ("abseiling", "massaging person's head")
CLIPS = [
    ListRow("train", LABELS[0], "abseiling", "-0wR5jVB-WP_000417_000427.mp4", 300),
    ListRow("train", LABELS[1], "massaging_person's_head", "__abcdefg-k_000001_000011.mp4", 2),
    ListRow("val", LABELS[1], "massaging_person's_head", "abcdefghijk_000002_000012.mp4", 7),
    ListRow("test", "", "", "zzzzzzzzzzz_000002_000012.mp4", 9),
]
FRAMES = Pictures("frame_%05d.jpg")
FLOW = Pictures("flow_{}_%05d.jpg")


def context(folder: Path, kind: Kind = "video", **changes: object) -> ListContext:
    base = ListContext(
        out_dir=folder / "lists",
        media_root=folder / "mirror" / "media",
        kind=kind,
        keep_extension=False,
        splits=("train", "val", "test"),
        labels=LABELS,
        dataset_prefix="kinetics400",
    )
    return dataclasses.replace(base, **changes)  # type: ignore[arg-type]


def write(consumer: str, where: ListContext, clips: list[ListRow] = CLIPS) -> dict[str, str]:
    """The notes of the lists by file name below the folder of the lists."""

    def of_split(split: str) -> Iterator[ListRow]:
        return (clip for clip in clips if clip.split == split)

    written = write_lists(consumer, of_split, where)
    return {str(w.path.relative_to(where.out_dir)): w.note for w in written if w.path is not None}


def text(folder: Path, name: str) -> str:
    return (folder / "lists" / name).read_text(encoding="utf-8")


@pytest.mark.parametrize(("name", "separator", "shell"), [("comma", ",", "','"), ("tab", "\t", "$'\\t'")])
@pytest.mark.parametrize("consumer", ["slowfast", "uniformer", "internvideo"])
def test_another_separator_is_written_and_the_reader_is_told(
    consumer: str, name: str, separator: str, shell: str, tmp_path: Path
) -> None:
    notes = write(consumer, context(tmp_path, separator=separator))
    assert notes["val.csv"].endswith(f" {shell}")
    media = tmp_path / "mirror/media"
    file = tmp_path / "lists/train.csv"
    read = readers.internvideo_videos if consumer == "internvideo" else readers.slowfast_videos
    assert [path for path, _, _ in read(file, media, separator)] == [
        f"{media}/train/{clip.class_dir}/{clip.name}" for clip in CLIPS[:2]
    ]


def test_uniformers_own_separator_is_the_comma(tmp_path: Path) -> None:
    assert "DATA.PATH_LABEL_SEPARATOR ','" in write("uniformer", context(tmp_path))["train.csv"]
    assert text(tmp_path, "val.csv") == "val/massaging_person's_head/abcdefghijk_000002_000012.mp4,1\n"
    assert "SEPARATOR" not in write("uniformer", context(tmp_path, separator=" "))["train.csv"]


@pytest.mark.parametrize("consumer", [name for name in CONSUMERS if len(CONSUMERS[name].separators) == 1])
def test_a_reader_that_splits_at_blanks_gets_no_other_separator(consumer: str, tmp_path: Path) -> None:
    kind: Kind = "video" if "video" in CONSUMERS[consumer].forms else "frames"
    six = Pictures("frame_%06d.jpg") if consumer == "seco" else FRAMES
    with pytest.raises(UsageError) as caught:
        write(consumer, context(tmp_path, kind, separator=",", pictures=six))
    assert (caught.value.subject, caught.value.message) == (consumer, "its reader splits lines at blank only")
    assert list(tmp_path.iterdir()) == []


def test_a_path_that_holds_the_separator_is_refused_by_name(tmp_path: Path) -> None:
    """Where lines are split at commas a blank is as good as any other character."""
    clip = ListRow("train", LABELS[0], "air drumming, loud", "a.mp4", None)
    with pytest.raises(UsageError) as caught:
        write("slowfast", context(tmp_path, separator=","), [clip])
    assert caught.value.subject == "train/air drumming, loud/a.mp4"
    assert "no comma" in caught.value.message
    write("slowfast", context(tmp_path, separator="\t"), [clip])
    assert text(tmp_path, "train.csv") == "train/air drumming, loud/a.mp4\t0\n"
    with pytest.raises(UsageError):
        write("slowfast", context(tmp_path, separator="\t"), [dataclasses.replace(clip, name="a\tb.mp4")])


@pytest.mark.parametrize(
    ("template", "line"),
    [
        ("k400/{split}_256/{class}/{stem}.mp4", "k400/val_256/massaging_person's_head/{}.mp4"),
        ("{name}", "{}.mp4"),
        ("{{x}}/{stem}", "{{x}}/{}"),
    ],
)
@pytest.mark.parametrize("consumer", ["slowfast", "videomae", "mmaction2"])
def test_a_template_takes_the_place_of_the_path(
    consumer: str, template: str, line: str, tmp_path: Path
) -> None:
    check_name_template(template)
    notes = write(consumer, context(tmp_path, name_template=template))
    (name,) = (name for name in notes if "val" in name)
    assert text(tmp_path, name) == line.format("abcdefghijk_000002_000012") + " 1\n"


@pytest.mark.parametrize(
    ("template", "why"),
    [("{class}/x.mp4", "same path"), ("{id}/{name}", "{id}"), ("{name", "no template"), ("{0}{name}", "{0}")],
)
def test_a_template_that_names_no_clip_is_refused(template: str, why: str) -> None:
    with pytest.raises(UsageError) as caught:
        check_name_template(template)
    assert caught.value.subject == template
    assert why in caught.value.message
    assert "{stem}" in caught.value.fix


def test_pretraining_needs_no_label_and_counts_from_the_first_image(tmp_path: Path) -> None:
    media = tmp_path / "mirror/media"
    notes = write("videomaev2", context(tmp_path))
    assert [*notes] == ["train.csv", "val.csv", *(f"{s}_pretrain.csv" for s in ("train", "val", "test")),
                        "label_map.txt"]  # fmt: skip
    assert f"--data_path '{tmp_path}/lists/test_pretrain.csv'" in notes["test_pretrain.csv"]
    (sample,) = readers.videomaev2_pretraining(tmp_path / "lists/test_pretrain.csv")
    assert sample == (f"{media}/test/{CLIPS[3].name}", 0, -1)

    notes = write("videomaev2", context(tmp_path, "frames", pictures=Pictures("image_%06d.png", 0)))
    assert "--fname_tmpl 'image_{:06d}.png' --start_idx 0" in notes["train.csv"]
    assert "--fname_tmpl 'image_{:06d}.png'" in notes["val_pretrain.csv"]
    sample, _ = readers.videomaev2_pretraining(tmp_path / "lists/train_pretrain.csv")
    assert sample == (f"{media}/train/abseiling/-0wR5jVB-WP_000417_000427", 0, 300)


def test_flow_for_mmaction2_and_tsm(tmp_path: Path) -> None:
    where = context(tmp_path, "flow", pictures=FLOW)
    notes = write("mmaction2", where)
    assert (
        "filename_tmpl='flow_{}_{:05d}.jpg', start_index=1, modality='Flow'"
        in notes["kinetics400_train_list_flow.txt"]
    )
    split = tmp_path / "mirror/media/train"
    file = tmp_path / "lists/kinetics400_train_list_flow.txt"
    expected = [
        (f"{split}/{clip.class_dir}/{clip.name[:-4]}", clip.frames, n) for n, clip in enumerate(CLIPS[:2])
    ]
    assert list(readers.mmaction2_rawframes(file, split)) == expected

    notes = write("tsm", where)
    assert "image_tmpl='flow_{}_{:05d}.jpg', modality='Flow'" in notes["train_videofolder_flow.txt"]
    assert list(readers.tsm_frames(tmp_path / "lists/train_videofolder_flow.txt", split)) == expected[:1]


@pytest.mark.parametrize(
    ("consumer", "kind", "pictures", "why"),
    [
        ("tsm", "flow", Pictures("flow_{}_%05d.jpg", 0), "counts images from 1, and these begin at 0"),
        ("tsm", "flow", Pictures("{}_%05d.jpg"), "flow_{}_%05d.jpg and nothing else"),
        ("tinykinetics", "frames", Pictures(), "frame_%05d.jpg and nothing else"),
        ("seco", "frames", FRAMES, "frame_%06d.jpg and nothing else"),
        ("gluoncv", "frames", Pictures(first=0), "counts images from 1"),
        ("paddlevideo", "frames", Pictures(first=0), "counts images from 1"),
        ("tsm", "video", Pictures(), "reads folders of frames only"),
        ("gluoncv", "flow", FLOW, "reads no optical flow"),
        ("dali", "flow", FLOW, "reads videos only"),
        ("dali", "frames", Pictures(), "reads videos only"),
    ],
)
def test_what_a_reader_would_not_find_is_refused(
    consumer: str, kind: Kind, pictures: Pictures, why: str, tmp_path: Path
) -> None:
    where = context(tmp_path, kind, pictures=pictures)
    assert not suits(CONSUMERS[consumer], where)
    with pytest.raises(UsageError) as caught:
        write(consumer, where)
    assert caught.value.subject == consumer
    assert why in caught.value.message
    assert list(tmp_path.iterdir()) == []


def test_lists_of_frames_that_look_beside_themselves(tmp_path: Path) -> None:
    """Tiny-Kinetics' and SeCo's readers find the pictures from the folder of their list."""
    media = tmp_path / "mirror" / "media"
    expected = []
    for number, clip in enumerate(CLIPS[:2]):
        folder = media / "train" / clip.class_dir / clip.name[:-4]
        folder.mkdir(parents=True)
        expected.append((str(folder), clip.frames, number))

    write("tinykinetics", context(tmp_path, "frames", pictures=FRAMES))
    assert text(tmp_path, "train.txt").startswith("abseiling/-0wR5jVB-WP_000417_000427.mp4 300 0\n")
    found = readers.tinykinetics_frames(tmp_path / "lists", "train")
    assert [(str(Path(path).resolve()), *rest) for path, *rest in found] == expected
    assert not (tmp_path / "lists" / "test").is_symlink(), "nothing is listed of it"

    write("seco", context(tmp_path, "frames", pictures=Pictures("frame_%06d.jpg")))
    found = readers.seco_frames(tmp_path / "lists", "train")
    assert [(str(Path(path).resolve()), *rest) for path, *rest in found] == expected

    # Both together may go elsewhere.
    (tmp_path / "moved").mkdir()
    for name in ("mirror", "lists"):
        (tmp_path / name).rename(tmp_path / "moved" / name)
    assert (tmp_path / "moved/lists/data/train/abseiling").is_dir()


def test_links_beside_lists_follow_what_is_listed(tmp_path: Path) -> None:
    where = context(tmp_path)
    for split in ("train", "val"):
        (where.media_root / split).mkdir(parents=True)
    write("huggingface", where)
    before = (tmp_path / "lists/val/clips").lstat().st_ino
    write("huggingface", where)
    assert (tmp_path / "lists/val/clips").lstat().st_ino == before
    write("huggingface", where, CLIPS[:2])
    assert not (tmp_path / "lists/val").exists()
    (tmp_path / "lists/val").mkdir()
    (tmp_path / "lists/val/clips").write_text("mine")
    with pytest.raises(UsageError) as caught:
        write("huggingface", where)
    assert caught.value.subject == str(tmp_path / "lists/val/clips")
    assert (tmp_path / "lists/val/clips").read_text() == "mine"


def test_of_two_extensions_neither_is_in_the_name_of_a_folder_of_frames(tmp_path: Path) -> None:
    """Tiny-Kinetics' reader drops both from a path as well."""
    clip = ListRow("train", LABELS[0], "abseiling", "abcdefghijk.mp4.webm", 300)
    where = context(tmp_path, "frames", pictures=FRAMES)
    write("mmaction2", where, [clip])
    (line,) = (tmp_path / "lists/kinetics400_train_list_rawframes.txt").read_text().splitlines()
    assert line.split()[0] == "abseiling/abcdefghijk"
    write("tinykinetics", where, [clip])
    (line,) = (tmp_path / "lists/train.txt").read_text().splitlines()
    assert line.split()[0] == "abseiling/abcdefghijk.mp4.webm"
    assert not suits(CONSUMERS["tinykinetics"], dataclasses.replace(where, keep_extension=True))


def test_pictures_are_told_in_both_ways_of_writing(tmp_path: Path) -> None:
    assert Pictures("x{}-%06d.png").template == "x{}-{:06d}.png"
    notes = write("gluoncv", context(tmp_path, "frames", pictures=Pictures("frame_%05d.jpg")))
    assert "name_pattern='frame_%05d.jpg'" in notes["kinetics400_val_list_rawframes.txt"]
    notes = write("paddlevideo", context(tmp_path, "frames", pictures=Pictures("frame_%05d.jpg")))
    assert "suffix: 'frame_{:05d}.jpg'" in notes["val_frames.list"]


def test_the_usual_lists_hold_no_more_than_they_did() -> None:
    """They are written by every mirror run: each costs time and files there."""
    assert USUAL == ("mmaction2", "paddlevideo", "videomae", "slowfast", "pytorchvideo")


def test_fiftyones_zoo_finds_what_it_needs_to_know() -> None:
    """It makes objects of two class names and of each split, and counts on the others."""
    text = zoo_info("Kinetics-700-2020", {"train": 3, "validation": 2}, ["abseiling"])
    assert text is not None
    info = json.loads(text)
    assert info["zoo_dataset"] == "fiftyone.zoo.datasets.base.Kinetics7002020Dataset"
    assert info["dataset_type"] == "fiftyone.types.dataset_types.VideoClassificationDirectoryTree"
    assert (info["name"], info["num_samples"]) == ("kinetics-700-2020", 5)
    assert info["downloaded_splits"]["validation"] == {"split": "validation", "num_samples": 2}
    assert zoo_info("Demo", {"train": 3}, []) is None
