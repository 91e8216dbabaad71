"""Where each clip of a shard goes, and the ledger's word of it: the unpacker's counterpart.

One :class:`Shelf` serves a run, one :class:`ShardShelf` a pass over a shard. The latter's methods
run in the unpacking thread.
"""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

from kdl.archive.members import Member, Placement
from kdl.dataset.inside import ShardNames
from kdl.dataset.labels import Style, class_dir
from kdl.dataset.plan import Action, KnownClip, Selection, keeps_strays, place_clip
from kdl.dataset.specs import Manifest, SplitSpec
from kdl.jobs.clipkeys import listed_elsewhere, timed
from kdl.ledger.annotated import meant_by_id
from kdl.ledger.arrivals import Arrival, record_arrivals
from kdl.ledger.clips import find_clip
from kdl.ledger.ledger import Ledger
from kdl.ledger.replacements import record_duplicate
from kdl.settings import MirrorPaths
from kdl.values import ClipFile, ClipKey, Shard

_ASIDE = ".kdl/duplicates/"
_BATCH = 64
_BATCH_S = 1.0


class Shelf:
    """The places of a mirror, and who is about to fill them."""

    def __init__(
        self,
        ledger: Ledger,
        manifest: Manifest,
        selection: Selection,
        paths: MirrorPaths,
        style: Style,
        *,
        on_arrival: Callable[[], object],
    ) -> None:
        self.ledger = ledger
        self.manifest = manifest
        self.selection = selection
        self.paths = paths
        self.style = style
        self.on_arrival = on_arrival
        self._claims: dict[ClipKey, tuple[int, int]] = {}
        self._lock = threading.Lock()

    def claim(self, key: ClipKey, holder: tuple[int, int]) -> bool:
        """Whether ``holder`` (shard id, position) is the first of those being read to bring ``key``."""
        with self._lock:
            return self._claims.setdefault(key, holder) == holder

    def release(self, shard_id: int) -> None:
        """The ledger knows all that this shard brought."""
        with self._lock:
            self._claims = {k: h for k, h in self._claims.items() if h[0] != shard_id}


