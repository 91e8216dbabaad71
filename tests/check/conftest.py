"""Small clips made with ffmpeg, sound and broken in every way that the check room tells apart."""

from __future__ import annotations

import random
import struct
import subprocess
import zlib
from pathlib import Path

import pytest

PICTURE = ("-f", "lavfi", "-i", "testsrc=duration=2:rate=25:size=160x120")
SOUND = ("-f", "lavfi", "-i", "sine=duration=2")
H264 = ("-c:v", "libx264", "-preset", "ultrafast", "-g", "10", "-threads", "1")


def ffmpeg(*arguments: str) -> None:
    subprocess.run(
        ("ffmpeg", "-nostdin", "-v", "error", "-y", *arguments), check=True, stdin=subprocess.DEVNULL
    )


def boxes(data: bytes, start: int = 0, end: int | None = None) -> dict[bytes, tuple[int, int]]:
    """Name -> (where it starts, its size) of the boxes in a stretch of an mp4 file."""
    found, position = {}, start
    while position + 8 <= (len(data) if end is None else end):
        length, name = struct.unpack_from(">I4s", data, position)
        found.setdefault(name, (position, length))
        position += length
    return found


def nested(data: bytes, *names: bytes) -> list[tuple[int, int]]:
    """(start, size) of each box on the way down ``names``."""
    way, start, end = [], 0, len(data)
    for name in names:
        position, length = boxes(data, start, end)[name]
        way.append((position, length))
        start, end = position + 8, position + length
    return way


@pytest.fixture(scope="session")
def clips(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with every sample; the tests' tables say what each is."""
    folder = tmp_path_factory.mktemp("clips")
    _make_sound_clips(folder)
    _make_broken_clips(folder)
    return folder


def _make_sound_clips(folder: Path) -> None:
    def to(name: str) -> str:
        return f"file:{folder / name}"

    ffmpeg(*PICTURE, *SOUND, *H264, "-c:a", "aac", to("moov_last.mp4"))
    base = ("-i", to("moov_last.mp4"), "-c", "copy")
    ffmpeg(*base, "-movflags", "+faststart", to("sound.mp4"))
    for name in ("-abcDEF_-12_000001_000003.mp4", 'it\'s a (clip) "x".mp4', "co:lon?%41.mp4"):
        (folder / name).write_bytes((folder / "sound.mp4").read_bytes())
    ffmpeg(*base, "-an", to("no_audio.mp4"))
    ffmpeg(*base, "-movflags", "frag_keyframe+empty_moov", to("fragmented.mp4"))
    ffmpeg(*base, to("sound.mkv"))
    ffmpeg(*base, "-f", "mpegts", to("mpegts.mp4"))
    ffmpeg(*base, "-map", "0:v", "-frames:v", "1", to("one_frame.mp4"))
    ffmpeg(*PICTURE, "-vf", "select='not(mod(n,7))+lt(n,9)'", "-vsync", "vfr", *H264, to("vfr.mp4"))
    ffmpeg(*PICTURE, "-vf", "select='not(mod(n,7))'", "-vsync", "vfr", "-c:v", "mpeg4", to("vfr.avi"))
    ffmpeg(*PICTURE, "-vf", "scale=161:121", *H264, "-pix_fmt", "yuv444p", to("odd_size.mp4"))
    ffmpeg(*PICTURE, "-t", "1", *H264, "-f", "flv", to("sound.flv"))

    cover = folder / "cover.png"
    ffmpeg("-f", "lavfi", "-i", "color=red:size=32x32", "-frames:v", "1", str(cover))
    with_cover = ("-map", "1", "-map", "0", "-disposition:v:0", "attached_pic", "-c", "copy")
    ffmpeg("-i", to("sound.mp4"), "-i", str(cover), *with_cover, to("cover_first.mp4"))

    # A quarter turn clockwise: the matrix of the track's header (ISO/IEC 14496-12, 8.3.2).
    rotated = bytearray((folder / "no_audio.mp4").read_bytes())
    matrix = nested(rotated, b"moov", b"trak", b"tkhd")[-1][0] + 48
    struct.pack_into(">9i", rotated, matrix, 0, 1 << 16, 0, -1 << 16, 0, 0, 120 << 16, 0, 1 << 30)
    (folder / "rotated.mp4").write_bytes(rotated)

    # An edit list that shows the second half alone: libav then skips the samples of the first.
    trimmed = bytearray((folder / "no_audio.mp4").read_bytes())
    entry = nested(trimmed, b"moov", b"trak", b"edts", b"elst")[-1][0] + 16
    scale = nested(trimmed, b"moov", b"trak", b"mdia", b"mdhd")[-1][0] + 20
    one_second = struct.unpack_from(">I", trimmed, scale)[0]
    struct.pack_into(">Ii", trimmed, entry, 1000, one_second)
    (folder / "trimmed_by_edit_list.mp4").write_bytes(trimmed)


def _make_broken_clips(folder: Path) -> None:
    fast, last = (folder / "sound.mp4").read_bytes(), (folder / "moov_last.mp4").read_bytes()
    mdat, length = boxes(fast)[b"mdat"]

    def write(name: str, data: bytes) -> None:
        (folder / name).write_bytes(data)

    write("zero.mp4", b"")
    write("text.mp4", b"<html><body>404 Not Found</body></html>\n" * 20)
    write("._appledouble.mp4", struct.pack(">II16x", 0x00051607, 0x00020000) + bytes(4000))
    write("moov_never_written.mp4", last[: len(last) // 2])
    write("cut_in_moov.mp4", fast[: mdat // 2])
    write("cut_before_data.mp4", fast[:mdat])
    write("cut_early.mp4", fast[: mdat + length // 20])
    write("cut_half.mp4", fast[: mdat + length // 2])
    write("cut_last_byte.mp4", fast[:-1])
    # The data box closes where the file ends, so only counting tells: a download padded by its tool.
    closed = bytearray(fast[: mdat + length // 2])
    struct.pack_into(">I", closed, mdat, len(closed) - mdat)
    write("cut_and_closed.mp4", bytes(closed))
    matroska = (folder / "sound.mkv").read_bytes()
    write("cut.mkv", matroska[: len(matroska) // 2])
    riff = (folder / "vfr.avi").read_bytes()
    write("cut.avi", riff[: len(riff) // 3])

    noise = random.Random(7)
    damaged = bytearray(fast)
    for position in range(mdat + length // 2, mdat + length * 3 // 4, 40):
        damaged[position] = noise.randrange(256)
    write("damaged_inside.mp4", bytes(damaged))
    emptied = bytearray(fast)
    emptied[mdat + 8 : mdat + length] = bytes(noise.randrange(256) for _ in range(length - 8))
    write("all_noise.mp4", bytes(emptied))

    ffmpeg(*SOUND, "-c:a", "aac", str(folder / "audio_only.mp4"))

    # A PNG picture in a film, its header saying 12336x12336.
    ffmpeg("-f", "lavfi", "-i", "color=size=64x64", "-frames:v", "1", "-c:v", "png", str(folder / "huge.mov"))
    huge = bytearray((folder / "huge.mov").read_bytes())
    header = huge.index(b"IHDR")
    struct.pack_into(">II", huge, header + 4, 12336, 12336)
    struct.pack_into(">I", huge, header + 17, zlib.crc32(huge[header : header + 17]))
    write("huge.mp4", bytes(huge))
    (folder / "huge.mov").unlink()
