"""A run's picture as SVG."""

from __future__ import annotations

import io
import re
from pathlib import Path
from typing import Any

from rich.console import Console

from kdl.ui.text import safe
from kdl.ui.view import View

_FONT_FACE = re.compile(r"@font-face \{.*?\}\s*", re.DOTALL)


def record_svg(snapshot: dict[str, Any], path: Path, *, width: int = 100, height: int = 30) -> None:
    """Writes what the live terminal shows of ``snapshot`` as SVG, ``height`` lines at most."""
    console = Console(
        file=io.StringIO(),
        record=True,
        force_terminal=True,
        color_system="truecolor",
        markup=False,
        emoji=False,
        highlight=False,
        no_color=False,
        width=width,
    )
    console.print(View(snapshot, height=height))
    title = f"kdl {safe(snapshot['verb'])} {safe(snapshot['dataset'])}"
    drawn = console.export_svg(title=title, unique_id="kdl")
    # A picture in a README is no reason to ask a server for a font: the reader's own will do.
    path.write_text(_FONT_FACE.sub("", drawn), encoding="utf-8")
