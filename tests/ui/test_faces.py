"""Plain lines, quiet, JSON and the event log, to the letter."""

from __future__ import annotations

import errno
import io
import json
import re
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from kdl import events
from kdl.errors import LockHeld, MachineError, PermanentError
from kdl.ui.errors import render_error
from kdl.ui.eventlog import LoggedUI
from kdl.ui.faces import JsonUI, QuietUI
from kdl.ui.factory import make_ui
from kdl.ui.live import LiveUI
from kdl.ui.plain import FINDINGS_A_KIND, PROGRESS_S, PlainUI
from kdl.ui.streams import enduring
from kdl.values import Finding, RunSummary

CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
MB = 1_000_000
LOCKED = LockHeld("pid 7 holds it", subject="k400", fix="wait, or kdl status k400")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    monkeypatch.setenv("TZ", "UTC")
    return Clock()


def spoken(out: io.StringIO) -> list[str]:
    """Lines without their time."""
    return [re.sub(r"^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  ", "", line) for line in out.getvalue().splitlines()]


def plain(clock: Clock) -> tuple[PlainUI, io.StringIO]:
    out = io.StringIO()
    return PlainUI(out, io.StringIO(), clock=clock), out


def test_plain_says_each_telling_thing_in_one_line(clock: Clock) -> None:
    ui, out = plain(clock)
    finding = Finding("corrupt_clip", "a/-x[b]\n.mp4", "moov\x1b[31m", "kdl repair k400")
    for event in (
        events.RunStarted("mirror", "k400", "/data", "r1"),
        events.PhaseStarted("shards"),
        events.Planned(2, 1, 3_060 * MB),
        events.TransferStarted("part_0.tar.gz", "shard", "train", 1_530 * MB, 0),
        events.TransferStarted("part_1.tar.gz", "shard", "train", 1_530 * MB, 512 * MB),
        events.TransferProgress("part_1.tar.gz", 600 * MB),
        events.CountsChanged({"ok": 9}),
        events.StageProgress("check", 9, 0, 1),
        events.DiskLeft("/data", 5),
        events.RetryScheduled("train/part_1.tar.gz", "HTTP 503", 2.5, 1, 6, "http_503"),
        events.JobsChanged(2, 4, "HTTP 503\x07"),
        events.TransferEnded("part_0.tar.gz", "shard", "train", "done", 1_530 * MB, 1_530 * MB, 1_000, 40.0),
        events.TransferEnded(
            "part_1.tar.gz", "shard", "train", "failed", 600 * MB, 88 * MB, 0, 4.0, "HTTP\n404"
        ),
        events.TransferEnded("val.csv", "annotation", "val", "done", 3_000, 0, 0, 0.0),
        events.FindingRaised(finding),
        events.Noted("as it\x07 is"),
        events.RunEnded(1, 50.0),
    ):
        ui.listen(event)
    assert spoken(out) == [
        "kdl mirror k400 in /data, run r1",
        "step: shards",
        "to fetch: 2 shards, 3.06 GB; done already: 1",
        "train/part_1.tar.gz: resumes at 512 MB of 1.53 GB",
        "train/part_1.tar.gz: HTTP 503; try 2 of 6 in 2.5 s",
        r"jobs: 2 of 4 from here on: HTTP 503\x07",
        "train/part_0.tar.gz: done, 1.53 GB fetched in 40 s (38.2 MB/s), 1,000 clips",
        r"train/part_1.tar.gz: failed, 88 MB fetched in 4.0 s (22 MB/s), 0 clips: HTTP\n404",
        "val/val.csv: done, 0 B fetched",
        r"finding: corrupt clip: a/-x[b]\n.mp4: moov\x1b[31m; try: kdl repair k400",
        r"as it\x07 is",
    ]
    assert not CONTROL.search(out.getvalue())


def test_plain_tells_of_progress_now_and_then(clock: Clock) -> None:
    ui, out = plain(clock)
    ui.listen(events.Planned(1, 1, 1_000 * MB))
    ui.listen(events.CountsChanged({"ok": 1_200, "short": 0, "corrupt": 3}))
    ui.listen(events.StageProgress("check", 1_200, 0, 12))
    ui.listen(events.DiskLeft("/data", 812_000 * MB))
    ui.listen(events.TransferStarted("a", "shard", "val", 1_000 * MB, 0))
    for second in range(1, 2 * int(PROGRESS_S)):
        clock.now = float(second)
        ui.listen(events.TransferProgress("a", second * 10 * MB))
    assert spoken(out)[1:] == [
        "progress: 300 MB of 1 GB (30 %), 10 MB/s, ETA 1 min 10 s; shards 1 of 2, 1 running; "
        "clips ok 1,200, corrupt 3; check done 1,200, waiting 12; 812 GB free on /data"
    ]


