"""The live picture in a real terminal, resized while it is drawn."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
DRIVER = Path(__file__).with_name("stream_driver.py")
SIZES = [(80, 24), (160, 50)] if shutil.which("tmux") else []


class Tmux:
    """A server of its own, so that nobody's sessions are touched."""

    def __init__(self) -> None:
        self._socket = f"kdl-test-{uuid.uuid4().hex[:8]}"

    def __call__(self, *arguments: str) -> str:
        command = ("tmux", "-L", self._socket, "-f", "/dev/null", *arguments)
        # A size in the environment, as readline and test runners leave there, would rule the terminal's.
        env = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "LINES")}
        ran = subprocess.run(command, check=True, capture_output=True, text=True, timeout=20, env=env)
        return ran.stdout

    def screen(self) -> list[str]:
        return [line.rstrip() for line in self("capture-pane", "-p").splitlines()]

    def until(self, holds: Callable[[list[str]], bool]) -> list[str]:
        end = time.monotonic() + 30
        while time.monotonic() < end:
            if holds(screen := self.screen()):
                return screen
            time.sleep(0.1)
        raise AssertionError("\n".join(self.screen()))


@pytest.fixture
def tmux() -> Iterator[Tmux]:
    server = Tmux()
    yield server
    server("kill-server")


def draws_once(screen: list[str]) -> bool:
    """The whole picture is there, each of its lines once."""
    heads = sum(line.startswith("kdl mirror k400") for line in screen)
    feet = sum(line.startswith("findings 1") for line in screen)
    return heads == 1 and feet == 1


def bars_in(screen: list[str]) -> int:
    return sum("part_" in line and "/s" in line for line in screen)


def start(tmux: Tmux, width: int, height: int, seconds: float) -> None:
    command = f"cd '{PROJECT}' && PYTHONPATH=. '{sys.executable}' '{DRIVER}' {seconds} 14; exec sleep 60"
    tmux("new-session", "-d", "-x", str(width), "-y", str(height), "sh", "-c", command)


@pytest.mark.parametrize(("width", "height"), SIZES)
def test_a_run_from_picture_to_summary(tmux: Tmux, width: int, height: int) -> None:
    start(tmux, width, height, 6)
    bars = 14 if height == 50 else 6
    screen = tmux.until(lambda lines: draws_once(lines) and bars_in(lines) == bars)
    assert all("\ufffd" not in line for line in screen)
    ended = tmux.until(lambda lines: any(line == "  try: kdl repair k400" for line in lines))
    assert not any("checked" in line for line in ended)
    assert sum("41 findings: corrupt clip" in line for line in ended) == 1


@pytest.mark.parametrize(("width", "height"), SIZES[:1])
def test_it_is_redrawn_whole_when_the_terminal_is_resized(tmux: Tmux, width: int, height: int) -> None:
    start(tmux, 140, 40, 60)
    tmux.until(draws_once)
    for size in ((width, height), (170, 45), (100, 30)):
        tmux("resize-window", "-x", str(size[0]), "-y", str(size[1]))
        tmux.until(lambda screen, size=size: draws_once(screen) and bar_width(screen) == size[0])
        time.sleep(0.6)  # and it stays so
        tmux.until(draws_once)


def bar_width(screen: list[str]) -> int:
    """Cells of the bar of all bytes, which spans the terminal."""
    return next((len(line) for line in screen if line and set(line) <= set("━─")), 0)
