"""A receipt for each shard that was read whole: what a lost ledger is rebuilt from, beside the clips.

The clips on disk do not tell which shard held which, nor what no shard holds; without that a rebuilt
ledger would have nearly every shard fetched again. A receipt is a small file of JSON in ``.kdl/receipts``.
"""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kdl.check.hashes import sha256_file
from kdl.dataset.specs import Manifest
from kdl.diskerrors import disk_errors
from kdl.jobs.clipkeys import key_of
from kdl.jobs.run import Run
from kdl.ledger.adopted import attribute
from kdl.ledger.objects import find_object, register_object, register_shards, set_object
from kdl.ledger.receipts import (
    MemberRow,
    ReplacedRow,
    members_of,
    receipt_rows,
    record_replaced_again,
    replaced_rows,
)
from kdl.ledger.replacements import record_replacement
from kdl.settings import MirrorPaths
from kdl.values import Shard

_FORMAT = 1
_REPLACED = "replaced.json"
_COLUMNS = ("url", "name", "kind", "split", "index", "class_hint", "size", "etag", "sha256", "proof", "clips")


def write_receipts(run: Run) -> None:
    """Write what is lacking or out of date. Runs in a thread; raises DiskFull and MachineError."""
    folder = run.paths.receipts
    reader = run.ledger.reader()
    for row in receipt_rows(reader):
        run.checkpoint()
        path = _path(folder, row["kind"], row["split"], row["name"])
        written = int((row["updated_at"] or 0) * 1000) * 1_000_000
        with contextlib.suppress(FileNotFoundError):
            if path.stat().st_mtime_ns == written:
                continue
        told = {key: row["idx" if key == "index" else key] for key in _COLUMNS}
        members = [list(member) for member in members_of(reader, row["id"], row["kind"])]
        _write(path, {"kdl_receipt": _FORMAT, **told, "members": members})
        os.utime(path, ns=(written, written))
    replaced = [list(row) for row in replaced_rows(reader)]
    if replaced or (folder / _REPLACED).exists():
        _write(folder / _REPLACED, {"kdl_receipt": _FORMAT, "replaced": replaced})


def _path(folder: Path, kind: str, split: str, name: str) -> Path:
    return folder / (split if kind == "shard" else kind) / f"{name}.json"


def _write(path: Path, told: dict[str, Any]) -> None:
    temp = path.with_name(f".{path.name}.tmp")
    with disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temp.write_text(json.dumps(told, separators=(",", ":")), encoding="utf-8")
        temp.replace(path)


def _read(path: Path) -> dict[str, Any] | None:
    """A receipt; None for what is none, which is then as good as not there."""
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return told if isinstance(told, dict) and told.get("kdl_receipt") == _FORMAT else None


class Receipts:
    """Gives a ledger back what the receipts of an earlier one tell."""

    def __init__(self, run: Run, manifest: Manifest, mirror: MirrorPaths) -> None:
        self._run = run
        self._manifest = manifest
        self._folder = mirror.receipts
        self._base = mirror.base

    def take_back(self) -> int:
        """Shards that were read whole are done again, and hold what they held. Returns how many.

        To be called when every clip of the mirror's own tree is on record: one that is not there is then
        known to be lost, and its shard is read again. Runs in a thread.
        """
        count = 0
        for told in self._told():
            self._run.checkpoint()
            known = find_object(self._run.ledger.reader(), told["url"], told["split"])
            if known is not None and known.state == "done":
                continue
            take = self._take_shard if told["kind"] == "shard" else self._take_replacements
            count += take(told)
        if count and (replaced := _read(self._folder / _REPLACED)) is not None:
            rows = [ReplacedRow(*row) for row in replaced["replaced"]]
            self._run.ledger.write(lambda c: record_replaced_again(c, rows)).result()
        return count

    def _told(self) -> Iterator[dict[str, Any]]:
        for path in sorted(self._folder.glob("*/*.json")):
            told = _read(path)
            if told is not None and (not told["split"] or told["split"] in self._manifest.split_names):
                yield told

    def _take_shard(self, told: dict[str, Any]) -> bool:
        spec = self._manifest.split(told["split"])
        rows = [MemberRow(*row) for row in told["members"]]
        reader = self._run.ledger.reader()
        members = [(row.seq, key) for row in rows if (key := key_of(reader, spec, row.name)) is not None]
        shard = Shard(told["url"], told["name"], spec.name, told["index"], told["class_hint"])

        def take(connection: sqlite3.Connection) -> None:
            register_shards(connection, [shard])
            row = find_object(connection, shard.url, shard.split)
            assert row is not None
            attribute(connection, row.id, members)
            _done(connection, row.id, told)

        self._run.ledger.write(take).result()
        return True

    def _take_replacements(self, told: dict[str, Any]) -> bool:
        """The replacement archive is done again only if all that it held is still here."""
        files = [(row[1], self._base / ".kdl" / "replacements" / row[1]) for row in told["members"]]
        if not files or not all(path.is_file() for _, path in files):
            return False
        spec = (
            self._manifest.split(self._manifest.replacement.splits[0]) if self._manifest.replacement else None
        )
        found = []
        for name, path in files:
            key = key_of(self._run.ledger.reader(), spec, name) if spec else None
            if key is not None:
                found.append((key, name, path, path.stat(), sha256_file(str(path))))

        def take(connection: sqlite3.Connection) -> None:
            object_id = register_object(connection, told["url"], told["name"], "replacement")
            for key, name, path, stat, sha256 in found:
                record_replacement(
                    connection,
                    object_id,
                    key,
                    name=name,
                    path=str(path.relative_to(self._base)),
                    size=stat.st_size,
                    mtime_ns=stat.st_mtime_ns,
                    sha256=sha256,
                )
            _done(connection, object_id, told)

        self._run.ledger.write(take).result()
        return True


def _done(connection: sqlite3.Connection, object_id: int, told: dict[str, Any]) -> None:
    known = {key: told[key] for key in ("size", "etag", "sha256", "proof", "clips")}
    set_object(connection, object_id, "done", **known)
