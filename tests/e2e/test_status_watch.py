"""``kdl status --watch``: in a terminal, through a pipe, and how each ends."""

from __future__ import annotations

import json
import os
import shutil
import signal
import sqlite3
import subprocess
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import pytest

from tests.e2e.hosted import Hosted
from tests.e2e.running import KDL, kdl
from tests.ui.test_terminal import Tmux, tmux  # noqa: F401 - a fixture

WELL = "Sound but for 3 corrupt clips that nothing published replaces."
LOST = "Not sound: 1 clip is gone or changed since they were judged."


@pytest.fixture
def base(demo: Hosted, tmp_path: Path) -> Path:
    return demo.copy(tmp_path / "root")


def lose_one(base: Path) -> None:
    with closing(sqlite3.connect(base / ".kdl" / "ledger.db")) as ledger, ledger:
        ledger.execute("UPDATE clips SET verdict = 'missing' WHERE id = (SELECT min(id) FROM clips)")


@contextmanager
def watching(dataset: str, base: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    command = (
        *KDL,
        "status",
        dataset,
        "--root",
        str(base.parent),
        "--watch",
        "--interval",
        "0.2",
        *arguments,
    )
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:
        try:
            yield running
        finally:
            running.kill()


def test_piped_each_look_that_differs_is_printed(demo: Hosted, base: Path) -> None:
    with watching(demo.dataset, base) as running:
        assert running.stdout is not None
        first = [running.stdout.readline().rstrip() for _ in range(3)]
        assert first[1] == WELL
        assert first[2].startswith("3 clips are corrupt  kdl status ")
        lose_one(base)
        told = iter(running.stdout.readline, "")
        assert LOST in map(str.rstrip, told)
        running.send_signal(signal.SIGINT)
        assert running.wait(30) == 130


def test_as_json_an_object_a_line_until_nobody_reads(demo: Hosted, base: Path) -> None:
    with watching(demo.dataset, base, "--json") as running:
        assert running.stdout is not None
        first = json.loads(running.stdout.readline())
        lose_one(base)
        second = json.loads(running.stdout.readline())
        running.stdout.close()
        assert running.wait(30) == 0
    assert (first["headline"], first["next"]) == (WELL, None)
    assert second["headline"] == LOST
    assert second["next"].startswith("kdl repair ")
    assert second["clips"]["missing"] == 1
    assert {"run", "clips", "shards", "derived", "dataset", "exit_code", "findings"} <= set(second)


def test_sigterm_ends_it_with_its_code(demo: Hosted, base: Path) -> None:
    with watching(demo.dataset, base) as running:
        assert running.stdout is not None
        running.stdout.readline()
        running.terminate()
        assert running.wait(30) == 143


@pytest.mark.skipif(shutil.which("tmux") is None, reason="tmux is not installed")
def test_in_a_terminal_it_is_drawn_anew_and_leaves_it_as_it_was(demo: Hosted, base: Path, tmux: Tmux) -> None:  # noqa: F811
    command = f"{KDL[0]} -m kdl status {demo.dataset} --root {base.parent} --watch --interval 0.2"
    shell = f"cd '{os.getcwd()}'; trap : INT; {command}; echo ended with $?; exec sleep 60"
    tmux("new-session", "-d", "-x", "150", "-y", "30", "sh", "-c", shell)
    drawn = tmux.until(lambda screen: any(line.startswith("ended: kdl mirror demo") for line in screen))
    assert drawn[0] == WELL
    assert any(line.startswith("looked at") and line.endswith("in 30 days 38") for line in drawn)
    lose_one(base)
    again = tmux.until(lambda screen: screen[0] == LOST)
    assert sum(line.startswith("clips ") for line in again) == 1
    tmux("resize-window", "-x", "100", "-y", "20")
    tmux.until(lambda screen: screen[0] == LOST and len(screen) == 20)
    tmux("send-keys", "C-c")
    left = tmux.until(lambda screen: "ended with 130" in screen)
    assert left[0] == LOST  # the last picture stays
    assert tmux("display-message", "-p", "#{cursor_flag}").strip() == "1"


def test_what_watch_is_not_for_is_said(demo: Hosted, tmp_path: Path) -> None:
    assert demo.run("status", tmp_path, "--watch", "--show", "ok").code == 2
    assert demo.run("status", tmp_path, "--interval", "1").code == 2
    nowhere = kdl("status", demo.dataset, "--root", tmp_path, "--watch", "--json")
    assert nowhere.code == 3
    assert nowhere.result["findings"][0]["detail"] == "there is no mirror of demo here"
