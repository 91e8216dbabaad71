"""Reading the project's own Markdown."""

from __future__ import annotations

import re
from pathlib import Path

ROOT = Path(__file__).parents[2]
_FILES = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
PAGES = {page.name: page.read_text(encoding="utf-8") for page in _FILES}
"""README and docs/ by file name."""

_FENCE = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_INDENTED = re.compile(r"^    (.*)$", re.MULTILINE)
_SPAN = re.compile(r"`([^`\n]+)`")


def fences(page: str, kind: str | None = None) -> list[str]:
    """The fenced blocks of a page, of one kind or of all."""
    return [body for found, body in _FENCE.findall(PAGES[page]) if kind in (None, found)]


def block_lines(page: str) -> list[str]:
    """Every line of the page's code blocks, fenced and indented."""
    rest = _FENCE.sub("", PAGES[page])
    return [line for body in fences(page) for line in body.splitlines()] + _INDENTED.findall(rest)


def spans(page: str) -> list[str]:
    """What stands between single backticks."""
    return _SPAN.findall(_FENCE.sub("", PAGES[page]))


def section(page: str, heading: str) -> str:
    """What stands below a heading, up to the next of its rank or a higher one."""
    rank = heading.partition(" ")[0]
    text = PAGES[page].split(f"\n{heading}\n", 1)[1]
    return re.split(rf"^#{{1,{len(rank)}}} ", text, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str, first: str = "") -> list[list[str]]:
    """The cells of the table whose header begins with ``first``, without header and rule."""
    lines = text.splitlines()
    start = next(at for at, line in enumerate(lines) if line.startswith(f"| {first}"))
    cells = []
    for line in lines[start + 2 :]:
        if not line.startswith("|"):
            break
        cells.append([cell.strip() for cell in line.strip("|").split("|")])
    return cells


def plain(cell: str) -> str:
    """A cell without its backticks."""
    return cell.strip("`")
