"""Which clip a file's name means: annotations may have to tell its times, and its split."""

from __future__ import annotations

import sqlite3
from dataclasses import replace

from kdl.dataset.specs import Manifest, SplitSpec
from kdl.ledger.annotated import meant_by_id
from kdl.ledger.clips import find_clip
from kdl.values import ClipKey


def key_of(connection: sqlite3.Connection, spec: SplitSpec, base_name: str) -> ClipKey | None:
    """The key of the clip of this name; None where it is no clip's."""
    name = spec.read_name(base_name)
    return None if name is None else timed(connection, spec, name.key(spec.name))


def timed(connection: sqlite3.Connection, spec: SplitSpec, key: ClipKey) -> ClipKey:
    """A key as a name tells it, with the annotation's times where it lacks some and one row alone has them.

    Of two rows nothing tells which is meant: the key stays as it is, and is none that is listed.
    """
    if not spec.untimed or key.start is not None:
        return key
    meant = meant_by_id(connection, key)
    return meant[0] if len(meant) == 1 else key


def listed_elsewhere(connection: sqlite3.Connection, manifest: Manifest, key: ClipKey) -> bool:
    """Whether another split with the same archives lists the clip."""
    others = (name for name in manifest.sharing(key.split) if name != key.split)
    keys = (timed(connection, manifest.split(name), replace(key, split=name)) for name in others)
    rows = (find_clip(connection, other) for other in keys)
    return any(row is not None and row["listed"] for row in rows)
