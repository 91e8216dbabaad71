"""``kdl derive`` over a cluster of two workers: the same as without it, whatever happens to them."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import kdl as package
from tests.e2e.cluster import Cluster, kill_at_work, rendering_under
from tests.e2e.hosted import Hosted
from tests.e2e.killing import Live, Outcome, differences, end_all, litter, outcome, start

RECIPES = """
[small]
kind = "video"
doc = "Small and quick."
bytes_per_clip = 100_000
short_side = 64
preset = "ultrafast"

[slow]
kind = "video"
doc = "Slow enough to be met at work."
bytes_per_clip = 100_000
size = [480, 270]
preset = "medium"

[stills]
kind = "frames"
doc = "A few pictures."
bytes_per_clip = 100_000
short_side = 64
count = 4
"""


@pytest.fixture(autouse=True)
def _nothing_left_going() -> Iterator[None]:
    yield
    end_all()


@pytest.fixture(scope="module")
def recipes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("recipes") / "mine.toml"
    path.write_text(RECIPES)
    return path


@pytest.fixture(scope="module")
def wanted(demo: Hosted, recipes: Path, tmp_path_factory: pytest.TempPathFactory) -> Outcome:
    """What a run without a cluster comes to."""
    root = tmp_path_factory.mktemp("local")
    base = demo.copy(root)
    done = demo.run("derive", root, *asked(recipes, "small", "stills", "slow"))
    assert done.code == 0, done.err
    return outcome(base)


def asked(recipes: Path, *names: str) -> tuple[object, ...]:
    chosen = ("--split", "val", "--json")
    return (*chosen, *(word for name in names for word in ("--recipe", f"{recipes}:{name}")))


def of(found: Outcome, *names: str) -> Outcome:
    """A mirror as if these recipes were the only ones."""
    files = {
        path: digest
        for path, digest in found.files.items()
        if not path.startswith("derived/") or path.split("/")[1] in names
    }
    derived = {key: row for key, row in found.derived.items() if key[3] in names}
    return Outcome(files, found.clips, derived, found.objects)


def clean(base: Path) -> None:
    """Fail if a run has left anything of its own."""
    assert litter(base) == []
    assert [str(path) for path in base.rglob(".kdl-seen*")] == []
    assert not (base / ".kdl/tasks").exists()


def test_it_makes_the_same_files_and_the_same_record(
    demo: Hosted, cluster: Cluster, recipes: Path, wanted: Outcome, tmp_path: Path
) -> None:
    cluster.ensure("one", "two")
    base = demo.copy(tmp_path)
    done = demo.run("derive", tmp_path, *asked(recipes, "small", "stills"), "--executor", cluster.executor)
    assert done.code == 0, done.out
    assert done.result["derived"]["small"] == {"done": 8, "failed": 0}
    assert differences(outcome(base), of(wanted, "small", "stills")) == {}
    clean(base)
    ours = {cluster.scheduler.pid, *(node.pid for node in cluster.nodes.values())}
    cluster.settle(ours)


def test_a_killed_worker_costs_nothing(
    demo: Hosted, cluster: Cluster, recipes: Path, wanted: Outcome, tmp_path: Path
) -> None:
    cluster.ensure("one", "two")
    base = demo.copy(tmp_path)
    run = derive_slowly(demo, cluster, recipes, tmp_path)
    kill_at_work(cluster.nodes["two"], lambda: run.process.poll() is None)
    code, out, _ = run.end()
    assert code == 0, out
    assert any("was lost" in event.get("text", "") for event in run.events())
    assert differences(outcome(base), of(wanted, "slow")) == {}
    clean(base)


def test_ctrl_c_ends_it_within_seconds_and_leaves_nothing(
    demo: Hosted, cluster: Cluster, recipes: Path, tmp_path: Path
) -> None:
    cluster.ensure("one", "two")
    base = demo.copy(tmp_path)
    run = derive_slowly(demo, cluster, recipes, tmp_path)
    while not rendering_under(cluster.nodes["one"].pid):
        assert run.process.poll() is None
        time.sleep(0.01)
    began = time.monotonic()
    run.process.send_signal(signal.SIGINT)
    code, _, _ = run.end()
    assert code == 130
    assert time.monotonic() - began < 5
    assert all(rendering_under(node.pid) == [] for node in cluster.nodes.values())
    clean(base)


def test_jobs_of_slurm_start_work_and_end_with_the_run(demo: Hosted, recipes: Path, tmp_path: Path) -> None:
    """Everything but SLURM itself is real: its commands here start and end the jobs' scripts at once."""
    base = demo.copy(tmp_path)
    (tmp_path / "kdl.toml").write_text(
        '[executor.slurm]\njobs = 2\ncores = 1\nprocesses = 1\nmemory = "1GB"\ninterface = "lo"\n'
        f'local_directory = "{tmp_path / "scratch"}"\nlog_directory = "{tmp_path / "logs"}"\n'
    )
    commands = tmp_path / "bin"
    commands.mkdir()
    for name, text in (
        # The script is removed once it is submitted.
        ("sbatch", 'cp "$1" "$0.$$"; setsid sh "$0.$$" >/dev/null 2>&1 & echo "Submitted batch job $!"'),
        ("scancel", 'echo "$1" >>"$0.asked"; kill -- "-$1"'),
    ):
        (commands / name).write_text(f"#!/bin/sh\n{text}\n")
        (commands / name).chmod(0o755)
    where = ("derive", demo.dataset, "--root", tmp_path, "--executor", "slurm", "--split", "val")
    path = f"{commands}{os.pathsep}{os.environ['PATH']}"
    run = start(tmp_path / "log", *where, "--recipe", f"{recipes}:slow", PATH=path)
    while not any(rendering_under(pid) for pid in run.descendants()):
        assert run.process.poll() is None, run.end()
        time.sleep(0.01)
    run.process.send_signal(signal.SIGINT)
    code, out, _ = run.end()
    assert code == 130, out
    run.gone(20)
    assert (commands / "scancel.asked").read_text().split()
    clean(base)


