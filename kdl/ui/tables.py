"""Tables of single verbs: ``kdl datasets``, ``mirror --dry-run``, ``doctor``."""

from __future__ import annotations

import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from rich import box
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kdl.jobs.doctor import Check
from kdl.settings import human_size
from kdl.ui.text import counted, object_name, safe

OBJECTS_SHOWN = 20


def _table() -> Table:
    return Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")


def _number(count: int | None) -> str:
    return "?" if count is None else f"{count:,}"


def render_datasets(datasets: Sequence[Mapping[str, Any]]) -> RenderableType:
    """A line a dataset and one a split, from what ``kdl.dataset`` describes; ``~`` marks round numbers."""
    table = _table()
    table.add_column("dataset", no_wrap=True)
    for name in ("clips", "shards", "download"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("source", overflow="fold")
    for dataset in datasets:
        hosts = "\n".join(safe(base) for base in dataset["hosts"].values())
        table.add_row(Text(safe(dataset["name"]), "bold"), *_amounts(dataset), hosts)
        for split in dataset["splits"]:
            table.add_row(Text(f"  {safe(split['name'])}", "bright_black"), *_amounts(split), "")
        if dataset["replacement"]:
            clips = _number(dataset["replacement"]["clips"])
            table.add_row(Text("  replacements", "bright_black"), clips, "1", "?", "")
        for place in dataset["by_hand"]:
            table.add_row(Text("  by hand", "bright_black"), "", "", "", safe(place))
    return table


def _amounts(part: Mapping[str, Any]) -> tuple[str, str, str]:
    about = "~" if part["approximate"] else ""
    clips = f"{about}{part['clips']:,}" if part["clips"] is not None else "?"
    return clips, _number(part["shards"]), human_size(part["bytes"])


def render_draft(
    path: Path, splits: Mapping[str, Mapping[str, Any]], labels: int, notes: Sequence[str]
) -> RenderableType:
    """What ``kdl manifest init`` wrote and saw, and what a person is to look at."""
    table = _table()
    table.add_column("split", no_wrap=True)
    for name in ("archives", "clips", "classes"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("class from")
    for name, seen in splits.items():
        amounts = [_number(seen[key]) for key in ("archives", "clips", "classes")]
        table.add_row(safe(name), *amounts, safe(seen["class_from"]))
    place = f"./{path}" if len(path.parts) == 1 else str(path)
    lines = [f"{safe(str(path))}, {labels} classes", *(f"- {safe(note)}" for note in notes)]
    lines += ["", f"Look it over, then: kdl mirror {safe(shlex.quote(place))} --dry-run"]
    return Group(table, Text("\n".join(lines)))


def render_plan(plan: Mapping[str, Any]) -> RenderableType:
    """What a run would fetch and what disk it needs.

    ``plan`` holds ``dataset``, ``selection``, ``shards`` {total, done, to_fetch}, ``bytes`` {download,
    have}, ``objects`` [{name, split, bytes, have_bytes, state, note}], ``volumes`` [{path, free,
    needed_peak, needed_end, ok}] and ``notes``, a list of sentences. Sizes are bytes or ``None``.
    """
    shards, bytes_ = plan["shards"], plan["bytes"]
    have = f", {human_size(bytes_['have'])} are here already" if bytes_["have"] else ""
    parts: list[RenderableType] = [
        Text(f"{safe(plan['dataset'])}: {safe(plan['selection'])}", "bold"),
        Text(
            f"to fetch: {shards['to_fetch']:,} of {counted(shards['total'], 'shard')} "
            f"({shards['done']:,} done), {human_size(bytes_['download'])}{have}"
        ),
    ]
    if plan["objects"]:
        parts.append(_objects(plan["objects"]))
    if plan["volumes"]:
        parts.append(_volumes(plan["volumes"]))
    parts += [Text(f"note: {safe(note)}", "yellow") for note in plan["notes"]]
    return Group(*parts)


def _objects(objects: Sequence[Mapping[str, Any]]) -> RenderableType:
    table = _table()
    table.add_column("object", overflow="fold")
    table.add_column("state", no_wrap=True)
    table.add_column("size", justify="right", no_wrap=True)
    table.add_column("here", justify="right", no_wrap=True)
    table.add_column("note", overflow="fold")
    for item in objects[:OBJECTS_SHOWN]:
        table.add_row(
            object_name(item["name"], item["split"]),
            safe(item["state"]),
            human_size(item["bytes"]),
            human_size(item["have_bytes"]) if item["have_bytes"] else "",
            safe(item["note"] or ""),
        )
    if len(objects) <= OBJECTS_SHOWN:
        return table
    return Group(table, Text(f"… and {len(objects) - OBJECTS_SHOWN:,} more", "bright_black"))


def _volumes(volumes: Sequence[Mapping[str, Any]]) -> Table:
    table = _table()
    table.add_column("volume", overflow="fold")
    for name in ("free", "at the peak", "at the end"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    for volume in volumes:
        fits = Text("fits", "green") if volume["ok"] else Text("too small", "bold red")
        needs = (human_size(volume[key]) for key in ("free", "needed_peak", "needed_end"))
        table.add_row(safe(volume["path"]), *needs, fits)
    return table


def render_doctor(checks: Sequence[Check]) -> RenderableType:
    """A line a check; under what is wrong, how to get it."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(no_wrap=True)
    grid.add_column(no_wrap=True)
    grid.add_column(overflow="fold")
    for check in checks:
        mark, style = _mark(check)
        grid.add_row(Text(mark, style), safe(check.name), safe(check.detail))
        if not check.ok and check.fix:
            grid.add_row("", "", Text(f"try: {safe(check.fix)}", "cyan"))
    missing = sum(check.required and not check.ok for check in checks)
    verdict = (
        Text(f"{counted(missing, 'required thing')} missing", "bold red")
        if missing
        else Text("this machine is fit for kdl", "bold green")
    )
    return Group(grid, verdict)


def _mark(check: Check) -> tuple[str, str]:
    if check.ok:
        return "ok", "green"
    return ("MISSING", "bold red") if check.required else ("advice", "yellow")
