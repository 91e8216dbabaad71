"""Clips cut out of whole videos, which a server on loopback has in YouTube's place."""

from __future__ import annotations

import asyncio
import contextlib
import json
import sqlite3
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import dataclass, replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kdl.events import Bus
from kdl.fetch.youtube_options import YoutubeOptions
from kdl.jobs.demo_archives import Member, write_archive
from kdl.jobs.mirror import mirror
from kdl.jobs.options import Choice, MirrorOptions
from kdl.values import RunSummary
from tests.e2e.films import FPS, make_film, numbers_in
from tests.e2e.killing import litter
from tests.replica import nginx
from tests.replica.nginx import Nginx

FILM_S = 20
MANIFEST = """
name = "cinema"
title = "Cinema"
labels = ["air drumming", "zesting"]
youtube = "https://www.youtube.com/watch?v="

[hosts]
here = "{url}"

[[split]]
name = "train"
class_from = "annotation"
archives = ["not-there.tar"]
annotation = {{ url = "train.csv", format = "csv" }}

[[split]]
name = "val"
class_from = "annotation"
archives = ["val.tar"]
annotation = {{ url = "val.csv", format = "csv" }}
"""
FINE, FURTHER = "-fine_film_,3,8", "-fine_film_,11,16"
ENDS_EARLY, TOO_SHORT = "-fine_film_,16,24", "-fine_film_,30,35"
GONE, NO_FILM = "gone_film_-,0,10", "no_film----,2,12"
HOSTED, BROKEN = "hosted_one-,0,10", "broken_one-,4,9"


@dataclass
class Cinema:
    """A server with annotations, an archive and films, and one mirror of it."""

    folder: Path
    server: Nginx
    root: str = "root"

    @property
    def base(self) -> Path:
        return self.folder / self.root / "cinema"

    def mirror(
        self, *splits: str, origin: str | None = None, jobs: int = 1, cut: str = "exact", **options: Any
    ) -> RunSummary:
        asked = MirrorOptions(
            str(self.folder / "cinema.toml"),
            self.folder / self.root,
            Choice(splits=splits),
            origins=(f"youtube={origin or self.server.url + 'films'}",),
            youtube=YoutubeOptions(sleep_s=0, jobs=jobs, cut=cut),
            workers=1,
            **options,
        )
        return asyncio.run(mirror(asked, Bus()))

    def rows(self, sql: str) -> list[tuple[Any, ...]]:
        with contextlib.closing(sqlite3.connect(self.base / ".kdl/ledger.db")) as ledger:
            return ledger.execute(sql).fetchall()

    def reports(self) -> tuple[Any, Any]:
        """The crawler's, and ours."""
        names = ("download_report.json", "youtube.json")
        crawlers, ours = (json.loads((self.base / "reports" / name).read_text()) for name in names)
        return crawlers, ours

    def asked_for(self, mark: int = 0) -> set[str]:
        """The films that were asked for since ``mark`` requests."""
        return {Path(row.key).stem for row in self.server.asked()[mark:] if row.key.startswith("films/")}


def annotation(label: str, *clips: str, split: str = "train") -> str:
    return "".join(f"{label},{clip},{split},0\n" for clip in clips)


@pytest.fixture(scope="module")
def cinema(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cinema]:
    folder = tmp_path_factory.mktemp("cinema")
    bucket = folder / "bucket"
    (bucket / "films").mkdir(parents=True)
    make_film(bucket / "films" / "-fine_film_.mp4", FILM_S)
    for name in ("broken_one-", "unhosted_id"):
        (bucket / "films" / f"{name}.mp4").hardlink_to(bucket / "films" / "-fine_film_.mp4")
    (bucket / "films" / "no_film----.mp4").write_bytes(b"This is no film.\n" * 999)
    head = "label,youtube_id,time_start,time_end,split,is_cc\n"
    train = annotation("air drumming", FINE, FURTHER, GONE, NO_FILM) + annotation(
        "zesting", TOO_SHORT, ENDS_EARLY
    )
    (bucket / "train.csv").write_text(head + train)
    (bucket / "val.csv").write_text(
        head + annotation("zesting", HOSTED, BROKEN, "unhosted_id,5,15", split="val")
    )
    whole = (bucket / "films" / "-fine_film_.mp4").read_bytes()
    hosted = [
        Member("./hosted_one-_000000_000010.mp4", whole),
        Member("./broken_one-_000004_000009.mp4", whole[:5000]),
    ]
    write_archive(bucket / "val.tar", hosted, compressed=False)
    with nginx.serve(bucket) as server:
        (folder / "cinema.toml").write_text(MANIFEST.format(url=server.url))
        yield Cinema(folder, server)


