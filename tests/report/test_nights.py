"""The folder of nightly reports, the metrics as Prometheus reads them, and the webhook."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web
from prometheus_client.parser import text_string_to_metric_families

from kdl.errors import MachineError
from kdl.report.metrics import METRICS, NightNumbers, write_metrics
from kdl.report.nights import next_name, prune_reports, publish_page, write_report
from kdl.report.webhook import post

NIGHT = NightNumbers(
    clips={"ok": 30, "missing": 2},
    clip_bytes=12_345_678_901,
    never_checked=1,
    oldest_check=1_700_000_000.5,
    ended=1_700_086_400.25,
    last_success=1_700_000_100.0,
    duration_s=61.5,
    exit_code=1,
    checked=7,
    checked_bytes=9_000,
    not_reached=3,
    could_not_check=4,
    newly_bad=5,
    repaired=6,
    bad=2,
)


def parsed(path: Path) -> dict[str, float]:
    families = text_string_to_metric_families(path.read_text())
    return {
        sample.name + sample.labels.get("verdict", ""): sample.value
        for family in families
        for sample in family.samples
        if sample.labels["dataset"] == "k400"
    }


# -- reports


def test_each_night_has_a_name_of_its_own_and_the_last_is_the_latest(tmp_path: Path) -> None:
    folder = tmp_path / "reports"
    for number, wanted in enumerate(["2026-03-14", "2026-03-14-2", "2026-03-14-3"]):
        name = next_name(folder, "2026-03-14")
        assert name == wanted
        assert json.loads(write_report(folder, name, {"n": number}).read_bytes()) == {"n": number}
        assert json.loads((folder / "latest.json").read_bytes()) == {"n": number}
    assert next_name(folder, "2026-03-15") == "2026-03-15"
    assert not [path for path in folder.iterdir() if path.name.startswith(".")]


def test_old_nights_go_with_their_pages_and_nothing_else_does(tmp_path: Path) -> None:
    for name in [*(f"2026-03-{day:02}" for day in range(1, 10)), "2026-03-09-2", "2026-03-09-10"]:
        write_report(tmp_path, name, {})
        (tmp_path / f"{name}.html").write_text(name)
    publish_page(tmp_path / "2026-03-09.html")
    (tmp_path / "report.html").touch()
    (tmp_path / "2026-03-01.txt").touch()
    assert prune_reports(tmp_path, 3) == 16
    nights = ["2026-03-09", "2026-03-09-2", "2026-03-09-10"]
    kept = {f"{night}.{end}" for night in nights for end in ("html", "json")}
    others = {"2026-03-01.txt", "latest.html", "latest.json", "report.html"}
    assert {path.name for path in tmp_path.iterdir()} == kept | others
    assert prune_reports(tmp_path / "none", 3) == 0


def test_a_folder_that_can_not_be_made_is_told_of(tmp_path: Path) -> None:
    (tmp_path / "reports").write_text("in the way")
    with pytest.raises(MachineError, match="reports"):
        write_report(tmp_path / "reports", "2026-03-14", {})


# -- metrics


def test_prometheus_reads_every_metric_back(tmp_path: Path) -> None:
    path = tmp_path / "new" / "kdl.prom"
    write_metrics(path, "k400", NIGHT)
    write_metrics(path, "k400", replace(NIGHT, clips={"ok": 32, "missing": 0}))
    found = parsed(path)
    assert found.pop("kdl_clipsok") == 32
    assert found.pop("kdl_clipsmissing") == 0
    assert found == {
        "kdl_clip_bytes": 12_345_678_901,
        "kdl_never_checked_clips": 1,
        "kdl_oldest_check_timestamp_seconds": 1_700_000_000.5,
        "kdl_nightly_end_timestamp_seconds": 1_700_086_400.25,
        "kdl_nightly_last_success_timestamp_seconds": 1_700_000_100.0,
        "kdl_nightly_duration_seconds": 61.5,
        "kdl_nightly_exit_code": 1,
        "kdl_nightly_checked_clips": 7,
        "kdl_nightly_checked_bytes": 9_000,
        "kdl_nightly_not_reached_clips": 3,
        "kdl_nightly_could_not_check_clips": 4,
        "kdl_nightly_newly_bad_clips": 5,
        "kdl_nightly_repaired_clips": 6,
        "kdl_nightly_bad_clips": 2,
    }
    assert {*found, "kdl_clips"} == {f"kdl_{name}" for name in METRICS}
    assert [each.name for each in path.parent.iterdir()] == ["kdl.prom"]


def test_what_is_not_known_is_left_out(tmp_path: Path) -> None:
    write_metrics(tmp_path / "kdl.prom", "k400", replace(NIGHT, oldest_check=None, last_success=None))
    names = set(parsed(tmp_path / "kdl.prom"))
    assert len(names) == len(METRICS) - 1
    assert not names & {
        "kdl_oldest_check_timestamp_seconds",
        "kdl_nightly_last_success_timestamp_seconds",
    }


def test_metrics_that_can_not_be_written_are_told_of(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(MachineError):
        write_metrics(tmp_path / "file" / "kdl.prom", "k400", NIGHT)


# -- webhook

SECRET = "/services/T0/B0/s3cret?token=s3cret"
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


@asynccontextmanager
async def listening(handler: Handler) -> AsyncIterator[str]:
    """The URL of a server that answers everything with ``handler``."""
    app = web.Application()
    app.router.add_route("*", "/{any:.*}", handler)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}{SECRET}"
    finally:
        await runner.cleanup()


async def test_what_is_told_arrives_as_json() -> None:
    heard: list[tuple[str, str, Any]] = []

    async def hear(request: web.Request) -> web.Response:
        heard.append((request.method, request.path_qs, await request.json()))
        return web.Response(status=204)

    async with listening(hear) as url:
        assert await post(url, {"text": "zwölf", "n": [1]}) == ""
    assert heard == [("POST", SECRET, {"text": "zwölf", "n": [1]})]


@pytest.mark.parametrize(
    ("answers", "asked", "said"),
    [
        ([500, 502, 200], 3, ""),
        ([429, 200], 2, ""),
        ([500] * 4, 3, "it answers 500, 3 times"),
        ([404, 200], 1, "it answers 404"),
        ([302, 200], 1, "it answers 302"),
    ],
)
async def test_what_may_be_better_later_is_tried_again_a_few_times(
    answers: list[int], asked: int, said: str
) -> None:
    count = 0

    async def answer(request: web.Request) -> web.Response:
        nonlocal count
        count += 1
        return web.Response(status=answers[count - 1], headers={"Location": "/elsewhere"})

    async with listening(answer) as url:
        assert await post(url, {}, pause_s=0.01) == said
    assert count == asked


async def test_a_server_that_hangs_holds_nobody_up() -> None:
    async def hang(request: web.Request) -> web.Response:
        await asyncio.Event().wait()
        raise AssertionError

    async with listening(hang) as url:
        assert await post(url, {}, timeout_s=0.2, tries=2, pause_s=0.01) == "no answer within 0.2 s, 2 times"


async def test_a_server_that_hangs_up_or_is_not_there_is_named_without_its_secrets() -> None:
    async def hang_up(request: web.Request) -> web.Response:
        assert request.transport is not None
        request.transport.abort()
        return web.Response()

    async with listening(hang_up) as url:
        assert await post(url, {}, tries=1) == "it closed the connection without an answer"
    said = await post(url, {}, tries=2, pause_s=0.01)
    assert said.startswith("no connection")
    assert "s3cret" not in said
