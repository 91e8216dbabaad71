"""``kdl status --show``: clips as lines, one each."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from kdl.ui.text import safe


def clip_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """A tab-separated line a clip: its place, why, and where it came from; a last one counts them."""
    count = 0
    for row in rows:
        count += 1
        place = row["path"] or f"{row['split']}/{row['label'] or '-'}/{row['clip']}"
        why = row["replaced_cause"] or row["cause"] or row["verdict"]
        source = row["replaced_by"] or row["shard"] or "-"
        yield "\t".join(map(safe, (place, why, source)))
    yield f"{count} clips"
