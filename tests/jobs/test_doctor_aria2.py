"""What doctor says of the program that torrents are fetched with."""

from __future__ import annotations

from pathlib import Path

import pytest

from kdl.jobs.doctor_check import Check
from kdl.jobs.doctor_tools import tool_checks


def aria2() -> Check:
    return next(check for check in tool_checks() if check.name == "aria2c")


def test_it_is_there_with_its_version() -> None:
    found = aria2()
    assert found.ok
    assert found.detail.startswith("1.")
    assert found.detail.endswith("/aria2c")


def test_without_it_the_machine_is_fit_all_the_same(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    found = aria2()
    assert (found.ok, found.required) == (False, False)
    assert "apt install aria2" in found.fix


def test_one_that_does_not_run_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    broken = tmp_path / "aria2c"
    broken.write_text("#!/nowhere/sh\n")
    broken.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "does not run" in aria2().detail
