"""Ten times the clips may take ten times the work, no more memory, and a reader's patience not at all."""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from kdl import events
from kdl.jobs.run import open_run
from kdl.ledger import annotated, arrivals, clips, derivatives, objects, replacements
from kdl.ledger.clips import Scope
from kdl.ledger.ledger import open_ledger
from kdl.settings import MIB, MirrorPaths
from kdl.values import Annotation, Finding, Level
from tools.bench.bucket import DATASET, Bucket, make_bucket
from tools.bench.filling import fill
from tools.bench.memory import CEILING, holds, peak_of

ALL = Scope(("train", "val", "test"))
ONE_CLASS = Scope(("train",), ("abseiling",))
RECIPES = [("320p", "another"), ("frames-300", "0" * 16)]

Question = Callable[[sqlite3.Connection], object]
Pair = tuple[sqlite3.Connection, sqlite3.Connection]


def _walk_to_derive(connection: sqlite3.Connection, scope: Scope = ALL) -> int:
    found, mark = 0, derivatives.NEVER
    while mark is not None:
        rows, mark = derivatives.clips_to_derive(connection, scope, RECIPES, mark, 100)
        found += len(rows)
    return found


AGAIN_AND_AGAIN: dict[str, Question] = {
    "counting": lambda c: clips.count_clips(c, ALL),
    "counting a class": lambda c: clips.count_clips(c, ONE_CLASS),
    "to be checked": lambda c: clips.fresh_clips(c, ALL, 500),
    "to be checked in a class": lambda c: clips.fresh_clips(c, ONE_CLASS, 500),
    "to be derived": lambda c: derivatives.clips_to_derive(c, ALL, RECIPES, derivatives.NEVER, 100),
    "to be derived in a class": lambda c: derivatives.clips_to_derive(
        c, ONE_CLASS, RECIPES, derivatives.NEVER, 100
    ),
    "a shard proved": lambda c: arrivals.settle_shard(c, 1),
    "absences": lambda c: clips.mark_never_hosted(c, "val"),
    "splits read whole": lambda c: objects.splits_read_whole(c, ALL.splits),
}
"""What a run asks many times: each must find its rows by an index and sort nothing."""

ONCE: dict[str, Question] = {
    "what should be there": lambda c: list(clips.files_where(c, "verdict IN ('ok', 'short', 'corrupt')")),
    "not looked at deep enough": lambda c: list(clips.shallow_clips(c, ALL, Level.DECODE)),
    "unwritten": lambda c: objects.unwritten_by_shard(c, ALL),
    "replaceable": lambda c: list(replacements.replaceable_clips(c, ALL)),
    "all derivatives": lambda c: list(derivatives.done_derivatives(c, "320p")),
    "derivatives counted": lambda c: derivatives.count_derivatives(c, ALL, "320p"),
    "all to be derived": _walk_to_derive,
}
"""What a run asks once about all clips: the work may grow with their number, and no faster."""