class ShardShelf:
    """Places the clips of one pass over one shard."""

    def __init__(self, shelf: Shelf, shard: Shard, shard_id: int) -> None:
        self._shelf = shelf
        self._shard = shard
        self._id = shard_id
        self._spec: SplitSpec = shelf.manifest.split(shard.split)
        self._names = ShardNames(self._spec, shelf.manifest.labels, shard.class_hint)
        self._strays = keeps_strays(shelf.manifest, shelf.selection, shard.split)
        self._decided: dict[int, tuple[ClipKey, Action, KnownClip | None, str | None, str]] = {}
        """By position: what was decided of a clip, the class its archive tells, and its folder."""
        self._arrivals: list[Arrival] = []
        self._flushed = time.monotonic()
        self._pending: Future[Any] | None = None
        self.clips = 0
        """Clips of the selection that passed."""
        self.written = 0
        """Bytes written."""
        self.skipped: Counter[str] = Counter()
        self.skipped_names: list[str] = []
        self.conflicts: list[str] = []
        """Clips whose archive and annotation disagree on the class."""
        self.ambiguous: list[str] = []
        """Clips whose names lack times, and whose id the annotation has several times."""

    def is_clip(self, base_name: str) -> bool:
        return self._names.key(base_name) is not None

    def place(self, member: Member) -> Placement:
        """Where this clip is to be written, if at all."""
        key = self._key(member)
        known = self._known(key)
        told = self._names.label(member.member)
        if told and known and known.label and told != known.label:
            self.conflicts.append(f"{member.name}: {told!r} in {self._shard.name}, annotated {known.label!r}")
        label = told or (known.label if known else None)
        listed = self._spec.annotation is None or (known is not None and known.listed)
        action = (
            place_clip(
                known,
                shard_id=self._id,
                selected=self._shelf.selection.wants_class(label),
                taken=not self._shelf.claim(key, (self._id, member.seq)),
            )
            if listed or self._is_ours(key)
            else Action.LEAVE
        )
        folder = class_dir(label, self._shelf.style) if label and self._spec.labelled else ""
        self._decided[member.seq] = (key, action, known, told, folder)
        if action in (Action.RECORD, Action.LEAVE):
            return Placement(None)
        aside = self._shelf.paths.duplicates / str(self._id) / f"{member.seq}_{member.name}"
        if action is Action.DUPLICATE:
            return Placement(aside)
        if action in (Action.COMPARE, Action.ASIDE) and known is not None and known.path is not None:
            place = self._shelf.paths.base / known.path
            return Placement(place, known.sha256, aside if action is Action.ASIDE else None)
        return Placement(self._final(key, member, folder, listed))

    def _key(self, member: Member) -> ClipKey:
        """The clip that a member is. Where its name leaves that open it is one that no annotation lists."""
        named = self._names.key(member.name)
        assert named is not None, "is_clip said yes"
        key = timed(self._shelf.ledger.reader(), self._spec, named)
        if self._spec.untimed and key.start is None:
            rows = meant_by_id(self._shelf.ledger.reader(), key)
            if rows:
                times = ", ".join(f"{row.start}-{row.end} s" for row in rows)
                self.ambiguous.append(f"{member.name}: {times}")
        return key

    def _is_ours(self, key: ClipKey) -> bool:
        """Whether a clip that the split does not list is of this split all the same."""
        manifest, reader = self._shelf.manifest, self._shelf.ledger.reader()
        return self._strays and not listed_elsewhere(reader, manifest, key)

    def _known(self, key: ClipKey) -> KnownClip | None:
        row = find_clip(self._shelf.ledger.reader(), key)
        if row is None:
            return None
        return KnownClip(
            id=row["id"],
            label=row["label"],
            listed=bool(row["listed"]),
            class_dir=row["class_dir"],
            path=row["path"],
            origin=row["origin"],
            shard_id=row["shard_id"],
            provisional=bool(row["provisional"]),
            sha256=row["sha256"],
            verdict=row["verdict"],
        )

    def _final(self, key: ClipKey, member: Member, folder: str, listed: bool) -> Path:
        paths = self._shelf.paths
        if member.size == 0:
            return paths.quarantine / key.split / folder / member.name
        if not listed:
            return paths.unlisted / key.split / member.name
        return paths.videos / key.split / folder / member.name

    def skip(self, member: str, reason: str) -> None:
        """A member that is no clip."""
        self.skipped[reason] += 1
        if len(self.skipped_names) < 3:
            self.skipped_names.append(member)

    def clip(self, file: ClipFile) -> None:
        """A clip passed; written if :meth:`place` wanted it."""
        key, action, known, told, folder = self._decided.pop(file.seq)
        if file.written:
            self.written += file.size
        if action is Action.LEAVE:
            return
        listed = self._spec.annotation is None or (known is not None and known.listed)
        path = str(Path(file.path).relative_to(self._shelf.paths.base)) if file.path else None
        if path is not None and path.startswith(_ASIDE):
            assert file.sha256 is not None
            assert file.mtime_ns is not None
            self._keep_aside(key, folder, listed, file.seq, path, file.size, file.mtime_ns, file.sha256)
            return
        self.clips += path is not None
        self._arrivals.append(
            Arrival(
                key=key,
                label=(known.label if known else None) or (told if listed else None),
                listed=listed,
                name=file.name,
                class_dir=folder,
                path=path,
                seq=file.seq,
                size=file.size,
                mtime_ns=file.mtime_ns,
                sha256=file.sha256,
                fresh=file.written,
            )
        )
        if len(self._arrivals) >= _BATCH or time.monotonic() - self._flushed > _BATCH_S:
            self.flush()

    def _keep_aside(
        self,
        key: ClipKey,
        folder: str,
        listed: bool,
        seq: int,
        path: str,
        size: int,
        mtime_ns: int,
        sha256: str,
    ) -> None:
        self.flush()
        self._shelf.ledger.write(
            lambda c: record_duplicate(
                c,
                self._id,
                key,
                class_dir=folder,
                listed=listed,
                seq=seq,
                path=path,
                size=size,
                mtime_ns=mtime_ns,
                sha256=sha256,
            )
        ).result()

    def finish(self) -> None:
        """The pass is over, well or not: wait until the ledger knows all that it brought."""
        self.flush()
        self.flush()

    def flush(self) -> None:
        """Hand what has arrived to the ledger, one batch under way at a time."""
        if self._pending is not None:
            self._pending.result()
            self._pending = None
            self._shelf.on_arrival()
        if self._arrivals:
            batch, self._arrivals = self._arrivals, []
            self._pending = self._shelf.ledger.write(lambda c: record_arrivals(c, self._id, batch))
        self._flushed = time.monotonic()
