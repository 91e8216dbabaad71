"""The plan of a run: what the ledger has, what the host says, what the disks hold."""

from __future__ import annotations

import asyncio
import math
import os
import shutil
from collections import Counter
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from kdl.dataset.labels import class_dir, resolve_classes
from kdl.dataset.plan import (
    CLIP_BYTES_PER_ARCHIVE_BYTE,
    Need,
    Plan,
    PlannedShard,
    Selection,
    ShardView,
    Volume,
    mirror_space,
    select_shards,
    shard_need,
)
from kdl.dataset.specs import Manifest
from kdl.errors import DiskFull, FetchError, UsageError
from kdl.fetch.members import tells_sizes
from kdl.fetch.source import RemoteStat
from kdl.fetch.spool import resumable, spool_path
from kdl.fetch.transfer import Fetcher
from kdl.jobs.options import Choice, MirrorOptions
from kdl.jobs.style import Style
from kdl.jobs.torrents import TORRENT
from kdl.ledger.adopted import ADOPTED
from kdl.ledger.clips import Scope
from kdl.ledger.derivatives import count_lacking
from kdl.ledger.ledger import Ledger
from kdl.ledger.objects import ObjectRow, find_object, shard_rows, unwritten_by_shard
from kdl.media.recipe import Recipe
from kdl.settings import MirrorPaths, human_size
from kdl.values import Shard, Stretch

_HEADS = 16
"""HEAD requests at a time."""
CLIP_BYTES = 1_500_000
"""Mean size of a hosted clip, for estimates."""


def resolve_choice(manifest: Manifest, choice: Choice, style: Style) -> Selection:
    """The selection a person asked for. Raises UsageError for what the dataset has not."""
    splits = choice.splits or manifest.split_names
    for name in splits:
        manifest.split(name)
    ordered = tuple(name for name in manifest.split_names if name in splits)
    classes = resolve_classes(manifest.labels, choice.classes) if choice.classes else None
    if classes is not None and not any(manifest.split(name).labelled for name in ordered):
        raise UsageError(
            f"the clips of {', '.join(ordered)} have no labels, so no class can be chosen",
            subject="--class",
            fix="leave --class out, or choose another --split",
        )
    left_out: tuple[str, ...] = ()
    if classes is not None:
        left_out = tuple(name for name in ordered if not manifest.split(name).labelled)
        ordered = tuple(name for name in ordered if name not in left_out)
    folders = None if classes is None else tuple(class_dir(label, style) for label in classes)
    return Selection(ordered, classes, folders, choice.shards, choice.limit, left_out)


def scope_of(selection: Selection) -> Scope:
    return Scope(selection.splits, selection.class_dirs)


async def make_plan(
    manifest: Manifest,
    shards: Iterable[Shard],
    selection: Selection,
    fetcher: Fetcher,
    ledger: Ledger | None,
    paths: MirrorPaths,
    *,
    lost: Mapping[int, int] | None = None,
    covered: Mapping[tuple[str, str], str] | None = None,
) -> tuple[Plan, Mapping[str, RemoteStat | FetchError]]:
    """The plan, and what the host said of each shard that is not done, by URL.

    Asks the host (HEAD, in parallel) only about what is not done. ``lost`` counts clips by shard id
    that the ledger does not know to have gone; ``covered`` says why a shard, by URL and split, need not be
    read. Raises UsageError where the selection leaves no shard.
    """
    shards = list(shards)
    chosen = select_shards(shards, selection)
    if not chosen:
        raise _nothing_selected(shards, selection)
    known: dict[tuple[str, str], ObjectRow] = {}
    unwritten: Counter[int] = Counter()
    if ledger is not None:
        known = shard_rows(ledger.reader(), selection.splits)
        unwritten = Counter(unwritten_by_shard(ledger.reader(), scope_of(selection)))
        unwritten.update(lost or {})
    covered = covered or {}
    views = [
        _view(
            shard, known.get((shard.url, shard.split)), unwritten, covered.get((shard.url, shard.split), "")
        )
        for shard in chosen
    ]
    lacking = [view.shard for view in views if shard_need(view) is not Need.DONE]
    stats = await _ask(fetcher, {shard.url: shard.bundle for shard in lacking})
    planned = tuple(_planned(view, stats.get(view.shard.url), paths) for view in views)
    return _with_extras(
        manifest, selection, planned, await _extra_bytes(manifest, selection, fetcher, ledger)
    ), stats


