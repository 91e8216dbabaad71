from __future__ import annotations

from urllib.parse import unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from kdl.urls import encode_url, url_name

HOST = "https://s3.amazonaws.com/kinetics"


@pytest.mark.parametrize(
    ("raw", "path"),
    [
        ("/600/train/zumba.tar.gz", "/kinetics/600/train/zumba.tar.gz"),
        ("/a b.tar.gz", "/kinetics/a%20b.tar.gz"),
        ("/backflip (human).tar.gz", "/kinetics/backflip%20%28human%29.tar.gz"),
        ("/massaging person's head.tar.gz", "/kinetics/massaging%20person%27s%20head.tar.gz"),
        ("/a+b.tar", "/kinetics/a%2Bb.tar"),
        ("/grün.tar", "/kinetics/gr%C3%BCn.tar"),
        ("/part #1.tar", "/kinetics/part%20%231.tar"),
        ("/a%20b.tar", "/kinetics/a%20b.tar"),
        ("/100% b.tar", "/kinetics/100%25%20b.tar"),
        ("/a b%2Fc.tar", "/kinetics/a%20b%2Fc.tar"),
    ],
)
def test_raw_paths_are_encoded_once(raw: str, path: str) -> None:
    assert encode_url(HOST + raw) == "https://s3.amazonaws.com" + path


@pytest.mark.parametrize(
    ("raw", "url"),
    [
        ("  https://h.example/a.tar\r\n", "https://h.example/a.tar"),
        ("HTTPS://H.Example/A.tar", "https://h.example/A.tar"),
        ("http://127.0.0.1:8080/a b", "http://127.0.0.1:8080/a%20b"),
        ("http://[::1]:8080/a", "http://[::1]:8080/a"),
        ("https://Me:Secret@h.example/a", "https://Me:Secret@h.example/a"),
        ("https://h.example", "https://h.example/"),
        ("https://h.example?id=1", "https://h.example/?id=1"),
        ("https://h.example/d?id=a+b&x=%20&y=c d", "https://h.example/d?id=a+b&x=%20&y=c%20d"),
        ("https://h.example/d?sig=a/b=&p=50%", "https://h.example/d?sig=a/b=&p=50%25"),
    ],
)
def test_the_rest_of_a_url_is_kept(raw: str, url: str) -> None:
    assert encode_url(raw) == url


@pytest.mark.parametrize(
    "raw",
    [
        "",
        "part_0.tar.gz",
        "ftp://h.example/a.tar",
        "file:///etc/passwd",
        "https://",
        "https:///a.tar",
        "https://h example/a.tar",
        "https://h.example:99999/a.tar",
        "https://h.example:port/a.tar",
        "https://h.example#a",
        "https://<host>/a",
        "https://h.example/a\x00b",
        "https://h.example/a\nb",
        "<html>",
    ],
)
def test_what_is_no_url_is_refused(raw: str) -> None:
    with pytest.raises(ValueError, match=r"\w"):
        encode_url(raw)


@given(st.text(st.characters(exclude_categories=("Cc", "Cs")), min_size=1))
def test_encoding_loses_nothing_and_is_done_once(name: str) -> None:
    name = "x" + name.replace("%", "").replace("/", "").replace("?", "") + "x"
    url = encode_url(f"https://h.example/d/{name}")
    assert url.isascii()
    assert " " not in url
    assert encode_url(url) == url
    assert unquote(urlsplit(url).path) == f"/d/{name}"
    assert url_name(url) == name


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("https://h.example/a/driving%20car.tar.gz", "driving car.tar.gz"),
        ("https://h.example/a.zip?sig=a/b", "a.zip"),
        ("https://h.example/a/", ""),
        ("https://h.example", ""),
    ],
)
def test_url_name(url: str, name: str) -> None:
    assert url_name(url) == name
