"""The picture of a run: what it holds, and that it fits."""

from __future__ import annotations

import io
import re
import time
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from rich.cells import cell_len
from rich.console import Console

from kdl.jobs.runstate import RunState
from kdl.ui.factory import make_ui
from kdl.ui.live import LiveUI
from kdl.ui.status import render_status
from kdl.ui.svg import record_svg
from kdl.ui.view import View


def snapshot_of(driver: ModuleType, running: int = 4) -> dict[str, Any]:
    state = RunState(clock=lambda: 1_000.0, ticks=lambda: 0.0)
    for event in driver.opening(running):
        state.apply(event)
    return state.snapshot()


def drawn(renderable: Any, width: int = 80, height: int = 24, color: bool = False) -> str:
    out = io.StringIO()
    console = Console(
        file=out,
        width=width,
        height=height,
        force_terminal=color,
        color_system="truecolor" if color else None,
        markup=False,
        highlight=False,
        emoji=False,
    )
    console.print(renderable)
    return out.getvalue()


def test_everything_a_person_asks_is_in_it(driver: ModuleType) -> None:
    text = drawn(View(snapshot_of(driver)), 200, 50)
    for part in (
        "kdl mirror k400  shards",
        "1.7 GB of 370 GB",
        "shards  59 of 301 done  4 running  1 failed",
        "train/part_1.tar.gz",
        "980 MB / 1.53 GB",
        "ok 98,123  short 312  corrupt 41  pending 143,000  never hosted 1,145  replaced 38",
        "98,400 checked  12 waiting",
        "97,000 derived  3 failed  1,400 waiting",
        "812 GB free on /data/kinetics",
        "93 GB free on /ssd/derived",
        "3: HTTP 503 ×2, no byte for 30 s ×1",
        r"7.0 s for try 2 of 6, no byte for 30 s: val/[red]wrestling\x1b[31m.tar.gz",
        "48 s for try 3 of 6, HTTP 503: train/part_120.tar.gz",
        r"1, the last: videos/train/abseiling/-x[bold]\n.mp4: moov atom not found",
    ):
        assert part in text


def test_a_bar_tells_what_an_earlier_run_left(driver: ModuleType) -> None:
    lines = drawn(View(snapshot_of(driver)), 200, 50).splitlines()
    fresh = next(line for line in lines if line.startswith("train/part_0"))
    resumed = next(line for line in lines if line.startswith("train/part_1"))
    bar = re.search("╍+━+─+", resumed)
    assert "╍" not in fresh
    assert bar is not None
    old, new, rest = (bar[0].count(glyph) for glyph in "╍━─")
    whole = old + new + rest
    assert (round(old / whole, 1), round(new / whole, 1)) == (0.4, 0.2)


@pytest.mark.parametrize("running", [0, 1, 4, 30])
@pytest.mark.parametrize("width", [20, 40, 80, 200])
@pytest.mark.parametrize("height", [1, 5, 12, 24, 50])
def test_it_stays_within_the_terminal(driver: ModuleType, running: int, width: int, height: int) -> None:
    lines = drawn(View(snapshot_of(driver, running)), width, height).splitlines()
    assert len(lines) <= max(height - 1, 1)
    assert max(cell_len(line) for line in lines) <= width


def test_shards_beyond_the_terminal_are_counted(driver: ModuleType) -> None:
    lines = drawn(View(snapshot_of(driver, 14)), 80, 24).splitlines()
    shown = sum(line.startswith("train/part_") for line in lines)
    assert shown > 1
    assert f"+{14 - shown} more" in [line.strip() for line in lines]
    assert "14 transfers running" in drawn(View(snapshot_of(driver, 14)), 80, 12)


def test_a_run_that_knows_nothing_yet_is_drawn() -> None:
    state = RunState()
    assert "0 B fetched" in drawn(View(state.snapshot()))


def test_colour_only_where_it_is_wanted(
    driver: ModuleType, terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    """NO_COLOR takes the colours and leaves the live picture."""
    monkeypatch.setenv("NO_COLOR", "1")
    with make_ui(stream=terminal, err=terminal) as ui:
        assert isinstance(ui, LiveUI)
        for event in driver.opening():
            ui.listen(event)
        ui.finish(driver.summary())
    text = terminal.getvalue()
    assert "\x1b[?25l" in text
    assert "\x1b[?25h" in text
    assert not re.search(r"\x1b\[[0-9;]*3[0-7](;[0-9]+)*m", text)


def test_live_draws_then_wipes_then_sums_up(driver: ModuleType, terminal: io.StringIO) -> None:
    with make_ui(stream=terminal, err=terminal) as ui:
        for event in driver.opening():
            ui.listen(event)
        end = time.monotonic() + 10
        while "98,400 checked" not in terminal.getvalue() and time.monotonic() < end:
            time.sleep(0.02)
        ui.finish(driver.summary())
    drawing, _, rest = terminal.getvalue().rpartition("\x1b[?25h")
    assert "98,400 checked" in drawing
    assert "98,400 checked" not in rest
    assert "1 finding: object failed" in rest
    assert "\x1b[31m.tar.gz" not in terminal.getvalue()


def test_the_picture_for_the_readme(driver: ModuleType, tmp_path: Path) -> None:
    first, second = tmp_path / "a.svg", tmp_path / "b.svg"
    record_svg(snapshot_of(driver), first)
    record_svg(snapshot_of(driver), second)
    svg = first.read_text(encoding="utf-8")
    assert svg.startswith("<svg")
    assert "98,400" in svg
    assert "\x1b" not in svg
    assert svg == second.read_text(encoding="utf-8")


def test_status_of_a_live_run(driver: ModuleType) -> None:
    text = drawn(render_status(snapshot_of(driver), {"clips": {"ok": 5}, "rows": 7}, now=1_001.0), 160)
    assert text.startswith("running: kdl mirror k400, since ")
    assert "train/part_1.tar.gz" in text
    assert re.search(r"clips +ok 5 *\nrows +7", text)


def test_status_of_a_run_that_was_killed(driver: ModuleType) -> None:
    text = drawn(render_status(snapshot_of(driver), None, now=1_000.0 + 3_700), 160)
    assert "cut off: kdl mirror k400" in text
    assert "1 h 01 min ago in step 'shards'" in text
    assert "try: the same command again; it goes on from there" in text
    assert "train/part_1" not in text


def test_status_of_a_run_that_ended(driver: ModuleType) -> None:
    ended = {**snapshot_of(driver), "finished": 1_060.0, "exit_code": 1}
    text = drawn(render_status(ended, None, now=2_000.0), 200)
    assert "after 1 min 00 s, exit code 1: corrupt, missing or failed items remain" in text
    assert "no run has been recorded here" in drawn(render_status(None, None))
