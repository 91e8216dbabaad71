from __future__ import annotations

from hypothesis import settings

# No example is timed: machines are shared.
settings.register_profile("untimed", deadline=None)
settings.load_profile("untimed")