def _nothing_selected(shards: list[Shard], selection: Selection) -> UsageError:
    names = [shard.name for shard in shards]
    fix = f"the {len(names)} shards are called {names[0]!r} to {names[-1]!r}" if names else ""
    return UsageError("no shard is selected", subject=selection.describe(), fix=fix)


def _view(shard: Shard, row: ObjectRow | None, unwritten: Mapping[int, int], covered: str) -> ShardView:
    if row is None:
        return ShardView(shard, covered=covered)
    adopted = row.proof == ADOPTED and row.state == "partial"
    return ShardView(
        shard,
        row.state,
        row.size,
        row.etag,
        unwritten.get(row.id, 0),
        covered=covered,
        adopted=adopted,
    )


async def _ask(fetcher: Fetcher, wanted: Mapping[str, Stretch | None]) -> dict[str, RemoteStat | FetchError]:
    """What the host says of each object, by URL; a bundle's list stands behind its URL.

    A bundle whose sizes its list does not tell is left out: a plan asks nobody about clips one by one.
    """
    gate = asyncio.Semaphore(_HEADS)

    async def one(url: str, bundle: Stretch | None) -> RemoteStat | FetchError | None:
        async with gate:
            if bundle is not None and not await asyncio.to_thread(tells_sizes, bundle):
                return None
            try:
                return await fetcher.stat(url, bundle=bundle)
            except FetchError as error:
                return error

    found = await asyncio.gather(*(one(url, bundle) for url, bundle in wanted.items()))
    return {url: told for url, told in zip(wanted, found, strict=True) if told is not None}


def _planned(view: ShardView, stat: RemoteStat | FetchError | None, paths: MirrorPaths) -> PlannedShard:
    need = shard_need(view)
    if need is Need.DONE or stat is None:
        return PlannedShard(view.shard, need, view.size, 0, note=view.covered)
    if isinstance(stat, FetchError):
        return PlannedShard(view.shard, Need.FETCH, view.size, 0, note=stat.message)
    if view.adopted and view.unwritten == 0 and stat.size == view.size:
        return PlannedShard(view.shard, Need.DONE, stat.size, 0, note="its archive was taken in")
    if need is Need.BROKEN:
        if (stat.size, stat.etag) == (view.size, view.etag):
            return PlannedShard(view.shard, need, stat.size, 0, note="broken at the source, unchanged")
        need = Need.FETCH
    shard = view.shard
    spool = spool_path(paths.spool, shown_name(shard), shard.url, stat)
    return PlannedShard(shard, need, stat.size, resumable(spool, stat))


def shown_name(shard: Shard) -> str:
    """How a run calls a shard: names alone recur in several splits."""
    return f"{shard.split}/{shard.name}"


async def _extra_bytes(
    manifest: Manifest, selection: Selection, fetcher: Fetcher, ledger: Ledger | None
) -> int:
    """Bytes of annotations and of the replacement archive that are not here yet."""
    specs = map(manifest.split, selection.splits)
    wanted = [(spec.annotation.url, spec.name) for spec in specs if spec.annotation]
    if needs_replacement(manifest, selection):
        assert manifest.replacement is not None
        wanted.append((manifest.replacement.url, ""))
    if ledger is not None:
        rows = {key: find_object(ledger.reader(), *key) for key in wanted}
        wanted = [key for key, row in rows.items() if row is None or row.state != "done"]
    stats = await _ask(fetcher, dict.fromkeys((url for url, _ in wanted), None))
    return sum(stat.size or 0 for stat in stats.values() if isinstance(stat, RemoteStat))


def needs_replacement(manifest: Manifest, selection: Selection) -> bool:
    """Whether the manifest says that a selected split wants the replacement archive."""
    spec = manifest.replacement
    return spec is not None and any(split in selection.splits for split in spec.splits)


