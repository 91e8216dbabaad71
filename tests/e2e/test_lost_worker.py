"""A worker that is killed from outside, as for want of memory, over a clip that nothing is wrong with."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.hosted import Hosted
from tests.e2e.killing import Live, end_all, litter, start


@pytest.fixture(autouse=True)
def _nothing_left_going() -> Iterator[None]:
    yield
    end_all()


def _rendering(run: Live) -> int:
    """The first worker that is met with an ffmpeg under it."""
    while run.process.poll() is None:
        for pid in run.descendants():
            with contextlib.suppress(OSError, IndexError):
                name, _, rest = Path(f"/proc/{pid}/stat").read_text().partition("(")[2].rpartition(")")
                parent = int(rest.split()[1])
                if name == "ffmpeg" and parent != run.process.pid:
                    return parent
        time.sleep(0.002)
    raise AssertionError("it ended, and no ffmpeg was seen")


def test_its_clip_is_tried_once_more(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path)
    derive = ("derive", demo.dataset, "--root", tmp_path, "--split", "val", "--recipe", "320p")
    run = start(tmp_path / "log", *derive, "--workers", 1)
    os.kill(_rendering(run), signal.SIGKILL)
    code, out, _ = run.end()
    assert code == 0, out
    assert '"320p": {"done": 8, "failed": 0}' in out
    assert len(list((base / "derived/320p/val").rglob("*.mp4"))) == 8
    assert litter(base) == []
