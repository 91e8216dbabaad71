from __future__ import annotations

import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdl.dataset.clipname import ClipName, clip_stem, format_clip_name, parse_clip_name
from kdl.values import ClipKey

EXTENSIONS = (".mp4", ".mkv", ".mp4.mkv", ".mp4.webm")
IDS = st.text(string.ascii_letters + string.digits + "_-", min_size=11, max_size=11)
SECONDS = st.integers(0, 999_999)


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("0wR5jVB-WPk_000417_000427.mp4", ClipName("0wR5jVB-WPk", 417, 427, ".mp4")),
        ("-3l8q12D7lA_000015_000025.mp4", ClipName("-3l8q12D7lA", 15, 25, ".mp4")),
        ("_6uq-NBo3Bk_000012_000022.mp4", ClipName("_6uq-NBo3Bk", 12, 22, ".mp4")),
        ("___________000000_000010.mp4", None),
        ("____________000000_000010.mp4", ClipName("_" * 11, 0, 10, ".mp4")),
        ("000000_0000_000000_000010.mkv", ClipName("000000_0000", 0, 10, ".mkv")),
        ("0wR5jVB-WPk_000417_000427.mp4.mkv", ClipName("0wR5jVB-WPk", 417, 427, ".mp4.mkv")),
        ("0wR5jVB-WPk_000417_000427.mp4.webm", ClipName("0wR5jVB-WPk", 417, 427, ".mp4.webm")),
        ("0wR5jVB-WPk_000417_000427.webm", None),
        ("0wR5jVB-WPk_000417_000427", None),
        ("0wR5jVB-WPk.mp4", None),
        ("0wR5jVB-WPk_417_427.mp4", None),
        ("0wR5jVB-WPk_0000417_000427.mp4", None),
        ("._0wR5jVB-WPk_000417_000427.mp4", None),
        ("0wR5jVB-WPk_000417_000427.mp4\n", None),
        ("0wR5jVB-WP._000417_000427.mp4", None),
        ("0wR5jVB-WPk_00041٣_000427.mp4", None),
        (" ", None),
        ("", None),
    ],
)
def test_names_with_times(name: str, clip: ClipName | None) -> None:
    assert parse_clip_name(name, extensions=EXTENSIONS, times=True) == clip


@pytest.mark.parametrize(
    ("name", "clip"),
    [
        ("0wR5jVB-WPk.mp4", ClipName("0wR5jVB-WPk", None, None, ".mp4")),
        ("-wR5jVB_WPk.mp4.mkv", ClipName("-wR5jVB_WPk", None, None, ".mp4.mkv")),
        ("0wR5jVB-WPk_000417_000427.mp4", None),
        ("0wR5jVB-WP.mp4", None),
        (".mp4", None),
    ],
)
def test_names_without_times(name: str, clip: ClipName | None) -> None:
    assert parse_clip_name(name, extensions=EXTENSIONS, times=False) == clip


@given(IDS, SECONDS, SECONDS, st.sampled_from(EXTENSIONS))
def test_a_name_taken_apart_and_put_together_is_the_same(
    youtube_id: str, start: int, end: int, ext: str
) -> None:
    clip = ClipName(youtube_id, start, end, ext)
    assert parse_clip_name(format_clip_name(clip), extensions=EXTENSIONS, times=True) == clip
    bare = ClipName(youtube_id, None, None, ext)
    assert parse_clip_name(format_clip_name(bare), extensions=EXTENSIONS, times=False) == bare


@given(st.text())
def test_any_text_is_a_clip_or_none_and_never_an_error(name: str) -> None:
    clip = parse_clip_name(name, extensions=EXTENSIONS, times=True)
    assert clip is None or format_clip_name(clip) == name


def test_keys() -> None:
    clip = ClipName("0wR5jVB-WPk", 417, 427, ".mp4")
    assert clip.key("val") == ClipKey("val", "0wR5jVB-WPk", 417, 427)
    assert clip_stem(clip.key("val")) == "0wR5jVB-WPk_000417_000427"
    assert clip_stem(ClipKey("val", "0wR5jVB-WPk", None, None)) == "0wR5jVB-WPk"
