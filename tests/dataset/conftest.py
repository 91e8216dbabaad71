from __future__ import annotations

from hypothesis import settings

# No example is timed: the first that reads a table also loads pandas, and machines are shared.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
