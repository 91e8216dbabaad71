"""Relative symbolic links to a mirror's media."""

from __future__ import annotations

import os
from pathlib import Path


def link_text(target: Path, folder: Path) -> str:
    """What a link in ``folder`` says to lead to ``target``, a folder of a mirror such as ``videos/train``.

    Relative, so that it survives a move of both together, and another mount point. Links above the last
    two names of ``target`` and in ``folder`` are resolved, or ``..`` would not lead where it should.
    """
    base = os.path.realpath(target.parent.parent)
    return os.path.relpath(f"{base}/{target.parent.name}/{target.name}", os.path.realpath(folder))
