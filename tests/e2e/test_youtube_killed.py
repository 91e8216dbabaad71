"""Runs that cut clips out of videos, stopped and killed: nothing of them is left, the next one goes on."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e import killing
from tests.e2e.films import FPS, make_film, numbers_in
from tests.e2e.killing import Live, litter, marked
from tests.replica import nginx
from tests.replica.nginx import Nginx

CLIPS = 6
MANIFEST = """
name = "cinema"
title = "Cinema"
labels = ["air drumming"]
youtube = "https://www.youtube.com/watch?v="
hosts = {{ here = "{url}" }}

[[split]]
name = "train"
class_from = "annotation"
archives = ["not-there.tar"]
annotation = {{ url = "train.csv", format = "csv" }}
"""


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Nginx]:
    """Films that take a second or two to read as far as they are needed."""
    films = tmp_path / "bucket" / "films"
    films.mkdir(parents=True)
    rows = "label,youtube_id,time_start,time_end,split,is_cc\n"
    for number in range(CLIPS):
        make_film(films / f"film_num_-{number}.mp4", 20)
        rows += f"air drumming,film_num_-{number},{number},{number + 5},train,0\n"
    (tmp_path / "bucket" / "train.csv").write_text(rows)
    with nginx.serve(tmp_path / "bucket", limit_rate=150_000) as server:
        (tmp_path / "cinema.toml").write_text(MANIFEST.format(url=server.url))
        yield server
    killing.end_all()


def command(server: Nginx, folder: Path, jobs: int) -> tuple[object, ...]:
    origin = f"youtube={server.url}films"
    options = ("--source", "youtube", "--sleep", 0, "--youtube-jobs", jobs, "--origin", origin)
    return ("mirror", folder / "cinema.toml", "--root", folder / "root", *options)


def start(server: Nginx, folder: Path) -> Live:
    return killing.start(folder / "log", *command(server, folder, 2))


def wait_for_ffmpeg(run: Live) -> bool:
    """Until one of the run's ffmpegs reads a film; False if the run ends before."""
    until = time.monotonic() + 60
    while run.process.poll() is None:
        assert time.monotonic() < until
        for pid in marked(run.mark):
            try:
                words = Path(f"/proc/{pid}/cmdline").read_bytes()
            except OSError:
                continue
            if words.startswith(b"ffmpeg") and b"http" in words:
                return True
        time.sleep(0.01)
    return False


def refuse_halves(base: Path) -> int:
    """Fail unless every clip under its name is whole; how many there are."""
    clips = list((base / "videos").rglob("*.mp4"))
    for clip in clips:
        number = int(clip.name[10])
        assert numbers_in(clip) == list(range(number * FPS, (number + 5) * FPS))
    return len(clips)


@pytest.mark.long
@pytest.mark.parametrize("how", ["killed", "interrupted"])
def test_the_next_run_goes_on(server: Nginx, tmp_path: Path, how: str) -> None:
    base, stopped = tmp_path / "root" / "cinema", 0
    for delay in (0, 0.2, 0.6, 1.0, 1.4):
        run = start(server, tmp_path)
        if not wait_for_ffmpeg(run):
            run.end()
            continue
        time.sleep(delay)
        stopped += 1
        if how == "killed":
            run.kill()  # and nothing of it is left
        else:
            run.process.send_signal(signal.SIGINT)
            code, _, _ = run.end(timeout=30)
            assert code in (130, 0)
            run.gone(3)
        refuse_halves(base)
    assert stopped > 2
    assert start(server, tmp_path).end()[0] == 0
    assert refuse_halves(base) == CLIPS
    assert litter(base) == []


STEPS = (
    ("pathlib", "Path.replace", "after", "'spool/youtube' in str(a[1])"),
    ("kdl.jobs.youtube_place", "link_or_copy", "after", "True"),
    ("kdl.jobs.youtube", "record_came", "before", "True"),
    ("kdl.jobs.youtube", "let_go", "before", "True"),
)
"""From the first section that is whole to the name that it waited under."""


@pytest.mark.long
def test_what_is_whole_is_never_asked_for_again(server: Nginx, tmp_path: Path) -> None:
    base, mark = tmp_path / "root" / "cinema", 0
    for step in STEPS:
        killing.killed_at(step, *command(server, tmp_path, 1))
        refuse_halves(base)
        mark = mark or len(server.asked())
    assert start(server, tmp_path).end()[0] == 0
    assert refuse_halves(base) == CLIPS
    assert litter(base) == []
    assert not any("film_num_-0" in row.key for row in server.asked()[mark:])
