"""External programs: bounded in time, their last words kept, nothing left behind."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import pytest

from kdl.errors import ToolMissing
from kdl.media.child import TAIL, run_child


def python(code: str) -> list[str]:
    return [sys.executable, "-c", code]


def test_exit_code_and_last_words_are_kept() -> None:
    code = f"import sys; sys.stderr.write('first' + 'x' * {3 * TAIL} + 'last'); sys.exit(3)"
    finished = run_child(python(code), timeout=30)
    assert finished.returncode == 3
    assert not finished.timed_out
    assert finished.stderr_tail.endswith("last")
    assert len(finished.stderr_tail) == TAIL


def test_words_that_are_no_text_do_not_matter() -> None:
    finished = run_child(python(r"import os; os.write(2, b'\xff ok')"), timeout=30)
    assert finished.stderr_tail == "\ufffd ok"


def test_stdin_is_empty_and_the_session_its_own() -> None:
    code = "import os, sys; sys.exit(sys.stdin.read() != '' or os.getsid(0) != os.getpid())"
    assert run_child(python(code), timeout=30).returncode == 0


@pytest.mark.parametrize("talk", ["", "sys.stderr.write('x' * 4096);"])
def test_time_limit_ends_the_whole_group(tmp_path: Path, talk: str) -> None:
    """A grandchild too, whether or not the program goes on talking."""
    mark = tmp_path / "pid"
    code = (
        "import subprocess, sys, time, pathlib\n"
        f"child = subprocess.Popen(['sleep', '60'])\n"
        f"pathlib.Path({str(mark)!r}).write_text(str(child.pid))\n"
        f"while True: {talk} time.sleep(0.01)"
    )
    finished = run_child(python(code), timeout=1)
    assert finished.timed_out
    assert finished.returncode == -9
    deadline = time.monotonic() + 5
    stat = Path(f"/proc/{mark.read_text()}/stat")
    while stat.exists() and " Z " not in stat.read_text() and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not stat.exists() or " Z " in stat.read_text()


def test_closing_stderr_does_not_escape_the_limit() -> None:
    finished = run_child(python("import os, time; os.close(2); time.sleep(60)"), timeout=0.5)
    assert finished.timed_out
    assert finished.returncode == -9


def test_a_missing_program_says_so() -> None:
    with pytest.raises(ToolMissing, match="no-such-program"):
        run_child(["no-such-program"], timeout=1)
