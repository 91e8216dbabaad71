"""Manifests of a user's own: what the schema can say, and how a wrong one is refused."""

from __future__ import annotations

import contextlib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdl.dataset.manifest import Manifest, load_manifest
from kdl.dataset.summary import describe
from kdl.errors import ManifestError
from kdl.values import ClipKey

GOOD = """\
name = "mine"
title = "Mine"
labels = ["a b", "c"]
[hosts]
h = "https://h.example/base"
[[split]]
name = "train"
class_from = "folder"
list = "train.txt"
"""


def load(tmp_path: Path, text: str) -> Manifest:
    file = tmp_path / "mine.toml"
    file.write_text(text, encoding="utf-8")
    return load_manifest(file)


def test_the_least_that_a_manifest_says(tmp_path: Path) -> None:
    manifest = load(tmp_path, GOOD)
    (split,) = manifest.splits
    assert split.list_url == "https://h.example/base/train.txt"
    assert (split.extensions, split.times, split.strip) == ((".mp4",), True, 0)
    assert (split.archive, split.split_from) == ("tar", "archive")
    assert split.labelled
    assert not split.class_by_shard
    assert split.annotation is None
    assert (manifest.replacement, manifest.readmes, manifest.list_prefix) == (None, (), "mine")
    assert describe(manifest)["clips"] is None


def test_all_that_a_manifest_can_say(tmp_path: Path) -> None:
    (tmp_path / "labels.txt").write_text('# two\r\n"a b"\r\n\r\nc\r\n')
    (tmp_path / "gone.txt").write_text("-wR5jVB_WPk\n")
    manifest = load(
        tmp_path,
        """\
name = "k400-paddle"
title = "Kinetics-400, 256 px"
sources = ["the copy's own readme"]
labels = "labels.txt"
list_prefix = "kinetics400"
readmes = ["two:docs/read me.txt", "https://other.example/x?id=1"]
short_tolerance = 0.5
max_member = "100M"
extensions = [".mp4", ".mp4.mkv"]
archive = "unknown"
strip = 1
[hosts]
one = "http://127.0.0.1:8080/k/"
two = "https://Two.example"
[[split]]
name = "train"
class_from = "annotation"
split_from = "annotation"
archives = ["one:all (1).tar", "two:all 2.zip"]
annotation = { url = "one:train.csv", format = "csv" }
[[split]]
name = "val"
class_from = "folder"
split_from = "annotation"
archives = ["one:all (1).tar", "two:all 2.zip"]
annotation = { url = "one:val.txt?raw=1", format = "ls-r", file_name = "listing.txt" }
times = false
strip = 0
extensions = [".webm"]
archive = "zip"
never_hosted = "gone.txt"
counts = { clips = 10, rows = 11, shards = 2, bytes = "1.5G", approximate = true }
[[split]]
name = "test"
class_from = "none"
list = "https://other.example/list.txt"
[replacement]
url = "two:better.tgz"
splits = ["train", "val"]
clips = 3
""",
    )
    train, val, test = manifest.splits
    assert [host.base for host in manifest.hosts] == ["http://127.0.0.1:8080/k/", "https://two.example/"]
    assert manifest.labels.names == ("a b", "c")
    assert manifest.readmes == ("https://two.example/docs/read%20me.txt", "https://other.example/x?id=1")
    assert (manifest.short_tolerance, manifest.max_member) == (0.5, 100_000_000)
    assert train.archives == (
        "http://127.0.0.1:8080/k/all%20%281%29.tar",
        "https://two.example/all%202.zip",
    )
    assert train.list_url is None
    assert (train.extensions, train.times, train.strip, train.archive) == (
        (".mp4", ".mp4.mkv"),
        True,
        1,
        "unknown",
    )
    assert train.annotation is not None
    assert train.annotation.file_name == "train.csv"
    assert (val.extensions, val.times, val.strip, val.archive) == ((".webm",), False, 0, "zip")
    assert val.annotation is not None
    assert (val.annotation.format, val.annotation.file_name) == ("ls-r", "listing.txt")
    assert val.never_hosted == {ClipKey("val", "-wR5jVB_WPk", None, None)}
    assert (val.counts.bytes, val.counts.approximate) == (1_500_000_000, True)
    assert (test.labelled, test.list_url) == (False, "https://other.example/list.txt")
    assert manifest.replacement is not None
    assert manifest.replacement.splits == ("train", "val")