def test_workers_that_can_not_do_it_are_named_before_anything_begins(
    demo: Hosted, cluster: Cluster, recipes: Path, tmp_path: Path
) -> None:
    cluster.ensure("one")
    base = demo.copy(tmp_path / "root")
    cluster.add("older", PYTHONPATH=str(older_kdl(tmp_path)))
    cluster.add("bare", PATH=str(tmp_path / "no-programs"))
    if blind := elsewhere(base):
        cluster.add("blind", before=blind)
    done = demo.run("derive", tmp_path / "root", *asked(recipes, "small"), "--executor", cluster.executor)
    cluster.ensure("one")
    assert done.code == 3
    (finding,) = (each for each in done.result["findings"] if each["kind"] == "cluster")
    told = finding["detail"].split("; worker ")
    assert sum(f"has kdl 0.0.1, not {package.__version__}" in each for each in told) == 1
    assert sum("lacks ffmpeg" in each for each in told) == 1
    if blind:
        assert sum(f"sees another folder at {base}/.kdl/tasks" in each for each in told) == 1
    assert len(told) == 3 if blind else 2
    assert all("tcp://127.0.0.1:" in each for each in told)
    assert list((base / "derived/small").rglob("*.mp4")) == []
    clean(base)


def derive_slowly(demo: Hosted, cluster: Cluster, recipes: Path, root: Path) -> Live:
    """A run that takes some seconds, in the background."""
    where = ("derive", demo.dataset, "--root", root, "--executor", cluster.executor)
    return start(root / "log", *where, *asked(recipes, "slow")[:2], *asked(recipes, "slow")[3:])


def older_kdl(folder: Path) -> Path:
    """A folder with this very kdl, which says that it is another version."""
    source, copy = Path(package.__file__).parent, folder / "older" / "kdl"
    copy.mkdir(parents=True)
    for entry in source.iterdir():
        (copy / entry.name).symlink_to(entry)
    (copy / "__init__.py").unlink()
    text = (source / "__init__.py").read_text()
    (copy / "__init__.py").write_text(text.replace(package.__version__, "0.0.1"))
    return copy.parent


def elsewhere(base: Path) -> tuple[str, ...]:
    """What begins a command that sees an empty file system in the mirror's place; empty where none can."""
    tried = ("unshare", "-m", "sh", "-c", f"mount -t tmpfs none {base} && mkdir -p {base}/.kdl/tasks", "sh")
    with contextlib.suppress(OSError):
        if shutil.which("unshare") and subprocess.run(tried, capture_output=True).returncode == 0:
            return (*tried[:4], f'{tried[4]} && exec "$@"', "sh")
    return ()
