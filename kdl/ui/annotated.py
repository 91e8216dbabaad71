"""Which clips have boxes and counts, as rows of the summary's table."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rich.text import Text

from kdl.ui.text import safe, tally


def annotated_rows(annotated: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, Text]]:
    """A row for each annotation and split: what it holds, what of that is here, and why the rest is not."""
    for name, splits in annotated.items():
        for split, told in splits.items():
            held = {key: count for key, count in told.items() if isinstance(count, int)}
            lines = [_line("", held), _line("here: ", told["here"]), _line("not here: ", told["not_here"])]
            yield f"{safe(name)} {safe(split)}", Text("\n".join(line for line in lines if line))


def _line(head: str, counts: Mapping[str, int]) -> str:
    told = tally(counts)
    return head + told if told else ""
