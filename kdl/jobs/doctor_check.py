"""One thing looked at by ``kdl doctor``."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Check:
    """What was found; a plain value, JSON-ready by :func:`dataclasses.asdict`."""

    name: str
    """Short and stable: ``ffmpeg``, ``encoders``, ``locking`` …"""
    ok: bool
    detail: str
    """What was found, in one line."""
    fix: str = ""
    """How to get what is missing; said also where all is well."""
    required: bool = True
    """kdl does not work without it; otherwise it is advice."""
