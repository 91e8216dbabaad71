"""Datasets whose hosts are torrents."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdl.dataset.manifest import load_manifest
from kdl.errors import ManifestError

INFOHASH = "0123456789abcdef" * 2 + "01234567"
WHOLE = """
name = "mine"
title = "Mine"
labels = ["a"]

[hosts]
web = "https://h.example/"
{hosts}
[torrent]
{torrent}
[[split]]
name = "val"
class_from = "folder"
list = "torrent://{infohash}/val/"
"""


def written(
    tmp_path: Path, *, hosts: str = f'bits = "torrent://{INFOHASH.upper()}/"', torrent: str = ""
) -> Path:
    path = tmp_path / "mine.toml"
    path.write_text(WHOLE.format(hosts=hosts, torrent=torrent, infohash=INFOHASH))
    return path


def test_a_torrent_has_a_file_on_the_web_and_trackers(tmp_path: Path) -> None:
    text = 'file = "web:a b.torrent"\ntrackers = ["udp://t.example:1/announce", "https://t.example/"]'
    spec = load_manifest(written(tmp_path, torrent=text)).torrent
    assert spec is not None
    assert spec.infohashes == (INFOHASH,)
    assert spec.file_url == "https://h.example/a%20b.torrent"
    assert spec.trackers == ("udp://t.example:1/announce", "https://t.example/")


def test_it_needs_neither(tmp_path: Path) -> None:
    spec = load_manifest(written(tmp_path)).torrent
    assert spec is not None
    assert (spec.file_url, spec.trackers) == (None, ())
    assert load_manifest("k400").torrent is None


@pytest.mark.parametrize(
    ("hosts", "torrent", "key", "reason"),
    [
        ("", 'file = "web:a.torrent"', "torrent", "no host is a torrent"),
        ('bits = "torrent://k400/"', "", "hosts", "40 hexadecimal digits"),
        (None, 'trackers = ["t.example"]', "torrent.trackers", "udp URL"),
        (None, 'trackers = ["http://a/,http://b/"]', "torrent.trackers", "without a comma"),
        (None, 'file = "a.torrent"', "torrent.file", "needs its host"),
        (None, 'tracker = "http://a/"', "torrent.tracker", "unknown key"),
        (
            f'bits = "torrent://{INFOHASH}/"\nmore = "torrent://{INFOHASH[::-1]}/"',
            'file = "web:a.torrent"',
            "torrent.file",
            "several",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(
    tmp_path: Path, hosts: str | None, torrent: str, key: str, reason: str
) -> None:
    path = (
        written(tmp_path, torrent=torrent)
        if hosts is None
        else written(tmp_path, hosts=hosts, torrent=torrent)
    )
    with pytest.raises(ManifestError) as raised:
        load_manifest(path)
    assert raised.value.message.startswith(f"{key}: ")
    assert reason in raised.value.message


@pytest.mark.parametrize(("name", "labels"), [("k400-torrent", "k400"), ("k700-torrent", "k700-2020")])
def test_the_copies_of_academic_torrents(name: str, labels: str) -> None:
    manifest = load_manifest(name)
    assert manifest.labels == load_manifest(labels).labels
    assert manifest.torrent is not None
    [infohash] = manifest.torrent.infohashes
    assert manifest.hosts[0].base == f"torrent://{infohash}/"
    assert str(manifest.torrent.file_url).endswith(f"{infohash}.torrent")
    assert manifest.torrent.trackers
    for split in manifest.splits:
        assert split.list_url == f"torrent://{infohash}/{split.name}_256/"
        assert (split.class_from, split.times, split.untimed) == ("folder", True, True)
        for clip in ("0wR5jVB-WPk.mkv", "0wR5jVB-WPk_000417_000427.mp4"):
            assert split.read_name(clip) is not None
        if labels == "k400":
            assert split.annotation == load_manifest("k400").split(split.name).annotation