def test_plain_does_not_drown_in_findings(clock: Clock) -> None:
    ui, out = plain(clock)
    for number in range(FINDINGS_A_KIND + 50):
        ui.listen(events.FindingRaised(Finding("missing_clip", str(number), "gone")))
    ui.listen(events.FindingRaised(Finding("object_failed", "a", "404")))
    lines = spoken(out)
    assert len(lines) == FINDINGS_A_KIND + 2
    assert lines[-2:] == [
        "finding: missing clip: any more are told at the end",
        "finding: object failed: a: 404",
    ]


def test_plain_ends_with_the_summary(driver: ModuleType, clock: Clock) -> None:
    ui, out = plain(clock)
    ui.finish(driver.summary())
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert lines[:4] == [
        "1 finding: object failed",
        "  train/part_77.tar.gz: HTTP 404",
        "  try: kdl mirror k400 --shard part_77",
        "41 findings: corrupt clip",
    ]
    assert lines[14:] == [
        "  … and 31 more, all with --json",
        "  try: kdl repair k400",
        "",
        "k400: ended in 1 h 23 min",
        "shards    done 241, failed 1",
        "fetched   370 GB, 73.6 MB/s",
        "written   372 GB",
        "clips     ok 98,123  short 312  corrupt 41  never hosted 1,145",
        "replaced  38",
        "320p      done 97,000, failed 3",
        "exit code 4: an object was given up for network reasons",
    ]


def test_findings_with_fixes_of_their_own_keep_them(clock: Clock) -> None:
    ui, out = plain(clock)
    long = "x" * 300
    found = (Finding("a_kind", long, "d", "do 1"), Finding("a_kind", "", "no subject", "do 2"))
    ui.finish(RunSummary("k400", 0, 1.0, found, {"files": ["a.txt", "b.txt"], "rows": 2_000, "whole": True}))
    assert [line.rstrip() for line in out.getvalue().splitlines()] == [
        "2 findings: a kind",
        f"  {long}: d",
        "    try: do 1",
        "  no subject",
        "    try: do 2",
        "",
        "k400: done in 1.0 s",
        "files  a.txt",
        "       b.txt",
        "rows   2,000",
        "whole  yes",
    ]


def test_many_findings_point_to_json(clock: Clock) -> None:
    ui, out = plain(clock)
    found = tuple(Finding("object_failed", str(number), "HTTP 404") for number in range(12))
    ui.finish(RunSummary("k400", 4, 1.0, found))
    assert "  … and 2 more, all with --json" in out.getvalue().splitlines()


def test_quiet_says_findings_and_errors_alone(driver: ModuleType) -> None:
    out, err = io.StringIO(), io.StringIO()
    with make_ui(quiet=True, stream=out, err=err) as ui:
        assert isinstance(ui, QuietUI)
        for event in driver.opening():
            ui.listen(event)
        ui.show("a table")
        ui.finish(RunSummary("k400", 0, 1.0))
        assert err.getvalue() == ""
        ui.finish(driver.summary())
        ui.fail(LOCKED)
    lines = err.getvalue().splitlines()
    assert out.getvalue() == ""
    assert lines[0] == "1 finding: object failed"
    assert lines[-2:] == ["error: k400: pid 7 holds it", "try: wait, or kdl status k400"]


def test_json_prints_one_object_and_nothing_else(driver: ModuleType) -> None:
    out, err = io.StringIO(), io.StringIO()
    with make_ui(json=True, stream=out, err=err) as ui:
        for event in driver.opening():
            ui.listen(event)
        ui.show("a table")
        assert out.getvalue() == ""
        ui.finish(driver.summary())
    assert err.getvalue() == ""
    assert out.getvalue().count("\n") == 1
    assert json.loads(out.getvalue()) == driver.summary().as_dict()


def test_json_leaves_lines_for_the_person_at_the_terminal(driver: ModuleType, terminal: io.StringIO) -> None:
    out = io.StringIO()
    with make_ui(json=True, stream=out, err=terminal) as ui:
        ui.listen(events.PhaseStarted("shards"))
        ui.finish(driver.summary())
    assert "step: shards" in terminal.getvalue()
    assert "kdl repair k400" in terminal.getvalue()
    assert json.loads(out.getvalue())["exit_code"] == 4


def test_json_and_quiet_is_the_object_alone(driver: ModuleType, terminal: io.StringIO) -> None:
    out = io.StringIO()
    make_ui(json=True, quiet=True, stream=out, err=terminal).finish(driver.summary())
    assert terminal.getvalue() == ""
    assert json.loads(out.getvalue())["dataset"] == "k400"


