"""A real Dask scheduler and its workers on loopback, each a process that can be killed by itself."""

from __future__ import annotations

import contextlib
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.e2e.killing import marked

_DASK = (sys.executable, "-W", "ignore", "-m", "distributed.cli")
_PATIENCE_S = 90.0


@dataclass
class Node:
    """A worker of the cluster."""

    name: str
    process: subprocess.Popen[bytes]
    log: Path

    @property
    def pid(self) -> int:
        return self.process.pid

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@dataclass
class Cluster:
    """The scheduler, and workers with one thread each. They run in a group and a session of their own."""

    folder: Path
    mark: str
    scheduler: subprocess.Popen[bytes]
    nodes: dict[str, Node] = field(default_factory=dict)

    @property
    def executor(self) -> str:
        """What ``--executor`` takes."""
        address = json.loads((self.folder / "scheduler.json").read_text())["address"]
        return str(address).replace("tcp://", "dask://")

    def add(self, name: str, *, before: Sequence[str] = (), **environment: str) -> Node:
        """Start a worker, and wait until the scheduler has it; ``before`` is what its command begins with."""
        log = self.folder / f"{name}.log"
        command = [*before, *_DASK[:-1], f"{_DASK[-1]}.dask_worker", "--scheduler-file", "scheduler.json"]
        command += ["--nthreads", "1", "--no-nanny", "--no-dashboard", "--host", "127.0.0.1", "--name", name]
        command += ["--memory-limit", "0", "--local-directory", str(self.folder / "scratch")]
        node = Node(name, _start(command, self.folder, log, self.mark, **environment), log)
        self.nodes[name] = node
        wait_until(lambda: "Starting established connection" in log.read_text(), node.process, log)
        return node

    def ensure(self, *names: str) -> None:
        """That these workers live and no other does."""
        for name in set(self.nodes) - set(names):
            self.nodes.pop(name).kill()
        for name in names:
            if name not in self.nodes or self.nodes[name].process.poll() is not None:
                self.add(name)

    def settle(self, wanted: set[int]) -> None:
        """Wait until these processes of the cluster live, and no other."""
        until = time.monotonic() + _PATIENCE_S
        while (found := set(marked(self.mark))) != wanted:
            assert time.monotonic() < until, found ^ wanted
            time.sleep(0.05)

    def close(self) -> None:
        for node in self.nodes.values():
            node.kill()
        self.scheduler.kill()
        self.scheduler.wait()


@contextlib.contextmanager
def running_cluster(folder: Path, workers: Sequence[str] = ("one", "two")) -> Iterator[Cluster]:
    """A cluster below ``folder``; nothing of it is left afterwards."""
    log, mark = folder / "scheduler.log", f"cluster-{folder.name}-{os.getpid()}"
    command = [*_DASK[:-1], f"{_DASK[-1]}.dask_scheduler", "--scheduler-file", "scheduler.json"]
    command += ["--host", "127.0.0.1", "--port", "0", "--no-dashboard"]
    scheduler = _start(command, folder, log, mark)
    cluster = Cluster(folder, mark, scheduler)
    try:
        wait_until((folder / "scheduler.json").exists, scheduler, log)
        for name in workers:
            cluster.add(name)
        yield cluster
    finally:
        cluster.close()
        until = time.monotonic() + 10
        while left := marked(mark):
            assert time.monotonic() < until, f"left behind: {left}"
            time.sleep(0.05)


def _start(
    command: Sequence[str], folder: Path, log: Path, mark: str, **environment: str
) -> subprocess.Popen[bytes]:
    with log.open("wb") as out:
        return subprocess.Popen(
            command,
            cwd=folder,
            stdin=subprocess.DEVNULL,
            stdout=out,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            env={
                **os.environ,
                "PYTHONPATH": str(Path(__file__).parents[2]),
                "DASK_DISTRIBUTED__WORKER__PROFILE__ENABLED": "False",
                **environment,
                "KDL_TEST_MARK": mark,
            },
        )


def wait_until(condition: Callable[[], bool], process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while not condition():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < until, log.read_text()
        time.sleep(0.02)


def rendering_under(pid: int) -> list[int]:
    """The ffmpeg processes below a worker that are alive."""
    parents, names = {}, {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError, IndexError):
            name, _, rest = entry.read_text().partition("(")[2].rpartition(")")
            state, parent = rest.split()[:2]
            if state not in "ZX":
                parents[int(entry.parent.name)], names[int(entry.parent.name)] = int(parent), name
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return [each for each in found if names.get(each) == "ffmpeg"]


def kill_at_work(node: Node, alive: Callable[[], bool]) -> None:
    """SIGKILL for a worker in the middle of a clip; fails if ``alive`` ends before one is met."""
    while not rendering_under(node.pid):
        assert alive(), "it ended, and no ffmpeg was seen"
        time.sleep(0.002)
    os.kill(node.pid, signal.SIGKILL)
    node.process.wait()
