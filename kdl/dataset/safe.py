"""Names from outside that become one component of a path."""

from __future__ import annotations

import unicodedata

MAX_BYTES = 255
"""The longest file name that common file systems take, in UTF-8 bytes."""


def unsafe(name: str) -> str | None:
    """Why ``name`` must not become a file's or folder's name; ``None`` if it may."""
    if not name:
        return "it is empty"
    if name.startswith("."):
        return "it begins with a dot"
    if "/" in name or "\\" in name:
        return "it holds a slash"
    plain = name.isascii() and name.isprintable()  # nearly all are, and there are many
    if not plain and any(unicodedata.category(char) in ("Cc", "Cs", "Zl", "Zp") for char in name):
        return "it holds control characters"
    if len(name.encode()) > MAX_BYTES:
        return f"it is longer than {MAX_BYTES} bytes"
    return None