@pytest.mark.parametrize("with_ui", [True, False])
def test_errors_as_json(with_ui: bool) -> None:
    out, err = io.StringIO(), io.StringIO()
    error = PermanentError("HTTP 404", subject="https://h/\x1b[31m", status=404)
    if with_ui:
        make_ui(json=True, stream=out, err=err).fail(error, dataset="k400", elapsed_s=2.0)
    else:
        render_error(error, json=True, dataset="k400", elapsed_s=2.0, out=out, err=err)
    assert err.getvalue() == ""
    assert json.loads(out.getvalue()) == {
        "dataset": "k400",
        "exit_code": 4,
        "elapsed_s": 2.0,
        "findings": [
            {"kind": "object_failed", "subject": "https://h/\x1b[31m", "detail": "HTTP 404", "fix": ""}
        ],
    }


def test_errors_for_people(capsys: pytest.CaptureFixture[str]) -> None:
    render_error(LOCKED)
    render_error(MachineError("no\x1b[2Jroom\n", subject="/[red]data"))
    caught = capsys.readouterr()
    assert caught.out == ""
    assert caught.err.splitlines() == [
        "error: k400: pid 7 holds it",
        "try: wait, or kdl status k400",
        r"error: /[red]data: no\x1b[2Jroom\n",
    ]


def test_the_stream_chooses_the_face(terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    pipe = io.StringIO()
    assert isinstance(make_ui(stream=terminal, err=pipe), LiveUI)
    assert isinstance(make_ui(stream=pipe, err=terminal), PlainUI)
    assert isinstance(make_ui(json=True, stream=terminal, err=terminal), JsonUI)
    monkeypatch.setenv("TERM", "dumb")
    assert isinstance(make_ui(stream=terminal, err=pipe), PlainUI)
    pipe.close()
    assert isinstance(make_ui(stream=pipe, err=terminal), PlainUI)


def test_a_dumb_terminal_gets_no_control_sequences(
    driver: ModuleType, terminal: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    with make_ui(stream=terminal, err=terminal) as ui:
        for event in driver.opening():
            ui.listen(event)
        ui.finish(driver.summary())
    assert not CONTROL.search(terminal.getvalue())


class Broken(io.StringIO):
    """A pipe whose reader has gone."""

    def write(self, text: str) -> int:
        raise BrokenPipeError(errno.EPIPE, "gone")

    def flush(self) -> None:
        raise BrokenPipeError(errno.EPIPE, "gone")


def test_a_run_outlives_its_terminal(driver: ModuleType) -> None:
    stream = enduring(Broken())
    ui = PlainUI(stream, stream)
    for event in driver.opening():
        ui.listen(event)
    ui.finish(driver.summary())
    ui.fail(LOCKED)


def test_a_stream_that_lacks_a_letter_gets_its_escape(driver: ModuleType) -> None:
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding="ascii", write_through=True)
    ui = make_ui(stream=stream, err=stream)
    ui.listen(events.Noted("späť"))
    ui.finish(driver.summary())
    assert rb"sp\xe4\u0165" in raw.getvalue()
    assert rb"\u2026 and 31 more" in raw.getvalue()


def test_the_event_log_holds_every_event_line_by_line_and_is_appended_to(
    tmp_path: Path, driver: ModuleType
) -> None:
    log = tmp_path / "events.jsonl"
    sent = list(driver.opening())
    for _ in range(2):
        with make_ui(quiet=True, stream=io.StringIO(), err=io.StringIO(), log_json=log) as ui:
            assert isinstance(ui, LoggedUI)
            for number, event in enumerate(sent):
                ui.listen(event)
                assert log.read_text().endswith("\n"), number
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert len(lines) == 2 * len(sent)
    assert lines[0]["event"] == "run_started"
    for line, event in zip(lines, sent * 2, strict=True):
        assert {**events.to_dict(event), "time": line["time"]} == line


def test_an_event_log_that_can_not_be_opened_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MachineError, match="can not be opened") as caught:
        make_ui(quiet=True, stream=io.StringIO(), err=io.StringIO(), log_json=tmp_path)
    assert caught.value.subject == str(tmp_path)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
def test_a_full_disk_ends_the_event_log_and_not_the_run(driver: ModuleType) -> None:
    out, err = io.StringIO(), io.StringIO()
    with make_ui(quiet=True, stream=out, err=err, log_json=Path("/dev/full")) as ui:
        for event in driver.opening():
            ui.listen(event)
    assert err.getvalue() == "the event log /dev/full ends here: No space left on device\n"


def test_help_does_not_pay_for_rich() -> None:
    code = "import sys, kdl.ui, kdl.ui.text, kdl.ui.errors, kdl.jobs.runstate; print('rich' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout == "False\n"
