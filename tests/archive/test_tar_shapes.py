"""Every shape of tar that writers make."""

from __future__ import annotations

import bz2
import io
import lzma
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
from archive_kit import Catcher, Dribble, clip_name, content, gz, sha256, tar_of
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from kdl.archive.members import Member, Placement, Skip
from kdl.archive.sniff import Kind
from kdl.archive.tarheader import checksum_holds

FORMATS = {"ustar": tarfile.USTAR_FORMAT, "gnu": tarfile.GNU_FORMAT, "pax": tarfile.PAX_FORMAT}
ODD_FOLDERS = [
    "driving car",
    "massaging person's head",
    "mountain climber (exercise)",
    "-dash",
    "a/b/c/d/e/f/g",
    "naïve 中文",
    "long " + "x" * 90 + "/" + "y" * 80,
    "z" * 140,
]


def folder_of(name: str) -> str:
    return Path(name).parent.name


@pytest.mark.parametrize("tar_format", FORMATS)
def test_python_tars(catcher: Catcher, tar_format: str) -> None:
    folders = [f for f in ODD_FOLDERS if tar_format != "ustar" or len(f.encode()) <= 90]
    members = [(f"{folder}/{clip_name(n)}", content(n)) for n, folder in enumerate(folders)]
    reading = catcher.run(tar_of(members, FORMATS[tar_format]))
    assert (reading.whole, reading.reason, reading.note, reading.kind) == (True, "", "", Kind.TAR)
    assert [clip.member for clip in catcher.clips] == [name for name, _ in members]
    assert catcher.tree() == {f"{folder_of(n)}/{Path(n).name}": sha256(data) for n, data in members}


@pytest.mark.parametrize("tar_format", ["v7", "oldgnu", "gnu", "ustar", "pax"])
@pytest.mark.parametrize("packing", ["", "-z", "-J", "-j"])
def test_gnu_tars(tmp_path: Path, catcher: Catcher, tar_format: str, packing: str) -> None:
    source = tmp_path / "source"
    expected = {}
    for n, folder in enumerate(ODD_FOLDERS):
        if tar_format in ("v7", "ustar") and len(folder) > 70:
            continue
        place = source / folder
        place.mkdir(parents=True)
        (place / clip_name(n)).write_bytes(content(n))
        expected[f"{place.name}/{clip_name(n)}"] = sha256(content(n))
    command = ["tar", f"--format={tar_format}", "-cf", "-", "-C", source, "."]
    if packing:
        command.insert(1, packing)
    made = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    reading = catcher.run(Dribble(made, 70_000))
    assert (reading.whole, reading.reason, reading.clips) == (True, "", len(expected))
    assert catcher.tree() == expected
    assert not catcher.skips


@pytest.mark.parametrize(("pack", "kind"), [(lzma.compress, Kind.XZ), (bz2.compress, Kind.BZ2)])
def test_xz_and_bz2_in_several_streams(catcher: Catcher, pack: Callable[[bytes], bytes], kind: Kind) -> None:
    plain = tar_of([(clip_name(1), content(1)), (clip_name(2), content(2))])
    reading = catcher.run(pack(plain[:2000]) + pack(plain[2000:]))
    assert (reading.whole, reading.kind, reading.clips) == (True, kind, 2)


def test_what_is_reported_of_a_clip(catcher: Catcher) -> None:
    data = content(7, 1234)
    reading = catcher.run(gz(tar_of([("notes.txt", b"x"), ("./top/./cls/" + clip_name(7), data)])))
    (clip,) = catcher.clips
    path = catcher.out / "cls" / clip_name(7)
    assert (clip.member, clip.name, clip.folder) == (f"./top/./cls/{clip_name(7)}", clip_name(7), "cls")
    assert (clip.seq, clip.size, clip.path, clip.sha256) == (0, 1234, str(path), sha256(data))
    assert (clip.mtime_ns, clip.written) == (path.stat().st_mtime_ns, True)
    assert (reading.clips, reading.skipped, reading.bytes_out) == (1, 1, 1234)
    assert catcher.skips == [("notes.txt", Skip.NOT_A_CLIP)]


