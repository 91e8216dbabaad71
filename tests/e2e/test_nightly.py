"""Nights on a mirror with planted rot: found, mended, told; nights that are killed, stopped or in the way."""

from __future__ import annotations

import fcntl
import json
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.e2e import rot
from tests.e2e.hosted import Hosted
from tests.e2e.killing import end_all, start
from tests.e2e.running import Ran, kdl, tree

SECRET = "s3cret"
UNMENDABLE = {
    "noMoovAtAll_000015_000018.mp4",
    "notAVideo01_000005_000008.mp4",
    "valCutShort_000021_000024.mp4",
}
"""Corrupt as hosted, and nothing published replaces them."""


@dataclass
class Hook:
    """A server that hears of trouble. ``/gone…`` it answers with 404, ``/hang…`` not at all."""

    url: str
    heard: list[dict[str, Any]] = field(default_factory=list)
    hung: threading.Semaphore = field(default_factory=lambda: threading.Semaphore(0))
    """Counts those that wait for an answer."""
    over: threading.Event = field(default_factory=threading.Event)


@contextmanager
def hooked() -> Iterator[Hook]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            told = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            if self.path.startswith("/hang"):
                hook.hung.release()
                hook.over.wait()
                return
            gone = self.path.startswith("/gone")
            if not gone:
                hook.heard.append(told)
            self.send_response(404 if gone else 200)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        hook = Hook(f"http://127.0.0.1:{server.server_port}")
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield hook
        hook.over.set()
        server.shutdown()


@dataclass
class Nights:
    """What four nights came to, one of them killed."""

    demo: Hosted
    base: Path
    planted: dict[str, str]
    """By path: the kind that it is found as."""
    heard: list[dict[str, Any]]
    first: Ran
    killed: Path
    """The clip that rotted before the night that was killed."""
    third: Ran
    third_planted: dict[str, str]
    quiet: Ran
    reports: list[dict[str, Any]]


def sound(base: Path) -> list[Path]:
    """Clips of a class of val whose files are their shard's own, and then all of test's."""
    return sorted((base / "videos" / "val").rglob("*.mp4")) + sorted(
        (base / "videos" / "test").rglob("*.mp4")
    )


def run(demo: Hosted, base: Path, *arguments: object, **environment: str) -> Ran:
    return kdl("nightly", demo.dataset, "--root", base.parent, "--json", *arguments, **environment)


@pytest.fixture(scope="module")
def nights(demo: Hosted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Nights]:
    base = demo.copy(tmp_path_factory.mktemp("nights"))
    clips = sound(base)
    place = {path: str(path.relative_to(base)) for path in clips}
    with hooked() as hook:
        (base / "kdl.toml").write_text(
            f"""[nightly]
subset = "off"
origin = ["{demo.server.url}"]
metrics = "night.prom"
webhook = "{hook.url}/{SECRET}"
"""
        )
        rot.flip(clips[0])
        clips[1].unlink()
        planted = {place[clips[0]]: "bit_rot", place[clips[1]]: "missing_clip"}
        first = run(demo, base)

        rot.truncate(clips[2])
        going = start(base / "killed.jsonl", "nightly", demo.dataset, "--root", base.parent)
        # Found and remembered by then, and not mended.
        assert going.wait_for_phase("what is here under another name")
        going.kill(group=True)

        rot.swap(clips[3], clips[4])
        rot.rename(clips[5])
        third_planted = {
            place[clips[2]]: "clip_truncated",
            place[clips[3]]: "clip_swapped",
            place[clips[4]]: "clip_swapped",
            place[clips[5]]: "clip_renamed",
        }
        third = run(demo, base, "--no-page", KDL_WEBHOOK=f"{hook.url}/gone/{SECRET}?x={SECRET}")
        more = ("--from", base / "none", "--metrics", "/proc/kdl.prom", "--keep-reports", 2)
        quiet = run(demo, base, "--no-page", *more)
    reports = [json.loads(path.read_bytes()) for path in sorted((base / "reports").glob("*.json"))]
    yield Nights(demo, base, planted, hook.heard, first, clips[2], third, third_planted, quiet, reports)
    end_all()


