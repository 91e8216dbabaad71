"""Three ways to Dask: a scheduler that runs somewhere, one of this machine's own, or jobs of SLURM."""

from __future__ import annotations

import logging
import signal
import warnings
from collections.abc import Mapping
from typing import Any

from kdl.cluster.dasksite import TRY_S, DaskSite
from kdl.cluster.sight import Question
from kdl.errors import ClusterError, ToolMissing
from kdl.events import Listener


def join(address: str, question: Question, emit: Listener) -> DaskSite:
    """The workers of the scheduler at ``address``, ``tcp://host:8786``. Raises ToolMissing."""
    distributed = _distributed()

    def open_client() -> tuple[Any, None]:
        try:
            return distributed.Client(address, timeout=TRY_S, set_as_default=False), None
        except (OSError, ValueError) as error:
            raise ClusterError(
                f"no scheduler answers there ({error})",
                subject=address,
                fix="start one: dask scheduler; docs/cluster.md has the rest",
            ) from error

    return DaskSite(open_client, question, queued=False, emit=emit)


def start_local(workers: int, question: Question, emit: Listener) -> DaskSite:
    """So many workers of this machine, under a scheduler of their own. Raises ToolMissing."""
    distributed = _distributed()

    def open_client() -> tuple[Any, Any]:
        cluster = distributed.LocalCluster(
            n_workers=workers,
            threads_per_worker=1,
            processes=True,
            host="127.0.0.1",
            dashboard_address=None,
            memory_limit=0,
            silence_logs=logging.CRITICAL,
        )
        return distributed.Client(cluster, set_as_default=False), cluster

    return DaskSite(open_client, question, queued=False, emit=emit)


def start_slurm(jobs: int, options: Mapping[str, Any], question: Question, emit: Listener) -> DaskSite:
    """So many jobs of SLURM, with dask-jobqueue's ``options``. Raises ToolMissing."""
    distributed = _distributed()
    dask_jobqueue = _jobqueue()

    def open_client() -> tuple[Any, Any]:
        try:
            cluster = dask_jobqueue.SLURMCluster(**options)
            cluster.scale(jobs=jobs)
        except (OSError, ValueError, RuntimeError) as error:
            raise ClusterError(
                f"SLURM takes no jobs ({error})",
                subject="--executor slurm",
                fix="run kdl where sbatch works, and look at [executor.slurm] in kdl.toml",
            ) from error
        return distributed.Client(cluster, set_as_default=False), cluster

    return DaskSite(open_client, question, queued=True, emit=emit)


def _distributed() -> Any:
    try:
        import distributed
    except ImportError:
        raise _missing("distributed") from None
    # What it has to say of lost workers and schedulers is said by us, once and not over the terminal.
    for name in logging.root.manager.loggerDict:
        if name.partition(".")[0] in ("distributed", "tornado"):
            logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    warnings.filterwarnings("ignore", module="distributed.*")
    return distributed


def _jobqueue() -> Any:
    handler = signal.getsignal(signal.SIGINT)
    try:
        import dask_jobqueue
    except ImportError:
        raise _missing("dask-jobqueue") from None
    # Importing it lets Ctrl-C leave at once (dask_jobqueue.runner, 0.9), with exit code 0.
    signal.signal(signal.SIGINT, handler)
    return dask_jobqueue


def _missing(name: str) -> ToolMissing:
    return ToolMissing(
        "it is not installed, and --executor needs it",
        subject=name,
        fix="pip install 'kdl[cluster]', here and where scheduler and workers run",
    )
