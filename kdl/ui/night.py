"""What a night came to, as rows of the summary's table."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.text import Text

from kdl.settings import human_size
from kdl.ui.text import counted, safe, tally

KEYS = (
    *("night", "run", "started", "verify", "repair", "oldest_check", "never_checked", "difference"),
    *("newly_bad", "repaired", "still_bad", "page"),
)
"""Of a summary's own keys, those that are told here."""
_SHOWN = 10


def night_rows(extra: Mapping[str, Any]) -> Iterator[tuple[str, Text]]:
    """What was looked at and mended, and what is new since the night before."""
    verified, change = extra["verify"], extra["difference"]
    looked = f"{counted(verified['checked'], 'clip')} ({verified['level']}), {human_size(verified['bytes'])}"
    more = tally({name: verified[name] for name in ("could_not_check", "not_reached") if verified[name]})
    yield "looked at", Text(f"{looked}; {more}" if more else looked)
    if extra["oldest_check"] is not None:
        moment = time.strftime("%Y-%m-%d %H:%M", time.localtime(extra["oldest_check"]))
        never = f"; {counted(extra['never_checked'], 'clip')} never" if extra["never_checked"] else ""
        yield "oldest look", Text(f"{moment}{never}")
    told = tally({name: change[name] for name in ("newly_bad", "repaired", "still_bad")})
    yield "this night", Text(told or "nothing bad")
    yield from _clips("newly bad", extra["newly_bad"], change["newly_bad"])
    if "page" in extra:
        yield "page", Text(safe(extra["page"]))


def _clips(name: str, clips: Sequence[Mapping[str, Any]], count: int) -> Iterator[tuple[str, Text]]:
    lines = [f"{clip['path']}: {clip['kind']}{', repaired' * clip['mended']}" for clip in clips[:_SHOWN]]
    if count > _SHOWN:
        lines.append(f"… and {count - _SHOWN:,} more")
    if lines:
        yield name, Text("\n".join(map(safe, lines)))
