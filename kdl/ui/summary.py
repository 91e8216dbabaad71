"""How a run ended: a table of what was done, then what is wrong and the command that mends it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from kdl.errors import EXIT_CODES
from kdl.settings import human_size
from kdl.ui.adoption import OWN_KEYS, adoption_rows
from kdl.ui.annotated import annotated_rows
from kdl.ui.annotations import KEYS as ANNOTATIONS
from kdl.ui.annotations import annotation_tables
from kdl.ui.night import KEYS, night_rows
from kdl.ui.text import counted, human_duration, safe, tally
from kdl.ui.view import clips_line
from kdl.values import Finding, RunSummary

SHOWN = 10
"""Findings of a kind, or entries of a list, shown in full."""
_KNOWN = ("shards", "bytes", "retries", "clips", "derived", "lists", "links", "annotated")


def render_summary(summary: RunSummary) -> RenderableType:
    """The table: what was fetched, judged and made, and what the exit code means if it is not 0."""
    grid = Table.grid(padding=(0, 2, 0, 0))
    grid.add_column(style="bright_black", no_wrap=True)
    grid.add_column(overflow="fold")
    for name, value in _rows(summary):
        grid.add_row(name, value)
    well = summary.exit_code == 0
    took = human_duration(summary.elapsed_s)
    title = f"{safe(summary.dataset)}: " if summary.dataset else ""
    head = Text(f"{title}{'done' if well else 'ended'} in {took}", "bold green" if well else "bold red")
    tables = annotation_tables(summary.extra)
    if well:
        return Group(*tables, head, grid)
    meaning = EXIT_CODES.get(summary.exit_code, "unknown")
    return Group(*tables, head, grid, Text(f"exit code {summary.exit_code}: {meaning}", "red"))


def _rows(summary: RunSummary) -> Iterator[tuple[str, Text]]:
    extra = summary.extra
    if "shards" in extra:
        yield "shards", Text(tally(extra["shards"]) or "none")
    if "bytes" in extra:
        yield from _bytes_rows(extra["bytes"], summary.elapsed_s)
    if extra.get("retries"):
        yield "retries", Text(tally(extra["retries"]))
    if "clips" in extra:
        verdicts = {name: count for name, count in extra["clips"].items() if name != "replaced"}
        yield "clips", clips_line(verdicts) if any(verdicts.values()) else Text("none")
        if extra["clips"].get("replaced"):
            yield "replaced", Text(f"{extra['clips']['replaced']:,}")
    for recipe, counts in extra.get("derived", {}).items():
        yield safe(recipe), Text(tally(counts) or "nothing to do")
    for consumer, written in extra.get("lists", {}).items():
        for item in written:
            place = f"{item['path']}, {counted(item['lines'], 'line')}" if item["path"] else item["split"]
            yield safe(consumer), Text(f"{safe(place)}: {safe(item['note'])}")
    if "links" in extra:
        yield from _link_rows(extra["links"])
    yield from annotated_rows(extra.get("annotated", {}))
    if "night" in extra:
        yield from night_rows(extra)
    known = (*_KNOWN, *KEYS) if "night" in extra else _KNOWN
    if "outlook" in extra:
        yield from adoption_rows(extra)
        known = (*known, *OWN_KEYS)
    known = (*known, *ANNOTATIONS)
    for name, value in extra.items():
        if name not in known:
            yield safe(name).replace("_", " "), Text(_plain(value))


def _link_rows(links: Mapping[str, Any]) -> Iterator[tuple[str, Text]]:
    counts = {name: links[name] for name in ("made", "kept", "removed")}
    yield "links", Text(f"{safe(links['folder'])}: {tally(counts)}")
    for tree in links["trees"]:
        told = f"{tree['folder']}, {counted(tree['links'], 'link')}: {tree['note']}"
        yield "", Text(safe(told.removesuffix(": ")))


def _bytes_rows(counts: Mapping[str, int] | int, elapsed_s: float) -> Iterator[tuple[str, Text]]:
    if isinstance(counts, int):  # of a verb that reads and does not fetch
        rate = f", {human_size(counts / elapsed_s)}/s" if counts and elapsed_s > 0 else ""
        yield "read", Text(human_size(counts) + rate)
        return
    fetched = counts.get("fetched", 0)
    rate = f", {human_size(fetched / elapsed_s)}/s" if fetched and elapsed_s > 0 else ""
    yield "fetched", Text(human_size(fetched) + rate)
    if "written" in counts:
        yield "written", Text(human_size(counts["written"]))


def _plain(value: Any) -> str:
    """A verb's own key as words; a long list's end is counted."""
    if isinstance(value, Mapping):
        gap = "\n" if any(isinstance(item, str) for item in value.values()) else ", "
        return gap.join(f"{safe(name).replace('_', ' ')} {_plain(item)}" for name, item in value.items())
    if isinstance(value, list | tuple):
        rest = [f"… and {len(value) - SHOWN} more"] if len(value) > SHOWN else []
        return "\n".join([*(_plain(item) for item in value[:SHOWN]), *rest])
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, int):
        return f"{value:,}"
    return safe("none" if value is None else value)


def render_findings(summary: RunSummary) -> Text:
    """Findings by kind, the most frequent last, where the eye is; print it with ``soft_wrap=True``.

    A fix that a whole kind shares is said once, below it.
    """
    ordered = sorted(summary.findings, key=lambda finding: finding.kind)
    groups = [list(group) for _, group in groupby(ordered, key=lambda finding: finding.kind)]
    groups.sort(key=len)
    return Text("\n").join(line for group in groups for line in _group_lines(group))


def _group_lines(group: Sequence[Finding]) -> Iterator[Text]:
    kind = group[0].kind
    fixes = {finding.fix for finding in group}
    shared = len(fixes) == 1
    yield Text(counted(len(group), "finding") + f": {safe(kind).replace('_', ' ')}", "bold yellow")
    for finding in group[:SHOWN]:
        subject = f"{safe(finding.subject)}: " if finding.subject else ""
        yield Text(f"  {subject}{safe(finding.detail)}")
        if finding.fix and not shared:
            yield Text(f"    try: {safe(finding.fix)}", "cyan")
    if len(group) > SHOWN:
        yield Text(f"  … and {len(group) - SHOWN:,} more, all with --json", "bright_black")
    if shared and group[0].fix:
        yield Text(f"  try: {safe(group[0].fix)}", "cyan")
