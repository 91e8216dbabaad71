"""What lies in tools/nightly/ is taken by those it is for, and makes of the exit codes what it says."""

from __future__ import annotations

import re
import shutil
import signal
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from kdl.cli.main import kdl as command_group
from kdl.report.metrics import METRICS

UNITS = Path(__file__).parents[2] / "tools" / "nightly"
SCRIPT = UNITS / "kdl-nightly.sh"


def complaints(units: list[Path]) -> list[str]:
    """What systemd says of these units; what it says of this machine's own is left out."""
    command = ["systemd-analyze", "verify", "--man=no", *map(str, units)]
    said = subprocess.run(command, capture_output=True, text=True, cwd=units[0].parent).stderr
    return [line for line in said.splitlines() if "kdl-nightly" in line]


@pytest.mark.skipif(shutil.which("systemd-analyze") is None, reason="no systemd here")
def test_systemd_takes_the_units(tmp_path: Path) -> None:
    units = [tmp_path / path.name for path in UNITS.glob("kdl-nightly*@.*")]
    assert len(units) == 3
    for unit in units:
        text = (UNITS / unit.name).read_text()
        # The command and its owner are not on the machine that tests.
        unit.write_text(text.replace("/opt/kdl/bin/kdl", "/bin/true").replace("User=kdl", "User=root"))
    assert complaints(units) == []
    with (tmp_path / "kdl-nightly@.service").open("a") as service:
        service.write("IOSchedulingClas=idle\n")
    assert len(complaints(units)) == 1  # or nothing would be said of anything


def unit_values(name: str, key: str) -> list[str]:
    return re.findall(rf"^{key}=(.*)$", (UNITS / name).read_text(), re.MULTILINE)


def test_the_service_is_gentle_and_tells_of_failures() -> None:
    name = "kdl-nightly@.service"
    assert unit_values(name, "OnFailure") == ["kdl-nightly-failed@%i.service"]
    assert unit_values(name, "SuccessExitStatus") == ["1 143"]
    assert unit_values(name, "RestartPreventExitStatus") == ["2 3"]
    assert unit_values(name, "IOSchedulingClass") == ["idle"]
    assert int(unit_values(name, "Nice")[0]) > 0


def commands() -> list[tuple[str, list[str]]]:
    """Every ``kdl nightly`` and ``kdl-nightly.sh`` that the units call."""
    text = "\n".join(path.read_text() for path in UNITS.iterdir() if path.suffix in (".service", ""))
    found = re.findall(r"/opt/kdl/(?:bin/kdl nightly|share/kdl-nightly\.sh) (.*)$", text, re.MULTILINE)
    return [(line, line.replace("%i", "k400").split()) for line in found]


def test_the_commands_parse() -> None:
    assert len(commands()) == 3
    for _, arguments in commands():
        nightly = command_group.get_command(None, "nightly")  # type: ignore[arg-type]
        assert nightly is not None
        nightly.make_context("kdl nightly", arguments)


@pytest.mark.parametrize(
    ("shell", "name"), [("sh", "kdl-nightly.sh"), ("bash", "kdl-nightly.sh"), ("bash", "kdl-nightly.sbatch")]
)
def test_the_scripts_are_sound_shell(shell: str, name: str) -> None:
    assert subprocess.run([shell, "-n", UNITS / name], capture_output=True).stderr == b""


def fake_kdl(folder: Path, body: str) -> Path:
    """A command in kdl's place; it writes each call into ``calls``."""
    path = folder / "kdl"
    path.write_text(f'#!/bin/sh\necho "$@" >> {folder}/calls\n{body}\n')
    path.chmod(0o755)
    return path


@pytest.mark.parametrize(
    ("code", "left", "calls"), [(0, 0, 1), (1, 0, 1), (2, 2, 1), (3, 3, 1), (4, 4, 3), (130, 130, 1)]
)
def test_the_script_makes_of_an_exit_code_what_it_means(
    code: int, left: int, calls: int, tmp_path: Path
) -> None:
    kdl = fake_kdl(tmp_path, f"exit {code}")
    done = subprocess.run(
        [SCRIPT, "k400", "--level", "stat"],
        env={"PATH": "/usr/bin:/bin", "KDL": str(kdl), "KDL_PAUSE": "0"},
        capture_output=True,
        text=True,
    )
    assert done.returncode == left
    assert (tmp_path / "calls").read_text().splitlines() == ["nightly k400 --quiet --level stat"] * calls
    assert bool(done.stderr) == (left != 0)


def test_the_script_tries_the_network_again_and_then_all_is_well(tmp_path: Path) -> None:
    kdl = fake_kdl(tmp_path, f"[ $(wc -l < {tmp_path}/calls) -ge 2 ] || exit 4")
    env = {"PATH": "/usr/bin:/bin", "KDL": str(kdl), "KDL_PAUSE": "0"}
    assert subprocess.run([SCRIPT, "k400"], env=env).returncode == 0


def test_the_batch_script_hands_everything_on(tmp_path: Path) -> None:
    kdl = fake_kdl(tmp_path, "exit 1")
    env = {"PATH": "/usr/bin:/bin", "KDL": str(kdl), "KDL_NIGHTLY": str(SCRIPT)}
    done = subprocess.run(["bash", UNITS / "kdl-nightly.sbatch", "k400", "--subset", "1/7"], env=env)
    assert done.returncode == 0
    assert (tmp_path / "calls").read_text() == "nightly k400 --quiet --subset 1/7\n"


def test_a_signal_reaches_kdl_through_the_script(tmp_path: Path) -> None:
    body = (
        f"trap 'echo told > {tmp_path}/told; exit 143' TERM\ntouch {tmp_path}/up\nwhile :; do sleep 0.1; done"
    )
    env = {"PATH": "/usr/bin:/bin", "KDL": str(fake_kdl(tmp_path, body))}
    with subprocess.Popen([SCRIPT, "k400"], env=env) as process:
        until = time.monotonic() + 60
        while not (tmp_path / "up").exists() and time.monotonic() < until:
            time.sleep(0.01)
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 143
    assert (tmp_path / "told").exists()


def loaded(name: str) -> list[Any]:
    return list(yaml.safe_load_all((UNITS / name).read_text()))


def test_the_cron_job_does_not_overlap_and_sorts_the_exit_codes() -> None:
    job, priority = loaded("cronjob.yaml")
    assert (job["kind"], priority["kind"]) == ("CronJob", "PriorityClass")
    assert job["spec"]["concurrencyPolicy"] == "Forbid"
    spec = job["spec"]["jobTemplate"]["spec"]
    rules = spec["podFailurePolicy"]["rules"]
    pod = spec["template"]["spec"]
    assert rules[0]["onExitCodes"]["values"] == [2, 3]
    assert pod["restartPolicy"] == "Never"  # or no policy for failures is allowed
    assert pod["priorityClassName"] == priority["metadata"]["name"]
    assert pod["containers"][0]["name"] == rules[0]["onExitCodes"]["containerName"]


def test_the_alerts_ask_for_metrics_that_there_are() -> None:
    (document,) = loaded("alerts.yml")
    rules = [rule for group in document["groups"] for rule in group["rules"]]
    assert len(rules) == len({rule["alert"] for rule in rules}) > 4
    for rule in rules:
        named = set(re.findall(r"\bkdl_\w+", f"{rule['expr']} {rule['annotations']['description']}"))
        assert named <= {f"kdl_{name}" for name in METRICS}
        assert re.search(r"\bkdl_\w+", rule["expr"])
