"""Which URLs are asked for an object."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdl.errors import UsageError
from kdl.fetch.origins import Origins

CVDF = "https://s3.amazonaws.com/kinetics"
PADDLE = "https://ai-rank.bj.bcebos.com/Kinetics400"
LISTS = "https://videotag.bj.bcebos.com/PaddleVideo/Data"
ONE = {"cvdf": f"{CVDF}/"}
TWO = {"archives": PADDLE, "lists": LISTS}
SHARD = f"{CVDF}/600/val/driving%20car.tar.gz"
TAIL = "/600/val/driving%20car.tar.gz"


def test_without_overrides_a_url_is_itself() -> None:
    assert Origins(ONE).candidates(SHARD) == [SHARD]


@pytest.mark.parametrize("slash", ["", "/", "//"])
def test_a_url_takes_the_place_of_the_only_host(slash: str) -> None:
    assert Origins(ONE, [f"http://127.0.0.1:8080/k{slash}"]).candidates(SHARD) == [
        f"http://127.0.0.1:8080/k{TAIL}"
    ]


def test_origins_are_tried_in_order_and_once() -> None:
    overrides = ["http://a", "default", "cvdf=http://b", f"{CVDF}=http://a/", f"{CVDF}/=http://c/d"]
    assert Origins(ONE, overrides).candidates(SHARD) == [
        f"http://a{TAIL}",
        SHARD,
        f"http://b{TAIL}",
        f"http://c/d{TAIL}",
    ]


def test_each_host_has_its_own_origins() -> None:
    origins = Origins(TWO, ["archives=http://a", "lists=default", f"{LISTS}=http://b/lists"])
    assert origins.candidates(f"{PADDLE}/train_link.list") == ["http://a/train_link.list"]
    assert origins.candidates(f"{LISTS}/x.list") == [f"{LISTS}/x.list", "http://b/lists/x.list"]


def test_default_stands_for_every_host() -> None:
    origins = Origins(TWO, ["default", "lists=http://b"])
    assert origins.candidates(f"{PADDLE}/x") == [f"{PADDLE}/x"]
    assert origins.candidates(f"{LISTS}/x") == [f"{LISTS}/x", "http://b/x"]


@pytest.mark.parametrize(
    "url",
    ["https://elsewhere.example/kinetics/a", f"{CVDF}-2/a", "https://s3.amazonaws.com/other", CVDF[:-1]],
)
def test_urls_under_no_base_stay(url: str) -> None:
    assert Origins(ONE, ["http://a"]).candidates(url) == [url]


def test_the_longest_base_wins() -> None:
    origins = Origins({"all": CVDF, "val": f"{CVDF}/600/val"}, ["val=http://v", "all=http://a"])
    assert origins.candidates(SHARD) == ["http://v/driving%20car.tar.gz"]
    assert origins.candidates(f"{CVDF}/600/x") == ["http://a/600/x"]


def test_an_origin_may_be_written_raw() -> None:
    assert Origins(ONE, ["HTTP://Mirror.example/my (copy)"]).candidates(SHARD) == [
        f"http://mirror.example/my%20%28copy%29{TAIL}"
    ]


@pytest.mark.parametrize(
    "override", ["mirror", "other=http://a", "cvdf=", "cvdf=ftp://a", "ftp://a", "", "http://"]
)
def test_what_is_no_origin_is_refused(override: str) -> None:
    with pytest.raises(UsageError) as caught:
        Origins(ONE, [override])
    assert f"--origin {override}" in str(caught.value)


def test_a_query_is_no_part_of_an_origin() -> None:
    with pytest.raises(UsageError, match="query"):
        Origins(ONE, ["http://a/b?c=d"])


def test_a_plain_url_is_not_clear_with_several_hosts() -> None:
    with pytest.raises(UsageError, match="several hosts") as caught:
        Origins(TWO, ["http://a"])
    assert caught.value.fix == "--origin archives=http://a"


@given(st.text("abc%20/().", min_size=0).map(lambda tail: tail.lstrip("/")))
def test_the_path_is_carried_over_untouched(tail: str) -> None:
    assert Origins(ONE, ["http://a/b"]).candidates(f"{CVDF}/{tail}") == [f"http://a/b/{tail}"]