def found(result: dict[str, Any], key: str) -> dict[str, str]:
    return {clip["path"]: clip["kind"] for clip in result[key] if Path(clip["path"]).name not in UNMENDABLE}


def test_rot_is_found_and_mended_in_one_run(nights: Nights) -> None:
    result = nights.first.result
    assert found(result, "newly_bad") == found(result, "repaired") == nights.planted
    assert (result["repair"]["repaired"], result["clips"]["missing"]) == (2, 0)
    assert {Path(clip["path"]).name for clip in result["still_bad"]} == UNMENDABLE
    assert nights.first.code == 1  # for those


def test_the_first_night_has_nothing_to_compare_with(nights: Nights) -> None:
    assert nights.first.result["difference"] == {
        "since": None,
        "bad_before": 0,
        "newly_bad": 5,
        "repaired": 2,
        "still_bad": 3,
        "clips": {},
    }


def test_what_a_killed_night_had_found_is_news_to_the_next(nights: Nights) -> None:
    result = nights.third.result
    assert found(result, "newly_bad") == found(result, "repaired") == nights.third_planted
    assert result["difference"] == {
        "since": nights.first.result["run"],
        "bad_before": 3,
        "newly_bad": 4,
        "repaired": 4,
        "still_bad": 3,
        "clips": {},
    }


def test_a_quiet_night_finds_nothing_new(nights: Nights) -> None:
    result = nights.quiet.result
    change = result["difference"]
    assert (change["since"], change["bad_before"]) == (nights.third.result["run"], 3)
    assert (change["newly_bad"], change["repaired"], change["still_bad"]) == (0, 0, 3)
    assert (result["newly_bad"], result["repaired"]) == ([], [])


def test_the_mirror_is_as_it_was(nights: Nights) -> None:
    assert nights.demo.mirrored is not None
    wanted = tree(nights.demo.mirrored / nights.demo.name / "videos")
    assert tree(nights.base / "videos") == wanted


def test_reports_are_what_json_prints_and_old_ones_go(nights: Nights) -> None:
    *_, latest = nights.reports
    assert len(nights.reports) == 3  # two nights, and the last of them once more
    for key in ("night", "exit_code", "difference", "clips", "newly_bad", "findings"):
        assert latest[key] == nights.quiet.result[key], key
    assert [report["night"] for report in nights.reports[:2]].count(latest["night"]) == 1
    assert not list((nights.base / "reports").glob(f"{nights.first.result['night']}.html"))


def test_the_page_lies_beside_the_report(nights: Nights) -> None:
    assert nights.first.result["page"].endswith(f"{nights.first.result['night']}.html")
    page = (nights.base / "reports" / "latest.html").read_text()
    assert "<html" in page
    assert f"nightly {nights.demo.dataset}" in page  # the night itself is among the runs it tells of


def test_prometheus_is_told(nights: Nights) -> None:
    text = (nights.base / "night.prom").read_text()
    values = {
        sample.name + sample.labels.get("verdict", ""): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }
    result = nights.third.result  # the last night wrote its own elsewhere, in vain
    assert values["kdl_nightly_exit_code"] == 1
    assert (values["kdl_nightly_newly_bad_clips"], values["kdl_nightly_repaired_clips"]) == (4, 4)
    assert values["kdl_nightly_bad_clips"] == values["kdl_clipscorrupt"] == 3
    assert values["kdl_clipsok"] == result["clips"]["ok"]
    assert values["kdl_nightly_checked_clips"] == result["verify"]["checked"]
    assert values["kdl_nightly_last_success_timestamp_seconds"] == values["kdl_nightly_end_timestamp_seconds"]
    assert values["kdl_oldest_check_timestamp_seconds"] >= result["started"]


def test_the_webhook_hears_of_what_is_new_and_of_nothing_else(nights: Nights) -> None:
    (told,) = nights.heard  # the third night's was refused, the quiet one had nothing to say
    assert told["difference"] == nights.first.result["difference"]
    assert told["text"].startswith("kdl nightly demo on ")
    assert told["text"].endswith("exit code 1; clips: 5 newly bad, 2 repaired, 3 still bad")
    assert {clip["path"] for clip in told["newly_bad"]} >= set(nights.planted)


