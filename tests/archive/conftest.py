from __future__ import annotations

from pathlib import Path

import pytest
from archive_kit import Catcher


@pytest.fixture
def catcher(tmp_path: Path) -> Catcher:
    return Catcher(tmp_path)
