"""A mirror at a glance, again and again: ``kdl status --watch``."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdl.jobs.run import command_line, mirror_paths
from kdl.jobs.statusfile import read_status
from kdl.jobs.views import dataset_name, read_only, status
from kdl.ledger.overview import ages, satisfied
from kdl.report.health import Health, judge_mirror
from kdl.tallies import Ages
from kdl.values import Verdict

_SHARE = 10
"""The ledger is asked again after so many times what asking it took: it is a run's, who has work to do."""


@dataclass(frozen=True, slots=True)
class Glance:
    """What is known of a mirror at one moment."""

    run: dict[str, Any] | None
    """The last run's picture, as it publishes it."""
    counts: dict[str, Any]
    """``clips``, ``shards`` and ``derived``, as :func:`kdl.jobs.views.status` counts them."""
    health: Health | None
    """``None`` as long as a run that has just begun has made no ledger."""
    ages: Ages | None


class Watch:
    """Looks at one mirror. Each look reads the run's picture; the ledger is asked as often as it can bear."""

    def __init__(self, dataset: str, root: Path, ledger: Path | None = None) -> None:
        """Raises UsageError for a dataset that is not known."""
        self._dataset = dataset
        self._root = root
        self._ledger = ledger
        self._paths = mirror_paths(root, dataset_name(dataset))
        self._last: Glance | None = None
        self._due = 0.0

    def look(self) -> Glance:
        """Raises KdlError as :func:`kdl.jobs.views.status` does."""
        if self._last is None or time.monotonic() >= self._due:
            began = time.monotonic()
            self._last = self._ask()
            self._due = time.monotonic() + _SHARE * (time.monotonic() - began)
        found = self._last
        return Glance(read_status(self._paths.status), found.counts, found.health, found.ages)

    def _ask(self) -> Glance:
        counts = status(self._dataset, self._root, self._ledger)
        picture = counts.pop("run")
        if not counts:
            return Glance(picture, counts, None, None)
        with read_only(self._dataset, self._root, self._ledger) as ledger:
            looked_at = ages(ledger.reader(), time.time())
            all_asked = satisfied(ledger.reader())
        clips = {verdict: counts["clips"].get(verdict.value, 0) for verdict in Verdict}
        underived = {recipe: made["failed"] for recipe, made in counts["derived"].items() if made["failed"]}
        health = judge_mirror(
            clips, counts["shards"], underived, looked_at, self._command, satisfied=all_asked
        )
        return Glance(picture, counts, health, looked_at)

    def _command(self, verb: str, *arguments: str) -> str:
        return command_line(verb, self._dataset, self._paths.base.parent, *arguments)
