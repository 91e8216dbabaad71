"""Raw lines of link lists become URLs that name the same object."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import unquote

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from yarl import URL

from kdl.urls import encode_url

BASE = "https://s3.amazonaws.com/kinetics/600/val/"
NAMES = [
    "abseiling",
    "driving car",
    "mountain climber (exercise)",
    "massaging person's head",
    "using a sledge hammer",
    "tying knot (not on a tie)",
    "catching or throwing baseball",
    "a+b",
    "50% off",
    "no. #1",
    'say "cheese"',
    "näh maschine",
    "talking on cell phone",
]
_LISTS = Path(__file__).parents[2].parent / "shared" / "data" / "path_lists"
LISTS = sorted(_LISTS.glob("*.txt")) if _LISTS.exists() else []


@pytest.mark.parametrize("name", NAMES)
def test_names(name: str) -> None:
    encoded = encode_url(f"{BASE}{name}.tar.gz\n")
    assert encoded.isascii()
    assert not set(" ()'\"+#") & set(encoded)
    assert unquote(encoded) == f"{BASE}{name}.tar.gz"


@pytest.mark.parametrize("path", LISTS, ids=lambda path: path.name)
def test_every_line_of_the_real_lists(path: Path) -> None:
    for line in path.read_text().splitlines():
        assert unquote(encode_url(line)) == line


@given(st.text(st.characters(codec="utf-8", exclude_characters="?%", exclude_categories=["Cc"]), min_size=1))
def test_round_trip(name: str) -> None:
    assume(name == name.strip())
    encoded = encode_url(BASE + name)
    assert unquote(encoded) == BASE + name
    assert encode_url(encoded) == encoded
    # The client sends it as it is.
    assert str(URL(encoded, encoded=True)) == encoded
