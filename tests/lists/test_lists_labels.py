"""Label maps in every shape they come in."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from kdl.errors import UsageError
from kdl.lists import ListContext, ListRow, read_label_map, write_lists

LABELS = ("abseiling", "air drumming", "massaging person's head", "tying knot (not on a tie)")
IDS = {label: number for number, label in enumerate(LABELS)}
PUBLISHED = Path(__file__).parents[2].parent / "shared" / "data" / "labels"


def saved(folder: Path, text: str) -> Path:
    path = folder / "map"
    path.write_bytes(text.encode())
    return path


@pytest.mark.parametrize(
    "text",
    [
        "".join(f"{label}\n" for label in LABELS),
        "\ufeff" + "\r\n".join(LABELS) + "\r\n\r\n",
        "".join(f"{number} {label}\n" for label, number in IDS.items()),
        "".join(f"{number}\t{label}\n" for label, number in reversed(IDS.items())),
        "".join(f"{label} {number}\n" for label, number in IDS.items()),
        "id,name\n" + "".join(f"{number},{label}\n" for label, number in IDS.items()),
        "name,id\n" + "".join(f'"{label}",{number}\n' for label, number in IDS.items()),
        "".join(f"{label}, {number}\n" for label, number in IDS.items()),
        json.dumps(IDS),
        json.dumps({f'"{label}"' if " " in label else label: number for label, number in IDS.items()}),
    ],
    ids=["names", "crlf", "id-name", "tab", "name-id", "csv", "csv-swapped", "comma", "json", "json-quoted"],
)
def test_every_shape_gives_the_same_ids(tmp_path: Path, text: str) -> None:
    assert read_label_map(saved(tmp_path, text)) == IDS


def test_an_empty_line_among_names_is_an_id_without_a_name(tmp_path: Path) -> None:
    assert read_label_map(saved(tmp_path, "a\n\nb\n")) == {"a": 0, "b": 2}


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "holds no class"),
        ("\n\n", "holds no class"),
        ("0 abseiling\nair drumming\n", "several ways"),
        ("1 abseiling 2\n3 drumming 4\n", "several ways"),
        ("id,name\nabseiling\n", "several ways"),
        ("abseiling\nabseiling\n", "has the ids 0 and 1"),
        ('{"a": 1, "a": 2}', "has the ids 1 and 2"),
        ('{"a": "1"}', "not a whole number"),
        ('{"a": true}', "not a whole number"),
        ('{"a": {"b": 1}}', "not a whole number"),
        ('{"a": -1}', "id -1"),
        ('{"a": 100000000}', "id 100000000"),
        ('{"a": 1', "not valid JSON"),
    ],
)
def test_what_is_no_label_map_is_refused_by_name(tmp_path: Path, text: str, told: str) -> None:
    path = saved(tmp_path, text)
    with pytest.raises(UsageError, match=told) as caught:
        read_label_map(path)
    assert caught.value.subject == str(path)


def test_a_label_map_that_can_not_be_read_is_named(tmp_path: Path) -> None:
    (tmp_path / "latin").write_bytes(b"\xff\xfe")
    for path in (tmp_path / "absent", tmp_path, tmp_path / "latin"):
        with pytest.raises(UsageError, match="can not be read") as caught:
            read_label_map(path)
        assert caught.value.subject == str(path)


def listed(
    folder: Path, label_ids: dict[str, int], labels: tuple[str, ...] = LABELS
) -> tuple[list[int], str]:
    """The ids that one clip of each class gets, and the label map beside the list."""

    def rows(split: str) -> object:
        return (ListRow(split, label, label.replace(" ", "_"), "abcdefghijk.mp4", None) for label in labels)

    context = ListContext(
        out_dir=folder / "lists",
        media_root=folder / "videos",
        kind="video",
        keep_extension=False,
        splits=("val",),
        labels=labels,
        dataset_prefix="kinetics400",
        label_ids=label_ids,
    )
    write_lists("slowfast", rows, context)  # type: ignore[arg-type]
    lines = (folder / "lists" / "val.csv").read_text().splitlines()
    return [int(line.split(" ")[1]) for line in lines], (folder / "lists" / "label_map.txt").read_text()


@pytest.mark.parametrize(
    "style",
    [
        lambda name: name,
        lambda name: name.replace(" ", "_"),
        lambda name: name.replace(" ", "_").translate(str.maketrans("", "", "'()")),
    ],
    ids=["raw", "mmaction2", "torchvision"],
)
def test_another_order_is_followed_whatever_the_style_of_names(tmp_path: Path, style: object) -> None:
    reordered = {style(label): 3 - number for label, number in IDS.items()}  # type: ignore[operator]
    ids, label_map = listed(tmp_path, reordered)
    assert ids == [3, 2, 1, 0]
    assert label_map == "".join(f"{label}\n" for label in reversed(LABELS))


def test_renamed_classes_are_named_beside_what_the_map_has_instead(tmp_path: Path) -> None:
    theirs = {
        "abseiling": 0,
        "drumming on air": 1,
        "massaging person's head": 2,
        "tying knot (not on a tie)": 3,
    }
    with pytest.raises(UsageError) as caught:
        listed(tmp_path, theirs)
    assert "no id for: air drumming;" in str(caught.value)
    assert "drumming on air" in str(caught.value)
    assert not (tmp_path / "lists").exists()

    ids, label_map = listed(tmp_path, {**theirs, "air drumming": 1})
    assert ids == [0, 1, 2, 3]
    assert label_map == "".join(f"{label}\n" for label in LABELS)


def test_a_wider_map_keeps_its_own_ids_and_names(tmp_path: Path) -> None:
    wider = {"abseiling": 5, "air drumming": 1, LABELS[2]: 2, LABELS[3]: 3, "zumba": 0}
    ids, label_map = listed(tmp_path, wider)
    assert ids == [5, 1, 2, 3]
    assert label_map.split("\n") == ["zumba", *LABELS[1:], "", "abseiling", ""]


def test_two_classes_with_one_id_are_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="'abseiling' and 'air drumming' the same id 0"):
        listed(tmp_path, {**IDS, "air drumming": 0})


def test_one_class_in_two_spellings_with_two_ids_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="one class in two spellings"):
        listed(tmp_path, {**IDS, "air_drumming": 9})


def test_a_class_that_the_dataset_does_not_know_is_named(tmp_path: Path) -> None:
    context = ListContext(tmp_path / "l", tmp_path, "video", False, ("val",), LABELS, "kinetics400")
    clips = [ListRow("val", "zumba", "zumba", "abcdefghijk.mp4", None)]
    with pytest.raises(UsageError, match="zumba") as caught:
        write_lists("slowfast", lambda split: iter(clips), context)
    assert "--label-map" in caught.value.fix


@pytest.mark.parametrize("file", sorted(PUBLISHED.glob("*")), ids=lambda file: file.name)
def test_published_label_maps_give_every_id_once(file: Path) -> None:
    ids = read_label_map(file)
    assert len(ids) in (400, 600, 700)
    assert sorted(ids.values()) == list(range(len(ids)))
