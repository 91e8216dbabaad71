"""Every way in which an archive is odd or broken, by name, and what is had of it all the same."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import random
import subprocess
import tarfile
import tempfile
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.e2e.unruly import Member, clip_name, noise, tar, targz, wrong_checksum

Members = Sequence[Member]
Make = Callable[[Members], bytes]
MIB = 1 << 20
ODD_CLIP = clip_name(999)
"""A clip that nobody lists."""


@dataclass(frozen=True, slots=True)
class Shape:
    """An archive of three clips, made by ``make``."""

    make: Make
    had: tuple[int, ...] = (0, 1, 2)
    """Which of the clips are had."""
    broken: str = ""
    """The reason for which the shard is called broken; empty where it is sound."""
    skipped: tuple[str, ...] = ()
    """What is told of members that were passed over."""
    top: str = ""
    """More of the manifest."""
    aside: int = 0
    """Copies that are put aside until a check tells which is sound."""


def named(members: Members, name: Callable[[str], str]) -> list[Member]:
    """The same under other names, each made of the clip's."""
    return [Member(name(member.name.removeprefix("./")), member.data) for member in members]


def in_format(members: Members, form: int) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=form, errors="surrogateescape") as archive:
        for member in members:
            header = tarfile.TarInfo(member.name)
            header.size = len(member.data)
            archive.addfile(header, io.BytesIO(member.data))
    return buffer.getvalue()


