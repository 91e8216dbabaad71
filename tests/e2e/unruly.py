"""A small dataset on an origin that misbehaves to script, and what a run of the real command made of it."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import json
import random
import sqlite3
import ssl
import tarfile
import threading
from collections.abc import Iterable, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from tests.e2e.running import Ran, kdl, tree
from tests.faults.hostile import Act, HostileOrigin, Thing

NAME = "unruly"
BASE = "https://bucket.invalid/kinetics/"
"""The manifest's own host, which never resolves: runs need ``--origin``."""
LABELS = ("abseiling", "driving car")
LIST, ANNOTATION, README, REPLACEMENT = "train_path.txt", "train.csv", "readme.md", "replacement.tgz"
HTML = b"<!DOCTYPE html>\n<html><body>Please sign in to the network of this hotel</body></html>\n"
S3_ERROR = (
    b'<?xml version="1.0" encoding="UTF-8"?>\n<Error><Code>SlowDown</Code><Message>later</Message></Error>'
)
DEAD = "http://127.0.0.1:9"
"""Nobody listens there."""
ALONE = {"http_proxy": "", "HTTP_PROXY": "", "https_proxy": DEAD, "HTTPS_PROXY": DEAD, "no_proxy": ""}
"""Whatever is asked of another host than the loopback goes nowhere."""


