"""How much there is to ask YouTube for, before anything is."""

from __future__ import annotations

from dataclasses import replace

from kdl.dataset.plan import Plan, Selection
from kdl.dataset.specs import Manifest
from kdl.jobs.options import YOUTUBE, MirrorOptions
from kdl.jobs.planning import CLIP_BYTES
from kdl.ledger.clips import Scope
from kdl.ledger.ledger import Ledger
from kdl.ledger.youtube import count_wanted

_CUT_S = 4.0
"""What asking for a clip of ten seconds and cutting it takes, beside ``--sleep``."""


def youtube_plan(
    manifest: Manifest, options: MirrorOptions, selection: Selection, ledger: Ledger | None
) -> Plan:
    """The plan of a run without shards: the clips, at the size that hosted ones have."""
    count = clips_to_ask_for(manifest, options, selection, ledger)
    count = min(count, selection.limit or count)
    return Plan(replace(selection, limit=None), (), count * CLIP_BYTES, (_note(count, options),))


def fill_note(manifest: Manifest, options: MirrorOptions, selection: Selection, ledger: Ledger | None) -> str:
    """What ``--fill-missing`` adds to a plan, as far as it is known before the shards are read."""
    count = clips_to_ask_for(manifest, options, selection, ledger)
    return f"after the shards, as far as is known now: {_note(count, options)}"


def clips_to_ask_for(
    manifest: Manifest, options: MirrorOptions, selection: Selection, ledger: Ledger | None
) -> int:
    """By the ledger, for splits whose annotations it has; else by the manifest's own counts."""
    unhosted, count = options.source != YOUTUBE, 0
    for name in selection.splits:
        if ledger is not None and ledger.meta(f"annotations.{name}") is not None:
            scope, reader = Scope((name,), selection.class_dirs), ledger.reader()
            count += count_wanted(reader, scope, unhosted=unhosted, again=options.retry_failed)
        else:
            spec = manifest.split(name)
            share = 1.0 if selection.classes is None else len(selection.classes) / len(manifest.labels)
            count += round(share * (len(spec.never_hosted) if unhosted else spec.counts.rows or 0))
    return count


def _note(count: int, options: MirrorOptions) -> str:
    hours = count * (options.youtube.sleep_s + _CUT_S) / options.youtube.jobs / 3600
    return f"clips to ask YouTube for, one by one: {count:,}, in about {hours:,.1f} hours"