@pytest.fixture(scope="module")
def ledgers(
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[tuple[sqlite3.Connection, sqlite3.Connection]]:
    """Ledgers of 3,000 and of 12,000 clips."""
    opened = tuple(_filled(tmp_path_factory.mktemp("ledger"), count) for count in (3_000, 12_000))
    yield opened[0], opened[1]
    for connection in opened:
        connection.close()


def _filled(folder: Path, count: int) -> sqlite3.Connection:
    bucket = make_bucket(folder / "bucket", {"train": count * 4 // 5, "val": count // 5})
    paths = MirrorPaths(folder / DATASET)
    with open_ledger(paths.ledger, create=True) as ledger:
        for split in ("train", "val"):
            ledger.write(lambda c, split=split: _annotate(c, bucket, split)).result()
    fill(bucket, paths, files=False)
    connection = sqlite3.connect(paths.ledger, isolation_level=None)
    connection.row_factory = sqlite3.Row
    return connection


def _annotate(connection: sqlite3.Connection, bucket: Bucket, split: str) -> None:
    rows = [Annotation(clip.key, clip.label) for clip in bucket.listed(split)]
    annotated.load_annotations(connection, 1, rows, lambda label: label.replace(" ", "_"), decides=False)


@pytest.mark.parametrize("name", AGAIN_AND_AGAIN)
def test_what_is_asked_often_is_answered_by_an_index(ledgers: Pair, name: str) -> None:
    asked: list[str] = []
    connection = ledgers[0]
    connection.set_trace_callback(asked.append)
    connection.execute("BEGIN")
    AGAIN_AND_AGAIN[name](connection)
    connection.execute("ROLLBACK")
    connection.set_trace_callback(None)
    plans = {
        step["detail"]
        for sql in asked
        if sql not in ("BEGIN", "ROLLBACK")
        for step in connection.execute(f"EXPLAIN QUERY PLAN {sql}")
    }
    assert plans
    assert not [step for step in plans if step.startswith(("SCAN", "USE TEMP B-TREE"))]


@pytest.mark.parametrize("name", ONCE)
def test_four_times_the_clips_take_four_times_the_work(ledgers: Pair, name: str) -> None:
    few, many = (_steps(connection, ONCE[name]) for connection in ledgers)
    assert many <= 5 * few + 1000


def _steps(connection: sqlite3.Connection, question: Question) -> int:
    """Instructions of SQLite's machine, in hundreds: work, whatever else the computer does."""
    count = 0

    def tick() -> int:
        nonlocal count
        count += 1
        return 0

    connection.set_progress_handler(tick, 100)
    question(connection)
    connection.set_progress_handler(None, 0)
    return count


def test_a_walk_over_the_sound_clips_meets_each_that_lacks_something(
    ledgers: Pair,
) -> None:
    connection = ledgers[0]
    sound = connection.execute("SELECT count(*) FROM clips WHERE verdict IN ('ok', 'short')").fetchone()[0]
    assert _walk_to_derive(connection) == sound
    of_class = "SELECT count(*) FROM clips WHERE verdict IN ('ok', 'short') AND class_dir = 'abseiling'"
    held = connection.execute(f"{of_class} AND split = 'train'").fetchone()[0]
    assert 0 < _walk_to_derive(connection, ONE_CLASS) == held < sound


def test_a_folder_that_was_lost_costs_no_memory(tmp_path: Path) -> None:
    told: list[events.Event] = []
    bus = events.Bus()
    bus.subscribe(told.append)
    with open_run("mirror", "demo", "demo", tmp_path, bus, create=True) as run:
        for number in range(5_003):
            run.find(Finding("missing_clip", f"clip {number}", "gone"), 1)
        run.find(Finding("readme_missing", "readme", "gone"))
        summary = run.summary({})
        run.end(summary)
        kept = run.ledger.one("SELECT count(*) FROM findings")
    kinds = [finding.kind for finding in summary.findings]
    assert (kinds.count("missing_clip"), kinds.count("readme_missing")) == (5_000, 1)
    [left_out] = [finding for finding in summary.findings if finding.kind == "findings_left_out"]
    assert left_out.subject == "3 more missing_clip"
    assert summary.exit_code == 1
    assert kept is not None
    assert kept[0] == len(summary.findings)
    assert sum(isinstance(event, events.FindingRaised) for event in told) == 5_004


def test_a_large_result_is_whole_for_a_slow_reader_without_buffers() -> None:
    script = """
import sys
from kdl.cli.running import run_verb
from kdl.ui.streams import buffered
from kdl.values import Finding, RunSummary
sys.stdout = buffered(sys.stdout)
async def work(bus):
    return RunSummary("demo", 1, 0.1, tuple(Finding("missing_clip", str(n), "gone") for n in range(20_000)))
sys.exit(run_verb(work, dataset="demo", as_json=True, quiet=False, log_json=None))
"""
    with subprocess.Popen([sys.executable, "-u", "-c", script], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        time.sleep(0.3)  # its pipe is full by now
        result = json.loads(b"{" + process.stdout.read())
    assert len(result["findings"]) == 20_000
    assert process.returncode == 1


HEAVY = ("pandas", "numpy", "pyarrow", "av", "aiohttp", "isal", "ffmpeg", "tenacity", "uvloop")


@pytest.mark.parametrize(
    ("arguments", "absent"),
    [
        (["--help"], (*HEAVY, "rich", "sqlite3", "asyncio", "kdl.api", "kdl.jobs.mirror")),
        (["mirror", "--help"], (*HEAVY, "kdl.jobs.mirror")),
        (["status", "--help"], (*HEAVY, "sqlite3")),
        (["datasets"], HEAVY),
    ],
    ids=" ".join,
)
def test_what_must_answer_at_once_loads_nothing_heavy(arguments: list[str], absent: tuple[str, ...]) -> None:
    script = "import sys, atexit; atexit.register(lambda: print(*sys.modules, file=sys.stderr)); "
    script += "from kdl.cli.main import main; main()"
    done = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, check=True
    )
    assert not {*absent} & {*done.stderr.split()}


def test_memory_is_flat(tmp_path: Path) -> None:
    bucket = make_bucket(tmp_path / "bucket", {"train": 20_000})
    bucket.put_shards("train", 8, 50_000, 20)
    peaks = [peak_of(bucket, tmp_path / f"root-{count}", count) for count in (2, 8)]
    assert holds(peaks), [f"{peak.shards} shards: {peak.rss / MIB:.0f} MiB" for peak in peaks]
    assert max(peak.rss for peak in peaks) < CEILING / 1.5


@pytest.mark.long
@pytest.mark.timeout(1200)
def test_memory_is_flat_over_a_hundred_shards_and_half_a_million_annotations() -> None:
    command = [sys.executable, "-m", "tools.bench.memory"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.long
@pytest.mark.timeout(1800)
def test_status_of_650_000_clips() -> None:
    command = [sys.executable, "-m", "tools.bench.ledger_status", "--runs", "5"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
