"""The plan of a repair, for a terminal."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kdl.settings import human_size
from kdl.ui.text import counted, object_name, safe

_SHOWN = 40
_WAYS = {
    "here": "here, under another name",
    "replacement": "from the replacement archive",
    "folder": "from --from",
    "index": "out of their shards, by seek index",
    "file": "from their own files at the host",
    "stream": "by reading their shards again",
}


def render_repair_plan(plan: Mapping[str, Any]) -> RenderableType:
    """``plan`` as :func:`kdl.jobs.repair_dry.dry_run` gives it; sizes are bytes or ``None``."""
    parts: list[RenderableType] = [
        Text(f"{safe(plan['dataset'])}: {counted(plan['clips'], 'clip')} to mend", "bold")
    ]
    parts += [
        Text(f"{plan['by_way'][way]:>7,} {words}") for way, words in _WAYS.items() if plan["by_way"][way]
    ]
    if plan["hopeless"]:
        parts.append(Text(f"{plan['hopeless']:>7,} that no source known is of use for", "yellow"))
    archive = " and the replacement archive" if plan["replacement_archive"] else ""
    shards = counted(len(plan["shards"]), "shard")
    parts.append(Text(f"to fetch: {human_size(plan['bytes'])} of {shards}{archive}"))
    if plan["shards"]:
        parts.append(_shards(plan["shards"]))
    return Group(*parts)


def _shards(shards: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bright_black")
    table.add_column("shard", overflow="fold")
    table.add_column("way", no_wrap=True)
    for name in ("clips", "to read", "size"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    for item in shards[:_SHOWN]:
        table.add_row(
            object_name(item["name"], item["split"]),
            safe(item["way"]),
            f"{item['clips']:,}",
            human_size(item["bytes"]),
            human_size(item["size"]),
            safe(item["note"]),
        )
    if len(shards) <= _SHOWN:
        return table
    return Group(table, Text(f"… and {len(shards) - _SHOWN:,} more", "bright_black"))