@dataclass(frozen=True)
class First:
    """The first run, which takes the annotations' clips from films alone, and what it left."""

    summary: RunSummary
    came: list[tuple[Any, ...]]
    failures: list[tuple[Any, ...]]
    crawlers: list[list[Any]]
    ours: dict[str, Any]


@pytest.fixture(scope="module")
def first(cinema: Cinema) -> First:
    summary = cinema.mirror("train", source="youtube", jobs=2)
    came = "SELECT path, verdict, origin, check_level, provisional FROM clips WHERE path LIKE '%/train/%'"
    failures = """SELECT c.youtube_id, f.cause, permanent FROM youtube_failures AS f
                  JOIN clips AS c ON c.id = clip_id"""
    return First(summary, cinema.rows(came), cinema.rows(failures), *cinema.reports())


def place(clip: str, label: str = "air_drumming", split: str = "train") -> str:
    youtube_id, start, end = clip.split(",")
    return f"videos/{split}/{label}/{youtube_id}_{int(start):06d}_{int(end):06d}.mp4"


@pytest.mark.parametrize("clip", [FINE, FURTHER])
def test_a_clip_is_cut_to_the_picture(cinema: Cinema, first: First, clip: str) -> None:
    _, start, end = clip.split(",")
    path = cinema.base / place(clip)
    assert numbers_in(path) == list(range(int(start) * FPS, int(end) * FPS))
    entries = "stream=codec_name,start_time,duration,nb_frames"
    command = ["ffprobe", "-v", "error", "-of", "json", "-show_entries", entries, f"file:{path}"]
    video, audio = json.loads(subprocess.run(command, capture_output=True, check=True).stdout)["streams"]
    assert video == {
        "codec_name": "h264",
        "start_time": "0.000000",
        "duration": "5.000000",
        "nb_frames": "125",
    }
    assert audio["codec_name"] == "aac"
    assert float(audio["duration"]) == pytest.approx(5, abs=0.05)


def test_clips_are_judged_and_recorded_as_any_other(cinema: Cinema, first: First) -> None:
    assert sorted(first.came) == [
        (place(FINE), "ok", "youtube", "probe", 0),
        (place(FURTHER), "ok", "youtube", "probe", 0),
        (place(ENDS_EARLY, "zesting"), "short", "youtube", "probe", 0),
    ]
    assert litter(cinema.base) == []
    assert not any("not-there" in row.key for row in cinema.server.asked())


def test_what_did_not_come_is_sorted_and_told(cinema: Cinema, first: First) -> None:
    assert set(first.failures) == {
        ("gone_film_-", "removed", 1),
        ("-fine_film_", "too_short", 1),
        ("no_film----", "tool", 0),
    }
    assert first.summary.exit_code == 1
    failed = {"removed": 1, "tool": 1, "too_short": 1}
    assert first.summary.extra["youtube"] == {"came": 3, "failed": failed, "not_asked": 0}
    kinds = sorted(each.kind for each in first.summary.findings)
    assert kinds == ["short_clips", "youtube_failed", "youtube_unavailable", "youtube_unavailable"]
    assert ["-fine_film__000003_000008", True, "Downloaded"] in first.crawlers
    told = {name: why for name, here, why in first.crawlers if not here}
    assert told["gone_film_-_000000_000010"].startswith("removed: ")
    assert first.ours["counts"] == {"came": 3, **failed}
    assert {each["state"] for each in first.ours["clips"]} == {"came", *failed}


@dataclass(frozen=True)
class Second:
    """A run after one that was killed, and the films that it asked for."""

    summary: RunSummary
    asked: set[str]
    crawlers: list[list[Any]]


@pytest.fixture(scope="module")
def second(cinema: Cinema, first: First) -> Second:
    """The first run as if it had been killed before the ledger knew of a clip that lay in its place."""
    inbox = cinema.base / ".kdl/spool/youtube"
    inbox.mkdir(parents=True, exist_ok=True)
    clip = cinema.base / place(FURTHER)
    (inbox / f"train-{clip.name}").hardlink_to(clip)
    (inbox / "train-nobody_____000001_000002.mp4").write_bytes(b"of another selection, long ago")
    with contextlib.closing(sqlite3.connect(cinema.base / ".kdl/ledger.db")) as ledger:
        forgotten = "path = NULL, verdict = 'pending', origin = NULL, sha256 = NULL"
        ledger.execute(f"UPDATE clips SET {forgotten} WHERE time_start = 11")
        ledger.commit()
    mark = len(cinema.server.asked())
    summary = cinema.mirror("train", source="youtube")
    return Second(summary, cinema.asked_for(mark), cinema.reports()[0])


