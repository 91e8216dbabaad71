"""What a selection needs: pure decisions over what the manifest, the ledger and the host say."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass, replace
from enum import StrEnum
from fnmatch import fnmatchcase

from kdl.dataset.specs import Manifest
from kdl.values import Shard

CLIP_BYTES_PER_ARCHIVE_BYTE = 1.005
"""mp4 does not compress: 436 GiB of K400's tar.gz become 438 GiB of clips."""


@dataclass(frozen=True, slots=True)
class Selection:
    """The part of a dataset that a run is about."""

    splits: tuple[str, ...]
    classes: tuple[str, ...] | None = None
    """Labels as annotated; ``None`` for all."""
    class_dirs: tuple[str, ...] | None = None
    """The same classes as folder names."""
    shards: tuple[str, ...] = ()
    """Patterns on archive names (``part_1*``); any of them matches. Empty for all."""
    limit: int | None = None
    """At the most so many shards."""
    left_out: tuple[str, ...] = ()
    """Splits that were asked for and have no labels to choose classes by."""

    def wants_class(self, label: str | None) -> bool:
        """Whether a clip of this class is selected; clips without a class only where all are."""
        return self.classes is None or label in self.classes

    def class_count(self) -> str:
        """``1 class``, ``12 classes``; empty where all are selected."""
        count = len(self.classes or ())
        return f"{count} class{'es' * (count != 1)}" if count else ""

    def describe(self) -> str:
        parts = [", ".join(self.splits)]
        if self.classes is not None:
            shown = ", ".join(self.classes[:3]) + (" …" if len(self.classes) > 3 else "")
            parts.append(f"{self.class_count()} ({shown})")
        if self.shards:
            parts.append("shards " + ", ".join(self.shards))
        if self.limit is not None:
            parts.append(f"at most {self.limit} shards")
        return "; ".join(parts)


def keeps_strays(manifest: Manifest, selection: Selection, name: str) -> bool:
    """Whether a clip that no split lists is taken for this one's, and so is ``unlisted``.

    Of splits that share their archives the first takes it; none does where not all of them are selected,
    since the lists of the others are not known then.
    """
    if manifest.split(name).split_from == "archive":
        return True
    sharing = manifest.sharing(name)
    return name == sharing[0] and set(sharing) <= set(selection.splits)


def select_shards(shards: Iterable[Shard], selection: Selection) -> list[Shard]:
    """The shards that may hold selected clips, in order.

    A shard whose class is told by its name or rank is left out if that class is not selected; any
    other may hold everything.
    """
    chosen = [
        shard
        for shard in shards
        if shard.split in selection.splits
        and (shard.class_hint is None or selection.wants_class(shard.class_hint))
        and (not selection.shards or any(_matches(shard.name, pattern) for pattern in selection.shards))
    ]
    return chosen if selection.limit is None else chosen[: selection.limit]


def _matches(name: str, pattern: str) -> bool:
    stem = name
    for suffix in (".tar.gz", ".tgz", ".tar", ".zip"):
        stem = stem.removesuffix(suffix)
    return fnmatchcase(name, pattern) or fnmatchcase(stem, pattern)


class Need(StrEnum):
    """What a shard wants of this run."""

    FETCH = "fetch"
    DONE = "done"
    BROKEN = "broken"
    """Broken at the source, and the source has not changed."""
    INDEX = "index"
    """Of its mixed classes the selected ones alone, by its seek index."""


@dataclass(frozen=True, slots=True)
class ShardView:
    """A shard with what the ledger knows of it."""

    shard: Shard
    state: str = "new"
    size: int | None = None
    etag: str | None = None
    unwritten: int = 0
    """Selected clips known to be inside and not on disk."""
    spooled: int = 0
    """Bytes an earlier run left."""
    covered: str = ""
    """Why nothing that it holds is lacking, though it was not read; empty where that is not known."""
    adopted: bool = False
    """An archive of its name was taken in; it is the host's if it has the same size."""


def shard_need(view: ShardView) -> Need:
    """Done is relative to the selection: read whole, and every selected clip in it is on disk.

    Of a bundle, whose list may name other clips by now, that is known of each one.
    """
    if view.shard.bundle is not None:
        return Need.DONE if view.covered else Need.FETCH
    if view.unwritten == 0 and (view.state == "done" or view.covered):
        return Need.DONE
    if view.state == "broken" and view.unwritten == 0:
        return Need.BROKEN
    return Need.FETCH


