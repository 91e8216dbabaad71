"""What a night is to do: defaults, kdl.toml of the root and of the mirror, the environment, options."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from kdl.cli.main import kdl
from kdl.errors import KdlError, UsageError
from kdl.jobs.nightly_options import SETTINGS, NightlyOptions, nightly_options
from kdl.jobs.verify_options import Subset
from kdl.values import Level


@pytest.fixture(autouse=True)
def _no_webhook(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("KDL_WEBHOOK", raising=False)


def options(root: Path, **given: Any) -> NightlyOptions:
    return nightly_options("k400", "k400", root, given, ledger=None, watchdog_s=60)


def write(root: Path, text: str, *, of_mirror: bool = False) -> Path:
    path = (root / "k400" if of_mirror else root) / "kdl.toml"
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    return path


def test_the_defaults_cost_minutes_and_mend(tmp_path: Path) -> None:
    found = options(tmp_path)
    assert (found.level, found.subset, found.max_duration_s) == (Level.HASH, Subset(1, 30), 7200)
    assert (found.io_nice, found.repair, found.keep_reports, found.page) == (True, True, 90, True)
    assert (found.max_age_s, found.limit_rate, found.metrics, found.webhook) == (None,) * 4
    assert (found.folders, found.origins) == ((), ())


def test_the_mirrors_file_wins_over_the_roots_key_by_key_and_options_over_both(tmp_path: Path) -> None:
    write(tmp_path, '[nightly]\nlevel = "stat"\nsubset = "1/7"\nmax_age = "30d"\nkeep_reports = 7\n')
    write(
        tmp_path, '[nightly]\nlevel = "probe"\nsubset = "off"\n[executor.slurm]\njobs = 2\n', of_mirror=True
    )
    found = options(tmp_path, level="decode")
    assert (found.level, found.subset, found.max_age_s) == (Level.DECODE, Subset(), 30 * 86400)
    assert found.keep_reports == 7


def test_paths_in_a_file_are_below_its_folder_and_those_of_options_below_the_current_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, '[nightly]\nfrom = ["lab", "/other"]\nmetrics = "kdl.prom"\n')
    monkeypatch.chdir("/")
    found = options(tmp_path)
    assert found.folders == (tmp_path / "lab", Path("/other"))
    assert found.metrics == tmp_path / "kdl.prom"
    assert options(tmp_path, metrics="kdl.prom").metrics == Path("/kdl.prom")
    assert options(tmp_path, metrics="off").metrics is None


def test_the_webhook_of_the_environment_wins_over_the_files(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, '[nightly]\nwebhook = "https://a.example.org/x"\n')
    assert options(tmp_path).webhook == "https://a.example.org/x"
    monkeypatch.setenv("KDL_WEBHOOK", "https://b.example.org/y")
    assert options(tmp_path).webhook == "https://b.example.org/y"
    monkeypatch.setenv("KDL_WEBHOOK", "off")
    assert options(tmp_path).webhook is None


BAD = {
    'levl = "hash"': "[nightly] levl: no such key; did you mean 'level'?",
    'nonsense = "hash"': "there is level, subset",
    'level = "hsh"': "[nightly] level: 'hsh': there is stat, hash, probe, decode",
    "level = 3": "[nightly] level: a text is wanted",
    'workers = "2"': "[nightly] workers: a whole number is wanted",
    "workers = true": "[nightly] workers: a whole number is wanted",
    'io_nice = "yes"': "[nightly] io_nice: true or false is wanted",
    'from = "lab"': "[nightly] from: a list of texts is wanted",
    "origin = [1]": "[nightly] origin: a list of texts is wanted",
    "keep_reports = 0": "at the least 1",
    'subset = "9/7"': "no part of a whole",
    'max_age = "soon"': "not a span of time",
    'limit_rate = "5 parsecs"': "not a size",
    'metrics = "kdl.txt"': "end in .prom",
    'webhook = "ftp://s3cret"': "not an http or https URL",
}


@pytest.mark.parametrize("line", BAD)
def test_what_is_wrong_is_named_with_what_is_allowed(line: str, tmp_path: Path) -> None:
    path = write(tmp_path, f"[nightly]\n{line}\n")
    with pytest.raises(UsageError) as caught:
        options(tmp_path, **{line.split(" ", 1)[0]: None})
    assert BAD[line] in caught.value.message
    assert caught.value.subject == str(path)
    assert "s3cret" not in f"{caught.value} {caught.value.fix}"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[nigtly]\n", "[nigtly]: no such table; did you mean 'nightly'?"),
        ("[nightly\n", "at line 1"),
        ("nightly = 3\n", "nightly is not a table"),
    ],
)
def test_a_file_that_is_wrong_is_named(text: str, said: str, tmp_path: Path) -> None:
    path = write(tmp_path, text)
    with pytest.raises(UsageError) as caught:
        options(tmp_path)
    assert said in caught.value.message
    assert caught.value.subject == str(path)


def test_a_wrong_option_is_called_by_its_name(tmp_path: Path) -> None:
    with pytest.raises(UsageError) as caught:
        options(tmp_path, max_duration="2 nights")
    assert str(caught.value).startswith("--max-duration: '2 nights': not a span of time")


def asked(*arguments: object) -> Result:
    return CliRunner().invoke(kdl, ["config", "k400", *map(str, arguments)], standalone_mode=False)


def test_config_prints_what_holds_with_defaults_marked_and_secrets_hidden(tmp_path: Path) -> None:
    path = write(
        tmp_path,
        """[nightly]
webhook = "https://me:s3cret@hooks.example.org/T0/s3cret?x=s3cret"
origin = ["https://me:s3cret@cache.example.org/kinetics/?sig=s3cret", "default"]
level = "probe"
[executor.slurm]
queue = "gpu"
""",
    )
    done = asked("--root", tmp_path)
    assert done.exception is None or done.return_value == 0
    assert f"# {path}\n# {tmp_path}/k400/kdl.toml (not there)\n" in done.output
    assert f'level = "probe"  # {path}\n' in done.output
    assert 'subset = "1/30"  # default\n' in done.output
    assert "s3cret" not in done.output
    printed = tomllib.loads(done.output)
    assert set(printed["nightly"]) == set(SETTINGS)
    assert printed["nightly"]["webhook"] == "https://hooks.example.org/***"
    assert printed["nightly"]["origin"] == ["https://***@cache.example.org/kinetics/?***", "default"]
    assert printed["executor"] == {"slurm": {"queue": "gpu"}}


def test_what_config_prints_of_the_defaults_may_stand_in_a_file(tmp_path: Path) -> None:
    before = options(tmp_path)
    write(tmp_path, asked("--root", tmp_path).output)
    assert options(tmp_path) == before


def test_config_tells_programs_the_same(tmp_path: Path) -> None:
    write(tmp_path, "[nightly]\nworkers = 2\n", of_mirror=True)
    told = json.loads(asked("--root", tmp_path, "--json").output)
    assert told["exit_code"] == 0
    assert told["config"]["nightly"]["workers"] == {"value": 2, "source": f"{tmp_path}/k400/kdl.toml"}
    assert told["config"]["nightly"]["level"] == {"value": "hash", "source": "default"}
    assert [file["there"] for file in told["files"]] == [False, True]


def test_config_of_a_wrong_file_ends_with_its_error(tmp_path: Path) -> None:
    write(tmp_path, "[nightly]\nlevl = 1\n")
    assert isinstance(asked("--root", tmp_path).exception, KdlError)
