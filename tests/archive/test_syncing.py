"""The barrier in a process of its own: its word is passed on, and nobody has to wait for it."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import pytest

from kdl.archive.syncing import Barrier
from kdl.errors import MachineError


def _helpers() -> list[int]:
    """Child processes of this one that serve a barrier."""
    children = [pid for of in Path("/proc/self/task").glob("*/children") for pid in of.read_text().split()]
    return [int(pid) for pid in children if b".barrier" in Path(f"/proc/{pid}/cmdline").read_bytes()]


async def test_it_holds_for_files_and_folders_one_after_another(tmp_path: Path) -> None:
    (tmp_path / "file \udcff").write_bytes(b"x")
    barrier = Barrier()
    await asyncio.gather(*(barrier.sync(path) for path in (tmp_path, tmp_path / "file \udcff") * 3))
    assert len(_helpers()) == 1
    barrier.close()
    assert _helpers() == []


async def test_what_failed_is_raised_and_the_next_one_holds(tmp_path: Path) -> None:
    barrier = Barrier()
    with pytest.raises(MachineError, match=r"gone: .*not safely on disk: No such file"):
        await barrier.sync(tmp_path / "gone")
    await barrier.sync(tmp_path)
    barrier.close()


async def test_a_barrier_that_does_not_come_keeps_nobody(tmp_path: Path) -> None:
    barrier = Barrier()
    await barrier.sync(tmp_path)
    (stuck,) = _helpers()
    os.kill(stuck, signal.SIGSTOP)
    waiting = asyncio.create_task(barrier.sync(tmp_path))
    await asyncio.sleep(0.1)
    assert not waiting.done()
    waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await waiting
    await barrier.sync(tmp_path)
    assert stuck not in _helpers()
    barrier.close()


async def test_a_killed_process_is_told_and_another_takes_its_place(tmp_path: Path) -> None:
    barrier = Barrier()
    await barrier.sync(tmp_path)
    (killed,) = _helpers()
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(MachineError) as caught:
        await barrier.sync(tmp_path)
    assert caught.value.fix
    await barrier.sync(tmp_path)
    barrier.close()


def test_nothing_to_let_go_of_before_the_first() -> None:
    Barrier().close()


async def test_who_comes_meanwhile_shares_the_next_and_one_that_leaves_takes_nobody_along(
    tmp_path: Path,
) -> None:
    barrier = Barrier()
    await barrier.sync(tmp_path)
    (helper,) = _helpers()
    os.kill(helper, signal.SIGSTOP)
    first = asyncio.create_task(barrier.sync(tmp_path))
    await asyncio.sleep(0.1)
    later = [asyncio.create_task(barrier.sync(tmp_path)) for _ in range(50)]
    await asyncio.sleep(0)
    later[7].cancel()
    os.kill(helper, signal.SIGCONT)
    await first
    results = await asyncio.gather(*later, return_exceptions=True)
    assert [n for n, result in enumerate(results) if result is not None] == [7]
    assert _helpers() == [helper]
    barrier.close()
