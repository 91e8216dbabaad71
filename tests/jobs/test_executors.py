"""The words of ``--executor``, and the options of SLURM's jobs."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from kdl.cluster import daskopen
from kdl.cluster.sight import Question
from kdl.errors import ToolMissing, UsageError
from kdl.jobs.executors import ExecutorChoice, resolve_executor
from kdl.settings import MirrorPaths

QUESTION = Question("1", ())


@pytest.fixture
def paths(tmp_path: Path) -> MirrorPaths:
    (tmp_path / "k400").mkdir()
    return MirrorPaths(tmp_path / "k400")


@pytest.mark.parametrize(
    ("word", "choice"),
    [
        ("local", ExecutorChoice("local")),
        ("dask:local", ExecutorChoice("dask:local")),
        ("slurm", ExecutorChoice("slurm")),
        ("dask://node-7:8700", ExecutorChoice("dask", "tcp://node-7:8700")),
        ("dask://10.0.0.7", ExecutorChoice("dask", "tcp://10.0.0.7:8786")),
        ("dask://[::1]:8786/", ExecutorChoice("dask", "tcp://[::1]:8786")),
    ],
)
def test_words_that_are_known(word: str, choice: ExecutorChoice, paths: MirrorPaths) -> None:
    assert resolve_executor(word, paths) == choice


@pytest.mark.parametrize(
    "word", ["", "Local", "dask", "dask://", "dask://a:b", "dask://a:99999", "dask://a b", "tcp://a:1", "ray"]
)
def test_other_words_are_refused_with_those_there_are(word: str, paths: MirrorPaths) -> None:
    with pytest.raises(UsageError, match="there is local, dask://HOST:PORT, dask:local, slurm") as caught:
        resolve_executor(word, paths)
    assert caught.value.subject == f"--executor {word}"


def test_the_mirrors_file_goes_before_the_roots(paths: MirrorPaths) -> None:
    root, own = paths.base.parent / "kdl.toml", paths.base / "kdl.toml"
    root.write_text('[executor.slurm]\njobs = 4\ncores = 8\nmemory = "16GB"\n[nightly]\nlevel = "stat"\n')
    wanted = {"cores": 8, "memory": "16GB"}
    assert resolve_executor("slurm", paths) == ExecutorChoice("slurm", jobs=4, options=wanted)
    own.write_text(
        '[executor.slurm]\njobs = 2\nqueue = "long"\njob_script_prologue = ["module load ffmpeg"]\n'
    )
    choice = resolve_executor("slurm", paths)
    assert (choice.jobs, choice.options["queue"]) == (2, "long")
    assert choice.options["job_script_prologue"] == ["module load ffmpeg"]


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("cors = 8", r"\[executor.slurm\] cors: no such key; did you mean 'cores'\?"),
        ("zzz = 8", r"\[executor.slurm\] zzz: no such key; there is jobs, queue"),
        ('cores = "8"', r"\[executor.slurm\] cores: a whole number is wanted \(cores of a job\)"),
        ("cores = true", "a whole number is wanted"),
        ("memory = 16", "a text is wanted"),
        ('job_script_prologue = "x"', "a list of texts is wanted"),
        ("job_script_prologue = [1]", "a list of texts is wanted"),
        ("cores = ", "line 2"),
    ],
)
def test_what_a_file_has_wrong_is_named(text: str, told: str, paths: MirrorPaths) -> None:
    path = paths.base / "kdl.toml"
    path.write_text(f"[executor.slurm]\n{text}\n")
    with pytest.raises(UsageError, match=told) as caught:
        resolve_executor("slurm", paths)
    assert caught.value.subject == str(path)
    assert resolve_executor("local", paths) == ExecutorChoice("local")


@pytest.mark.parametrize("missing", ["distributed", "dask_jobqueue"])
def test_without_the_extra_it_says_how_to_get_it(missing: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, missing, None)
    with pytest.raises(ToolMissing) as caught:
        daskopen.start_slurm(1, {}, QUESTION, print)
    assert caught.value.subject == missing.replace("_", "-")
    assert "pip install 'kdl[cluster]'" in caught.value.fix
