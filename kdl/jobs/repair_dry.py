"""``kdl repair --dry-run``: what a repair would read, and from where. Nothing is written."""

from __future__ import annotations

import asyncio
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from kdl.check.hashes import sha256_file
from kdl.dataset.manifest import load_manifest
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.transfer import Fetcher
from kdl.jobs.planning import resolve_choice, scope_of
from kdl.jobs.repair import origins_of
from kdl.jobs.repair_folders import Donor, open_donors, require_folder
from kdl.jobs.repair_here import needs_replacement
from kdl.jobs.repair_options import RepairOptions, Way
from kdl.jobs.repair_plan import Planner
from kdl.jobs.run import find_ledger, mirror_paths
from kdl.jobs.style import style_of
from kdl.jobs.torrents import source_options
from kdl.ledger.clips import ClipRow, Scope, clips_where, files_where
from kdl.ledger.ledger import Ledger, open_ledger
from kdl.ledger.objects import find_object
from kdl.ledger.repairs import Batch, bad_names, clips_found
from kdl.ledger.replacements import is_spoiled, replacement_for
from kdl.settings import MirrorPaths
from kdl.values import Verdict

_FILED = "verdict IN ('ok', 'short', 'unchecked', 'unlisted')"


async def dry_run(options: RepairOptions) -> dict[str, Any]:
    """The plan of a repair, JSON-ready. Raises KdlError."""
    manifest = load_manifest(options.dataset)
    origins = origins_of(manifest, options)
    paths = mirror_paths(options.root, manifest.name)
    for folder in options.folders:
        require_folder(folder, paths.base)
    place = options.ledger or find_ledger(paths, options.dataset)
    with open_ledger(place, read_only=True) as ledger:
        scope = scope_of(resolve_choice(manifest, options.choice, style_of(ledger)))
        gone = await asyncio.to_thread(lambda: list(gone_clips(ledger, paths, scope)))
        names = {*bad_names(ledger.reader(), scope), *(row.name or "" for row in gone)}
        donors = await asyncio.to_thread(
            open_donors, options.folders, manifest.name, names, lambda text: None
        )
        planner = _DryPlanner(ledger, paths, scope, gone, donors)
        try:
            async with Fetcher(
                origins,
                retry=RetryPolicy(tries=options.tries),
                stall_s=options.stall_s,
                emit=lambda event: None,
                sources=source_options(manifest, paths, dry=True),
            ) as fetcher:
                batches = await asyncio.to_thread(planner.batches)
                plans = [plan async for _, plan in planner.plans(fetcher, batches)]
        finally:
            for donor in donors:
                donor.close()
        spec = manifest.replacement
        known = find_object(ledger.reader(), spec.url) if spec and planner.archive else None
        archive = (known.size or 0) if known else 0
    shards = [plan for plan in plans if plan.rows]
    near = planner.near
    found = sum(near.values()) + sum(len(plan.rows) for plan in shards)
    return {
        "dataset": manifest.name,
        "clips": planner.total,
        "by_way": {
            way.value: near[way] + sum(len(plan.rows) for plan in shards if plan.way is way) for way in Way
        },
        "hopeless": planner.total - found,
        "bytes": sum(plan.bytes or 0 for plan in shards) + archive,
        "replacement_archive": archive,
        "shards": [plan.as_dict() for plan in shards],
    }


def gone_clips(ledger: Ledger, paths: MirrorPaths, scope: Scope) -> Iterator[ClipRow]:
    """Clips that the ledger takes for sound and whose files are not as recorded, as missing ones."""
    where, parameters = scope.where()
    for file in files_where(ledger.reader(), f"{_FILED} AND {where}", parameters):
        path = paths.base / file.path
        try:
            stat = path.stat()
        except OSError:
            stat = None
        if stat is not None and (stat.st_size, stat.st_mtime_ns) == (file.size, file.mtime_ns):
            continue
        (row,) = clips_where(ledger.reader(), "id = ?", (file.id,))
        if stat is None or stat.st_size != file.size or sha256_file(str(path)) != row.sha256:
            yield replace(row, verdict=Verdict.MISSING)


class _DryPlanner(Planner):
    """Plans with what a look at the files would mark, and without what is to be had nearby."""

    def __init__(
        self, ledger: Ledger, paths: MirrorPaths, scope: Scope, gone: list[ClipRow], donors: list[Donor]
    ) -> None:
        super().__init__(ledger, paths, scope)
        self._gone: defaultdict[int | None, list[ClipRow]] = defaultdict(list)
        for row in gone:
            self._gone[row.shard_id].append(row)
        self._donors = donors
        found = clips_found(ledger.reader(), scope)
        self._here = {clip_id for clip_id, path in found if (paths.base / path).is_file()}
        self.near: Counter[Way] = Counter()
        """Clips that need no shard."""
        self.total = 0
        self.archive = False
        """The replacement archive is to be fetched again."""

    def batches(self) -> list[Batch]:
        known = {batch.shard_id: batch for batch in super().batches()}
        for shard_id, rows in self._gone.items():
            before = known.get(shard_id, Batch(shard_id, 0, None))
            known[shard_id] = before._replace(clips=before.clips + len(rows), last_seq=None)
        self.total = sum(batch.clips for batch in known.values())
        for batch in known.values():
            if batch.shard_id is None:
                self.rows(batch)
        return list(known.values())

    def rows(self, batch: Batch) -> list[ClipRow]:
        left = []
        for row in [*super().rows(batch), *self._gone[batch.shard_id]]:
            way = self._way(row)
            if way is None:
                left.append(row)
            else:
                self.near[way] += 1
        return left

    def _way(self, row: ClipRow) -> Way | None:
        if row.id in self._here:
            return Way.HERE
        reader = self._ledger.reader()
        if needs_replacement(row):
            if replacement_for(reader, row.key) is not None:
                return Way.REPLACEMENT
            if is_spoiled(reader, row.key):
                self.archive = True
                return Way.REPLACEMENT
        if any(next(donor.candidates(row), None) is not None for donor in self._donors):
            return Way.FOLDER
        return None
