"""Archives that claim or hold too much are read in flat memory."""

from __future__ import annotations

import resource
import subprocess
import sys
import tarfile
from pathlib import Path

import pytest
from archive_kit import Catcher, clip_name, content, sha256, tar_of
from isal import isal_zlib

from kdl.archive.members import Skip

GIB = 1 << 30
MEMORY_KIB = 60 * 1024

# In a process of its own, as the peak of memory is one number for a process.
READ_IT = """
import resource, sys
sys.path.insert(0, sys.argv[3])
from pathlib import Path
from archive_kit import Catcher
catcher = Catcher(Path(sys.argv[2]))
peak = lambda: resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
before = peak()
with open(sys.argv[1], "rb") as file:
    reading = catcher.run(file, cap=int(sys.argv[4]))
print(peak() - before, reading.clips, reading.skipped, reading.whole)
"""


def header(name: str, size: int, kind: bytes = tarfile.REGTYPE) -> bytes:
    info = tarfile.TarInfo(name)
    info.size, info.type = size, kind
    return info.tobuf(tarfile.GNU_FORMAT)


@pytest.fixture(scope="module")
def bomb(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """1 GiB of zeros under a clip's name, then a clip, in about a megabyte."""
    path = tmp_path_factory.mktemp("bomb") / "bomb.tar.gz"
    squeeze = isal_zlib.compressobj(2, wbits=31)
    zeros = bytes(1 << 22)
    with path.open("wb") as file:
        file.write(squeeze.compress(header(clip_name(0), GIB)))
        for _ in range(GIB // len(zeros)):
            file.write(squeeze.compress(zeros))
        file.write(squeeze.compress(tar_of([(clip_name(1), content(1))])))
        file.write(squeeze.flush())
    assert path.stat().st_size < 6_000_000
    return path


def test_a_bomb_is_passed_over_in_flat_memory(bomb: Path, tmp_path: Path) -> None:
    arguments = [str(bomb), str(tmp_path), str(Path(__file__).parent), str(256 << 20)]
    done = subprocess.run(
        [sys.executable, "-c", READ_IT, *arguments],
        capture_output=True,
        text=True,
        check=True,
        cwd=Path(__file__).parents[2],
    )
    grown, *rest = done.stdout.split()
    assert rest == ["1", "1", "True"]
    assert int(grown) < MEMORY_KIB
    assert Catcher(tmp_path).tree() == {clip_name(1): sha256(content(1))}


def test_a_member_that_claims_more_than_there_is(catcher: Catcher) -> None:
    archive = header(clip_name(0), 1 << 60) + bytes(5000)
    reading = catcher.run(archive)
    assert (reading.whole, catcher.skips) == (False, [(clip_name(0), Skip.TOO_LARGE)])


def test_an_extended_header_of_forty_megabytes_is_not_kept(catcher: Catcher) -> None:
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    data = bytes(40 << 20)
    for kind in (tarfile.GNUTYPE_LONGNAME, tarfile.XHDTYPE, tarfile.XGLTYPE):
        reading = catcher.run(header("x", len(data), kind) + data + tar_of([(clip_name(1), content(1))]))
        assert (reading.whole, reading.clips) == (False, 1)
        assert "impossible size" in reading.reason
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 4 * (40 << 10)


def test_a_megabyte_of_tiny_pax_records_is_read(catcher: Catcher) -> None:
    data = b"5 a=\n" * 200_000
    reading = catcher.run(
        header("x", len(data), tarfile.XHDTYPE) + data + bytes(-len(data) % 512) + tar_of([])
    )
    assert reading.whole
