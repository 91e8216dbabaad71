"""``kdl report`` on a real mirror, its page in a real browser."""

from __future__ import annotations

import fcntl
import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

from tests.e2e.hosted import Hosted
from tests.e2e.running import Ran, kdl

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser")
IN_CHROMIUM = pytest.mark.skipif(CHROMIUM is None, reason="chromium is not installed")
WIDE = {"width": 1280, "height": 900}
PHONE = {"width": 360, "height": 740}
CLASS_ROWS = "#class-table tbody tr:not([hidden])"


@dataclass(frozen=True)
class Made:
    """A mirror of which one clip was found to be missing, and its report."""

    base: Path
    ran: Ran
    hosted: Hosted

    @property
    def page(self) -> Path:
        return self.base / "reports" / "report.html"


@pytest.fixture(scope="module")
def made(demo: Hosted, tmp_path_factory: pytest.TempPathFactory) -> Made:
    base = demo.copy(tmp_path_factory.mktemp("report"))
    with closing(sqlite3.connect(base / ".kdl" / "ledger.db")) as ledger, ledger:
        lost = "SELECT id FROM clips WHERE verdict = 'ok' AND class_dir = 'abseiling' LIMIT 1"
        ledger.execute(f"UPDATE clips SET verdict = 'missing', cause = 'changed' WHERE id IN ({lost})")
    return Made(base, demo.run("report", base.parent, "--json"), demo)


def thumbs(base: Path) -> dict[str, int]:
    return {path.name: path.stat().st_mtime_ns for path in (base / ".kdl" / "thumbs").iterdir()}


def test_the_page_is_written_and_told(made: Made) -> None:
    assert made.ran.code == 0, made.ran.err
    result = made.ran.result
    assert result["report"] == str(made.page)
    assert result["headline"] == "Not sound: 1 clip is gone or changed since they were judged."
    assert result["next"] == f"kdl repair {made.hosted.dataset} --root {made.base.parent}"
    assert result["findings"] == []
    assert 15 <= result["pictures"] <= 40
    assert 0 < made.page.stat().st_size < 1_000_000


def test_it_reads_a_mirror_that_a_run_holds_and_opens_where_it_is_told(made: Made, tmp_path: Path) -> None:
    """Another page, without pictures, does not touch the cache of them."""
    seen, out, log = tmp_path / "seen", tmp_path / "a page.html", tmp_path / "events.jsonl"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{seen}"\n')
    browser.chmod(0o755)
    before = thumbs(made.base)
    with (made.base / ".kdl" / "lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = made.hosted.run(
            "report", made.base.parent, "--out", out, "--no-pictures", "--open", "--log-json", log,
            BROWSER=f"{browser} %s",
        )  # fmt: skip
    assert done.code == 0, done.err
    assert "data:image/jpeg" not in out.read_text()
    assert seen.read_text().strip() == out.as_uri()
    assert thumbs(made.base) == before
    told = [json.loads(line)["event"] for line in log.read_text().splitlines()]
    assert told[:2] == ["run_started", "phase_started"]


def test_pictures_are_made_once(made: Made) -> None:
    before = thumbs(made.base)
    stranger = made.base / ".kdl" / "thumbs" / "ff.jpg"
    stranger.write_bytes(b"of a clip that is shown no more")
    again = made.hosted.run("report", made.base.parent, "--json")
    assert again.result["pictures"] == made.ran.result["pictures"]
    assert thumbs(made.base) == before
    assert len(before) > 15


def test_without_a_mirror_it_says_what_status_says(demo: Hosted, tmp_path: Path) -> None:
    said = [demo.run(verb, tmp_path, "--json") for verb in ("report", "status")]
    assert [done.code for done in said] == [3, 3]
    first, second = (done.result["findings"] for done in said)
    assert first == second
    assert not any(tmp_path.iterdir())


