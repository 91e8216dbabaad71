"""``manifest init``: a first manifest for a dataset of one's own."""

from __future__ import annotations

from kdl.api.calling import OnEvent, run_job
from kdl.api.choices import SPLITS
from kdl.api.words import PathLike, one_of, read_optional
from kdl.dataset.draft import ManifestDraft


async def init_manifest(
    name: str,
    place: PathLike,
    *,
    out: PathLike | None = None,
    title: str | None = None,
    split: str = "train",
    labels: PathLike | None = None,
    look: bool = True,
    on_event: OnEvent = None,
) -> ManifestDraft:
    """Write a manifest for what lies at ``place``: a folder, an archive or a link list. Raises KdlError."""
    from kdl.jobs.manifest_init import InitOptions, init

    options = InitOptions(
        name,
        str(place),
        read_optional(out),
        title,
        one_of("split", split, SPLITS),
        read_optional(labels),
        look,
    )
    return await run_job(lambda bus: init(options, bus.emit), on_event)
