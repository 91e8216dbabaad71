"""A bucket of the real size in rows and of any size in bytes, laid out as the host of K700-2020 has it."""

from __future__ import annotations

import random
import string
import struct
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kdl.dataset.linklist import parse_link_list
from kdl.dataset.manifest import load_manifest
from kdl.dataset.specs import Manifest, SplitSpec
from kdl.jobs.demo_archives import Member, write_archive
from kdl.jobs.demo_clips import Scene, render
from kdl.values import ClipKey, Shard

DATASET = "k700-2020"
SECONDS = 10
_ID = string.ascii_letters + string.digits + "-_"


@dataclass(frozen=True, slots=True)
class Listed:
    """An annotated clip, and the shard that holds it."""

    key: ClipKey
    label: str | None
    shard: int
    """0-based position in the link list."""

    @property
    def name(self) -> str:
        return f"{self.key.youtube_id}_{self.key.start:06d}_{self.key.end:06d}.mp4"


@dataclass(frozen=True, slots=True)
class Bucket:
    """A bucket's folder, and how many clips its annotations list."""

    folder: Path
    rows: dict[str, int]
    """Clips by split."""
    manifest: Manifest
    held: int | None = None
    """The clips are in so many first shards of a split; None for all of them."""

    def shards(self, split: str) -> tuple[Shard, ...]:
        """The shards of a split's link list; the host may lack their objects."""
        spec = self.manifest.split(split)
        with self._object(spec.list_url or "").open(encoding="utf-8", newline="\n") as text:
            return parse_link_list(text, spec, self.manifest.labels).shards

    def listed(self, split: str) -> Iterator[Listed]:
        """The clips of a split: the same in every run."""
        shards = self.held or len(self.shards(split))
        return listed(self.manifest, split, self.rows[split], shards)

    def put_shards(self, split: str, count: int, clip_bytes: int, clips: int) -> int:
        """Make the first ``count`` shards of a split of ``clips`` sound clips each; their bytes together."""
        film = render([Scene("testsrc2", SECONDS, size="160x120", fps=5)])[0]
        noise = random.Random(1)
        held: dict[int, list[Listed]] = {}
        for clip in self.listed(split):
            if clip.shard < count and len(held.setdefault(clip.shard, [])) < clips:
                held[clip.shard].append(clip)
        size = 0
        for shard in self.shards(split)[:count]:
            path = self._object(shard.url)
            write_archive(
                path,
                [
                    Member(f"{clip.label or '.'}/{clip.name}", padded(film, clip_bytes, noise))
                    for clip in held.get(shard.index, [])
                ],
            )
            size += path.stat().st_size
        return size

    def put_films(self, split: str, films: Sequence[bytes], *, shards: int = 1) -> int:
        """Make the first shards of a split, each of these clips under listed names; their bytes."""
        size = 0
        for shard in self.shards(split)[:shards]:
            clips = (clip for clip in self.listed(split) if clip.shard == shard.index)
            members = [
                Member(f"{clip.label or '.'}/{clip.name}", film)
                for clip, film in zip(clips, films, strict=False)
            ]
            write_archive(self._object(shard.url), members)
            size += self._object(shard.url).stat().st_size
        return size

    def key(self, shard: Shard) -> str:
        """Where the shard's object lies below the folder, and below the server's URL."""
        return unquote(urlsplit(shard.url).path).removeprefix(self._base)

    def _object(self, url: str) -> Path:
        return self.folder / unquote(urlsplit(url).path).removeprefix(self._base)

    @property
    def _base(self) -> str:
        return urlsplit(self.manifest.hosts[0].base).path


def padded(film: bytes, size: int, noise: random.Random) -> bytes:
    """The clip grown to ``size`` bytes by a ``free`` box of noise: valid, and nothing that compresses."""
    missing = max(size - len(film), 16)
    return film + struct.pack(">I4s", missing, b"free") + noise.randbytes(missing - 8)


def make_bucket(folder: Path, rows: dict[str, int], *, held: int | None = None) -> Bucket:
    """Write link lists, annotations and the readme; the shards' own bytes are for ``put_shards``."""
    manifest = load_manifest(DATASET)
    bucket = Bucket(folder, {name: rows.get(name, 0) for name in manifest.split_names}, manifest, held)
    for url in manifest.readmes:
        _write(bucket._object(url), "made for a benchmark\n")
    for name in rows:
        spec = manifest.split(name)
        _write(bucket._object(spec.list_url or ""), "".join(f"{url}\n" for url in _urls(manifest, spec)))
        assert spec.annotation is not None
        _write(bucket._object(spec.annotation.url), _annotation(bucket, spec))
    return bucket


def listed(manifest: Manifest, split: str, count: int, shards: int) -> Iterator[Listed]:
    """``count`` clips over all classes; a shard is a class where the split has classes."""
    labels = list(manifest.labels)
    spec = manifest.split(split)
    chance = random.Random(split)
    for _ in range(count):
        start = chance.randrange(0, 600)
        youtube_id = "".join(chance.choices(_ID, k=11))
        at = chance.randrange(shards)
        label = labels[at % len(labels)] if spec.labelled else None
        yield Listed(ClipKey(split, youtube_id, start, start + SECONDS), label, at)


def _urls(manifest: Manifest, spec: SplitSpec) -> list[str]:
    folder = f"{manifest.hosts[0].base}700_2020/{spec.name}"
    return [
        f"{folder}/k700_{spec.name}_{number:03d}.tar.gz" for number in range(1, (spec.counts.shards or 1) + 1)
    ]


def _annotation(bucket: Bucket, spec: SplitSpec) -> str:
    lines = [f"{'label,' if spec.labelled else ''}youtube_id,time_start,time_end,split\n"]
    for clip in bucket.listed(spec.name):
        label = f"{clip.label}," if spec.labelled else ""
        lines.append(f"{label}{clip.key.youtube_id},{clip.key.start},{clip.key.end},{spec.name}\n")
    return "".join(lines)


def _write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