def test_no_video_is_asked_for_twice_that_came_or_was_refused_for_good(second: Second) -> None:
    assert second.asked == {"no_film----"}
    assert second.summary.extra["youtube"]["failed"] == {"tool": 1}
    assert ["-fine_film__000003_000008", True, "Exists"] in second.crawlers
    assert any(name.startswith("gone_film_-") and not here for name, here, _ in second.crawlers)


def test_what_a_killed_run_had_takes_its_place(cinema: Cinema, second: Second) -> None:
    assert cinema.rows("SELECT verdict, origin FROM clips WHERE time_start = 11") == [("ok", "youtube")]
    assert numbers_in(cinema.base / place(FURTHER)) == list(range(11 * FPS, 16 * FPS))
    assert litter(cinema.base) == []


def test_shards_come_first_and_films_fill_what_they_lack(cinema: Cinema) -> None:
    done = cinema.mirror("val", fill_missing=True, jobs=2)
    assert done.extra["youtube"] == {"came": 2, "failed": {}, "not_asked": 0}
    assert done.exit_code == 0
    sql = """SELECT youtube_id, verdict, origin, replaced_cause FROM clips
             WHERE split = 'val' ORDER BY time_start"""
    filled = [
        ("hosted_one-", "ok", "shard", None),
        ("broken_one-", "ok", "youtube", "moov_missing"),
        ("unhosted_id", "ok", "youtube", None),
    ]
    assert cinema.rows(sql) == filled
    assert numbers_in(cinema.base / place(BROKEN, "zesting", "val"))[0] == 4 * FPS
    assert litter(cinema.base) == []
    lost = [cinema.base / place(clip, "zesting", "val") for clip in (BROKEN, "unhosted_id,5,15")]
    for path in lost:
        path.unlink()
    mark = len(cinema.server.asked())
    cinema.mirror("val", fill_missing=True, jobs=2)
    assert cinema.rows(sql) == filled
    assert all(path.is_file() for path in lost)
    assert not any(row.key == "val.tar" and row.method == "GET" for row in cinema.server.asked()[mark:])


class _Refusing(BaseHTTPRequestHandler):
    """Answers every request with the status that its server holds."""

    def do_GET(self) -> None:
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        self.send_response(self.server.status)  # type: ignore[attr-defined]
        self.send_header("Content-Length", "0")
        self.end_headers()

    do_HEAD = do_GET

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextlib.contextmanager
def refusing(status: int) -> Iterator[tuple[str, list[str]]]:
    """A server's URL, and the paths that it was asked for."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Refusing) as server:
        server.status, server.asked = status, []  # type: ignore[attr-defined]
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", server.asked  # type: ignore[attr-defined]
        finally:
            server.shutdown()
            thread.join()


def test_a_site_that_wants_no_more_questions_gets_none(cinema: Cinema) -> None:
    with refusing(429) as (origin, asked):
        done = replace(cinema, root="barred").mirror("train", source="youtube", origin=origin)
    assert done.exit_code == 4
    assert len(set(asked)) == 1
    assert done.extra["youtube"]["failed"] == {"rate_limit": 1}
    assert done.extra["youtube"]["not_asked"] == 5
    stopped = next(each for each in done.findings if each.kind == "youtube_stopped")
    assert "--cookies" in stopped.fix
    assert "429" in stopped.detail


@pytest.mark.long
@pytest.mark.parametrize(("status", "cause", "asked", "code"), [(503, "network", 3, 4), (403, "tool", 5, 1)])
def test_what_fails_for_several_in_a_row_is_the_fault_of_none(
    cinema: Cinema, status: int, cause: str, asked: int, code: int
) -> None:
    with refusing(status) as (origin, _):
        done = replace(cinema, root=cause).mirror("train", source="youtube", origin=origin, tries=1)
    assert done.exit_code == code
    assert done.extra["youtube"] == {"came": 0, "failed": {cause: asked}, "not_asked": 6 - asked}
    assert "youtube_stopped" in {each.kind for each in done.findings}