def _with_extras(
    manifest: Manifest, selection: Selection, planned: tuple[PlannedShard, ...], extra: int
) -> Plan:
    notes: list[str] = []
    if selection.left_out:
        left_out = ", ".join(selection.left_out)
        notes.append(f"the clips of {left_out} have no labels, so --class leaves {left_out} out")
    share = 1.0
    mixed = [item for item in planned if item.shard.class_hint is None and item.need is Need.FETCH]
    if selection.classes is not None and mixed:
        share = len(selection.classes) / max(len(manifest.labels), 1)
        size = sum(item.size or 0 for item in mixed)
        notes.append(
            f"nothing tells which of these shards hold the {selection.class_count()} asked for: "
            f"{len(mixed)} shards ({human_size(size)}) are downloaded, "
            f"about {human_size(size * share)} of clips are kept"
        )
    unknown = sum(item.size is None for item in planned if item.need is Need.FETCH)
    if unknown:
        notes.append(f"the host did not tell the size of {unknown} shards")
    stored = tuple(name for name in selection.splits if manifest.split(name).archive != "tar")
    return Plan(selection, planned, extra, tuple(notes), share, stored)


def volumes(
    plan: Plan, options: MirrorOptions, paths: MirrorPaths, recipes: list[Recipe], ledger: Ledger | None
) -> list[Volume]:
    """What the plan asks of each file system, by device."""
    held = any(item.shard.url.startswith(TORRENT) for item in plan.to_fetch)
    space = mirror_space(
        plan, jobs=options.jobs, spool=options.spool or held, keep_archives=options.keep_archives
    )
    new_clips = sum(item.size or 0 for item in plan.to_fetch) * CLIP_BYTES_PER_ARCHIVE_BYTE * plan.share
    scope = scope_of(plan.selection)
    wanted = [(paths.base, space.peak, space.end)]
    for recipe in recipes:
        here = count_lacking(ledger.reader(), scope, recipe.name, recipe.fingerprint) if ledger else 0
        size = (here + math.ceil(new_clips / CLIP_BYTES)) * recipe.bytes_per_clip
        wanted.append((derived_folder(paths, options.derived, recipe.name), size, size))
    by_device: dict[int, Volume] = {}
    for folder, peak, end in wanted:
        existing = nearest_existing(folder)
        device = existing.stat().st_dev
        before = by_device.get(device) or Volume(str(folder), shutil.disk_usage(existing).free, 0, 0)
        by_device[device] = Volume(before.path, before.free, before.peak + peak, before.end + end)
    return list(by_device.values())


def derived_folder(paths: MirrorPaths, derived: Path | None, recipe: str) -> Path:
    """Where a recipe's derivatives really lie: a link at ``derived/<recipe>`` is followed."""
    return derived / recipe if derived is not None else Path(os.path.realpath(paths.derived / recipe))


def nearest_existing(path: Path) -> Path:
    for candidate in (path, *path.absolute().parents):
        if candidate.exists():
            return candidate
    return Path("/")


def require_room(found: list[Volume], *, force: bool) -> None:
    """Raise DiskFull if a volume can not hold the plan at its peak."""
    for volume in found:
        if not volume.fits and not force:
            raise DiskFull(
                f"the plan needs {human_size(volume.peak)} at its peak, {human_size(volume.free)} are free",
                subject=volume.path,
                fix="make room, choose fewer --split or --class, fewer --jobs, --no-spool, or --force",
            )


def plan_dict(plan: Plan, dataset: str, found: list[Volume]) -> dict[str, Any]:
    """The plan as JSON-ready values."""
    return {
        "dataset": dataset,
        "selection": plan.selection.describe(),
        "shards": {
            "total": len(plan.shards),
            "done": sum(item.need is Need.DONE for item in plan.shards),
            "broken": sum(item.need is Need.BROKEN for item in plan.shards),
            "to_fetch": len(plan.to_fetch),
        },
        "objects": [
            {
                "name": item.shard.name,
                "url": item.shard.url,
                "split": item.shard.split,
                "bytes": item.size,
                "have_bytes": (item.size or 0) if item.need is Need.DONE else item.spooled,
                "state": item.need.value,
                "note": item.note,
            }
            for item in plan.shards
        ],
        "bytes": {
            "download": plan.download,
            "have": sum((item.size or 0) if item.need is Need.DONE else item.spooled for item in plan.shards),
            "annotations_and_replacements": plan.extra_bytes,
        },
        "volumes": [
            {"path": v.path, "free": v.free, "needed_peak": v.peak, "needed_end": v.end, "ok": v.fits}
            for v in found
        ],
        "notes": list(plan.notes),
    }
