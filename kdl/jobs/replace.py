"""The replacement archive: fetched first, judged, and put in where clips are corrupt or absent."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
from collections import Counter
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

from kdl import events
from kdl.archive.members import Member, Placement, Skip
from kdl.check.judge import Expectation
from kdl.dataset.clipname import ClipName, clip_stem
from kdl.dataset.specs import Manifest
from kdl.errors import FetchError
from kdl.fetch.retry import RetryPolicy
from kdl.fetch.spool import drop_spools
from kdl.fetch.transfer import Fetcher
from kdl.jobs.inspection import Inspector
from kdl.jobs.restore import home_of
from kdl.jobs.run import Run
from kdl.jobs.shardpass import ShardTask
from kdl.jobs.shards import bring_shard, settled_proof
from kdl.ledger.clips import ClipRow, Scope, clips_where, record_replaced
from kdl.ledger.objects import ObjectRow, find_object, register_object, set_object
from kdl.ledger.replacements import (
    ReplacementRow,
    beyond_doubt,
    judge_replacement,
    record_replacement,
    replaceable_clips,
    replacement_for,
    replacement_rows,
)
from kdl.values import ClipFile, Facts, Finding, Judgement, Level, Shard, Verdict


class ReplacementSink:
    """Takes the archive's clips into ``.kdl/replacements/``; runs in the unpacking thread."""

    def __init__(self, run: Run, manifest: Manifest, object_id: int) -> None:
        self._run = run
        self._object = object_id
        spec = manifest.split(manifest.replacement.splits[0]) if manifest.replacement else None
        assert spec is not None, "there is an archive of replacements"
        self._spec = spec
        self.skipped: Counter[str] = Counter()

    def is_clip(self, base_name: str) -> bool:
        return self._name(base_name) is not None

    def _name(self, base_name: str) -> ClipName | None:
        return self._spec.name_with(base_name, times=self._spec.times)

    def place(self, member: Member) -> Placement:
        return Placement(self._run.paths.replacements / member.name)

    def clip(self, file: ClipFile) -> None:
        name = self._name(file.name)
        assert name is not None
        assert file.path is not None
        assert file.sha256 is not None
        assert file.mtime_ns is not None
        key, sha256, mtime_ns = name.key(""), file.sha256, file.mtime_ns
        path = str(Path(file.path).relative_to(self._run.paths.base))
        self._run.ledger.write(
            lambda c: record_replacement(
                c,
                self._object,
                key,
                name=file.name,
                path=path,
                size=file.size,
                mtime_ns=mtime_ns,
                sha256=sha256,
            )
        ).result()

    def skip(self, member: str, reason: Skip) -> None:
        self.skipped[reason] += 1

    def finish(self) -> None:
        pass


async def bring_replacements(
    run: Run,
    fetcher: Fetcher,
    manifest: Manifest,
    policy: RetryPolicy,
    threads: ThreadPoolExecutor,
    *,
    spool: bool,
) -> None:
    """Fetch the replacement archive unless it is here. What goes wrong is a finding."""
    spec = manifest.replacement
    assert spec is not None
    known = find_object(run.ledger.reader(), spec.url)
    name = Path(spec.url).name
    if known is not None and known.state == "done":
        await run.in_thread(drop_spools, run.paths.spool, [(name, spec.url)])
        return
    if known is not None and known.state == "broken" and await _unchanged(fetcher, known):
        _find_broken(run, spec.url, "unchanged since it was found so")
        return
    run.phase("the replacement archive")
    object_id = await run.ledger.do(lambda c: register_object(c, spec.url, name, "replacement"))
    await run.ledger.do(lambda c: set_object(c, object_id, "partial"))
    task = ShardTask(
        Shard(spec.url, name, "", 0),
        "replacement",
        name,
        run.paths.spool if spool else None,
        None,
        run.tmp,
        manifest.max_member,
    )
    result = await bring_shard(
        task, fetcher, policy, threads, lambda: ReplacementSink(run, manifest, object_id), run.emit
    )
    received = result.last.received if result.last else 0
    clips = result.last.reading.clips if result.last else 0
    run.emit(
        events.TransferEnded(
            name, "replacement", "", result.state, received, result.fetched, clips, 0.0, result.reason
        )
    )
    last = result.last
    if result.error is not None or last is None:
        await run.ledger.do(lambda c: set_object(c, object_id, result.state, error=result.reason))
        if result.error is not None:
            run.fail(result.error)
        return
    await run.on_disk(run.paths.base)
    await run.ledger.do(
        lambda c: set_object(
            c,
            object_id,
            result.state,
            size=last.received,
            etag=last.stat.etag,
            sha256=last.sha256,
            proof=settled_proof(last),
            clips=clips,
            error=result.reason or None,
        )
    )
    await run.in_thread(drop_spools, run.paths.spool, [(name, spec.url)])
    if result.state == "broken":
        _find_broken(run, spec.url, result.reason)