def test_a_webhook_that_fails_is_a_finding_and_no_secret_gets_out(nights: Nights) -> None:
    (finding,) = (f for f in nights.third.result["findings"] if f["kind"] == "webhook_failed")
    assert finding["detail"] == "it answers 404"
    assert finding["subject"].endswith("/***")
    assert SECRET not in f"{nights.first} {nights.third} {nights.quiet} {nights.heard}"
    for path in nights.base.rglob("*"):
        if path.is_file() and path.name != "kdl.toml":
            assert SECRET.encode() not in path.read_bytes(), path


def test_what_the_night_can_not_use_or_write_is_a_finding(nights: Nights) -> None:
    kinds = {finding["kind"]: finding["subject"] for finding in nights.quiet.result["findings"]}
    assert kinds["from_unusable"] == str(nights.base / "none")
    assert kinds["metrics_not_written"] == "/proc/kdl.prom"
    assert nights.quiet.code == 1


def test_a_night_that_comes_while_another_goes_on_says_so_and_leaves(nights: Nights) -> None:
    with (nights.base / ".kdl" / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        lock.write('{"host": "h", "pid": 7, "verb": "nightly", "since": 0}')
        lock.flush()
        second = run(nights.demo, nights.base, "--no-page")
    assert second.code == 3
    (finding,) = second.result["findings"]
    assert finding["kind"] == "lock_held"
    assert "kdl nightly has the mirror (pid 7 on h" in finding["detail"]


def test_a_night_that_is_asked_to_stop_tells_how_far_it_came(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path / "root")
    log = tmp_path / "log.jsonl"
    going = start(
        log, "nightly", demo.dataset, "--root", base.parent, "--limit-rate", "20K", "--subset", "off"
    )
    assert going.wait_for(lambda event: event["event"] == "stage_progress")
    going.process.send_signal(signal.SIGTERM)
    code, out, _ = going.end()
    assert code == 143
    result = json.loads(out)
    assert result["verify"]["checked"] < sum(result["clips"][name] for name in ("ok", "short", "corrupt"))
    assert "interrupted" in {finding["kind"] for finding in result["findings"]}
    assert json.loads((base / "reports" / "latest.json").read_bytes())["exit_code"] == 143
    end_all()


def test_a_webhook_that_hangs_does_not_keep_a_night_from_ending(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path / "root")
    arguments = ("--subset", "off", "--level", "stat", "--no-repair")
    with hooked() as hook:
        where = {"KDL_WEBHOOK": f"{hook.url}/hang/{SECRET}"}
        going = start(
            tmp_path / "log.jsonl", "nightly", demo.dataset, "--root", base.parent, *arguments, **where
        )
        assert hook.hung.acquire(timeout=60)
        going.process.send_signal(signal.SIGTERM)
        code, out, _ = going.end()
        assert not hook.hung.acquire(blocking=False)  # it was not tried again
    assert code == 143
    assert json.loads((base / "reports" / "latest.json").read_bytes())["run"] == json.loads(out)["run"]
    end_all()


def test_a_night_that_can_not_begin_is_told_of(demo: Hosted, tmp_path: Path) -> None:
    with hooked() as hook:
        done = run(demo, tmp_path / "none" / demo.name, KDL_WEBHOOK=f"{hook.url}/{SECRET}")
    assert done.code == 3
    (told,) = hook.heard
    assert told["exit_code"] == 3
    assert "could not begin" in told["text"]
    assert told["findings"] == done.result["findings"]


def test_without_repair_what_is_bad_is_told_night_after_night(demo: Hosted, tmp_path: Path) -> None:
    base = demo.copy(tmp_path / "root")
    lost = sound(base)[0]
    lost.unlink()
    arguments = ("--no-repair", "--no-page", "--level", "stat", "--subset", "off", "--no-io-nice")
    first, second = (run(demo, base, *arguments).result["difference"] for _ in range(2))
    assert (first["newly_bad"], first["repaired"], first["still_bad"]) == (4, 0, 4)
    assert (second["bad_before"], second["newly_bad"], second["still_bad"]) == (4, 0, 4)
    assert not lost.exists()