def zipped(members: Members, method: int = zipfile.ZIP_DEFLATED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for member in members:
            archive.writestr(member.name, member.data)
    return buffer.getvalue()


def xz(members: Members) -> bytes:
    return lzma.compress(tar(members), preset=0)


def in_pieces(members: Members) -> bytes:
    """One tar in several gzip members, an empty one among them."""
    whole = tar(members)
    pieces = [whole[at : at + 50_000] for at in range(0, len(whole), 50_000)]
    return b"".join(gzip.compress(piece, 1, mtime=0) for piece in [*pieces[:2], b"", *pieces[2:]])


def sparse(members: Members) -> bytes:
    """The first clip has holes."""
    with tempfile.TemporaryDirectory() as folder:
        for number, member in enumerate(members):
            with Path(folder, member.name).open("wb") as file:
                file.write(member.data)
                file.truncate(MIB if number == 0 else len(member.data))
        command = ["tar", "--format=gnu", "-S", "-cf", "-", "-C", folder, *(each.name for each in members)]
        return subprocess.run(command, stdout=subprocess.PIPE, check=True).stdout


def beginning(magic: bytes) -> Make:
    """What follows does not matter where nobody reads it."""
    return lambda _: magic + random.Random(magic).randbytes(5000)


def damaged_header(members: Members) -> bytes:
    """One bit of the second member's header has flipped."""
    body = bytearray(tar(members))
    body[512 + -(-len(members[0].data) // 512) * 512 + 5] ^= 1
    return gzip.compress(bytes(body), 1, mtime=0)


def wrong_length(members: Members) -> bytes:
    body = targz(members)
    return body[:-4] + bytes(4)


def cut(make: Make, share: float) -> Make:
    """The upload of it broke off."""
    return lambda members: (lambda body: body[: int(len(body) * share)])(make(members))


def with_odd(*odd: Member, make: Make = targz) -> Make:
    """Other members before, among and behind the clips."""
    return lambda members: make([*odd, members[0], *odd, *members[1:], *odd])


def link(kind: bytes, name: str = f"./{ODD_CLIP}") -> Member:
    return Member(name, kind=kind)


def without_first(*instead: Member) -> Make:
    """The first clip is there as something else only."""
    return lambda members: targz([*instead, *members[1:]])


def zip_that_says_less(members: Members) -> bytes:
    """Its directory tells a smaller size of the first clip than the data has."""
    body = bytearray(zipped(members))
    entry = body.index(b"PK\x01\x02")
    body[entry + 24 : entry + 28] = (1000).to_bytes(4, "little")
    return bytes(body)


TINY = tar([Member("./tiny.txt", b"x")])[:1024]
"""A member of one byte, to be repeated."""

SOUND: dict[str, Shape] = {
    "tar.gz": Shape(targz),
    "plain tar": Shape(tar),
    "zip": Shape(zipped),
    "stored zip": Shape(lambda members: zipped(members, zipfile.ZIP_STORED)),
    "xz": Shape(xz),
    "bz2": Shape(lambda members: bz2.compress(tar(members))),
    "several xz streams": Shape(lambda members: lzma.compress(b"", preset=0) + xz(members)),
    "several gzip members": Shape(in_pieces),
    "a tar in each gzip member": Shape(lambda members: b"".join(targz([each]) for each in members)),
    "trailing garbage": Shape(lambda members: targz(members) + b"left over from an upload" * 100),
    "trailing garbage, plain": Shape(lambda members: tar(members) + b"left over from an upload" * 100),
    "trailing zeros": Shape(lambda members: targz(members) + bytes(10_000)),
    "an empty tar": Shape(lambda _: targz([]), had=()),
    "ustar": Shape(lambda members: in_format(members, tarfile.USTAR_FORMAT)),
    "pax": Shape(lambda members: in_format(members, tarfile.PAX_FORMAT)),
    "long names, GNU": Shape(
        lambda m: in_format(named(m, lambda n: f"{'a' * 150}/{'b' * 150}/{n}"), tarfile.GNU_FORMAT)
    ),
    "long names, pax": Shape(
        lambda m: in_format(named(m, lambda n: f"{'ä' * 90}/{'b' * 150}/{n}"), tarfile.PAX_FORMAT)
    ),
    "names not in UTF-8": Shape(lambda m: tar(named(m, lambda n: f"caf\udce9/{n}"))),
    "names with control characters": Shape(lambda m: targz(named(m, lambda n: f"a\nb\x1b[31m/{n}"))),
    "every clip twice": Shape(lambda members: targz([*members, *members]), aside=3),
    "other bytes under the same names": Shape(
        lambda members: targz(
            [*members, *(Member(m.name, noise(f"other {m.name}", len(m.data))) for m in members)]
        ),
        aside=3,
    ),
    "folders and the data of a Mac": Shape(
        with_odd(Member("./x/", kind=tarfile.DIRTYPE), Member(f"./._{ODD_CLIP}", b"Mac OS X")),
        skipped=("3 x AppleDouble file",),
    ),
    "..": Shape(
        with_odd(Member(f"../{ODD_CLIP}", b"x"), Member(f"a/../../{ODD_CLIP}", b"x")),
        skipped=("6 x path with ..",),
    ),
    "absolute": Shape(with_odd(Member(f"/tmp/{ODD_CLIP}", b"x")), skipped=("3 x absolute path",)),
    "links": Shape(
        with_odd(link(tarfile.SYMTYPE), link(tarfile.LNKTYPE)), skipped=("3 x symbolic link", "3 x hard link")
    ),
    "devices": Shape(
        with_odd(link(tarfile.CHRTYPE), link(tarfile.BLKTYPE), link(tarfile.FIFOTYPE)),
        skipped=("6 x device", "3 x fifo"),
    ),
    "a link to the mirror's own folder": Shape(
        with_odd(link(tarfile.SYMTYPE, "./videos"), Member(f"./videos/{ODD_CLIP}.txt", b"x")),
        skipped=("3 x symbolic link", "3 x not a clip's name"),
    ),
    "names of nothing": Shape(with_odd(Member("./"), Member(".//.", b"x")), skipped=("no usable name",)),
    "a hundred thousand tiny members": Shape(
        lambda members: gzip.compress(TINY * 100_000 + tar(members), 1),
        skipped=("100000 x not a clip's name",),
    ),
    "a bomb": Shape(
        lambda members: targz([*members, Member(ODD_CLIP, bytes(40 * MIB))]),
        skipped=("1 x larger than the cap",),
        top='max_member = "1M"',
    ),
    "a bomb in a zip": Shape(
        lambda members: zipped([*members, Member(ODD_CLIP, bytes(40 * MIB))]),
        skipped=("1 x larger than the cap",),
        top='max_member = "1M"',
    ),
    "a bomb behind the end": Shape(lambda members: targz(members) + gzip.compress(bytes(40 * MIB), 1)),
    "a clip that is too large": Shape(
        targz, had=(), skipped=("3 x larger than the cap",), top='max_member = "50K"'
    ),
    "a sparse clip": Shape(lambda m: sparse(named(m, str)), had=(1, 2), skipped=("1 x sparse file",)),
    "a clip that is a link": Shape(
        without_first(link(tarfile.SYMTYPE, f"./{clip_name(0)}")), had=(1, 2), skipped=("1 x symbolic link",)
    ),
    "a zip of another method": Shape(
        lambda members: zipped(members, zipfile.ZIP_BZIP2), had=(), skipped=("3 x unsupported compression",)
    ),
}

BROKEN: dict[str, Shape] = {
    "empty": Shape(lambda _: b"", (), "empty"),
    "a gzip of nothing": Shape(lambda _: gzip.compress(b""), (), "holds no tar"),
    "no archive": Shape(lambda _: b"The quick brown fox" * 1000, (), "no archive that is known here"),
    "gzip cut in its header": Shape(lambda members: targz(members)[:7], (), "ends early"),
    "gzip cut at once": Shape(lambda members: targz(members)[:200], (), "ends early"),
    "gzip cut": Shape(cut(targz, 0.75), (0, 1), "ends early"),
    "gzip cut in its trailer": Shape(lambda members: targz(members)[:-4], (0, 1, 2), "ends early"),
    "gzip with a wrong CRC": Shape(lambda members: wrong_checksum([*members]), (0, 1, 2), "wrong checksum"),
    "gzip with a wrong length": Shape(wrong_length, (0, 1, 2), "wrong length"),
    "gzip cut in a later member": Shape(cut(in_pieces, 0.75), (0, 1), "ends early"),
    "xz cut": Shape(cut(xz, 0.75), (0, 1), "ends early"),
    "bz2 cut": Shape(cut(lambda members: bz2.compress(tar(members), 1), 0.8), (0,), "ends early"),
    "tar cut": Shape(cut(tar, 0.5), (0,), "ends inside"),
    "tar without its end mark": Shape(lambda members: tar(members).rstrip(b"\0"), (0, 1, 2), "ends"),
    "tar with a damaged header": Shape(damaged_header, (0, 2), "wrong checksum"),
    "zip cut": Shape(cut(zipped, 0.75), (), "zip's directory"),
    "zip that says less": Shape(zip_that_says_less, (1, 2), "zip is damaged"),
    "gzip of a zip": Shape(
        lambda members: gzip.compress(zipped(members), 1), (), "gzip data that holds no tar but a zip"
    ),
    "gzip of a gzip": Shape(
        lambda members: gzip.compress(targz(members), 1), (), "gzip data that holds no tar but gzip"
    ),
    "gzip of something else": Shape(
        lambda _: gzip.compress(b"no tar" * 1000), (), "gzip data that holds no tar"
    ),
    "zstd": Shape(beginning(b"\x28\xb5\x2f\xfd"), (), "zstd"),
    "lz4": Shape(beginning(b"\x04\x22\x4d\x18"), (), "lz4"),
    "7z": Shape(beginning(b"7z\xbc\xaf\x27\x1c"), (), "7z"),
    "rar": Shape(beginning(b"Rar!\x1a\x07\x01\x00"), (), "rar"),
    "lzip": Shape(beginning(b"LZIP\x01"), (), "lzip"),
    "compress": Shape(beginning(b"\x1f\x9d\x90"), (), "compress"),
    "lzma": Shape(lambda members: lzma.compress(tar(members), lzma.FORMAT_ALONE, preset=0), (), "lzma"),
}
"""A host that has nothing better: 1, what could be read is had provisionally, the others wait."""
