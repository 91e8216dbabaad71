"""Signals, a second run, and workers that are killed: what they cost, and what is said of it."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import pty
import random
import secrets
import signal
import socket
import sqlite3
import subprocess
import termios
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from kdl.jobs.demo_bucket import DemoBucket
from tests.e2e.killing import (
    MIB,
    Live,
    Outcome,
    differences,
    end_all,
    fetched_again,
    heavy_bucket,
    litter,
    outcome,
    scratch,
    start,
)
from tests.e2e.running import KDL, kdl
from tests.replica import nginx

RECIPES = ("--split", "val", "--recipe", "320p", "--recipe", "rawframes-256")
CLIPS = {"ok", "short", "corrupt", "missing", "pending", "unchecked", "never_hosted", "unlisted", "replaced"}
RATE = 1_500_000
"""Bytes a second and connection: a shard is under way for a while."""
ENDS_WITHIN_S = 5.0


@pytest.fixture(autouse=True)
def _nothing_left_going() -> Iterator[None]:
    yield
    end_all()


@pytest.fixture(scope="module")
def bucket(tmp_path_factory: pytest.TempPathFactory) -> DemoBucket:
    return heavy_bucket(tmp_path_factory.mktemp("interrupt"), 400_000)


@pytest.fixture
def server(bucket: DemoBucket) -> Iterator[nginx.Nginx]:
    with nginx.serve(bucket.directory, limit_rate=RATE) as running:
        yield running


@pytest.fixture(scope="module")
def undisturbed(bucket: DemoBucket, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What a run with derivatives comes to that nothing disturbs."""
    with scratch(tmp_path_factory.mktemp("undisturbed")) as root, nginx.serve(bucket.directory) as running:
        done = kdl("mirror", bucket.manifest_path, "--root", root, "--origin", running.url, *RECIPES)
        assert done.code == 1, done.err
        return outcome(root / "demo")


def _mirror(bucket: DemoBucket, root: Path, server: nginx.Nginx, *options: object) -> tuple[object, ...]:
    return ("mirror", bucket.manifest_path, "--root", root, "--origin", server.url, "--jobs", 3, *options)


def _signalled(run: Live, how: signal.Signals) -> dict[str, Any] | None:
    """Ctrl-C goes to the whole group, a SIGTERM to the process; the object that was printed.

    None where the run's outcome was recorded before the signal came.
    """
    began = time.monotonic()
    if how is signal.SIGINT:
        os.killpg(run.process.pid, how)
    else:
        run.process.send_signal(how)
    code, out, err = run.end(timeout=30)
    took = time.monotonic() - began
    if any(event["event"] == "run_ended" and event["exit_code"] == 1 for event in run.events()):
        return None
    assert code == 128 + how, (out, err)
    assert took < ENDS_WITHIN_S, run.phases()
    run.gone(1)
    result: dict[str, Any] = json.loads(out)
    assert result["exit_code"] == code
    return result


