"""The worker pool, with real crashes, real kills and real ffmpeg processes."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest

from kdl.errors import MediaError, WorkerLost
from kdl.events import Event, Noted
from kdl.media.child import run_child
from kdl.media.pool import WorkerPool

ENDLESS = [
    "ffmpeg", "-v", "error", "-nostdin", "-re", "-f", "lavfi", "-i", "testsrc=size=16x16", "-f", "null", "-",
]  # fmt: skip


def double(x: int) -> int:
    return 2 * x


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)
    time.sleep(30)


def fail() -> None:
    raise MediaError("no good", subject="a.mp4", fix="try another")


class Awkward(Exception):
    """Pickles, but does not unpickle."""

    def __init__(self, a: int, b: int) -> None:
        super().__init__(f"{a} {b}")


def fail_awkwardly() -> None:
    raise Awkward(1, 2)


def fail_unexpectedly() -> None:
    raise KeyError("x")


def begin(mark: Path, seconds: float) -> int:
    """Leaves its process id at ``mark``, sleeps, and says who it was."""
    mark.write_text(str(os.getpid()))
    time.sleep(seconds)
    mark.with_suffix(".done").touch()
    return os.getpid()


def encode_for_ever(mark: Path) -> None:
    mark.write_text(str(os.getpid()))
    run_child(ENDLESS, timeout=60)


def session() -> tuple[int, int, bool]:
    blocked = signal.SIGINT in signal.pthread_sigmask(signal.SIG_BLOCK, ())
    return os.getpid(), os.getsid(0), blocked or signal.getsignal(signal.SIGINT) is signal.SIG_IGN


@pytest.fixture
async def pool() -> AsyncIterator[WorkerPool]:
    pool = WorkerPool(2)
    yield pool
    await pool.close(0)


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():  # noqa: ASYNC110 - processes set no events
            await asyncio.sleep(0.02)


def alive(pid: int) -> bool:
    """Whether a process is there and not a zombie."""
    try:
        state = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state not in "ZX"


def descendants(pid: int) -> set[int]:
    """All processes below one, across sessions."""
    parents: dict[int, int] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            parents[int(entry.parent.name)] = int(entry.read_text().rpartition(")")[2].split()[1])
    found = {pid}
    while more := {child for child, parent in parents.items() if parent in found} - found:
        found |= more
    return found - {pid}


async def test_results_and_errors_travel(pool: WorkerPool) -> None:
    doubled = await asyncio.gather(*(pool.run(double, n, timeout=30) for n in range(20)))
    assert doubled == list(range(0, 40, 2))
    with pytest.raises(MediaError, match="no good") as kdl_error:
        await pool.run(fail, timeout=30)
    assert (kdl_error.value.subject, kdl_error.value.fix) == ("a.mp4", "try another")
    with pytest.raises(RuntimeError, match="Awkward: 1 2"):
        await pool.run(fail_awkwardly, timeout=30)
    with pytest.raises(KeyError) as other:
        await pool.run(fail_unexpectedly, timeout=30)
    assert "fail_unexpectedly" in "".join(other.value.__notes__)
    assert await pool.run(double, 4, timeout=30) == 8


async def test_no_process_before_the_first_task() -> None:
    before = descendants(os.getpid())
    pool = WorkerPool(2)
    assert descendants(os.getpid()) == before
    await pool.close(1)
    with pytest.raises(asyncio.CancelledError):
        await pool.run(double, 1, timeout=1)
    assert descendants(os.getpid()) == before


async def test_a_crash_costs_its_own_task_alone(tmp_path: Path) -> None:
    events: list[Event] = []
    pool = WorkerPool(2, emit=events.append)
    long = asyncio.create_task(pool.run(begin, tmp_path / "long", 1.0, timeout=30))
    tasks = [
        asyncio.create_task(
            pool.run(crash, timeout=30) if n in (3, 4, 9) else pool.run(double, n, timeout=30)
        )
        for n in range(12)
    ]
    results = await asyncio.gather(*tasks, return_exceptions=True)
    await long
    await pool.close(0)
    for n, result in enumerate(results):
        if n in (3, 4, 9):
            assert isinstance(result, WorkerLost)
            assert not result.timed_out
            assert "SIGSEGV" in result.message
        else:
            assert result == 2 * n
    assert len([e for e in events if isinstance(e, Noted)]) == 3


async def test_an_idle_worker_that_is_killed_costs_nothing(pool: WorkerPool) -> None:
    pid, _, _ = await pool.run(session, timeout=30)
    os.kill(pid, signal.SIGKILL)
    await asyncio.sleep(0.3)
    assert await asyncio.gather(*(pool.run(double, n, timeout=30) for n in range(4))) == [0, 2, 4, 6]


async def test_time_limit_ends_the_task_and_its_program(pool: WorkerPool, tmp_path: Path) -> None:
    other = asyncio.create_task(pool.run(begin, tmp_path / "other", 1.5, timeout=30))
    with pytest.raises(WorkerLost) as lost:
        await pool.run(encode_for_ever, tmp_path / "mark", timeout=1)
    assert lost.value.timed_out
    assert not alive(int((tmp_path / "mark").read_text()))
    assert await other
    assert await pool.run(double, 1, timeout=30) == 2


async def test_workers_are_out_of_the_terminals_reach(pool: WorkerPool) -> None:
    pid, sid, deaf = await pool.run(session, timeout=30)
    assert sid == pid
    assert deaf


async def test_cancelling_a_call_ends_its_work(pool: WorkerPool, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    call = asyncio.create_task(pool.run(encode_for_ever, mark, timeout=60))
    await until(lambda: mark.exists() and mark.read_text() != "")
    worker = int(mark.read_text())
    await until(lambda: bool(descendants(worker)))
    ffmpeg = descendants(worker)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: not any(map(alive, {worker, *ffmpeg})))
    assert await pool.run(double, 3, timeout=30) == 6


async def test_close_lets_running_tasks_end_and_cancels_the_rest(tmp_path: Path) -> None:
    pool = WorkerPool(1)
    running = asyncio.create_task(pool.run(begin, tmp_path / "running", 0.5, timeout=30))
    waiting = [
        asyncio.create_task(pool.run(begin, tmp_path / f"waiting{n}", 0.0, timeout=30)) for n in range(5)
    ]
    await until((tmp_path / "running").exists)
    await pool.close(10)
    worker = await running
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(result, asyncio.CancelledError) for result in results)
    assert not alive(worker)
    await pool.close(10)


async def test_close_ends_what_outlasts_the_grace(tmp_path: Path) -> None:
    pool = WorkerPool(2)
    mark = tmp_path / "mark"
    call = asyncio.create_task(pool.run(encode_for_ever, mark, timeout=60))
    await until(lambda: mark.exists() and mark.read_text() != "")
    await until(lambda: bool(descendants(int(mark.read_text()))))
    worker = int(mark.read_text())
    family = {worker, *descendants(worker)}
    async with asyncio.timeout(5):
        await pool.close(0.2)
    with pytest.raises(asyncio.CancelledError):
        await call
    await until(lambda: not any(map(alive, family)), 2)


COORDINATOR = """
import asyncio, sys
from pathlib import Path
sys.path.insert(0, {tests!r})
from kdl.media.pool import WorkerPool
from test_pool import encode_for_ever