def test_a_page_that_can_not_be_written_is_an_error_with_a_way_out(made: Made, tmp_path: Path) -> None:
    done = made.hosted.run(
        "report", made.base.parent, "--no-pictures", "--json", "--out", tmp_path / "no" / "x.html"
    )
    assert done.code == 3
    (finding,) = done.result["findings"]
    assert finding["subject"] == str(tmp_path / "no" / "x.html")
    assert finding["fix"] == "--out FILE puts the page somewhere else"
    assert kdl("report", "demo", "--out", tmp_path).code == 2


@dataclass
class Shown:
    """A page in the browser, and everything that it asked for or complained of."""

    page: Page
    asked: list[str] = field(default_factory=list)
    said: list[str] = field(default_factory=list)

    def rows(self, column: int) -> list[str]:
        """The cells of a column of the class table, as far as they are shown."""
        cells = self.page.locator(f"{CLASS_ROWS} > :nth-child({column})")
        return [text.strip() for text in cells.all_inner_texts()]


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"], timeout=120_000)
        yield browser
        browser.close()


def show(context: BrowserContext, made: Made) -> Shown:
    context.set_default_timeout(120_000)  # ms: other tests run beside this one
    shown = Shown(context.new_page())
    shown.page.on("request", lambda request: shown.asked.append(request.url))
    shown.page.on("console", lambda message: shown.said.append(message.text))
    shown.page.on("pageerror", lambda error: shown.said.append(str(error)))
    shown.page.goto(made.page.as_uri())
    return shown


@pytest.fixture
def shown(browser: Browser, made: Made) -> Iterator[Shown]:
    with browser.new_context(viewport=WIDE, offline=True) as context:
        shown = show(context, made)
        yield shown
        assert shown.said == []
        assert [url for url in shown.asked if not url.startswith("data:")] == [made.page.as_uri()]


@IN_CHROMIUM
def test_it_says_at_the_top_how_the_mirror_is_and_what_to_do(shown: Shown, made: Made) -> None:
    page = shown.page
    assert page.locator("h1").inner_text() == "Not sound: 1 clip is gone or changed since they were judged."
    assert page.locator("header .cmd code").text_content() == made.ran.result["next"]
    page.locator("header .copy").click()
    page.locator("header .copy", has_text="Copied").wait_for()
    first = page.locator("main h2").first.inner_text()
    assert first == "What to do"


@IN_CHROMIUM
def test_pictures_show_and_a_clip_without_one_says_so(shown: Shown) -> None:
    page = shown.page
    page.locator("#sound summary").click()
    page.wait_for_function(
        """() => [...document.images].every((image) => {
            image.scrollIntoView();
            return image.complete && image.naturalWidth > 0;
        })"""
    )
    assert page.locator("img").count() > 15
    assert page.locator("img:not([alt])").count() == 0
    assert page.locator(".blank").count() == 2  # no index; no video at all


@IN_CHROMIUM
def test_tables_sort_by_mouse_and_by_keyboard(shown: Shown) -> None:
    page = shown.page
    annotated = page.locator("#class-table thead th").nth(2)
    annotated.get_by_role("button").click()
    assert annotated.get_attribute("aria-sort") == "descending"
    numbers = [int(text) for text in shown.rows(3)]
    assert numbers == sorted(numbers, reverse=True)
    annotated.get_by_role("button").click()
    assert [int(text) for text in shown.rows(3)] == sorted(numbers)
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Shift+Tab")
    page.keyboard.press("Enter")
    assert annotated.get_attribute("aria-sort") is None
    assert page.locator("#class-table thead th").nth(0).get_attribute("aria-sort") == "ascending"
    assert shown.rows(1) == sorted(shown.rows(1))
    size = page.locator("#class-table thead th").last
    size.get_by_role("button").click()
    bytes_ = page.locator("#class-table td[data-v]").evaluate_all(
        "cells => cells.map(c => Number(c.dataset.v))"
    )
    assert bytes_ == sorted(bytes_, reverse=True)