@dataclass(frozen=True, slots=True)
class PlannedShard:
    """One shard of the plan. ``size`` is ``None`` where the host did not tell."""

    shard: Shard
    need: Need
    size: int | None
    spooled: int
    note: str = ""

    @property
    def download(self) -> int:
        """Bytes still to fetch."""
        if self.need is not Need.FETCH or self.size is None:
            return 0
        return max(self.size - self.spooled, 0)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run will do."""

    selection: Selection
    shards: tuple[PlannedShard, ...]
    extra_bytes: int = 0
    """Annotations, link lists, the replacement archive."""
    notes: tuple[str, ...] = ()
    share: float = 1.0
    """The part of the fetched clips that is kept (a class subset of mixed shards)."""
    stored: tuple[str, ...] = ()
    """Splits whose archives may have to lie on disk whole before they can be read."""

    @property
    def to_fetch(self) -> list[PlannedShard]:
        return [item for item in self.shards if item.need is Need.FETCH]

    @property
    def download(self) -> int:
        return sum(item.download for item in self.shards) + self.extra_bytes

    def whole_after_all(self, urls: Collection[str]) -> tuple[PlannedShard, ...]:
        """The shards, with these to be read whole though an index was to spare it."""
        return tuple(
            replace(item, need=Need.FETCH) if item.shard.url in urls and item.need is Need.INDEX else item
            for item in self.shards
        )


@dataclass(frozen=True, slots=True)
class Space:
    """Bytes a plan puts on disk: more than there are now, at the worst moment and at the end."""

    peak: int
    end: int


def shards_at_once(jobs: int) -> int:
    """Shards under way: ``jobs`` that arrive, and half as many that have come and go into the ledger."""
    return jobs + max(jobs // 2, 1)


def mirror_space(plan: Plan, *, jobs: int, spool: bool, keep_archives: bool) -> Space:
    """Room the mirror's own volume needs: clips, and of the shards in flight the spools and stored zips."""
    sizes = sorted((item.size or 0 for item in plan.to_fetch), reverse=True)
    clips = int(sum(sizes) * CLIP_BYTES_PER_ARCHIVE_BYTE * plan.share) + plan.extra_bytes
    already = sum(item.spooled for item in plan.to_fetch)
    end = clips + (sum(sizes) if keep_archives else 0)
    count = shards_at_once(jobs)
    in_flight = 0 if keep_archives or not spool else sum(sizes[:count])
    stored = (item.size or 0 for item in plan.to_fetch if item.shard.split in plan.stored)
    in_flight += sum(sorted(stored, reverse=True)[:count])
    return Space(peak=max(end + in_flight - already, 0), end=max(end - already, 0))


@dataclass(frozen=True, slots=True)
class Volume:
    """A file system and what the plan asks of it."""

    path: str
    free: int
    peak: int
    end: int

    @property
    def fits(self) -> bool:
        return self.peak <= self.free


class Action(StrEnum):
    """What becomes of a clip that a shard holds."""

    WRITE = "write"
    COMPARE = "compare"
    """The ledger has it from this shard, unproved: write it over if its bytes are other ones."""
    ASIDE = "aside"
    """The ledger has it from this shard, proved: if its bytes are other ones, keep them aside."""
    RECORD = "record"
    """Not selected: note that this shard holds it."""
    DUPLICATE = "duplicate"
    """Another shard's clip, or an earlier member's, stands for it: keep it aside."""
    LEAVE = "leave"
    """A replacement stands in its place, or it is another split's."""


@dataclass(frozen=True, slots=True)
class KnownClip:
    """What the ledger knows of a clip before its shard is read."""

    id: int
    label: str | None
    listed: bool
    class_dir: str
    path: str | None
    origin: str | None
    shard_id: int | None
    provisional: bool
    sha256: str | None
    verdict: str

    @property
    def on_disk(self) -> bool:
        return self.path is not None and self.verdict != "missing"


def place_clip(known: KnownClip | None, *, shard_id: int, selected: bool, taken: bool) -> Action:
    """Decide about one clip of a shard.

    ``taken``: another member, of this pass or of another shard being read, has claimed its key.
    """
    if taken or (known is not None and known.on_disk and known.shard_id not in (None, shard_id)):
        return Action.DUPLICATE if selected else Action.RECORD
    if not selected:
        return Action.RECORD
    if known is None or not known.on_disk:
        return Action.WRITE
    if known.origin == "replacement":
        return Action.LEAVE
    return Action.COMPARE if known.provisional or known.verdict == "corrupt" else Action.ASIDE