class Origin(HostileOrigin):
    """The hostile origin in a thread of its own, since the command keeps the test waiting."""

    def __init__(self, host: str = "127.0.0.1", tls: ssl.SSLContext | None = None) -> None:
        super().__init__(host, tls)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._await(self.__aenter__())
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._await(self.__aexit__())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _await(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result(10)


def clip_name(number: int) -> str:
    return f"clip{number:07d}_000000_000003.mp4"


def noise(name: str, size: int = 150_000) -> bytes:
    """Bytes that belong to ``name`` and do not compress."""
    return random.Random(name).randbytes(size)


@dataclass(frozen=True)
class Member:
    """One member of an archive, written under exactly this name."""

    name: str
    data: bytes = b""
    kind: bytes = tarfile.REGTYPE


def tar(members: Iterable[Member]) -> bytes:
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w", format=tarfile.GNU_FORMAT) as archive:
        for member in members:
            header = tarfile.TarInfo(member.name)
            header.size, header.type = len(member.data), member.kind
            header.linkname = "/etc/hostname" if member.kind in (tarfile.SYMTYPE, tarfile.LNKTYPE) else ""
            archive.addfile(header, io.BytesIO(member.data))
    return buffer.getvalue()


def targz(members: Iterable[Member]) -> bytes:
    return gzip.compress(tar(members), compresslevel=1, mtime=0)


def wrong_checksum(members: list[Member]) -> bytes:
    """An archive that inflates well, to what its trailer says it is not."""
    body = bytearray(targz(members))
    body[-8] ^= 1
    return bytes(body)


def three_clips(shard: int, size: int = 150_000) -> list[Member]:
    """What the shard of this number holds, unless a test says otherwise."""
    names = [clip_name(10 * shard + each) for each in range(3)]
    return [Member(f"./{name}", noise(name, size)) for name in names]


def shard_name(number: int) -> str:
    return f"part_{number}.tar.gz"


@dataclass
class Dataset:
    """The dataset, hosted; ``run`` mirrors it."""

    origin: Origin
    manifest: Path
    root: Path
    log: Path
    clips: dict[str, str] = field(default_factory=dict)
    """The file of every listed clip below the mirror, and its digest: how a run is to end."""

    @property
    def base(self) -> Path:
        return self.root / NAME

    def run(self, verb: str = "fetch", *options: object, origins: Sequence[str] = (), **env: str) -> Ran:
        """One run; ``origins`` are used in place of the one that hosts it."""
        self.log.unlink(missing_ok=True)
        named = [word for url in origins or [self.origin.base] for word in ("--origin", url)]
        fixed = ["--root", self.root, "--json", "--log-json", self.log, "--stall", "0.5"]
        return kdl(verb, self.manifest, *fixed, *named, *options, **{**ALONE, **env})

    def thing(self, path: str) -> Thing:
        return self.origin.things[path]

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The last run's events of one kind."""
        found = map(json.loads, self.log.read_text().splitlines())
        return [event for event in found if event["event"] == kind]

    def videos(self) -> dict[str, str]:
        """Every file below ``videos/`` with its digest."""
        return {f"videos/{name}": digest for name, digest in tree(self.base / "videos").items()}

    def debris(self) -> list[str]:
        """Every file that is neither a clip, nor an annotation, nor the mirror's own state."""
        own = ("videos/", "annotations/", "lists/", ".kdl/ledger.db", ".kdl/lock", ".kdl/status.json")
        own += (".kdl/receipts/", ".kdl/index/")
        names = (str(path.relative_to(self.base)) for path in self.base.rglob("*") if path.is_file())
        return sorted(name for name in names if not name.startswith(own))

    def rows(self, sql: str) -> list[dict[str, Any]]:
        """What the ledger says."""
        with closing(sqlite3.connect(f"file:{self.base / '.kdl' / 'ledger.db'}?mode=ro", uri=True)) as db:
            db.row_factory = sqlite3.Row
            return [dict(row) for row in db.execute(sql)]

    def verdicts(self) -> dict[str, str]:
        """By clip name, as annotated."""
        rows = self.rows("SELECT youtube_id, time_start, time_end, verdict FROM clips")
        return {
            f"{row['youtube_id']}_{row['time_start']:06d}_{row['time_end']:06d}.mp4": row["verdict"]
            for row in rows
        }

    def objects(self) -> dict[str, dict[str, Any]]:
        """The ledger's objects by name."""
        return {row["name"]: row for row in self.rows("SELECT * FROM objects")}


def host(
    origin: Origin,
    folder: Path,
    shards: Mapping[str, Sequence[Member] | bytes],
    *,
    listed: Iterable[str] | None = None,
    replacement: Sequence[Member] | bytes | None = None,
    top: str = "",
    s3: bool = True,
) -> Dataset:
    """Host ``shards`` (members to pack, or the archive's bytes) with all that belongs to a dataset.

    ``listed`` are the annotated clips' names, else those of all members; ``top`` is more of the
    manifest.
    """
    folder.mkdir(parents=True, exist_ok=True)
    clips: dict[str, str] = {}
    for name, content in shards.items():
        origin.put(name, content if isinstance(content, bytes) else targz(content), s3=s3)
        if not isinstance(content, bytes):
            for member in content:
                digest = hashlib.sha256(member.data).hexdigest()
                clips.setdefault(f"videos/train/{LABELS[0]}/{member.name.rpartition('/')[2]}", digest)
    names = [path.rpartition("/")[2] for path in clips] if listed is None else list(listed)
    origin.put(LIST, "".join(f"{BASE}{name}\n" for name in shards).encode(), s3=s3)
    origin.put(ANNOTATION, annotation(names), s3=s3)
    origin.put(README, b"# unruly\n", s3=s3)
    if replacement is not None:
        origin.put(REPLACEMENT, replacement if isinstance(replacement, bytes) else targz(replacement), s3=s3)
    manifest = folder / f"{NAME}.toml"
    manifest.write_text(_MANIFEST.format(top=top) + (_REPLACEMENT if replacement is not None else ""))
    return Dataset(origin, manifest, folder / "mirror", folder / "events.jsonl", clips)


def annotation(names: Iterable[str], label: str = LABELS[0]) -> bytes:
    """A K400-like table of the clips of these names."""
    lines = ["label,youtube_id,time_start,time_end,split"]
    for name in names:
        youtube_id, start, end = name.removesuffix(".mp4").rsplit("_", 2)
        lines.append(f"{label},{youtube_id},{int(start)},{int(end)},train")
    return "\n".join([*lines, ""]).encode()


def plain_shards(count: int) -> dict[str, list[Member]]:
    return {shard_name(number): three_clips(number) for number in range(count)}


def always(act: Act, thing: Thing) -> None:
    """From now on every request for ``thing`` is answered so."""
    thing.always, thing.heads = act, [act] * 100


_MANIFEST = f"""
name = "{NAME}"
title = "Unruly"
labels = {json.dumps(LABELS)}
hosts = {{{{ bucket = "{BASE}" }}}}
readmes = ["{README}"]
{{top}}
[[split]]
name = "train"
class_from = "annotation"
list = "{LIST}"
annotation = {{{{ url = "{ANNOTATION}", format = "csv" }}}}
"""
_REPLACEMENT = f"""
[replacement]
url = "{REPLACEMENT}"
splits = ["train"]
"""
