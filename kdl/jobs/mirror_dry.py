"""What ``kdl mirror`` and ``kdl fetch`` would do: the plan, and nothing written."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from kdl import events
from kdl.dataset.manifest import load_manifest
from kdl.dataset.plan import Plan, Selection
from kdl.dataset.specs import Manifest
from kdl.errors import KdlError
from kdl.fetch.origins import Origins
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.transfer import Fetcher
from kdl.jobs.adopted import covered_shards, only_lacking
from kdl.jobs.listings import read_link_lists
from kdl.jobs.options import YOUTUBE, MirrorOptions
from kdl.jobs.planning import make_plan, plan_dict, resolve_choice, scope_of, volumes
from kdl.jobs.restore import lost_clips
from kdl.jobs.run import find_ledger, mirror_paths, require_root
from kdl.jobs.style import style_of
from kdl.jobs.torrents import require_torrent, source_options
from kdl.jobs.youtube_begin import videos_of
from kdl.jobs.youtube_plan import fill_note, youtube_plan
from kdl.ledger.ledger import Ledger, open_ledger
from kdl.media.cookbook import resolve_recipe
from kdl.settings import MirrorPaths
from kdl.values import Shard


async def dry_run(options: MirrorOptions, emit: events.Listener) -> dict[str, Any]:
    """The plan of a mirror run, JSON-ready. Nothing is written. Raises KdlError."""
    manifest = load_manifest(options.dataset)
    recipes = [resolve_recipe(word) for word in options.recipes]
    _, overrides = videos_of(manifest, options)
    origins = Origins({host.name: host.base for host in manifest.hosts}, overrides)
    require_torrent(manifest, options.origins, options.torrent)
    paths = mirror_paths(options.root, manifest.name)
    require_root(paths)
    ledger = _existing_ledger(paths, options)
    try:
        style = style_of(ledger) if ledger else "mmaction2"
        selection = resolve_choice(manifest, options.choice, style)
        if options.source == YOUTUBE:
            plan = youtube_plan(manifest, options, selection, ledger)
            return plan_dict(plan, manifest.name, volumes(plan, options, paths, recipes, ledger))
        async with Fetcher(
            origins,
            retry=RetryPolicy(tries=options.tries),
            stall_s=options.stall_s,
            connections=16,
            emit=emit,
            sources=source_options(manifest, paths, options.torrent, dry=True),
        ) as fetcher:
            plan = await _plan(fetcher, manifest, selection, ledger, paths)
        if options.fill_missing:
            note = fill_note(manifest, options, selection, ledger)
            plan = replace(plan, notes=(*plan.notes, note))
        return plan_dict(plan, manifest.name, volumes(plan, options, paths, recipes, ledger))
    finally:
        if ledger is not None:
            ledger.close()


async def _plan(
    fetcher: Fetcher, manifest: Manifest, selection: Selection, ledger: Ledger | None, paths: MirrorPaths
) -> Plan:
    with TemporaryDirectory(prefix="kdl-plan-") as folder:
        lists = await read_link_lists(fetcher, manifest, selection.splits, Path(folder))
        shards: list[Shard] = []
        for found in lists.values():
            if isinstance(found, KdlError):
                raise found
            shards += found.shards
        gone = lost_clips(ledger, paths, scope_of(selection)) if ledger else {}
        shards = only_lacking(ledger, manifest, shards, selection, gone)
        covered = covered_shards(ledger, paths, manifest, shards, selection)
        plan, _ = await make_plan(
            manifest, shards, selection, fetcher, ledger, paths, lost=Counter(gone.values()), covered=covered
        )
    return plan


def _existing_ledger(paths: MirrorPaths, options: MirrorOptions) -> Ledger | None:
    path = options.ledger
    if path is None:
        try:
            path = find_ledger(paths, options.dataset)
        except KdlError:
            return None
    return open_ledger(path, read_only=True) if path.exists() else None