@IN_CHROMIUM
def test_tables_are_searched_and_narrowed_to_a_split(shown: Shown) -> None:
    page = shown.page
    tools = page.locator("[data-search=class-table]")
    every = shown.rows(1)
    assert "abseiling" in every
    tools.locator("input").fill("DRIV car")
    assert set(shown.rows(1)) == {"driving car"}
    assert tools.locator("output").inner_text() == f"2 of {len(every)}"
    tools.locator("select").select_option("val")
    assert shown.rows(2) == ["val"]
    tools.locator("input").fill("nothing of that name")
    assert shown.rows(1) == []
    tools.locator("select").select_option("")
    tools.locator("input").fill("")
    assert shown.rows(1) == every
    page.locator("[data-search=suspects] input").fill("moov missing")
    assert page.locator("#suspects > li:visible").count() == 1


LUMINANCE = """
() => {
  const parts = (text) => text.match(/[\\d.]+/g).map(Number);
  const light = (text) => parts(text).slice(0, 3).map((part) => {
    const value = part / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  }).reduce((sum, value, at) => sum + value * [0.2126, 0.7152, 0.0722][at], 0);
  const ground = (node) => {
    for (let at = node; at; at = at.parentElement) {
      const parted = parts(getComputedStyle(at).backgroundColor);
      if (parted.length < 4 || parted[3] > 0) return getComputedStyle(at).backgroundColor;
    }
    return "rgb(255, 255, 255)";
  };
  const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  const poor = [];
  while (walk.nextNode()) {
    const node = walk.currentNode.parentElement;
    if (!walk.currentNode.textContent.trim() || !node.checkVisibility() || node.closest("svg")) continue;
    let opacity = 1;
    for (let at = node; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    const [a, b] = [light(getComputedStyle(node).color), light(ground(node))].sort((x, y) => y - x);
    const ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5 || opacity < 1) poor.push([node.className, walk.currentNode.textContent, ratio, opacity]);
  }
  return { poor, ground: ground(document.body) };
}
"""


@IN_CHROMIUM
def test_words_stand_out_in_light_and_in_dark(browser: Browser, made: Made) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        with browser.new_context(viewport=WIDE, color_scheme=scheme) as context:  # type: ignore[arg-type]
            found: dict[str, Any] = show(context, made).page.evaluate(LUMINANCE)
        assert found["poor"] == []
        grounds.add(found["ground"])
    assert len(grounds) == 2


@IN_CHROMIUM
def test_a_phone_scrolls_the_page_down_only(browser: Browser, made: Made) -> None:
    with browser.new_context(viewport=PHONE, is_mobile=True) as context:
        page = show(context, made).page
        assert page.evaluate("document.documentElement.scrollWidth") == PHONE["width"]
        assert page.locator("h1").bounding_box()["width"] <= PHONE["width"]  # type: ignore[index]


@IN_CHROMIUM
def test_paper_shows_what_is_wrong_without_the_tools(shown: Shown) -> None:
    shown.page.emulate_media(media="print")
    for tool in ("nav", ".tools", ".copy", "details"):
        assert shown.page.locator(f"{tool}:visible").count() == 0, tool
    lacking = shown.page.locator("#class-table tbody tr:visible")
    assert 1 < lacking.count() < shown.page.locator("#class-table tbody tr").count()
    assert shown.page.pdf(format="A4").startswith(b"%PDF")


@IN_CHROMIUM
def test_without_scripts_everything_is_there_but_the_tools(browser: Browser, made: Made) -> None:
    with browser.new_context(viewport=WIDE, java_script_enabled=False) as context:
        page = show(context, made).page
        assert page.locator("#class-table tbody tr:visible").count() > 4
        assert page.locator(".tools:visible").count() == 0
        assert page.locator("button:visible").count() == 0
