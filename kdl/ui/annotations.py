"""What ``kdl annotations`` found, as tables."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich import box
from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from kdl.ui.text import counted, safe

KEYS = ("publishers", "compare", "overlap")
"""The summary's own keys that are told here."""
_KEY = ("kind", "split", "youtube_id", "time_start", "time_end", "path")
_KINDS = {
    "listed": "listed by some only",
    "label": "with several labels",
    "times": "ids with other times",
    "split": "in several splits",
    "on_disk": "on disk, and listed by nobody",
}


def annotation_tables(extra: Mapping[str, Any]) -> Iterator[RenderableType]:
    """What is to be shown of a result, in order; nothing for other verbs' results."""
    if "publishers" in extra:
        yield _publishers(extra["publishers"])
    if "compare" in extra:
        yield from _comparison(extra["compare"])
    if "overlap" in extra:
        yield from _overlap(extra["overlap"])


def _table(*names: str, numbers: Sequence[str] = ()) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    for name in numbers:
        table.add_column(name, justify="right", no_wrap=True)
    return table


def _publishers(publishers: Sequence[Mapping[str, Any]]) -> Table:
    """A line for each split of each publisher; what is not here is told."""
    numbers = ("clips", "ids", "of several", "labels", "unlabelled", "cc", "bad rows", "repeated")
    keys = ("clips", "ids", "ids_with_several", "labels", "unlabelled", "is_cc", "bad", "repeated")
    table = _table("publisher", "split", numbers=numbers)
    for publisher in publishers:
        name = Text(safe(publisher["name"]), "bold")
        for split, counts in publisher["splits"].items():
            cells = (f"{counts[key]:,}" if counts[key] or key == "clips" else "" for key in keys)
            table.add_row(name, safe(split), *cells)
            name = Text("")
        if publisher["missing"]:
            what = "not here" if not publisher["splits"] else f"not here: {', '.join(publisher['missing'])}"
            table.add_row(name, Text(safe(what), "bright_black"))
    return table


def _comparison(found: Mapping[str, Any]) -> Iterator[RenderableType]:
    names = found["publishers"]
    table = _table("split", "what", numbers=("clips",))
    for split, counts in found["splits"].items():
        silent = [name for name in names if name not in counts["publishers"]]
        table.add_row(Text(safe(split), "bold"), "in any list", f"{counts['clips']:,}")
        if silent:
            table.add_row("", Text(safe(f"not listed at all by {', '.join(silent)}"), "bright_black"))
        table.add_row("", "the same in all that list the split", f"{counts['same']:,}")
        for who, count in counts["listed"].items():
            table.add_row("", safe(f"only in {who.replace('+', ' and ')}"), f"{count:,}")
        for kind in ("label", "times", "split"):
            if counts[kind]:
                table.add_row("", _KINDS[kind], f"{counts[kind]:,}")
    if found["on_disk"] is not None:
        table.add_row(Text("mirror", "bold"), "on disk, and listed by nobody", f"{found['on_disk']:,}")
    yield table
    if found["samples"]:
        yield _samples(found)
    yield _written(found["out"], "every difference")


def _samples(found: Mapping[str, Any]) -> Table:
    names = found["publishers"]
    table = _table("for example", "clip", *names)
    before = ""
    for row in found["samples"]:
        kind = row["kind"]
        total = found["differences"][kind]
        title = f"{_KINDS[kind]} ({total:,})" if kind != before else ""
        before = kind
        said = [safe(row.get(name, "–")) for name in names]
        table.add_row(title, safe(_clip(row)), *said)
    return table


def _clip(row: Mapping[str, Any]) -> str:
    """``val/0wR5jVB-WPk 417-427``, as far as the row tells."""
    if "path" in row:
        return str(row["path"])
    where = f"{row['split']}/" if "split" in row else ""
    when = f" {row.get('time_start', 0)}-{row['time_end']}" if "time_end" in row else ""
    return f"{where}{row['youtube_id']}{when}"


def _overlap(found: Mapping[str, Any]) -> Iterator[RenderableType]:
    first, second = safe(found["first"]), safe(found["second"])
    table = _table(f"{first} and {second}", numbers=("",))
    for what, key in (
        ("YouTube videos in both", "ids"),
        (f"clips of {first} from these", "first_clips"),
        (f"clips of {second} from these", "second_clips"),
        ("pairs of clips that meet in time", "meeting"),
        ("the very same clip in both", "clips"),
    ):
        table.add_row(what, f"{found[key]:,}")
    yield table
    if found["samples"]:
        shown = _table("for example", first, second)
        for row in found["samples"]:
            shown.add_row(safe(row["youtube_id"]), *(_side(row, number) for number in (1, 2)))
        yield shown
    yield _written(found["out"], f"{counted(found['ids'], 'id')}, for kdl lists --exclude")


def _side(row: Mapping[str, Any], number: int) -> str:
    when = (
        f"{row.get(f'time_start_{number}', 0)}-{row[f'time_end_{number}']} "
        if f"time_end_{number}" in row
        else ""
    )
    label = row.get(f"label_{number}", "")
    return safe(f"{row[f'split_{number}']} {when}{label}".strip())


def _written(out: str | None, what: str) -> Text:
    return Text(f"{what}: {safe(out)}" if out else f"{what}: --out FILE", "" if out else "bright_black")
