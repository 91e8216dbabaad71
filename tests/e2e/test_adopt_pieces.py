"""One archive of both splits, flat and without times in its names, cut into pieces as download portals do."""

from __future__ import annotations

import random
import shutil
import struct
import tarfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from kdl.archive.joined import Joined
from kdl.archive.members import Placement, Reading
from kdl.archive.unpack import unpack
from kdl.jobs.adopt_reading import broken_piece
from kdl.jobs.adopt_sources import ArchiveSource
from kdl.jobs.demo_archives import Member, write_archive
from tests.e2e.adopting import NAME, Mixed, build_mixed, label_of
from tests.e2e.killing import killed_at
from tests.e2e.running import clips, kdl, tree

ARCHIVE = "Kinetics-400.tar.gz"
NAMES = tuple(f"part-{number:02d}" for number in range(5))
_BALLAST = 60_000


@dataclass(frozen=True)
class Portal:
    """What was downloaded."""

    mixed: Mixed
    pieces: dict[str, bytes]
    """By file name, in order; the last is the smallest."""
    clips: dict[str, bytes]
    """By their paths in a mirror, below ``videos/``."""

    def put(self, folder: Path, pieces: dict[str, bytes]) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        for name, body in pieces.items():
            (folder / name).write_bytes(body)
        return folder

    def swapped(self, one: int, other: int) -> dict[str, bytes]:
        """Two of the pieces under each other's names."""
        names = [*self.pieces]
        first, second = names[one], names[other]
        return self.pieces | {first: self.pieces[second], second: self.pieces[first]}


def _free_box(data: bytes) -> bytes:
    """What readers of mp4 skip: bytes that do not compress, as those of films."""
    return struct.pack(">I4s", 8 + len(data), b"free") + data


@pytest.fixture(scope="module")
def portal(tmp_path_factory: pytest.TempPathFactory) -> Portal:
    mixed = build_mixed(tmp_path_factory.mktemp("portal"))
    noise = random.Random(7)
    bodies = {key: body + _free_box(noise.randbytes(_BALLAST)) for key, body in mixed.clips.items()}
    archive = mixed.directory / ARCHIVE
    top = [Member(f"./{folder}/", kind=tarfile.DIRTYPE) for folder in ("videos_train", "videos_val")]
    inside = [
        Member(f"./videos_{split}/{name[:11]}.mp4", body)
        for (split, name), body in bodies.items()
    ]  # fmt: skip
    write_archive(archive, [*top, *inside])
    whole = archive.read_bytes()
    size = -(-len(whole) // len(NAMES))
    pieces = {f"{ARCHIVE}.{name}": whole[at * size : (at + 1) * size] for at, name in enumerate(NAMES)}
    return Portal(
        mixed,
        pieces,
        {
            f"{split}/{label_of(name).replace(' ', '_')}/{name}": body
            for (split, name), body in bodies.items()
        },
    )


def test_pieces_are_taken_in_whatever_went_wrong_before(portal: Portal, tmp_path: Path) -> None:
    """A piece lacks, two are swapped, the run is killed: each is told, and the next run goes on."""
    mirror = tmp_path / "root" / NAME
    have = portal.put(tmp_path / "raw", portal.swapped(2, 3))
    command = ["adopt", portal.mixed.manifest, "--root", mirror.parent, have, "--workers", "1"]
    command += ["--annotations", portal.mixed.annotations]
    lacking = portal.put(have / "lacking", {k: v for k, v in portal.pieces.items() if "02" not in k})
    swapped = kdl(*command, "--json")
    assert swapped.code == 1
    told = {each["kind"]: each for each in swapped.result["findings"]}
    assert f"the piece {ARCHIVE}.part-02 is not here" in told["adopt_piece_missing"]["detail"]
    shutil.rmtree(lacking)
    found = told["adopt_archive_broken"]
    assert f"into {ARCHIVE}.part-02, which is damaged, or another piece" in found["detail"]
    assert "get that piece again" in found["fix"]
    before = swapped.result["adopted"]["clips"]
    assert 0 < before < len(portal.clips)

    portal.put(have, portal.pieces)
    step = ("kdl.jobs.adopt_files", "record_taken", "before", "True")
    killed_at(step, *command)
    largest = max(len(body) for body in portal.clips.values())
    written = [path for path in mirror.rglob("*") if path.is_file() and "ledger" not in path.name]
    assert max(path.stat().st_size for path in written) <= largest  # clips alone: nothing was joined
    assert sum(path.stat().st_size for path in written) < sum(map(len, portal.clips.values())) + 100_000

    done = kdl(*command, "--json")
    assert done.code == 0, done.err
    assert done.result["archives"] == [
        {"path": str(have / ARCHIVE), "split": "", "state": "adopted", "clips": len(portal.clips)}
    ]
    assert {
        str(p.relative_to(mirror / "videos")): p.read_bytes() for p in (mirror / "videos").rglob("*.mp4")
    } == (portal.clips)
    rows = clips(portal.mixed.manifest, mirror.parent)
    assert {row["verdict"] for row in rows.values()} == {"ok"}
    assert tree(have) == tree(portal.put(tmp_path / "again", portal.pieces))


def read(source: ArchiveSource, tmp_path: Path) -> Reading:
    with Joined(source.paths, lambda: None) as joined:
        return unpack(
            joined,
            name=source.name,
            is_clip=lambda name: name.endswith(".mp4"),
            place=lambda member: Placement(None),
            on_clip=lambda clip: None,
            on_skip=lambda name, reason: None,
            tmp_dir=tmp_path,
        )


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ((1, 2), "into {}.part-01, which"),
        ((3, 4), "into {}.part-03, which is damaged, or another piece than it says; sizes differ"),
        ("last", "a further one after {}.part-03 is lacking"),
        ("cut", "into {}.part-02"),
    ],
)
def test_the_wrong_piece_is_named(
    portal: Portal, tmp_path: Path, wrong: tuple[int, int] | str, named: str
) -> None:
    if isinstance(wrong, tuple):
        pieces = portal.swapped(*wrong)
    elif wrong == "last":
        pieces = dict([*portal.pieces.items()][:-1])
    else:
        names = [*portal.pieces]
        pieces = portal.pieces | {names[1]: portal.pieces[names[1]][:-5000]}
    folder = portal.put(tmp_path / "raw", pieces)
    source = ArchiveSource(ARCHIVE, tuple(sorted(folder.iterdir())), NAMES[: len(pieces)], ())
    reading = read(source, tmp_path / "stage")
    assert not reading.whole
    assert named.format(ARCHIVE) in broken_piece(source, reading.damaged_at)


def test_a_first_piece_that_is_none_is_named(portal: Portal, tmp_path: Path) -> None:
    folder = portal.put(tmp_path / "raw", portal.swapped(0, 1))
    source = ArchiveSource(ARCHIVE, tuple(sorted(folder.iterdir())), NAMES, ())
    assert "part-00 does not begin an archive" in broken_piece(source, None)
