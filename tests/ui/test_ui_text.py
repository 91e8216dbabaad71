"""Names from outside never steer a terminal."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdl.ui.consoles import console_on
from kdl.ui.text import counted, human_duration, object_name, percent, safe, tally

HOSTILE = [
    "\x1b[31mred\x1b[0m",
    "\x1b]0;title\x07",
    "two\nlines\r\nand\ttabs",
    "[bold]not markup[/bold] [link=https://x]y[/link]",
    ":smile: [/] [/red]",
    "abc\u202egpj.exe",
    "\u2066isolate\u2069",
    "zero\u200bwidth",
    "c1 \x9b31m",
    "\udc80undecodable",
    "line\u2028separator",
    "null\x00",
]


@given(st.text())
def test_everything_safe_is_printable_on_one_line(text: str) -> None:
    assert safe(text).isprintable()


@pytest.mark.parametrize("name", ["-begins.mp4", "massaging person's head", "späť 日本語 (x) & y", "🎬"])
def test_harmless_names_stay_as_they_are(name: str) -> None:
    assert safe(name) == name


def test_what_is_taken_out_stays_visible() -> None:
    assert safe("a\x1b[1m\u202e\n\udc80") == r"a\x1b[1m\u202e\n\udc80"


@pytest.mark.parametrize("name", HOSTILE)
def test_consoles_print_names_as_text(name: str) -> None:
    out = io.StringIO()
    console_on(out).print(safe(name))
    assert out.getvalue() == safe(name) + "\n"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (None, "?"),
        (0, "0.0 s"),
        (9.96, "10 s"),
        (59.4, "59 s"),
        (61, "1 min 01 s"),
        (3599.9, "1 h 00 min"),
        (5025, "1 h 23 min"),
        (200_000, "2 d 7 h"),
    ],
)
def test_durations(seconds: float | None, said: str) -> None:
    assert human_duration(seconds) == said


def test_numbers_and_names() -> None:
    assert counted(1, "shard") == "1 shard"
    assert counted(2000, "shard") == "2,000 shards"
    assert tally({"ok": 9, "short": 0, "never_hosted": 1_145}) == "ok 9, never hosted 1,145"
    assert object_name("part_0.tar.gz", "train") == "train/part_0.tar.gz"
    assert object_name("train/part_0.tar.gz", "train") == "train/part_0.tar.gz"
    assert object_name("readme.md", "") == "readme.md"
    assert percent(999, 1000) == "99 %"
    assert percent(1000, 1000) == "100 %"
    assert percent(5, None) == ""