@pytest.mark.parametrize("way", ["./mine.toml", "mine.toml", "sub/../mine.toml"])
def test_a_path_is_told_from_a_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    (tmp_path / "mine.toml").write_text(GOOD)
    (tmp_path / "sub").mkdir()
    monkeypatch.chdir(tmp_path)
    assert load_manifest(way).name == "mine"


def edit(old: str, new: str) -> str:
    assert old in GOOD
    return GOOD.replace(old, new)


SPLIT = GOOD[GOOD.index("[[split]]") :]
ANNOTATION = 'annotation = {{ url = "{}", format = "{}" }}\n'


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        # not TOML
        ("name = \n", ["not TOML", "line 1"]),
        (GOOD + "]", ["not TOML", "line 10"]),
        (GOOD + 'list = "again"\n', ["not TOML", "overwrite"]),
        ("", ["name: is missing"]),
        ("x = " + "[" * 5_000, ["not TOML"]),
        # unknown, missing, of a wrong type
        (edit("title", "titel"), ["titel: unknown key", "title"]),
        (edit("class_from", "clas_from"), ["split[train].clas_from: unknown key", "class_from"]),
        (edit('name = "train"\n', "colour = 1\n"), ["split[1].colour: unknown key"]),
        (edit('name = "mine"\n', ""), ["name: is missing"]),
        (edit('class_from = "folder"\n', ""), ["split[train].class_from: is missing"]),
        (edit('"Mine"', "3"), ["title: must be text", "not 3"]),
        (edit('"Mine"', '" "'), ["title: must be text"]),
        (edit('"Mine"', '"a\\u0000b"'), ["title: must be text", "control characters"]),
        (GOOD[: GOOD.index("[[split]]")], ["split: is missing"]),
        (edit("[[split]]", "[split]"), ["split: must be one or more [[split]] tables"]),
        ("split = 3\n" + GOOD[: GOOD.index("[[split]]")], ["split: must be one or more"]),
        ('times = "no"\n' + GOOD, ['times: must be true, false or "annotation"', "'no'"]),
        ("strip = true\n" + GOOD, ["strip: must be a whole number"]),
        ("strip = -1\n" + GOOD, ["strip: must be a whole number"]),
        ("short_tolerance = inf\n" + GOOD, ["short_tolerance: must be a number of seconds"]),
        ("short_tolerance = nan\n" + GOOD, ["short_tolerance: must be a number of seconds"]),
        ("max_member = 0\n" + GOOD, ["max_member: must be a size"]),
        ('max_member = "lots"\n' + GOOD, ["max_member: must be a size", "'lots'"]),
        ("readmes = []\n" + GOOD, ["readmes: must be a list of texts"]),
        ('readmes = "README"\n' + GOOD, ["readmes: must be a list of texts"]),
        ("labels = [1]\n" + edit('labels = ["a b", "c"]\n', ""), ["labels: must be a text or a list"]),
        (GOOD + "counts = { clip = 3 }\n", ["split[train].counts.clip: unknown key", "clips"]),
        (GOOD + "counts = { clips = 1.5 }\n", ["split[train].counts.clips: must be a whole number"]),
        (GOOD + "counts = 3\n", ["split[train].counts: must be a table"]),
        (GOOD + 'annotation = "a.csv"\n', ["split[train].annotation: must be a table"]),
        # words that are not among those allowed
        (edit('"folder"', '"folders"'), ["split[train].class_from: must be one of", "did you mean folder"]),
        (edit('"train"', '"training"'), ["split[training].name: must be one of", "did you mean train"]),
        (GOOD + ANNOTATION.format("a.csv", "tsv"), ["split[train].annotation.format: must be one of csv"]),
        ('archive = "rar"\n' + GOOD, ["archive: must be one of tar, zip, unknown"]),
        # names that become files and folders
        (edit('"mine"', '"a/mine"'), ["name: can not name a file", "slash"]),
        (edit('"mine"', '".mine"'), ["name: can not name a file", "dot"]),
        (edit('"mine"', '"my own"'), ["name: must hold no blanks", "'my own'"]),
        ('list_prefix = "a/b"\n' + GOOD, ["list_prefix: can not name a file", "slash"]),
        ('readmes = ["docs/"]\n' + GOOD, ["readmes: can not name a file", "empty"]),
        (GOOD + ANNOTATION.format("d/", "csv"), ["split[train].annotation.file_name: can not name", "empty"]),
        ('extensions = ["mp4"]\n' + GOOD, ["split[train].extensions: not an extension", "'mp4'"]),
        ('extensions = ["./x"]\n' + GOOD, ["split[train].extensions: not an extension"]),
        ('extensions = [".m p4"]\n' + GOOD, ["split[train].extensions: not an extension"]),
        # hosts and URLs
        (edit('h = "https://h.example/base"', ""), ["hosts: must be a table of base URLs"]),
        (edit('h = "https://', 'h = "ftp://'), ["hosts.h: not an http, https, file"]),
        (edit("/base", "/base?x=1"), ["hosts.h: a base URL has no query"]),
        (edit("h = ", "https = "), ["hosts.https: a host's name"]),
        (edit("h = ", "H = "), ["hosts.H: a host's name"]),
        (
            edit('"train.txt"', '"hh:train.txt"'),
            ["split[train].list: no host is named 'hh'", "did you mean h"],
        ),
        (edit('"train.txt"', '"ftp://h.example/a"'), ["split[train].list: no host is named 'ftp'"]),
        (edit('"train.txt"', '"https:///a"'), ["split[train].list: not an http, https, file"]),
        (edit('"train.txt"', '"https://a b/c"'), ["split[train].list: not an http, https, file"]),
        (edit('"train.txt"', '"/train.txt"'), ["split[train].list: not a path below"]),
        (edit('"train.txt"', '"h:../train.txt"'), ["split[train].list: not a path below"]),
        (edit('"train.txt"', '"h:"'), ["split[train].list: not a path below"]),
        (
            edit("[[split]]", 'g = "https://g.example"\n[[split]]'),
            ["list: 'train.txt' needs its host", "h, g"],
        ),
        (edit('[hosts]\nh = "https://h.example/base"\n', ""), ["needs its host", "the hosts are: none"]),
        # what keys mean together
        (edit('list = "train.txt"\n', ""), ["split[train]: must have either list or archives"]),
        (GOOD + 'archives = ["a.tar"]\n', ["split[train]: must have either list or archives"]),
        (
            edit('list = "train.txt"', 'archives = ["a b.tar", "a%20b.tar"]'),
            ["split[train].archives: named 2 times", "a%20b.tar"],
        ),
        (
            edit('"folder"', '"annotation"'),
            ["split[train].class_from: is 'annotation', but", "no annotation"],
        ),
        (GOOD + 'split_from = "annotation"\n', ["split[train].split_from: is 'annotation', but"]),
        (GOOD + 'times = "annotation"\n', ["split[train].times: is 'annotation', but", "no annotation"]),
        (GOOD + 'published = { by = "p" }\n', ["split[train].published.videos: is missing"]),
        (GOOD + 'published = { by = "a/b", videos = "v.list" }\n', ["published.by: can not name a file"]),
        (
            GOOD + 'published = { by = "p", videos = "v.list", frames = "f/v.list" }\n',
            ["split[train].published: two of the lists of p are called v.list"],
        ),
        (GOOD + SPLIT, ["split[train]: there are two splits of this name"]),
        (GOOD + SPLIT.replace('"train"', '"val"'), ["split[val]: shares", "with split train", "split_from"]),
        (
            GOOD
            + ANNOTATION.format("train/list.csv", "csv")
            + '[[split]]\nname = "val"\nclass_from = "none"\nlist = "val.txt"\n'
            + ANNOTATION.format("val/list.csv", "csv"),
            ["split[val].annotation.file_name: another split's is list.csv too"],
        ),
        (GOOD + '[replacement]\nurl = "r.tgz"\n', ["replacement.splits: is missing"]),
        (
            GOOD + '[replacement]\nurl = "r.tgz"\nsplits = ["trains"]\n',
            ["replacement.splits: no such split: 'trains'", "did you mean train"],
        ),
        (
            GOOD + '[replacement]\nurl = "x:r.tgz"\nsplits = ["train"]\n',
            ["replacement.url: no host is named"],
        ),
        # labels, and the files beside it
        (edit('labels = ["a b", "c"]\n', ""), ["labels: is missing, and split train has classes"]),
        (edit('"c"]', '"a_b"]'), ["labels: 'a b' and 'a_b' share the folder a_b"]),
        (edit('"c"]', '"a b"]'), ["labels: 'a b' and 'a b' share the folder a_b"]),
        (edit('"c"]', '"a (b)"]'), ["labels: 'a b' and 'a (b)' share the folder a_b"]),
        (edit('"c"]', '"../c"]'), ["labels: '../c'", "dot"]),
        (edit('["a b", "c"]', '"none.txt"'), ["labels: can not read none.txt: No such file"]),
        (edit('["a b", "c"]', '"."'), ["labels: can not read .:", "directory"]),
        (edit('["a b", "c"]', '"empty.txt"'), ["labels: empty.txt holds no names"]),
        (edit('["a b", "c"]', '"latin1.txt"'), ["labels: can not read latin1.txt: not UTF-8"]),
        (GOOD + 'never_hosted = "none.txt"\n', ["split[train].never_hosted: can not read none.txt"]),
        (GOOD + 'never_hosted = "clips.txt"\n', ["split[train].never_hosted: clips.txt holds", "'what.mp4'"]),
        (GOOD + 'never_hosted = "twice.txt"\n', ["split[train].never_hosted: twice.txt names a clip twice"]),
    ],
)
def test_a_malformed_manifest_is_refused_with_file_key_and_reason(
    tmp_path: Path, text: str, parts: list[str]
) -> None:
    (tmp_path / "empty.txt").write_text("# none\n\n")
    (tmp_path / "latin1.txt").write_bytes(b"gr\xfcn\n")
    (tmp_path / "clips.txt").write_text("0wR5jVB-WPk_000417_000427\nwhat.mp4\n")
    (tmp_path / "twice.txt").write_text("0wR5jVB-WPk_000417_000427\n" * 2)
    with pytest.raises(ManifestError) as caught:
        load(tmp_path, text)
    error = caught.value
    assert error.exit_code == 2
    assert error.subject == str(tmp_path / "mine.toml")
    said = f"{error.message} | {error.fix}"
    assert [part for part in parts if part not in said] == [], said


