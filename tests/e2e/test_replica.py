"""The main job over a replica of the bucket: every clip gets the verdict that was planted."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.e2e.running import clips, kdl
from tests.replica import nginx
from tests.replica.build import REAL, Replica, build_replica

EDITIONS = ("k400", "k600", "k700-2020")
REAL_CLIPS = [
    pytest.param(REAL, edition, id=f"real-{edition}", marks=pytest.mark.long)
    for edition in EDITIONS
    if REAL.is_dir()
]
"""Half a minute each; other tests look at each of these clips by itself."""


@pytest.fixture(scope="module")
def replica(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Replica:
    return build_replica(tmp_path_factory.mktemp("replica"), source=request.param)


@pytest.fixture(scope="module")
def origin(replica: Replica) -> Iterator[str]:
    with nginx.serve(replica.directory) as server:
        yield server.url


@pytest.mark.parametrize(
    ("replica", "edition"),
    [*(pytest.param(None, edition, id=f"made-{edition}") for edition in EDITIONS), *REAL_CLIPS],
    indirect=["replica"],
)
def test_every_clip_comes_out_as_planted(replica: Replica, origin: str, edition: str, tmp_path: Path) -> None:
    done = kdl("mirror", edition, "--root", tmp_path, "--origin", origin, "--json")

    planted = replica.editions[edition].planted
    found = clips(edition, tmp_path)
    wrong = {
        key: (found.get(key, {}).get("verdict"), found.get(key, {}).get("cause"), want)
        for key, want in planted.items()
        if found.get(key, {}).get("verdict") != want.verdict
        or (want.cause and found[key]["cause"] != want.cause)
        or found[key]["replaced"] != str(want.replaced).lower()
    }
    assert not wrong
    assert {found[key]["verdict"] for key in set(found) - set(planted)} == {"never_hosted"}
    counts = {name: count for name, count in done.result["clips"].items() if count}
    assert counts == replica.editions[edition].counts()
    assert done.code == 1  # corrupt clips without a replacement remain
    base = tmp_path / edition
    for row in found.values():
        if row["path"]:
            assert (base / row["path"]).stat().st_size == int(row["size"])
    in_videos = {str(p.relative_to(base)) for p in (base / "videos").rglob("*") if p.is_file()}
    assert in_videos == {row["path"] for row in found.values() if row["verdict"] in ("ok", "short")}
    assert not list((base / ".kdl" / "spool").iterdir())