def _last_run(base: Path) -> tuple[Any, ...]:
    with contextlib.closing(sqlite3.connect(base / ".kdl/ledger.db")) as ledger:
        row: tuple[Any, ...] = ledger.execute(
            "SELECT ended IS NOT NULL, exit_code, summary FROM runs ORDER BY started DESC LIMIT 1"
        ).fetchone()
        return row


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("how", "phases"),
    [
        (signal.SIGINT, ("annotations", "planning", "shards", "shards", "checking", "derivatives", "lists")),
        pytest.param(signal.SIGTERM, ("annotations", "shards", "derivatives"), marks=pytest.mark.long),
    ],
    ids=["ctrl-c", "terminated"],
)
def test_a_signal_in_any_phase_ends_the_run_recorded(
    bucket: DemoBucket,
    server: nginx.Nginx,
    undisturbed: Outcome,
    tmp_path: Path,
    how: signal.Signals,
    phases: tuple[str, ...],
) -> None:
    mirror = _mirror(bucket, tmp_path, server, *RECIPES)
    base, interrupted = tmp_path / "demo", 0
    for phase in phases:
        run = start(tmp_path / "log", *mirror)
        if not run.wait_for_phase(phase):
            assert run.end()[0] == 1  # it was quicker
            continue
        time.sleep(0.3 * random.random())
        if run.process.poll() is not None:
            run.end()
            continue
        result = _signalled(run, how)
        if result is None:
            continue
        interrupted += 1

        assert set(result) == {
            "dataset", "exit_code", "elapsed_s", "findings", "shards", "bytes", "retries", "clips", "derived",
        }  # fmt: skip
        assert set(result["shards"]) == {"done", "failed", "skipped"}
        assert set(result["bytes"]) == {"fetched", "written"}
        assert set(result["clips"]) == CLIPS
        assert set(result["derived"]) == {"320p", "rawframes-256"}
        [finding] = [finding for finding in result["findings"] if finding["kind"] == "interrupted"]
        assert how.name in finding["detail"]
        ended, code, summary = _last_run(base)
        assert (ended, code, json.loads(summary)["clips"]) == (1, 128 + how, result["clips"])
        status = json.loads((base / ".kdl/status.json").read_text())
        assert (status["finished"] is not None, status["exit_code"]) == (True, 128 + how)
        assert list((base / ".kdl").glob("tmp/*")) == []
    assert interrupted >= len(phases) - 2  # the last steps may be over before the signal comes
    assert kdl(*mirror).code == 1
    assert differences(outcome(base), undisturbed) == {}
    assert litter(base) == []
    assert max(fetched_again(server.asked(), bucket).values()) <= MIB


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM], ids=["ctrl-c", "terminated"])
def test_the_second_signal_leaves_at_once(
    bucket: DemoBucket, server: nginx.Nginx, tmp_path: Path, how: signal.Signals
) -> None:
    run = start(tmp_path / "log", *_mirror(bucket, tmp_path, server, "--split", "val"))
    assert run.wait_for_phase("shards")
    os.kill(run.process.pid, how)
    assert run.wait_for(lambda event: event["event"] == "interrupted")
    os.kill(run.process.pid, how)
    code, _, err = run.end(timeout=10)
    assert code in (128 + how, -how), err  # a shell tells 128 more for either
    run.gone(3)
    assert _last_run(tmp_path / "demo")[0] in (0, 1)
    assert kdl(*_mirror(bucket, tmp_path, server, "--split", "val")).code == 1


