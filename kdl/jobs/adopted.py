"""What was taken in from elsewhere, and what a mirror need not fetch because of it."""

from __future__ import annotations

import sqlite3
from collections.abc import Container, Iterable, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from kdl.archive.seekindex import index_path, load_index
from kdl.dataset.linklist import class_of
from kdl.dataset.plan import Need, Plan, Selection, keeps_strays
from kdl.dataset.specs import Manifest, SplitSpec
from kdl.errors import FetchError
from kdl.fetch.members import Member, read_stretch
from kdl.fetch.source import RemoteStat
from kdl.jobs.clipkeys import key_of, listed_elsewhere
from kdl.jobs.run import Run
from kdl.ledger.adopted import (
    ADOPTED,
    ClassState,
    attribute,
    class_states,
    cover_class,
    is_here,
    is_sound,
    knows_clips,
)
from kdl.ledger.clips import find_clip
from kdl.ledger.ledger import Ledger
from kdl.ledger.objects import ObjectRow, find_object, set_object, shard_rows
from kdl.settings import MirrorPaths
from kdl.values import ClipKey, Shard, Stretch

CLASS_HERE = "every clip of its class is here"
SPLIT_HERE = "every clip of its split is here"
MEMBERS_HERE = "every clip that its index lists is here"
LISTED_HERE = "every clip that its list names is here"
NOTHING = frozenset({""})
"""Of a bundle: none of its clips is lacking."""

Covered = Mapping[tuple[str, str], str]
"""Why a shard, by URL and split, need not be read."""


def covered_shards(
    ledger: Ledger | None,
    paths: MirrorPaths,
    manifest: Manifest,
    shards: Iterable[Shard],
    selection: Selection,
) -> dict[tuple[str, str], str]:
    """The shards that hold nothing which is not here, and sound.

    Of archives that is asked only where something was taken in, of bundles always: their lists tell.
    """
    if ledger is None:
        return {}
    adopted = ledger.meta(ADOPTED) is not None
    reader, covered = ledger.reader(), {}
    states: dict[str, dict[str | None, ClassState]] = {}
    for shard in shards:
        if shard.split not in selection.splits:
            continue
        if shard.bundle is not None:
            if shard.bundle.only == NOTHING:
                covered[shard.url, shard.split] = LISTED_HERE
            continue
        if not adopted:
            continue
        if shard.split not in states:
            known = _is_annotated(ledger, manifest.split(shard.split))
            found = class_states(reader, shard.split) if known else []
            states[shard.split] = {state.label: state for state in found}
        reason = _why_covered(reader, paths, manifest, shard, states[shard.split], selection)
        if reason is not None:
            covered[shard.url, shard.split] = reason
    return covered


def only_lacking(
    ledger: Ledger | None,
    manifest: Manifest,
    shards: Iterable[Shard],
    selection: Selection,
    gone: Container[int] = (),
) -> list[Shard]:
    """The same shards, the bundles among them without the clips that are here and as the list has them.

    Without those of other classes, too. One whose clips are all here wants NOTHING. ``gone``: ids of clips
    that the ledger does not know to have gone.
    """
    if ledger is None or not knows_clips(ledger.reader()):
        return list(shards)
    reader = ledger.reader()

    def lacking(shard: Shard, bundle: Stretch) -> Stretch:
        spec, row = manifest.split(shard.split), find_object(reader, shard.url, shard.split)
        chosen = selection if shard.class_hint is None else replace(selection, classes=None)
        members, strays = read_stretch(bundle), keeps_strays(manifest, selection, spec.name)
        wanted = {
            member.base_name
            for member in members
            if _is_wanted(reader, manifest, spec, member, row.id if row else None, chosen, gone, strays)
        }
        if len(wanted) == len(members):
            return bundle
        return replace(bundle, only=frozenset(wanted) or NOTHING)

    return [
        shard
        if shard.bundle is None or shard.split not in selection.splits
        else replace(shard, bundle=lacking(shard, shard.bundle))
        for shard in shards
    ]


def _is_wanted(
    reader: sqlite3.Connection,
    manifest: Manifest,
    spec: SplitSpec,
    member: Member,
    shard_id: int | None,
    selection: Selection,
    gone: Container[int],
    strays: bool,
) -> bool:
    """Whether a file of a bundle is a clip of the split that is selected, and not here."""
    key = key_of(reader, spec, member.base_name)
    if key is None:
        return False
    row = find_clip(reader, key)
    if row is None:
        return strays and not listed_elsewhere(reader, manifest, key)
    if row["label"] is not None and not selection.wants_class(row["label"]):
        return False
    return row["id"] in gone or not is_here(row, shard_id, member.sha256)


def _why_covered(
    reader: sqlite3.Connection,
    paths: MirrorPaths,
    manifest: Manifest,
    shard: Shard,
    states: Mapping[str | None, ClassState],
    selection: Selection,
) -> str | None:
    hint = shard.class_hint
    if hint is not None and is_complete([states[hint]] if hint in states else []):
        return CLASS_HERE
    if _split_is_here(manifest.split(shard.split), states, selection):
        return SPLIT_HERE
    members = _members(reader, paths, manifest, shard)
    return MEMBERS_HERE if members and all(is_sound(reader, key) for _, key in members) else None


def _split_is_here(
    spec: SplitSpec, states: Mapping[str | None, ClassState], selection: Selection | None = None
) -> bool:
    """Whether all that is annotated is here, or as much of it as the manifest counts in the archives."""
    chosen = [state for label, state in states.items() if selection is None or selection.wants_class(label)]
    here = sum(state.here for state in states.values())
    hosted = 0 if spec.counts.approximate else spec.counts.clips or 0
    return is_complete(chosen) or 0 < hosted <= here


