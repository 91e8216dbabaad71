"""What doctor says of this machine, of one without tools, and of unusable roots."""

from __future__ import annotations

import importlib.metadata
import os
import resource
import shutil
from collections.abc import Iterable
from datetime import date, timedelta
from pathlib import Path

import pytest

from kdl.jobs import doctor_disk
from kdl.jobs.doctor import Check, diagnose, exit_code, findings
from kdl.jobs.doctor_disk import filesystem_type, nearest
from kdl.jobs.doctor_tools import tool_checks
from kdl.jobs.doctor_youtube import youtube_checks

TRIALS = {
    *("letter case", "file names", "long names", "atomic rename"),
    *("locking", "hard links", "symbolic links"),
}


def by_name(checks: Iterable[Check]) -> dict[str, Check]:
    return {check.name: check for check in checks}


def test_this_machine_is_fit_and_nothing_is_left_behind(tmp_path: Path) -> None:
    checks = by_name(diagnose(tmp_path, environ={}))
    assert {name for name, check in checks.items() if check.required and not check.ok} == set()
    assert TRIALS | {"writable", "space", "inodes", "file system", "open files"} <= set(checks)
    assert {"python", "ffmpeg", "ffprobe", "encoders", "filters", "pyav", "isal", "uvloop", "pyarrow"} <= set(
        checks
    )
    assert all(check.fix and check.detail for check in checks.values())
    assert checks["locking"].detail == "flock holds"
    assert checks["ffmpeg"].detail.endswith(f"at {shutil.which('ffmpeg')}")
    assert exit_code(checks.values()) == 0
    assert list(tmp_path.iterdir()) == []


def test_a_root_that_is_not_there_yet_is_judged_by_its_parent_and_not_made(tmp_path: Path) -> None:
    checks = by_name(diagnose(tmp_path / "disk" / "kinetics", environ={}))
    assert checks["writable"].ok
    assert checks["writable"].detail.endswith(f"(not there yet; tried in {tmp_path})")
    assert checks["file names"].ok
    assert list(tmp_path.iterdir()) == []


def test_without_a_path_the_tools_are_missing_and_the_rest_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", "")
    checks = diagnose(tmp_path, environ={})
    missing = {check.name for check in checks if check.required and not check.ok}
    assert missing == {"ffmpeg", "ffprobe", "encoders", "filters"}
    assert exit_code(checks) == 3
    told = {finding.subject: finding for finding in findings(checks)}
    assert told["ffmpeg"].kind == "machine_lacks"
    assert "apt install ffmpeg" in told["ffmpeg"].fix
    assert "conda" in told["ffmpeg"].fix
    assert "brew" in told["ffmpeg"].fix


def tool(folder: Path, name: str, script: str) -> None:
    path = folder / name
    path.write_text(f"#!/bin/sh\n{script}\n")
    path.chmod(0o755)


def test_an_ffmpeg_without_the_encoders_is_found_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    tool(
        tmp_path,
        "ffmpeg",
        'case "$*" in *-encoders) echo " V..... mjpeg  MJPEG, not libx264";; *) echo x;; esac',
    )
    tool(tmp_path, "ffprobe", "echo broken >&2; exit 1")
    monkeypatch.setenv("PATH", str(tmp_path))
    checks = by_name(tool_checks())
    assert checks["ffmpeg"].ok
    assert checks["encoders"].detail == "ffmpeg lacks libx264, aac, png"
    assert checks["filters"].detail == "ffmpeg lacks scale, tpad, fps"
    assert not checks["ffprobe"].ok
    assert "does not run" in checks["ffprobe"].detail


def test_a_root_that_can_not_be_written_is_named(tmp_path: Path) -> None:
    blocker = tmp_path / "file"
    blocker.write_text("")
    checks = by_name(diagnose(blocker / "kinetics", environ={}))
    assert not checks["writable"].ok
    assert str(blocker) in checks["writable"].detail
    assert exit_code(checks.values()) == 3
    assert not TRIALS & set(checks)
    assert blocker.read_text() == ""


@pytest.mark.parametrize(("value", "ok"), [("socks5://me:secret@p:1", False), ("http://me:secret@p:1", True)])
def test_proxies_are_told_without_their_passwords(tmp_path: Path, value: str, ok: bool) -> None:
    checks = diagnose(tmp_path, environ={"HTTPS_PROXY": value, "no_proxy": "localhost"})
    proxies = [check for check in checks if check.name == "proxy"]
    assert [check.ok for check in proxies] == [ok, True]
    assert "secret" not in str(proxies)
    assert "me" not in proxies[0].detail.replace("scheme", "")
    assert "://***@p:1" in proxies[0].detail
    assert exit_code(checks) == 0


def test_a_password_without_a_scheme_is_masked_too(tmp_path: Path) -> None:
    checks = diagnose(tmp_path, environ={"http_proxy": "me:se@cret@p:1"})
    assert by_name(checks)["proxy"].detail == "http_proxy is ***@p:1"


def test_few_open_files_are_advice(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (200, hard))
    try:
        checks = diagnose(tmp_path, environ={})
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
    assert by_name(checks)["open files"].detail == "200 at once"
    assert [finding.kind for finding in findings(checks) if finding.subject == "open files"] == [
        "machine_advice"
    ]


def test_little_space_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor_disk, "MIN_FREE", 1 << 62)
    checks = diagnose(tmp_path, environ={})
    assert not by_name(checks)["space"].ok
    assert exit_code(checks) == 3


def test_network_file_systems_bring_advice(tmp_path: Path) -> None:
    mounts = tmp_path / "mounts"
    point = tmp_path / "my disk"
    point.mkdir()
    escaped = str(point).replace(" ", r"\040")
    mounts.write_text(
        f"/dev/sda / ext4 rw 0 0\nserver:/x {escaped} nfs4 rw 0 0\nserver:/y {escaped}2 lustre rw 0 0\n"
    )
    assert filesystem_type(point / "k400", mounts) == "nfs4"
    assert filesystem_type(tmp_path, mounts) == "ext4"
    assert filesystem_type(tmp_path, tmp_path / "none") == ""


def test_nearest() -> None:
    assert nearest(Path("/no such folder/x")) == Path("/")
    assert nearest(Path()) == Path.cwd()


def test_names_are_put_on_disk_as_they_are(tmp_path: Path) -> None:
    doctor_disk._try_names(tmp_path)
    assert sorted(os.listdir(tmp_path)) == sorted(doctor_disk.ODD_NAMES)


@pytest.mark.parametrize(("days", "fresh"), [(0, True), (60, True), (61, False)])
def test_ytdlp_grows_old(days: int, fresh: bool) -> None:
    released = date(*map(int, importlib.metadata.version("yt-dlp").split(".")[:3]))
    check = by_name(youtube_checks(released + timedelta(days)))["yt-dlp"]
    assert check.ok is fresh
    assert not check.required
    assert f"{days} days old" in check.detail
    assert "--upgrade" in check.fix


def test_without_a_runtime_of_scripts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    check = by_name(youtube_checks(date.today()))["javascript"]
    assert not check.ok
    assert not check.required
    assert "deno" in check.fix