def test_ctrl_c_typed_at_a_terminal(bucket: DemoBucket, server: nginx.Nginx, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()

    def own_the_terminal() -> None:
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    process = subprocess.Popen(
        [*KDL, *map(str, _mirror(bucket, tmp_path, server, "--split", "val"))],
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        start_new_session=True,
        preexec_fn=own_the_terminal,
        env={**os.environ, "TERM": "xterm-256color"},
    )
    os.close(theirs)
    seen = b""
    try:
        while b"shards" not in seen:
            seen += os.read(ours, 65536)
        os.write(ours, b"\x03")
        with contextlib.suppress(OSError):  # how Linux tells that nobody holds the other end any more
            while data := os.read(ours, 65536):
                seen += data
        assert process.wait(timeout=10) == 130
    finally:
        process.kill()
        process.wait()
        os.close(ours)
    assert b"Traceback" not in seen
    assert b"interrupted" in seen
    assert b"\x1b[?25h" in seen[seen.rfind(b"\x1b[?25l") :]  # the cursor is back


@pytest.mark.long
def test_derive_and_lists_end_recorded_too(
    bucket: DemoBucket, server: nginx.Nginx, undisturbed: Outcome, tmp_path: Path
) -> None:
    assert kdl(*_mirror(bucket, tmp_path, server, "--split", "val")).code == 1
    run = start(tmp_path / "log", "derive", bucket.manifest_path, "--root", tmp_path, *RECIPES)
    assert run.wait_for_phase("derivatives")
    result = _signalled(run, signal.SIGINT)
    assert result is not None
    assert set(result["derived"]) == {"320p", "rawframes-256"}
    assert _last_run(tmp_path / "demo")[:2] == (1, 130)
    assert kdl(*_mirror(bucket, tmp_path, server, *RECIPES)).code == 1
    assert differences(outcome(tmp_path / "demo"), undisturbed) == {}


def test_a_second_run_is_refused_and_status_answers(
    bucket: DemoBucket, server: nginx.Nginx, tmp_path: Path
) -> None:
    run = start(tmp_path / "log", *_mirror(bucket, tmp_path, server, "--limit-rate", "300K"))
    assert run.wait_for_phase("shards")
    second = kdl(*_mirror(bucket, tmp_path, server, "--split", "val"), "--json")
    told = kdl("status", bucket.manifest_path, "--root", tmp_path, "--json")
    shown = kdl("status", bucket.manifest_path, "--root", tmp_path)
    assert run.process.poll() is None

    [finding] = second.result["findings"]
    assert (second.code, finding["kind"]) == (3, "lock_held")
    for word in (str(run.process.pid), socket.gethostname(), time.strftime("%Y-%m-%d")):
        assert word in finding["detail"]
    assert (told.code, told.result["run"]["pid"]) == (0, run.process.pid)
    assert told.result["run"]["finished"] is None
    assert (shown.code, "demo" in shown.out) == (0, True)
    run.kill()


def test_the_lock_of_a_dead_process_refuses_nobody(
    bucket: DemoBucket, server: nginx.Nginx, tmp_path: Path
) -> None:
    run = start(tmp_path / "log", *_mirror(bucket, tmp_path, server, "--split", "val"))
    assert run.wait_for_phase("shards")
    run.kill()
    lock = tmp_path / "demo/.kdl/lock"
    assert json.loads(lock.read_text())["pid"] == run.process.pid
    assert kdl("status", bucket.manifest_path, "--root", tmp_path, "--json").code == 0
    again = kdl(*_mirror(bucket, tmp_path, server, "--split", "val"), "--json")
    assert (again.code, again.kinds() & {"lock_held"}) == (1, set())


def _workers(run: Live) -> list[int]:
    """Worker processes: those that the pool started, and that start ffprobe and ffmpeg."""
    found = []
    for pid in run.descendants():
        with contextlib.suppress(OSError):
            if b"kdl.media.worker" in Path(f"/proc/{pid}/cmdline").read_bytes():
                found.append(pid)
    return found


def _shoot(run: Live, at_most: int, dice: random.Random) -> int:
    """Crash workers one after another, wherever they are in their work; how many."""
    shot = 0
    while run.process.poll() is None and shot < at_most:
        time.sleep(dice.uniform(0.02, 0.25))
        if workers := _workers(run):
            with contextlib.suppress(ProcessLookupError):
                os.kill(dice.choice(workers), dice.choice([signal.SIGSEGV, signal.SIGKILL]))
                shot += 1
    return shot


def test_no_clip_is_condemned_because_its_worker_was_killed(
    bucket: DemoBucket, server: nginx.Nginx, undisturbed: Outcome, tmp_path: Path
) -> None:
    seed = secrets.randbelow(1 << 30)
    print(f"seed {seed}")
    mirror = _mirror(bucket, tmp_path, server, "--split", "val", "--prober", "ffprobe")
    run = start(tmp_path / "log", *mirror)
    assert run.wait_for_phase("shards")
    assert _shoot(run, 5, random.Random(seed)) >= 1
    assert run.end()[0] in (1, 3)  # 3: it was the same clip time and again
    assert kdl(*mirror, *RECIPES).code == 1
    assert differences(outcome(tmp_path / "demo"), undisturbed) == {}


def test_a_worker_killed_while_it_renders_costs_its_own_clip_at_the_most(
    bucket: DemoBucket, server: nginx.Nginx, undisturbed: Outcome, tmp_path: Path
) -> None:
    seed = secrets.randbelow(1 << 30)
    print(f"seed {seed}")
    mirror = _mirror(bucket, tmp_path, server, *RECIPES)
    run = start(tmp_path / "log", *mirror)
    assert run.wait_for_phase("derivatives")
    shot = _shoot(run, 3, random.Random(seed))
    code, out, _ = run.end()
    derived = json.loads(out)["derived"]
    assert (code, shot >= 1) == (1, True)
    for counts in derived.values():
        assert counts["failed"] <= shot
        assert counts["done"] + counts["failed"] == 8
    assert kdl(*mirror, "--retry-failed").code == 1
    assert differences(outcome(tmp_path / "demo"), undisturbed) == {}
