"""Small text files of names: labels, classes wanted, clips never hosted."""

from __future__ import annotations

from pathlib import Path


def read_names(path: Path) -> list[str]:
    """The names in a file, one a line; blank lines and lines that begin with ``#`` are skipped.

    Raises OSError or UnicodeDecodeError; :func:`reason_of` words them.
    """
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    return [text for line in lines if (text := line.strip()) and not text.startswith("#")]


def reason_of(error: OSError | UnicodeDecodeError) -> str:
    """Why a text file could not be read, in a few words."""
    if isinstance(error, UnicodeDecodeError):
        return f"not UTF-8 text (byte {error.start})"
    return error.strerror or str(error)
