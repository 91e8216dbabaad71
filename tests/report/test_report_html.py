"""The page as text: whole, escaped, and closed to the network."""

from __future__ import annotations

import base64
import dataclasses
import hashlib
import re
from html.parser import HTMLParser

import pytest
from report_kit import EMPTY, NOW, busy_view, cell, command, named, page, picture

from kdl.report.html import render, split_fix
from kdl.tallies import Ages, FoundGroup, PastRun, Trouble
from kdl.values import Finding

HOSTILE = "<script>alert(1)</script>\"'><img src=https://evil.example/x>&amp;"
_VOID = {"meta", "link", "img", "br", "input", "line"}


class Tags(HTMLParser):
    """Every tag with its attributes; fails on one that is closed out of turn."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.seen: list[tuple[str, dict[str, str | None]]] = []
        self._open: list[str] = []
        self.feed(text)
        self.close()
        assert self._open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))
        if tag not in _VOID:
            self._open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.append((tag, dict(attrs)))

    def handle_endtag(self, tag: str) -> None:
        assert self._open.pop() == tag, f"{tag} at {self.getpos()}"


def values(tags: Tags, attribute: str) -> list[str]:
    return [found for _, attrs in tags.seen if (found := attrs.get(attribute)) is not None]


def test_a_mirror_of_nothing_is_a_page() -> None:
    text = render(page())
    Tags(text)
    assert "Nothing is known of this mirror" in text
    assert "No run is on record." in text
    assert "No pictures were made." in text


def test_a_full_page_is_whole_and_asks_nobody_for_anything() -> None:
    shown = page(busy_view(), suspects=(picture("a"), picture("b", None)), samples=(picture("c"),))
    tags = Tags(render(shown))
    assert not any(re.match(r"\s*(https?:)?//", url) for url in values(tags, "src") + values(tags, "href"))
    ids = values(tags, "id")
    assert len(ids) == len(set(ids))
    links = [url[1:] for url in values(tags, "href") if url.startswith("#")]
    told = [word for names in values(tags, "aria-labelledby") for word in names.split()]
    assert {*links, *told, *values(tags, "data-search")} <= set(ids)
    assert len([url for url in values(tags, "src") if url.startswith("data:image/jpeg;base64,")]) == 2


def test_the_one_script_is_the_one_that_is_allowed() -> None:
    text = render(page(busy_view()))
    (script,) = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()
    (policy,) = re.findall(r'Content-Security-Policy" content="([^"]*)"', text)
    assert f"script-src 'sha256-{digest}'" in policy
    assert policy.startswith("default-src 'none'")


def test_names_from_outside_stay_text() -> None:
    run = PastRun("r", f"mirror {HOSTILE}", HOSTILE, NOW - 10, NOW - 5, 1, None)
    found = FoundGroup(HOSTILE, run, 2, (Finding(HOSTILE, HOSTILE, HOSTILE, HOSTILE),) * 2)
    view = dataclasses.replace(
        busy_view(),
        cells=(cell("ok", 1, HOSTILE, HOSTILE),),
        runs=(run,),
        found=(found,),
        troubles=(Trouble(HOSTILE, HOSTILE, "failed", HOSTILE),),
        replaced=(named(HOSTILE, label=HOSTILE, cause=HOSTILE),),
        replaced_by_cause={HOSTILE: 1},
    )
    shown = page(
        view,
        title=HOSTILE,
        place=HOSTILE,
        running=HOSTILE,
        suspects=(picture(HOSTILE, label=HOSTILE, detail=HOSTILE, cause=HOSTILE),),
        command=lambda verb, *rest: f"kdl {verb} {HOSTILE}",
    )
    tags = Tags(render(shown))
    assert [tag for tag, _ in tags.seen].count("script") == 1
    assert all(src.startswith("data:") for src in values(tags, "src"))


@pytest.mark.parametrize(
    ("fix", "said", "line"),
    [
        ("kdl repair k400", "", "kdl repair k400"),
        (
            "it is hosted so; kdl status k400 --show corrupt",
            "it is hosted so",
            "kdl status k400 --show corrupt",
        ),
        ("kdl derive '/a b/x.toml' --recipe 320p", "", "kdl derive '/a b/x.toml' --recipe 320p"),
        ("kdl doctor --root ROOT tries the disk", "kdl doctor --root ROOT tries the disk", ""),
        ("kdl mirror --prober ffprobe asks it", "kdl mirror --prober ffprobe asks it", ""),
        ("kdl mirror DATASET --root x", "kdl mirror DATASET --root x", ""),
        ("it's not used", "it's not used", ""),
        ("", "", ""),
    ],
)
def test_only_what_can_be_pasted_is_a_command(fix: str, said: str, line: str) -> None:
    assert split_fix(fix) == (said, line)


def test_shares_never_claim_the_whole_too_early() -> None:
    cells = (cell("ok", 99_999), cell("corrupt", 1))
    ages = Ages(1, 1, 1, 99_999, 0, NOW)
    text = render(page(dataclasses.replace(EMPTY, cells=cells, ages=ages)))
    assert "99.9%" in text
    assert "0.1%" in text
    assert "100%" not in re.sub(r"<style>.*?</style>", "", text, flags=re.DOTALL)


def test_a_command_that_mends_is_offered_at_the_top() -> None:
    text = render(page(dataclasses.replace(EMPTY, cells=(cell("missing", 1),))))
    top = text[: text.index("<nav")]
    words = re.findall(r"<span>(.*?)</span>", top)
    assert words == command("repair").split()
