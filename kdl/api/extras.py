"""``annotated``: which clips have boxes and counts."""

from __future__ import annotations

from kdl.api.calling import OnEvent, run_job
from kdl.api.choices import EXTRAS
from kdl.api.words import (
    PathLike,
    Words,
    at_least,
    one_of,
    read_dataset,
    read_optional,
    read_root,
    read_words,
)
from kdl.errors import UsageError
from kdl.settings import STALL_S, TRIES
from kdl.values import RunSummary


async def annotated(
    dataset: PathLike,
    *,
    extras: Words,
    root: PathLike | None = None,
    out: PathLike | None = None,
    origins: Words = (),
    tries: int = TRIES,
    stall_s: float = STALL_S,
    ledger: PathLike | None = None,
    on_event: OnEvent = None,
) -> RunSummary:
    """``kdl annotations --with``: fetch annotations beside the classes and join them to the clips here.

    ``extras`` are ``"ava"`` (boxes), ``"countix"`` (repetitions) or both. The summary's
    ``extra["annotated"]`` counts what they hold and what of that is here; ``out`` is a CSV file that gets
    a row for each key-frame and stretch. Raises KdlError.
    """
    from kdl.jobs.extras import ExtraOptions
    from kdl.jobs.extras import extras as job

    names = tuple(one_of("extras", name, EXTRAS) for name in read_words(extras))
    if not names:
        raise UsageError("it names no annotations", subject="extras", fix=f"one of {', '.join(EXTRAS)}")
    options = ExtraOptions(
        read_dataset(dataset),
        read_root(root),
        names,
        read_optional(out),
        read_words(origins),
        at_least("tries", tries, 1),
        at_least("stall_s", stall_s, 0.1),
        read_optional(ledger),
    )
    return await run_job(lambda bus: job(options, bus), on_event)
