"""A small bucket that holds everything which goes wrong with the real ones, for ``kdl demo`` and for tests.

Four classes, three splits and about forty clips of three seconds. The tables below say what every clip
shows and how it comes out of a mirror; the archives are laid out like those of the three editions of
Kinetics, surprises included.
"""

from __future__ import annotations

import csv
import io
import json
import tarfile
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from kdl.jobs.demo_archives import APPLE_DOUBLE, Member, write_archive
from kdl.jobs.demo_cast import (
    ABSEILING,
    CLASSES,
    DRIVING,
    KNOWN_ABSENT,
    MASSAGING,
    SCENES,
    SECONDS,
    TEST,
    TRAIN,
    TYING,
    VAL,
    CastClip,
    Planted,
    film,
)
from kdl.jobs.demo_clips import cut_short, render

DATASET = "demo"
BASE = "https://kinetics.invalid/"
"""Where the manifest and the link lists say the bucket is; never resolves, so runs need ``--origin``."""
DROPPED = "demo/train/driving car.tar.gz"
"""The object whose first download :class:`kdl.jobs.demo_server.DemoServer` is meant to break off."""
REPLACEMENT = "demo/replacement_for_corrupted_demo.tgz"
_KNOWN = "demo-never-hosted.txt"
_CAST = {"train": TRAIN, "val": VAL, "test": TEST}


@dataclass(frozen=True, slots=True)
class DemoBucket:
    """What :func:`build_demo` made."""

    directory: Path
    """To be served: the object ``demo/train/abseiling.tar.gz`` is the file of that path in it."""
    manifest_path: Path
    planted: dict[tuple[str, str], Planted]
    """By split and clip name (``-lead_dash0_000012_000015.mp4``), clips without a file included."""
    dropped: str = DROPPED

    def counts(self) -> dict[str, int]:
        """Clips by verdict, and ``replaced``; verdicts that do not occur are left out."""
        found = Counter(str(clip.verdict) for clip in self.planted.values())
        return {**found, "replaced": sum(clip.replaced for clip in self.planted.values())}


def build_demo(out: Path, *, ffmpeg: str = "ffmpeg") -> DemoBucket:
    """Makes the bucket and its manifest in ``out``, in a few seconds.

    Raises ToolMissing without ffmpeg, MediaError where it fails.
    """
    films = dict(zip(SCENES, render(list(SCENES.values()), ffmpeg=ffmpeg), strict=True))
    directory = out / "bucket"
    folder = directory / DATASET
    shards = {"train": _train_shards(films), "val": _val_shards(films), "test": _test_shards(films)}
    for split, archives in shards.items():
        for name, members in archives.items():
            write_archive(folder / split / name, members, compressed=f"demo/{split}/{name}" != DROPPED)
        lines = [f"{BASE}{DATASET}/{split}/{name}\n" for name in archives]  # raw, blanks and all
        (folder / split / f"{DATASET}_{split}_path.txt").write_text("".join(lines))
    mends = [
        Member(f"replacement_for_corrupted_demo/{clip.name}", film(films, shows, f"mends {clip.name}"))
        for clip, shows in _mends()
    ]
    write_archive(directory / REPLACEMENT, mends)
    _write_annotations(folder / "annotations")
    (folder / "readme.md").write_text("# demo\n\nRendered by kdl; nothing in it is real.\n")
    manifest = out / f"{DATASET}.toml"
    _write_manifest(manifest, shards)
    planted = {(clip.split, clip.name): clip.planted() for clips in _CAST.values() for clip in clips}
    return DemoBucket(directory, manifest, planted)


def _members(films: dict[str, bytes], clips: Iterable[CastClip], folder: str) -> list[Member]:
    return [
        Member(f"{folder}{clip.name}", film(films, clip.shows, f"{clip.split} {clip.name}"))
        for clip in clips
        if clip.shows is not None
    ]


def _mends() -> list[tuple[CastClip, str]]:
    """The clips in the replacement archive, and what they show there."""
    return [(clip, clip.mended) for clip in TRAIN if clip.mended is not None]


def _of(clips: Sequence[CastClip], label: str) -> list[CastClip]:
    return [clip for clip in clips if clip.label == label]


