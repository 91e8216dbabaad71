"""``derive``, ``pack``, ``lists``, ``export`` and ``report``: what is made of a mirror's clips."""

from __future__ import annotations

from pathlib import Path
from typing import BinaryIO

from kdl.api.calling import OnEvent, asking, run_job
from kdl.api.choices import EXPORTS, HWACCELS, PACKS, VERDICTS, Hwaccel
from kdl.api.results import Exported
from kdl.api.words import (
    PathLike,
    Words,
    at_least,
    one_of,
    read_choice,
    read_dataset,
    read_optional,
    read_path,
    read_root,
    read_size,
    read_splits,
    read_words,
)
from kdl.errors import UsageError
from kdl.settings import WATCHDOG_S
from kdl.values import RunSummary


async def derive(
    dataset: PathLike,
    *,
    recipes: Words,
    root: PathLike | None = None,
    splits: Words = (),
    classes: Words = (),
    derived: PathLike | None = None,
    workers: int | None = None,
    executor: str = "local",
    hwaccel: Hwaccel = "none",
    retry_failed: bool = False,
    watchdog_s: float = WATCHDOG_S,
    ledger: PathLike | None = None,
    on_event: OnEvent = None,
) -> RunSummary:
    """Make derivatives of the sound clips that are here; finished ones are skipped. Raises KdlError."""
    from kdl.jobs.derive import DeriveOptions
    from kdl.jobs.derive import derive as job

    options = DeriveOptions(
        read_dataset(dataset),
        read_root(root),
        read_words(recipes),
        read_choice(splits, classes),
        at_least("workers", workers, 1) or 0,
        read_optional(derived),
        retry_failed,
        read_optional(ledger),
        watchdog_s,
        one_of("hwaccel", hwaccel, HWACCELS),
        executor,
    )
    return await run_job(lambda bus: job(options, bus), on_event)


async def pack(
    dataset: PathLike,
    *,
    root: PathLike | None = None,
    format: str = "webdataset",
    shard_size: str | int = "1G",
    recipe: str | None = None,
    splits: Words = (),
    out: PathLike | None = None,
    ledger: PathLike | None = None,
    on_event: OnEvent = None,
) -> RunSummary:
    """Put the sound clips into shards for sequential reading; those that are whole are left alone.

    ``shard_size`` is bytes at the most, or a text like ``"1G"``. Raises KdlError.
    """
    from kdl.jobs.pack import PackOptions
    from kdl.jobs.pack import pack as job

    one_of("format", format, PACKS)
    options = PackOptions(
        read_dataset(dataset),
        read_root(root),
        read_size(shard_size),
        recipe,
        read_splits(splits),
        read_optional(out),
        read_optional(ledger),
    )
    return await run_job(lambda bus: job(options, bus), on_event)


async def write_lists(
    dataset: PathLike,
    *,
    root: PathLike | None = None,
    consumers: Words = (),
    recipes: Words = (),
    label_map: PathLike | None = None,
    separator: str | None = None,
    name_template: str | None = None,
    links: PathLike | None = None,
    exclude: PathLike | None = None,
    ledger: PathLike | None = None,
    on_event: OnEvent = None,
) -> RunSummary:
    """``kdl lists``: write the lists that trainers read, of sound clips only; or ``links`` to the clips.

    ``consumers`` are the trainers, as ``--for`` names them; ``exclude`` is a file of YouTube ids and clip
    names to be left out. Raises KdlError.
    """
    from kdl.api.consumers import CONSUMERS, SEPARATORS
    from kdl.jobs.listwriting import ListOptions
    from kdl.jobs.listwriting import lists as job

    names = read_words(consumers)
    for name in names:
        one_of("consumers", name, CONSUMERS)
    options = ListOptions(
        read_dataset(dataset),
        read_root(root),
        names,
        read_words(recipes),
        read_optional(label_map),
        one_of("separator", separator, SEPARATORS),
        name_template,
        read_optional(links),
        read_optional(ledger),
        read_optional(exclude),
    )
    return await run_job(lambda bus: job(options, bus), on_event)


@asking
def export(
    dataset: PathLike,
    out: PathLike | BinaryIO,
    *,
    root: PathLike | None = None,
    format: str = "csv",
    splits: Words = (),
    verdicts: Words = (),
    ledger: PathLike | None = None,
) -> Exported:
    """One row a clip, to a file or a binary stream; the format ``index`` has seek indexes of shards instead.

    A file appears whole or not at all; a stream is left open. The format ``origin`` makes ``out`` a folder
    from which others can mirror. Raises KdlError.
    """
    from kdl.jobs.indexpack import export_indexes
    from kdl.jobs.originpack import export_origin
    from kdl.jobs.views import dataset_name, export_clips

    one_of("format", format, EXPORTS)
    wanted = read_words(verdicts)
    for verdict in wanted:
        one_of("verdicts", verdict, VERDICTS)
    place = read_path(out) if isinstance(out, (str, Path)) else out
    asked, where, names = read_dataset(dataset), read_root(root), read_splits(splits)
    known = read_optional(ledger)
    if format in ("index", "origin") and wanted:
        what = "indexes are of whole shards" if format == "index" else "an origin has all that is sound"
        raise UsageError(what, subject=f"--format {format}", fix="leave --verdict out")
    if format == "origin":
        if not isinstance(place, Path):
            raise UsageError("it is a folder", subject="--format origin", fix="give --out DIR")
        rows, what = export_origin(asked, where, place, splits=names, ledger_path=known), "clips"
    elif format == "index":
        rows, what = export_indexes(asked, where, place, splits=names, ledger_path=known), "seek indexes"
    else:
        rows = export_clips(asked, where, format, place, splits=names, verdicts=wanted, ledger_path=known)
        what = "clips"
    return Exported(dataset_name(asked), rows, what, place if isinstance(place, Path) else None)


async def write_report(
    dataset: PathLike,
    *,
    root: PathLike | None = None,
    out: PathLike | None = None,
    pictures: bool = True,
    ledger: PathLike | None = None,
    on_event: OnEvent = None,
) -> RunSummary:
    """``kdl report``: one HTML page that tells how a mirror is, and what to do next; at any time.

    The summary's ``extra["report"]`` says where it is. Raises KdlError.
    """
    from kdl.jobs.report import ReportOptions
    from kdl.jobs.report import report as job

    options = ReportOptions(
        read_dataset(dataset), read_root(root), read_optional(out), pictures, read_optional(ledger)
    )
    return await run_job(lambda bus: job(options, bus), on_event)
