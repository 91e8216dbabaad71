"""A ledger as a whole mirror leaves it, written through the ledger's own functions."""

from __future__ import annotations

import hashlib
import os
import sqlite3
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path

from kdl.dataset.labels import class_dir
from kdl.ledger.arrivals import Arrival, record_arrivals, settle_shard
from kdl.ledger.clips import find_clip, mark_never_hosted, record_check
from kdl.ledger.derivatives import DerivativeRow, record_derivatives
from kdl.ledger.ledger import Ledger, open_ledger
from kdl.ledger.objects import register_shards, set_object, shard_rows
from kdl.settings import MirrorPaths
from kdl.values import Cause, Facts, Judgement, Level, Verdict
from tools.bench.bucket import Bucket, Listed

RECIPES = ("320p", "frames-300")
_CHUNK = 10_000
_LINKS = 50_000
"""Names that one file is given at most; ext4 allows 65,000."""
_FACTS = Facts(1_500_000, 10.0, 340, 256, 30.0, 300, "h264", "aac", "yuv420p", 0)
_OK = Judgement(Verdict.OK)
_SHORT = Judgement(Verdict.SHORT, None, "4.2 s of 10 s")
_CORRUPT = Judgement(Verdict.CORRUPT, Cause.MOOV_MISSING, "moov atom not found")


@dataclass(frozen=True, slots=True)
class _Lot:
    """A clip of the made-up mirror, and what it came to."""

    clip: Listed
    judgement: Judgement
    listed: bool


def fill(bucket: Bucket, paths: MirrorPaths, *, files: bool, derived: bool = True) -> int:
    """Record every listed clip as fetched, judged and derived, nearly all of them sound.

    The annotations must be in the ledger. With ``files`` every clip on record has a file: links to a few
    empty ones; derivatives, which ``derived`` puts on record, have none. Returns how many clips the ledger
    has.
    """
    store = _Files(paths) if files else None
    with open_ledger(paths.ledger) as ledger:
        for spec in bucket.manifest.splits:
            if bucket.rows[spec.name]:
                _fill_split(bucket, ledger, spec.name, store, RECIPES if derived else ())
        found = ledger.one("SELECT count(*) FROM clips")
    return int(found[0]) if found else 0


def _fill_split(
    bucket: Bucket, ledger: Ledger, split: str, store: _Files | None, recipes: tuple[str, ...]
) -> None:
    shards = bucket.shards(split)
    ledger.write(lambda c: register_shards(c, shards)).result()
    rows = shard_rows(ledger.reader(), (split,))
    ids = {shard.index: rows[shard.url, shard.split].id for shard in shards}
    lots = _lots(bucket.listed(split))
    number = 0
    while chunk := list(islice(lots, _CHUNK)):
        arrivals = [(lot, _arrival(lot, number + at, store)) for at, lot in enumerate(chunk)]
        ledger.write(lambda c, arrivals=arrivals: _record(c, arrivals, ids, recipes)).result()  # type: ignore[misc]
        number += len(chunk)

    def settle(connection: sqlite3.Connection) -> None:
        for object_id in ids.values():
            settle_shard(connection, object_id)
            set_object(connection, object_id, "done", size=10**9, etag='"0"', sha256="0" * 64, proof="md5")
        mark_never_hosted(connection, split)

    ledger.write(settle).result()


def _lots(clips: Iterable[Listed]) -> Iterator[_Lot]:
    """Of a thousand: 980 sound, 8 short, 4 corrupt, 5 never hosted, 3 in no annotation."""
    for number, clip in enumerate(clips):
        kind = number % 1000
        if kind < 5:
            continue
        if kind < 8:
            stranger = replace(clip, key=replace(clip.key, end=clip.key.end + 1))  # type: ignore[operator]
            yield _Lot(stranger, _OK, listed=False)
        yield _Lot(clip, _CORRUPT if kind < 12 else _SHORT if kind < 20 else _OK, listed=True)


def _arrival(lot: _Lot, number: int, store: _Files | None) -> Arrival:
    clip = lot.clip
    folder = class_dir(clip.label) if clip.label else ""
    places = {
        Verdict.CORRUPT: f".kdl/quarantine/{clip.key.split}/{folder}",
        Verdict.UNLISTED: f"unlisted/{clip.key.split}",
    }
    verdict = lot.judgement.verdict if lot.listed else Verdict.UNLISTED
    place = places.get(verdict, f"videos/{clip.key.split}/{folder}")
    path = str(Path(place, clip.name))
    size, mtime_ns = store.put(path) if store else (1_500_000, 1_600_000_000_000_000_000 + number)
    sha256 = hashlib.sha256(clip.name.encode()).hexdigest()
    return Arrival(
        clip.key, clip.label, lot.listed, clip.name, folder, path, number, size, mtime_ns, sha256, True
    )


def _record(
    connection: sqlite3.Connection,
    arrivals: list[tuple[_Lot, Arrival]],
    ids: dict[int, int],
    recipes: tuple[str, ...],
) -> None:
    for lot, arrival in arrivals:
        record_arrivals(connection, ids[lot.clip.shard], [arrival])
        row = find_clip(connection, arrival.key)
        assert row is not None
        record_check(connection, row["id"], arrival.sha256, lot.judgement, _FACTS, Level.PROBE, arrival.path)
        if lot.judgement is _CORRUPT or not lot.listed:
            continue
        made = [
            DerivativeRow(
                row["id"], recipe, "0" * 16, arrival.sha256 or "", "done", arrival.path or "", 9, 300, None
            )
            for recipe in recipes
        ]
        record_derivatives(connection, made)


class _Files:
    """Files that cost next to nothing: names of a few empty ones."""

    def __init__(self, paths: MirrorPaths) -> None:
        self._base = paths.base
        self._made = 0
        self._source = self._base
        self._stat = (0, 0)

    def put(self, path: str) -> tuple[int, int]:
        """Make the file ``path``; its size and mtime in nanoseconds."""
        if self._made % _LINKS == 0:
            self._source = self._base / ".kdl" / f"file-{self._made // _LINKS}"
            self._source.touch()
            stat = self._source.stat()
            self._stat = (stat.st_size, stat.st_mtime_ns)
        self._made += 1
        target = self._base / path
        try:
            os.link(self._source, target)
        except FileExistsError:  # the one clip that was really fetched
            target.unlink()
            os.link(self._source, target)
        except FileNotFoundError:
            target.parent.mkdir(parents=True, exist_ok=True)
            os.link(self._source, target)
        return self._stat