def _train_shards(films: dict[str, bytes]) -> dict[str, list[Member]]:
    """An archive a class, as K600 has them: only their names tell the class."""
    deep = "mnt/ssd/work/user/kinetics/train/tmp/"
    driving = _members(films, _of(TRAIN, DRIVING), deep)
    copied = next(clip for clip in _of(TRAIN, DRIVING) if clip.youtube_id == "twoCopies_1")
    massaging = _members(films, _of(TRAIN, MASSAGING), "./")
    damaged = next(clip for clip in _of(TRAIN, MASSAGING) if clip.youtube_id == "secondSound")
    return {
        f"{ABSEILING}.tar.gz": [
            Member("./", kind=tarfile.DIRTYPE),
            *_members(films, _of(TRAIN, ABSEILING), "./"),
        ],
        f"{DRIVING}.tar.gz": [*driving, Member(f"{deep}again/{copied.name}", films["fractal"])],
        f"{MASSAGING}.tar.gz": [
            Member(f"./first/{damaged.name}", cut_short(films["fractal"])),
            *massaging,
            Member("../outside_up1_000000_000003.mp4", films["pattern"]),
            Member("/outside_top_000000_000003.mp4", films["pattern"]),
            Member("./linkedClip1_000000_000003.mp4", kind=tarfile.SYMTYPE, target="/etc/hostname"),
            Member("./README", b"not a clip\n"),
        ],
        f"{TYING}.tar.gz": _made_on_macos(_members(films, _of(TRAIN, TYING), f"{TYING}/")),
    }


def _made_on_macos(members: Iterable[Member]) -> list[Member]:
    """The members in a class folder, each with an AppleDouble file that has a clip's extension too."""
    found = [
        Member(f"./._{TYING}", APPLE_DOUBLE),
        Member(f"{TYING}/", kind=tarfile.DIRTYPE),
    ]
    for member in members:
        found += [Member(member.name.replace("/", "/._"), APPLE_DOUBLE), member]
    return found


def _val_shards(films: dict[str, bytes]) -> dict[str, list[Member]]:
    """An archive a class with a class folder in it, as K700 has them, named by the class's rank."""
    return {
        f"{DATASET}_val_{rank:03d}.tar.gz": [
            Member(f"{label}/", kind=tarfile.DIRTYPE),
            *_members(films, _of(VAL, label), f"{label}/"),
        ]
        for rank, label in enumerate(CLASSES, start=1)
    }


def _test_shards(films: dict[str, bytes]) -> dict[str, list[Member]]:
    """Mixed parts, as every test split has them."""
    return {f"part_{at}.tar.gz": _members(films, TEST[2 * at : 2 * at + 2], "./") for at in range(2)}


def _write_annotations(folder: Path) -> None:
    """Train with quoted labels, val with CRLF and ``validate``, test without labels."""
    folder.mkdir(parents=True, exist_ok=True)
    head = ["label", "youtube_id", "time_start", "time_end", "split"]
    train = [[*_row(clip), "train"] for clip in TRAIN if clip.listed]
    val = [[*_row(clip), "validate"] for clip in VAL]
    test = [[*_row(clip)[1:], "test"] for clip in TEST]
    _write_csv(folder / "train.csv", [head, *train], quoting=csv.QUOTE_NONNUMERIC)
    _write_csv(folder / "val.csv", [head, *val], line_end="\r\n")
    _write_csv(folder / "test.csv", [head[1:], *test])


def _row(clip: CastClip) -> list[str | int]:
    return [clip.label, clip.youtube_id, clip.start, clip.start + SECONDS]


def _write_csv(
    path: Path, rows: Iterable[Sequence[str | int]], *, line_end: str = "\n", quoting: int = csv.QUOTE_MINIMAL
) -> None:
    text = io.StringIO(newline="")
    csv.writer(text, lineterminator=line_end, quoting=quoting).writerows(rows)  # type: ignore[arg-type]
    path.write_bytes(text.getvalue().encode())


def _write_manifest(path: Path, shards: dict[str, dict[str, list[Member]]]) -> None:
    """The manifest, and beside it the list of clips that are known to be absent."""
    known = next(clip.name for clip in TRAIN if clip.youtube_id == KNOWN_ABSENT)
    path.with_name(_KNOWN).write_text(known.removesuffix(".mp4") + "\n")
    classes_from = {"train": "shard-name", "val": "shard-rank", "test": "none"}
    splits = "".join(
        f"""
[[split]]
name = "{split}"
class_from = "{class_from}"
list = "{DATASET}/{split}/{DATASET}_{split}_path.txt"
annotation = {{ url = "{DATASET}/annotations/{split}.csv", format = "csv" }}
counts = {{ clips = {sum(clip.shows is not None for clip in _CAST[split])}, \
rows = {sum(clip.listed for clip in _CAST[split])}, shards = {len(shards[split])} }}
"""
        + (f'never_hosted = "{_KNOWN}"\n' if split == "train" else "")
        for split, class_from in classes_from.items()
    )
    path.write_text(
        f"""# Written by kdl. Its host does not exist: name the one that serves the bucket, --origin URL.
name = "{DATASET}"
title = "Demo"
labels = {json.dumps(CLASSES)}
list_prefix = "{DATASET}"
readmes = ["{DATASET}/readme.md"]
hosts = {{ demo = "{BASE}" }}
{splits}
[replacement]
url = "{REPLACEMENT}"
splits = ["train"]
clips = {len(_mends())}
"""
    )
