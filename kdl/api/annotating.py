"""``annotations``: who lists which clips, where they differ, and what two datasets share."""

from __future__ import annotations

from kdl.api.calling import OnEvent, run_job
from kdl.api.words import PathLike, Words, at_least, read_dataset, read_optional, read_root, read_words
from kdl.settings import STALL_S, TRIES
from kdl.values import RunSummary


async def describe_annotations(
    dataset: PathLike,
    *,
    root: PathLike | None = None,
    folder: PathLike | None = None,
    on_event: OnEvent = None,
) -> RunSummary:
    """What is here of every publisher's lists: rows, clips, labels and ids, by split. Fetches nothing.

    ``folder`` is read in the place of the mirror's ``annotations``. Raises KdlError.
    """
    from kdl.jobs.annotation_options import AnnotationOptions
    from kdl.jobs.annotations import tell_annotations

    options = AnnotationOptions(read_root(root), read_dataset(dataset), folder=read_optional(folder))
    return await run_job(lambda bus: tell_annotations(options, bus), on_event)


async def compare_annotations(
    dataset: PathLike,
    publishers: Words,
    *,
    root: PathLike | None = None,
    folder: PathLike | None = None,
    out: PathLike | None = None,
    refresh: bool = False,
    origins: Words = (),
    tries: int = TRIES,
    stall_s: float = STALL_S,
    ledger: PathLike | None = None,
    on_event: OnEvent = None,
) -> RunSummary:
    """Hold the lists of two or more publishers against each other and against the clips on disk.

    What is not here is fetched into the mirror, unless a ``folder`` is to be read. ``out`` gets every
    difference as CSV. Raises KdlError.
    """
    from kdl.jobs.annotation_options import AnnotationOptions
    from kdl.jobs.annotations import tell_annotations

    options = AnnotationOptions(
        read_root(root),
        read_dataset(dataset),
        compare=read_words(publishers),
        folder=read_optional(folder),
        out=read_optional(out),
        refresh=refresh,
        origins=read_words(origins),
        tries=at_least("tries", tries, 1),
        stall_s=at_least("stall_s", stall_s, 0.1),
        ledger=read_optional(ledger),
    )
    return await run_job(lambda bus: tell_annotations(options, bus), on_event)


async def overlap(
    first: str,
    second: str,
    *,
    root: PathLike | None = None,
    folder: PathLike | None = None,
    out: PathLike | None = None,
    refresh: bool = False,
    origins: Words = (),
    tries: int = TRIES,
    stall_s: float = STALL_S,
    on_event: OnEvent = None,
) -> RunSummary:
    """Which YouTube videos two lists share, each a ``DATASET`` or a ``DATASET:SPLIT``.

    ``out`` gets the shared ids, a line each, as ``write_lists(exclude=…)`` takes them. With a ``folder``
    each dataset's lists are read in the one of its name there. Raises KdlError.
    """
    from kdl.jobs.annotation_options import AnnotationOptions
    from kdl.jobs.annotations import tell_annotations

    options = AnnotationOptions(
        read_root(root),
        overlap=(first, second),
        folder=read_optional(folder),
        out=read_optional(out),
        refresh=refresh,
        origins=read_words(origins),
        tries=at_least("tries", tries, 1),
        stall_s=at_least("stall_s", stall_s, 0.1),
    )
    return await run_job(lambda bus: tell_annotations(options, bus), on_event)