async def main():
    pool = WorkerPool(2)
    await asyncio.gather(*(pool.run(encode_for_ever, Path({tmp!r}) / str(n), timeout=60) for n in range(2)))

if __name__ == "__main__":
    asyncio.run(main())
"""


def start_coordinator(tmp_path: Path) -> subprocess.Popen[bytes]:
    script = tmp_path / "coordinator.py"
    script.write_text(COORDINATOR.format(tests=str(Path(__file__).parent), tmp=str(tmp_path)))
    return subprocess.Popen(
        [sys.executable, str(script)],
        start_new_session=True,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[2])},
    )


async def test_nothing_survives_a_killed_coordinator(tmp_path: Path) -> None:
    with start_coordinator(tmp_path) as parent:
        await until(lambda: (tmp_path / "0").exists() and (tmp_path / "1").exists())
        workers = {int((tmp_path / name).read_text()) for name in "01"}
        await until(lambda: all(descendants(worker) for worker in workers))
        family = descendants(parent.pid)
        assert len(family) >= 4
        parent.kill()
        await until(lambda: not any(map(alive, family)), 2)


async def test_ctrl_c_while_workers_start_leaves_them_alone(tmp_path: Path) -> None:
    with start_coordinator(tmp_path) as parent:
        await until(lambda: len(descendants(parent.pid)) >= 2)
        family = descendants(parent.pid)
        for pid in family:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGINT)
        await until(lambda: (tmp_path / "0").exists() and (tmp_path / "1").exists())
        parent.kill()
        assert parent.stderr is not None
        assert b"KeyboardInterrupt" not in parent.stderr.read()
        await until(lambda: not any(map(alive, family)), 2)