def is_complete(states: Iterable[ClassState]) -> bool:
    """Whether the classes have clips, and all of them are here."""
    states = list(states)
    return bool(states) and all(state.here == state.listed for state in states)


def _members(
    reader: sqlite3.Connection, paths: MirrorPaths, manifest: Manifest, shard: Shard
) -> list[tuple[int, ClipKey]]:
    """The clips that the shard's index lists, with their positions; empty where it has none."""
    index = load_index(index_path(paths.index, shard.split, shard.name))
    if index is None or index.url != shard.url:
        return []
    spec = manifest.split(shard.split)
    keys = ((seq, key_of(reader, spec, clip.name)) for seq, clip in enumerate(index.clips))
    return [(seq, key) for seq, key in keys if key is not None]


async def record_covered(
    run: Run, manifest: Manifest, plan: Plan, covered: Covered, stats: Mapping[str, RemoteStat | FetchError]
) -> None:
    """Shards that need not be read are done, and hold the clips that are known to be theirs.

    So a clip of them that goes missing is fetched again. Of a mixed split nothing tells which shard holds
    which clip: its shards stay unread.
    """
    for item in plan.shards:
        shard, stat = item.shard, stats.get(item.shard.url)
        row = find_object(run.ledger.reader(), shard.url, shard.split)
        if row is None or row.state == "done":
            continue
        if shard.bundle is not None and shard.bundle.only:
            await _record_bundle(run, manifest.split(shard.split), row, shard.bundle)
        if item.need is not Need.DONE:
            continue
        reason = covered.get((shard.url, shard.split))
        if reason is None and isinstance(stat, RemoteStat):
            await run.ledger.do(partial(set_object, object_id=row.id, state="done", etag=stat.etag))
        elif reason == CLASS_HERE and shard.class_hint is not None:
            await run.ledger.do(
                partial(cover_class, shard_id=row.id, split=shard.split, label=shard.class_hint)
            )
        elif reason == MEMBERS_HERE:
            members = _members(run.ledger.reader(), run.paths, manifest, shard)

            def cover(connection: sqlite3.Connection, shard_id: int = row.id, members: Any = members) -> None:
                attribute(connection, shard_id, members)
                set_object(connection, shard_id, "done", proof=ADOPTED)

            await run.ledger.do(cover)


async def _record_bundle(run: Run, spec: SplitSpec, row: ObjectRow, bundle: Stretch) -> None:
    """A bundle of which some clips are here, or all: they are its clips, wherever they came from."""

    def members() -> list[tuple[None, ClipKey]]:
        reader, named = run.ledger.reader(), read_stretch(replace(bundle, only=frozenset()))
        keys = (key_of(reader, spec, member.base_name) for member in named)
        return [(None, key) for key in keys if key is not None]

    found = await run.in_thread(members)

    def record(connection: sqlite3.Connection) -> None:
        attribute(connection, row.id, found)
        if bundle.only == NOTHING:
            set_object(connection, row.id, "done", proof=row.proof or ADOPTED)

    await run.ledger.do(record)


def outlook(ledger: Ledger, paths: MirrorPaths, manifest: Manifest, splits: Iterable[str]) -> dict[str, Any]:
    """What a mirror of each split would still fetch, JSON-ready; ``None`` for what is not known."""
    return {split: _outlook(ledger, paths, manifest, manifest.split(split)) for split in splits}


def _outlook(ledger: Ledger, paths: MirrorPaths, manifest: Manifest, spec: SplitSpec) -> dict[str, Any]:
    reader = ledger.reader()
    known = _is_annotated(ledger, spec)
    states = {state.label: state for state in class_states(reader, spec.name)}
    here = sum(state.here for state in states.values())
    listed = sum(state.listed for state in states.values()) if known else None
    rows = shard_rows(reader, (spec.name,)).values()
    hosted = [row for row in rows if not row.url.startswith(f"{ADOPTED}:")]
    ready = {row.name for row in rows if row.state == "done" or row.proof == ADOPTED}
    hints = {name: class_of(name, spec, manifest.labels) for name in (row.name for row in rows)}
    total = len(hosted) or spec.counts.shards or len(spec.archives) or None
    if not known:
        states = {}
    if _split_is_here(spec, states):
        skipped = total
    elif hosted:
        waiting = [
            Shard(row.url, row.name, spec.name, 0, hints[row.name]) for row in hosted if row.name not in ready
        ]
        chosen = Selection((spec.name,))
        why = [_why_covered(reader, paths, manifest, shard, states, chosen) for shard in waiting]
        skipped = len(ready) + sum(reason is not None for reason in why)
    else:
        whole = {label for label, state in states.items() if spec.class_by_shard and is_complete([state])}
        skipped = len(ready) + len(whole - {hints[name] for name in ready})
    left = None if total is None or skipped is None else max(total - skipped, 0)
    size = spec.counts.bytes
    return {
        "listed": listed,
        "here": here,
        "lacking": None if listed is None else listed - here,
        "shards": total,
        "shards_to_fetch": left,
        "bytes_to_fetch": round(size * left / total) if size and total and left is not None else None,
    }


def _is_annotated(ledger: Ledger, spec: SplitSpec) -> bool:
    """Whether it is known which clips the split has."""
    return spec.annotation is not None and ledger.meta(f"annotations.{spec.name}") is not None