async def _unchanged(fetcher: Fetcher, known: ObjectRow) -> bool:
    """Whether the host still has the version that was found broken; no where it can not be asked."""
    try:
        stat = await fetcher.stat(known.url)
    except FetchError:
        return False
    return (stat.size, stat.etag) == (known.size, known.etag)


def _find_broken(run: Run, url: str, reason: str) -> None:
    run.find(
        Finding(
            "shard_broken",
            url,
            f"broken at the source: {reason}",
            "the clips before the damage are used; nothing here can mend the rest",
        ),
        1,
    )


async def judge_replacements(run: Run, inspector: Inspector, level: Level, tolerance: float) -> None:
    """Check what the archive brought: a replacement that is itself bad is not used."""
    deep = (level, Level.DECODE)
    waiting = [row for row in replacement_rows(run.ledger.reader()) if row.check_level not in deep]
    if not waiting:
        return
    run.phase("checking the replacements")

    async def one(row: ReplacementRow) -> None:
        nominal = float(row.end - row.start) if row.start >= 0 else None
        found = await inspector.look(run.paths.base / row.path, row.name, Expectation(nominal, tolerance))
        await run.ledger.do(lambda c: judge_replacement(c, row.id, found.judgement, level, found.facts))
        if found.judgement.verdict is Verdict.CORRUPT:
            run.find(
                Finding(
                    "replacement_corrupt",
                    row.name,
                    found.judgement.detail or str(found.judgement.cause),
                    "it is not used",
                )
            )

    await inspector.each(waiting, one)


async def restore_replaced(run: Run, splits: tuple[str, ...]) -> None:
    """Put replaced clips that have gone from disk back, from the replacements that are here."""
    marks = ", ".join("?" * len(splits))
    gone = f"split IN ({marks}) AND verdict = 'missing' AND replaced_cause IS NOT NULL"
    rows = await asyncio.to_thread(lambda: list(clips_where(run.ledger.reader(), gone, splits)))
    await put_replacements(run, rows)


async def replace_clips(run: Run, scope: Scope) -> None:
    """Put sound replacements where clips are corrupt, missing or never hosted."""
    rows = await asyncio.to_thread(lambda: list(replaceable_clips(run.ledger.reader(), scope)))
    await put_replacements(run, rows)


async def replace_at_once(run: Run, *, shard_id: int | None = None, ids: Iterable[int] = ()) -> None:
    """The same for a shard's clips, or for these, as they are met: those that nothing can mend any more."""
    await put_replacements(
        run, await asyncio.to_thread(lambda: beyond_doubt(run.ledger.reader(), shard_id=shard_id, ids=ids))
    )


async def put_replacements(run: Run, rows: Iterable[ClipRow]) -> None:
    """Put the replacement of each clip in its place."""
    for row in rows:
        replacement = replacement_for(run.ledger.reader(), row.key)
        if replacement is not None:
            await run.in_thread(_put, run, row, replacement)


def _put(run: Run, row: ClipRow, replacement: ReplacementRow) -> None:
    """Link the replacement in, record it, and only then let go of the corrupt clip."""
    base = run.paths.base
    source = base / replacement.path
    target_name = home_of(_named(row, replacement.name), Verdict.OK)
    target = base / target_name
    temp = run.tmp / f"replacement-{replacement.id}"
    target.parent.mkdir(parents=True, exist_ok=True)
    temp.unlink(missing_ok=True)
    try:
        os.link(source, temp)
    except OSError:  # a file system without hard links
        shutil.copy2(source, temp)
    temp.replace(target)
    mtime_ns = target.stat().st_mtime_ns
    judgement = Judgement(replacement.verdict, None, replacement.detail)
    facts: Facts = replacement.facts
    run.ledger.write(
        lambda c: record_replaced(
            c,
            row.id,
            path=target_name,
            name=replacement.name,
            size=replacement.size,
            mtime_ns=mtime_ns,
            sha256=replacement.sha256,
            judgement=judgement,
            level=replacement.check_level or Level.PROBE,
            facts=facts,
        )
    ).result()
    if row.path is not None and row.path != target_name:
        with contextlib.suppress(FileNotFoundError):
            (base / row.path).unlink()


def _named(row: ClipRow, name: str) -> ClipRow:
    """The row as if it had a file of this name: one that was never hosted has none."""
    stem = clip_stem(row.key)
    return row if row.name else replace(row, name=name if name.startswith(stem) else stem, listed=True)
