"""``status``, ``show`` and ``watch``, ``datasets``, ``config``, ``doctor``: what is known; and ``demo``."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdl.api.calling import OnEvent, asking, run_job
from kdl.api.results import Checkup, DatasetInfo, ShownClip, Status
from kdl.api.words import PathLike, Words, read_dataset, read_optional, read_path, read_root, read_words
from kdl.values import RunSummary

if TYPE_CHECKING:
    from kdl.jobs.configview import Config
    from kdl.jobs.watching import Watch


@asking
def status(dataset: PathLike, *, root: PathLike | None = None, ledger: PathLike | None = None) -> Status:
    """What a run is doing now, and what the ledger knows; at any time. Raises KdlError."""
    from kdl.jobs import views

    asked = read_dataset(dataset)
    found: dict[str, Any] = {"clips": {}, "shards": {}, "derived": {}}
    found |= views.status(asked, read_root(root), read_optional(ledger))
    return Status(views.dataset_name(asked), **found)


def show(
    dataset: PathLike, what: str, *, root: PathLike | None = None, ledger: PathLike | None = None
) -> Iterator[ShownClip]:
    """The clips of a verdict, or the ``replaced`` ones and what they stand in for, by split and class.

    Raises KdlError when the first is asked for.
    """
    from kdl.jobs import views

    rows = views.show(read_dataset(dataset), read_root(root), what, read_optional(ledger))
    return (ShownClip(**row) for row in rows)


@asking
def watch(dataset: PathLike, *, root: PathLike | None = None, ledger: PathLike | None = None) -> Watch:
    """``kdl status --watch``: looks at a mirror again and again, each time that ``look`` is called.

    Raises UsageError for a dataset that is not known; ``look`` raises KdlError.
    """
    from kdl.jobs.watching import Watch

    return Watch(read_dataset(dataset), read_root(root), read_optional(ledger))


def dataset_name(dataset: PathLike) -> str:
    """The name of a dataset's folder under the root. Raises UsageError for one that is not known."""
    from kdl.jobs import views

    return views.dataset_name(read_dataset(dataset))


@asking
def datasets(names: Words = ()) -> tuple[DatasetInfo, ...]:
    """The datasets kdl knows, or the named manifests: clips, shards, sizes and sources. Raises UsageError."""
    from kdl.jobs import views

    return tuple(map(DatasetInfo.of, views.datasets(read_words(names))))


@asking
def config(dataset: PathLike, *, root: PathLike | None = None) -> Config:
    """What ``kdl.toml`` says of a mirror, checked, and what holds where it is silent. Raises UsageError."""
    from kdl.jobs.configview import config as view

    return view(read_dataset(dataset), read_root(root))


@asking
def doctor(*, root: PathLike | None = None) -> Checkup:
    """What is missing on this machine, and how to get it. Takes about a second; leaves nothing behind."""
    from kdl.jobs.doctor import diagnose, exit_code, findings

    checks = tuple(diagnose(read_root(root)))
    return Checkup(checks, findings(checks), exit_code(checks))


def demo_folder() -> Path:
    """Where a demo lies that nobody gave a folder."""
    return Path(tempfile.gettempdir()) / "kdl-demo"


async def demo(*, out: PathLike | None = None, quick: bool = False, on_event: OnEvent = None) -> RunSummary:
    """Make a small dataset with every known fault planted, serve it on loopback and mirror it.

    All lies under ``out``, by default :func:`demo_folder`; what an earlier demo left there is removed.
    Raises KdlError.
    """
    from kdl.jobs.demo import demo as job

    folder = demo_folder() if out is None else read_path(out)
    return await run_job(lambda bus: job(folder, bus, quick=quick), on_event)
