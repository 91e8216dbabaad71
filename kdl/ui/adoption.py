"""What an adoption came to, as rows of the summary's table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from kdl.settings import human_size
from kdl.ui.text import counted, safe, tally

OWN_KEYS = ("dry_run", "would_adopt", "adopted", "archives", "recognised", "refused", "outlook")
"""Of a summary's own keys, those that are told here."""
_SHOWN = 10


def adoption_rows(extra: Mapping[str, Any]) -> Iterator[tuple[str, Text]]:
    """What was recognised and taken in, and what a mirror will still fetch."""
    found = extra["recognised"]
    lines = [
        f"{each['folder']}: {counted(each['clips'], 'clip')} of {each['split']}, {each['layout']}"
        for each in found[:_SHOWN]
    ]
    if len(found) > _SHOWN:
        lines.append(f"… and {len(found) - _SHOWN} more folders")
    yield "recognised", Text(safe("\n".join(lines) or "nothing"))
    counts = extra["would_adopt"] if "would_adopt" in extra else extra["adopted"]
    told = tally({name: count for name, count in counts.items() if isinstance(count, int) and count})
    yield "would adopt" if "would_adopt" in extra else "adopted", Text(told or "nothing")
    archives = extra.get("archives", ())
    for each in archives[:_SHOWN]:
        yield "archive", Text(safe(f"{each['path']}: {each['state']}, {counted(each['clips'], 'clip')}"))
    if len(archives) > _SHOWN:
        yield "", Text(f"… and {len(archives) - _SHOWN} more archives")
    if extra["refused"]:
        yield "refused", Text(counted(extra["refused"], "file"))
    for split, ahead in extra["outlook"].items():
        yield f"{safe(split)} then", Text(_ahead(ahead))


def _ahead(ahead: Mapping[str, Any]) -> str:
    """What is here of a split, and what a mirror of it reads."""
    here = f"{ahead['here']:,} clips here"
    if ahead["listed"] is not None:
        here += f" of {ahead['listed']:,} listed"
    if ahead["shards_to_fetch"] is None:
        return here
    size = ahead["bytes_to_fetch"]
    of = f"{ahead['shards_to_fetch']:,} of {counted(ahead['shards'], 'shard')} to fetch"
    return f"{here}; {of}{f', {human_size(size)}' if size else ''}"
