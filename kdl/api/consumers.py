"""The readers of lists that ``lists`` writes for, by name."""

from __future__ import annotations

from kdl.lists.consumer import SEPARATORS as _SEPARATORS
from kdl.lists.consumers import CONSUMERS as _CONSUMERS
from kdl.lists.consumers import EXTRAS, USUAL
from kdl.lists.layouts import LAYOUTS as _LAYOUTS

__all__ = ["CONSUMERS", "LAYOUTS", "SEPARATORS", "USUAL"]

LAYOUTS = tuple(_LAYOUTS)
"""Those that have a layout of folders, for ``links``."""
CONSUMERS = tuple(dict.fromkeys((*_CONSUMERS, *LAYOUTS, *EXTRAS)))
SEPARATORS = tuple(_SEPARATORS)
