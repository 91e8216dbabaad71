from __future__ import annotations

import pytest

from tests.replica.build import REAL, Replica, build_replica

SOURCES = {"made": None} | ({"real": REAL} if REAL.is_dir() else {})


@pytest.fixture(scope="session", params=list(SOURCES))
def replica(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Replica:
    """A whole replica: of invented rows and rendered clips, and of real ones where they are at hand."""
    return build_replica(tmp_path_factory.mktemp("replica"), source=SOURCES[request.param])
