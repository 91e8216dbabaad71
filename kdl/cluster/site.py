"""What the runner asks of a cluster."""

from __future__ import annotations

from concurrent.futures import Executor
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Desk:
    """Where errands are handed in."""

    executor: Executor
    workers: frozenset[str] = frozenset()
    """Those that it sends to, by address; empty where nobody can tell."""


class Site(Protocol):
    """A cluster that is there: an executor, and how much of it there is.

    An executor of the standard library is nearly one. What it can not tell is who its workers are.
    """

    @property
    def slots(self) -> int:
        """Errands that run at the same time; 0 while there is no worker. It may change at any time."""

    @property
    def desk(self) -> Desk:
        """For batches of short calls."""

    def spread(self) -> AbstractContextManager[Desk]:
        """For one long task: held while the task goes on, so that the next goes to another host.

        A WorkerLost that ends the block tells that the worker it went to is not to be relied on.
        """

    def stranded(self, desk: Desk, taken_by: str) -> bool:
        """Whether who does it has gone; where nobody does it yet (``taken_by`` is empty), whether anybody
        has gone who might have it."""

    def avoid(self, worker: str) -> None:
        """This worker is silent: it gets nothing more before it has said anew what it sees."""

    def means_lost(self, error: BaseException) -> bool:
        """Whether this error of an executor's future says that workers died, and nothing of our doing."""

    async def refresh(self) -> None:
        """See who has come and who has gone. Raises ClusterError where the cluster itself has gone."""

    async def close(self) -> None:
        """Let go of it, and end what was started for this run alone. Takes a second or two at the most."""
