"""Asking the workers about clips, one worker's death costing its own clip alone."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Iterable
from pathlib import Path
from typing import TypeVar

from kdl.check.inspect import CheckResult, CheckTask, Prober, inspect, inspect_after_crash
from kdl.check.judge import Expectation
from kdl.check.limits import bound_this_process
from kdl.errors import MachineError, WorkerLost
from kdl.jobs.executors import TaskRunner
from kdl.jobs.run import Run
from kdl.values import Finding, Level

T = TypeVar("T")

_TIMEOUT = {Level.PROBE: 150.0, Level.DECODE: 1300.0}
"""Seconds for one clip: more than both readers' own limits, which say better what was slow."""
_SECOND_OPINION_EVERY = 100
_TRIES = 3


def _inspect(task: CheckTask) -> CheckResult:
    """Runs in a worker, whose memory is bounded from its first clip on: libav reads hostile files in it."""
    bound_this_process()
    return inspect(task)


class Inspector:
    """Checks clips in the workers. ``prober`` turns to ffprobe for good at the first disagreement."""

    def __init__(self, run: Run, runner: TaskRunner, level: Level, prober: str) -> None:
        self._run = run
        self._runner = runner
        self._level = level
        self._sound = 0
        self.prober: Prober = "ffprobe" if prober == "ffprobe" else "auto"
        self.disagreed = False

    @property
    def room(self) -> int:
        """Looks at a time that keep the workers busy."""
        return self._runner.room(_inspect)

    async def look(self, path: Path, name: str, expectation: Expectation) -> CheckResult:
        """The verdict on one clip. Raises MachineError where this machine hinders the look."""
        self._sound += 1
        second = self.prober == "auto" and self._sound % _SECOND_OPINION_EVERY == 0
        task = CheckTask(str(path), name, expectation, self._level, self.prober, second)
        limit = _TIMEOUT[self._level]
        try:
            with self._run.pulse.bounded(limit):
                result = await self._runner.run(_inspect, task, timeout=limit)
        except WorkerLost:
            result = await self._ask_alone(task)
        if result.disagreement is not None and not self.disagreed:
            self.disagreed = True
            self.prober = "ffprobe"
            self._run.find(
                Finding(
                    "prober_disagreement",
                    name,
                    f"{result.disagreement}; from here on ffprobe is asked about every clip",
                    "kdl mirror --prober ffprobe asks it from the start",
                )
            )
        return result

    async def _ask_alone(self, task: CheckTask) -> CheckResult:
        """ffprobe's word on a clip that a worker was lost over.

        ffprobe is a process of its own and bounded in time: a worker that is lost over this was not lost
        by the clip's doing, which is not condemned for it. Raises MachineError if it happens each time.
        """
        for _ in range(_TRIES):
            with contextlib.suppress(WorkerLost), self._run.pulse.bounded(_TIMEOUT[self._level]):
                return await self._runner.run(inspect_after_crash, task, timeout=_TIMEOUT[self._level])
        raise MachineError(
            f"could not be checked: {_TRIES} workers were lost over it, and not by its doing",
            subject=task.key_text,
            fix="look for a shortage of memory, then run the same again",
        )

    async def each(self, items: Iterable[T], work: Callable[[T], Awaitable[None]]) -> None:
        """``work`` over all items, as many at a time as keep the workers busy."""
        gate = asyncio.Semaphore(self.room * 2)

        async def one(item: T) -> None:
            async with gate:
                await work(item)

        async with asyncio.TaskGroup() as group:
            for item in items:
                group.create_task(one(item))