def special(kind: bytes, name: str = clip_name(0), linkname: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, linkname
    return info


@pytest.mark.parametrize("tar_format", FORMATS)
def test_only_plain_files_with_plain_paths_are_clips(catcher: Catcher, tar_format: str) -> None:
    name = clip_name(0)
    refused: list[tuple[tuple[str, bytes] | tarfile.TarInfo, Skip]] = [
        (special(tarfile.LNKTYPE, linkname="/etc/passwd"), Skip.HARD_LINK),
        (special(tarfile.SYMTYPE, linkname="../../etc"), Skip.SYMBOLIC_LINK),
        (special(tarfile.CHRTYPE), Skip.DEVICE),
        (special(tarfile.BLKTYPE), Skip.DEVICE),
        (special(tarfile.FIFOTYPE), Skip.FIFO),
        (special(b"V"), Skip.SPECIAL),
        ((f"/abs/{name}", b"a"), Skip.ABSOLUTE),
        ((f"../../{name}", b"b"), Skip.PARENT),
        ((f"a/../{name}", b"c"), Skip.PARENT),
        ((f"x/._{name}", b"d"), Skip.APPLE_DOUBLE),
        (("README", b"e" * 600), Skip.NOT_A_CLIP),
        ((f"{name}\n", b"f"), Skip.NOT_A_CLIP),
        ((f"{name}/", b"g"), Skip.NOT_A_CLIP),
        ((".", b"h"), Skip.NAME),
    ]
    directories = [special(tarfile.DIRTYPE, "folder"), special(tarfile.DIRTYPE, name)]
    last = (clip_name(1), content(1))
    # A regular file whose name ends in a slash is a directory to every reader.
    expected = [
        reason for member, reason in refused if not (isinstance(member, tuple) and member[0][-1] == "/")
    ]
    reading = catcher.run(tar_of([*directories, *(m for m, _ in refused), last], FORMATS[tar_format]))
    assert [reason for _, reason in catcher.skips] == expected
    assert catcher.tree() == {clip_name(1): sha256(content(1))}
    assert (reading.whole, reading.clips, reading.skipped) == (True, 1, len(expected))


@pytest.mark.parametrize("version", ["oldgnu", "gnu", "0.0", "0.1", "1.0"])
def test_sparse_files_are_skipped_with_their_maps(tmp_path: Path, catcher: Catcher, version: str) -> None:
    source = tmp_path / "source"
    source.mkdir()
    with (source / clip_name(0)).open("wb") as file:
        for n in range(40):
            file.seek(n * 100_000)
            file.write(content(n, 4096))
    (source / clip_name(1)).write_bytes(content(1))
    kind = [f"--format={version}"] if "gnu" in version else ["--format=pax", f"--sparse-version={version}"]
    command = ["tar", *kind, "-S", "--sort=name", "-cf", "-", "-C", source, "."]
    made = subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout
    reading = catcher.run(made)
    assert catcher.skips == [(f"./{clip_name(0)}", Skip.SPARSE)]
    assert (reading.whole, catcher.tree()) == (True, {clip_name(1): sha256(content(1))})


def test_a_macos_archive(catcher: Catcher) -> None:
    """AppleDouble twins before each member, and pax records with newlines and foreign keys."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for n in range(3):
            for prefix in ("._", ""):
                info = tarfile.TarInfo(f"./mountain climber (exercise)/{prefix}{clip_name(n)}")
                info.size = 3000
                info.pax_headers = {
                    "LIBARCHIVE.creationtime": "1524000000.5",
                    "SCHILY.xattr.com.apple.quarantine": "0081;5ad\n12 path=/etc/x\nñ",
                }
                tar.addfile(info, io.BytesIO(content(n)))
    reading = catcher.run(gz(buffer.getvalue()))
    assert {reason for _, reason in catcher.skips} == {Skip.APPLE_DOUBLE}
    assert (reading.whole, reading.clips, reading.skipped) == (True, 3, 3)
    assert catcher.tree() == {
        f"mountain climber (exercise)/{clip_name(n)}": sha256(content(n)) for n in range(3)
    }


def test_names_that_are_not_utf8_are_shown_escaped(catcher: Catcher) -> None:
    plain = tar_of([("caf\udce9/" + clip_name(0), content(0)), ("\udcff.mp4", b"")])
    reading = catcher.run(plain)
    assert reading.whole
    assert [(clip.member, clip.folder) for clip in catcher.clips] == [
        (f"caf\\xe9/{clip_name(0)}", "caf\\xe9")
    ]
    assert catcher.skips == [("\\xff.mp4", Skip.NOT_A_CLIP)]


def test_names_with_control_characters_reach_the_caller_as_they_are(catcher: Catcher) -> None:
    reading = catcher.run(tar_of([("a\nb\x1b[31m/" + clip_name(0), content(0))]))
    assert (reading.whole, catcher.clips[0].folder) == (True, "a\nb\x1b[31m")


def test_a_nul_in_a_pax_path_never_reaches_the_caller(catcher: Catcher) -> None:
    info = tarfile.TarInfo("x")
    info.pax_headers = {"path": f"a\0b/{clip_name(0)}"}
    reading = catcher.run(tar_of([info], tarfile.PAX_FORMAT))
    assert (reading.whole, catcher.skips) == (True, [(f"a\0b/{clip_name(0)}", Skip.NAME)])


def test_names_that_differ_in_case_only_are_two_clips(catcher: Catcher) -> None:
    names = ["abcdefghijK_000001_000011.mp4", "abcdefghijk_000001_000011.mp4"]
    catcher.run(tar_of([(name, content(n)) for n, name in enumerate(names)]))
    assert catcher.tree() == {name: sha256(content(n)) for n, name in enumerate(names)}


def test_the_same_name_twice_is_reported_twice(catcher: Catcher) -> None:
    reading = catcher.run(tar_of([(clip_name(0), content(1)), (clip_name(0), content(2))]))
    assert [(clip.seq, clip.sha256) for clip in catcher.clips] == [
        (0, sha256(content(1))),
        (1, sha256(content(2))),
    ]
    assert (reading.clips, catcher.tree()) == (2, {clip_name(0): sha256(content(2))})


def test_two_thousand_tiny_members(catcher: Catcher) -> None:
    members = [(f"class {n % 40}/{clip_name(n)}", content(n, n % 700)) for n in range(2000)]
    reading = catcher.run(Dribble(gz(tar_of(members)), 4096))
    assert (reading.whole, reading.clips) == (True, 2000)
    assert catcher.tree() == {name: sha256(data) for name, data in members}
    assert catcher.clips[0].size == 0


def test_an_archive_of_nothing(catcher: Catcher) -> None:
    for archive in (tar_of([]), gz(tar_of([]))):
        reading = catcher.run(archive)
        assert (reading.whole, reading.clips, reading.skipped) == (True, 0, 0)


def restamp(block: bytearray) -> bytes:
    """The header with its checksum put right."""
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def test_sizes_in_base_256_and_signed_checksums(catcher: Catcher) -> None:
    archive = bytearray(tar_of([("\udce9\udce9/" + clip_name(0), content(0))]))
    archive[124:136] = b"\x80" + (3000).to_bytes(11, "big")
    archive[:512] = restamp(archive[:512])
    signed = sum(byte - 256 * (byte > 127) for byte in archive[:148] + b" " * 8 + archive[156:512])
    assert signed > 0
    archive[148:156] = b"%06o\0 " % signed
    assert checksum_holds(bytes(archive[:512]))
    assert catcher.run(bytes(archive)).whole
    assert catcher.clips[0].sha256 == sha256(content(0))


def test_links_that_state_a_size_have_no_data(catcher: Catcher) -> None:
    archive = bytearray(tar_of([special(tarfile.LNKTYPE, linkname="x"), (clip_name(1), content(1))]))
    archive[124:136] = b"%011o\0" % 4096
    archive[:512] = restamp(archive[:512])
    reading = catcher.run(bytes(archive))
    assert (reading.whole, catcher.tree()) == (True, {clip_name(1): sha256(content(1))})


_parts = st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60)
_names = st.lists(_parts.filter(lambda part: part not in (".", "..")), min_size=1, max_size=4).map("/".join)
_members = st.lists(st.tuples(_names, st.binary(max_size=1500)), max_size=6)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    members=_members,
    tar_format=st.sampled_from([tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]),
    step=st.integers(1, 5000),
)
def test_reads_what_python_reads(
    tmp_path: Path, members: list[tuple[str, bytes]], tar_format: int, step: int
) -> None:
    archive = tar_of(members, tar_format)
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        files = [info for info in tar if info.isreg()]
        expected = [(info.name, sha256(tar.extractfile(info).read())) for info in files]  # type: ignore[union-attr]
    catcher = Catcher(tmp_path)

    def by_position(member: Member) -> Placement:
        return Placement(catcher.out / f"{member.seq}.mp4")

    reading = catcher.run(Dribble(archive, step), is_clip=lambda _: True, place=by_position)
    seen = [(clip.member, clip.sha256) for clip in catcher.clips]
    accepted = [item for item in expected if not item[0].rpartition("/")[2].startswith("._")]
    assert reading.whole
    assert seen == accepted