@pytest.mark.parametrize(
    ("content", "reason"), [(None, "No such file"), (b"name = '\xff'", "not UTF-8 text")]
)
def test_a_manifest_that_can_not_be_read(tmp_path: Path, content: bytes | None, reason: str) -> None:
    file = tmp_path / "mine.toml"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(ManifestError, match=reason) as caught:
        load_manifest(str(file))
    assert caught.value.subject == str(file)
    with pytest.raises(ManifestError, match="directory"):
        load_manifest(tmp_path)


VALUES = st.recursive(
    st.sampled_from(
        ['""', '"x"', "1", "-1", "1.5", "true", "inf", '"https://h/"', '"\\u0000"', "1979-05-27"]
    ),
    lambda inner: (
        st.lists(inner, max_size=2).map(lambda items: f"[{', '.join(items)}]")
        | st.lists(inner, max_size=2).map(
            lambda items: "{" + ", ".join(f"k{at} = {item}" for at, item in enumerate(items)) + "}"
        )
    ),
    max_leaves=4,
)
LINES = [line for line in GOOD.splitlines() if " = " in line]


@given(st.sampled_from(LINES), VALUES)
def test_any_value_for_any_key_is_taken_or_refused(
    tmp_path_factory: pytest.TempPathFactory, line: str, value: str
) -> None:
    text = edit(line, f"{line.split(' = ')[0]} = {value}")
    with contextlib.suppress(ManifestError):
        load(tmp_path_factory.mktemp("any"), text)
