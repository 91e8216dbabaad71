"""Where tasks run: in this machine's worker processes, or on a cluster's."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol, TypeVar

from kdl import __version__
from kdl.cluster.runner import ClusterRunner
from kdl.cluster.sight import Question, marked
from kdl.errors import UsageError
from kdl.jobs.config import Key, read_table
from kdl.jobs.planning import derived_folder
from kdl.jobs.run import Run
from kdl.media.pool import WorkerPool
from kdl.media.recipe import Recipe
from kdl.settings import MirrorPaths

T = TypeVar("T")

WORDS = ("local", "dask://HOST:PORT", "dask:local", "slurm")
_DASK = re.compile(r"dask://(?P<host>[^\s/:\[\]]+|\[[0-9a-fA-F:]+\])(?::(?P<port>\d{1,5}))?/?")
_PORT = 8786


class TaskRunner(Protocol):
    """Runs functions elsewhere than in this process."""

    @property
    def remote(self) -> bool:
        """Whether that may be another machine, whose writes only it can put on disk."""

    def room(self, fn: Callable[..., Any]) -> int:
        """As many calls of ``fn`` as keep all workers busy; it may change as time goes by."""

    async def run(self, fn: Callable[..., T], *args: Any, timeout: float) -> T:  # noqa: ASYNC109 - measured by the worker
        """``fn(*args)``; all of it picklable. What ``fn`` raises is raised.

        ``timeout`` counts seconds from when a worker takes the task. Raises WorkerLost if the worker died
        of this task or ran out of time, MachineError where no worker can be had, CancelledError if the
        runner closes first. Cancelling the call ends its work.
        """

    async def close(self, grace: float) -> None:
        """End what runs, after ``grace`` seconds at the most and a little more, and all workers."""


@dataclass(frozen=True, slots=True)
class ExecutorChoice:
    """What ``--executor`` asks for."""

    kind: str
    """``local``, ``dask``, ``dask:local`` or ``slurm``."""
    address: str = ""
    """Of the scheduler, as Dask writes it."""
    jobs: int = 1
    """Jobs of SLURM."""
    options: dict[str, Any] = field(default_factory=dict)
    """For dask-jobqueue."""


def resolve_executor(word: str, paths: MirrorPaths) -> ExecutorChoice:
    """Raises UsageError for a word that is none of :data:`WORDS`, or what ``kdl.toml`` has wrong."""
    if word in ("local", "dask:local"):
        return ExecutorChoice(word)
    if word == "slurm":
        table = read_table(paths, ("executor", "slurm"), SLURM_KEYS)
        return ExecutorChoice(word, jobs=table.pop("jobs", 1), options=table)
    match = _DASK.fullmatch(word)
    if match is None or int(match["port"] or _PORT) > 65535:
        raise UsageError(f"not an executor; there is {', '.join(WORDS)}", subject=f"--executor {word}")
    return ExecutorChoice("dask", f"tcp://{match['host']}:{match['port'] or _PORT}")


async def open_runner(
    run: Run,
    choice: ExecutorChoice,
    *,
    workers: int,
    probing: bool,
    recipes: Iterable[Recipe],
    derived: Path | None,
) -> TaskRunner:
    """The runner that ``choice`` asks for; the caller closes it.

    ``workers`` of this machine, 0 for one a core; on a cluster so many batches run at the same time, 0
    for as many as it takes. A cluster is looked at before it gets work: each of its workers must see the
    mirror and the folders of the recipes and have what those need. Raises ToolMissing and ClusterError.
    """
    here = workers or len(os.sched_getaffinity(0))
    if choice.kind == "local":
        return WorkerPool(here, emit=run.emit)
    from kdl.cluster import daskopen

    recipes = tuple(recipes)
    derived = derived.absolute() if derived else None
    folders = [derived_folder(run.paths, derived, recipe.name).parent for recipe in recipes]
    with contextlib.ExitStack() as stack:
        marks = stack.enter_context(marked([run.paths.tasks, *folders], run.dataset))
        question = Question(__version__, marks, *_needs(probing=probing, recipes=recipes))
        if choice.kind == "dask":
            site = daskopen.join(choice.address, question, run.emit)
        elif choice.kind == "slurm":
            site = daskopen.start_slurm(choice.jobs, choice.options, question, run.emit)
        else:
            site = daskopen.start_local(here, question, run.emit)
        run.pulse.excuse(lambda: site.waiting)
        await site.open()
        run.note(f"{site.slots} workers' threads of the cluster see the mirror")
        return ClusterRunner(
            site, run.paths.tasks, marks[0], emit=run.emit, most=workers, at_end=stack.pop_all().close
        )


def _needs(*, probing: bool, recipes: tuple[Recipe, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The programs and the modules that workers need."""
    programs = [*(["ffprobe"] if probing else []), *(["ffmpeg"] if probing or recipes else [])]
    modules = ["av"] if probing or recipes else []
    if any(recipe.kind == "flow" for recipe in recipes):
        modules.append("cv2")
    return tuple(programs), tuple(modules)


SLURM_KEYS = {
    "jobs": Key(int, "jobs that are submitted"),
    "queue": Key(str, "sbatch's partition"),
    "account": Key(str, "sbatch's account"),
    "walltime": Key(str, "a job's time, as sbatch takes it"),
    "cores": Key(int, "cores of a job"),
    "memory": Key(str, "memory of a job, e.g. 16GB"),
    "processes": Key(int, "Dask workers in a job, which share its cores as their threads"),
    "interface": Key(str, "network interface of scheduler and workers"),
    "local_directory": Key(str, "a node's own disk, for Dask's scratch files"),
    "log_directory": Key(str, "where the jobs' logs go"),
    "python": Key(str, "the workers' Python"),
    "job_extra_directives": Key(list, "more lines for #SBATCH"),
    "job_script_prologue": Key(list, "lines of shell before the worker starts"),
    "worker_extra_args": Key(list, "more arguments for dask worker"),
    "death_timeout": Key(int, "seconds after which a worker without a scheduler ends"),
}
