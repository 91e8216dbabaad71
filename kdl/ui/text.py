"""Words and numbers as people read them, and names from outside made harmless."""

from __future__ import annotations

from collections.abc import Mapping


def safe(text: object) -> str:
    """``text`` on one line, with nothing in it that a terminal would obey.

    Whatever Unicode calls unprintable becomes a visible escape: control characters and with them
    every ANSI sequence, line breaks, bidirectional overrides, zero-width and undecodable characters.
    Markup needs no escaping, since no console of this room parses any (:mod:`kdl.ui.consoles`).
    """
    return "".join(char if char.isprintable() else _escape(char) for char in str(text))


def _escape(char: str) -> str:
    return char.encode("unicode_escape", "surrogatepass").decode("ascii")


def human_duration(seconds: float | None) -> str:
    """``5025`` -> ``1 h 24 min``; under ten seconds with a decimal; ``None`` -> ``?``."""
    if seconds is None:
        return "?"
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60:02} s"
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours} h {minutes:02} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def counted(count: int, noun: str) -> str:
    """``counted(1, "shard")`` -> ``1 shard``; ``counted(2000, "shard")`` -> ``2,000 shards``."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def tally(counts: Mapping[str, int], *, gap: str = ", ") -> str:
    """``{"ok": 9, "never_hosted": 1, "short": 0}`` -> ``ok 9, never hosted 1``: zeros are left out."""
    return gap.join(f"{safe(name).replace('_', ' ')} {count:,}" for name, count in counts.items() if count)


def object_name(name: str, split: str) -> str:
    """An object's name with its split before it, once: ``train/part_0.tar.gz``."""
    return safe(name if not split or name.startswith(f"{split}/") else f"{split}/{name}")


def percent(done: float, total: float | None) -> str:
    """Never ``100 %`` before the end."""
    return f"{int(100 * min(done / total, 1))} %" if total else ""
