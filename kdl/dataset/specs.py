"""What a manifest says, as values: frozen, picklable, every URL absolute and percent-encoded."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from kdl.dataset.clipname import ClipName, parse_clip_name
from kdl.dataset.labels import LabelMap
from kdl.dataset.schema import near
from kdl.errors import UsageError
from kdl.values import ClipKey


@dataclass(frozen=True, slots=True)
class Host:
    """One server that a dataset lies on."""

    name: str
    """How the manifest calls it: ``cvdf``."""
    base: str
    """What all its URLs begin with, ``/`` at the end included; ``--origin`` takes its place."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What a whole split holds, to hold a mirror against; ``None`` where nobody has counted."""

    clips: int | None = None
    """Clips that the archives hold."""
    rows: int | None = None
    """Usable rows of the annotation."""
    shards: int | None = None
    bytes: int | None = None
    """Of the archives together, always rounded; a plan asks the server."""
    approximate: bool = False
    """``clips`` and ``rows`` are near the truth, not exact."""


@dataclass(frozen=True, slots=True)
class AnnotationSpec:
    """Where a split's annotation lies and how it is written."""

    url: str
    format: str
    """``csv`` or ``ls-r``, a listing as ``ls -R`` prints it."""
    file_name: str
    """Its name in the mirror's ``annotations`` folder."""


@dataclass(frozen=True, slots=True)
class PublishedSpec:
    """Lists of a split's clips that the copy's makers trained with: a path and a class id a line."""

    by: str
    """Their folder below the mirror's ``annotations``."""
    videos_url: str
    frames_url: str | None
    """The same with the number of frames between path and id."""

    @property
    def urls(self) -> tuple[str, ...]:
        return (self.videos_url, self.frames_url) if self.frames_url else (self.videos_url,)


@dataclass(frozen=True, slots=True)
class SplitSpec:
    """One split: its archives, its annotation, and how to read both."""

    name: str
    """``train``, ``val`` or ``test``."""
    class_from: str
    """What tells a clip's class: ``annotation``, ``folder`` (the clip's, in the archive),
    ``shard-name``, ``shard-rank`` (the number at the end of the name is the class's 1-based
    rank), or ``none``: the split has no labels."""
    list_url: str | None
    """A text that names the archives, one URL a line; ``None`` where ``archives`` does."""
    archives: tuple[str, ...]
    """The archives' URLs, where no list names them."""
    annotation: AnnotationSpec | None
    published: PublishedSpec | None
    never_hosted: frozenset[ClipKey]
    """Listed clips that no archive is known to hold."""
    counts: Counts
    extensions: tuple[str, ...]
    """With their dots, several allowed: ``.mp4``, ``.mp4.mkv``."""
    times: bool
    """Keys carry start and end, and so do clip names unless ``untimed``; else both are the YouTube id."""
    untimed: bool
    """Names may be the YouTube id alone: the annotation, which has one row of that id, tells the times."""
    any_id: bool
    """Clips are not YouTube's: their ids are whatever their files are named."""
    strip: int
    """Leading folders of every member's path that only wrap: they are no classes."""
    archive: str
    """What the archives are thought to be, ``tar``, ``zip`` or ``unknown``, for a plan's disk
    estimate: all but tar are stored whole before reading. Reading goes by content."""
    split_from: str
    """``archive``: all that the archives hold is of this split. ``annotation``: they hold other
    splits as well, and the annotation lists what is of this one."""

    @property
    def labelled(self) -> bool:
        """Clips have classes, and lie in folders named after them."""
        return self.class_from != "none"

    def read_name(self, base_name: str) -> ClipName | None:
        """A file's name as a clip's, as far as the name itself tells; ``None`` if it is none."""
        name = self.name_with(base_name, times=self.times)
        if name is None and self.untimed:
            name = self.name_with(base_name, times=False)
        return name

    def name_with(self, base_name: str, *, times: bool) -> ClipName | None:
        """A file's name as a clip's, with or without start and end; ``None`` if it is none."""
        return parse_clip_name(base_name, extensions=self.extensions, times=times, any_id=self.any_id)

    @property
    def class_by_shard(self) -> bool:
        """A class can be fetched alone: each archive holds one, and its name tells which."""
        return self.class_from in ("shard-name", "shard-rank")


@dataclass(frozen=True, slots=True)
class ReplacementSpec:
    """An archive of clips that stand in for corrupt or absent ones."""

    url: str
    splits: tuple[str, ...]
    """The splits whose clips it replaces."""
    clips: int | None
    """How many it holds."""


@dataclass(frozen=True, slots=True)
class PublisherSpec:
    """Somebody else's lists of the same dataset, to hold the mirror's own against."""

    name: str
    """Its folder below the mirror's ``annotations``: ``deepmind``."""
    format: str
    """``csv``, ``ls-r``, or ``tar``: an archive of tables."""
    urls: tuple[str, ...]
    """A file for each split, or one for all; a file's name, or its rows, tell the split."""


@dataclass(frozen=True, slots=True)
class TorrentSpec:
    """What helps to fetch the torrents among a dataset's hosts."""

    infohashes: tuple[str, ...]
    """Of those hosts, 40 lower-case hex digits each."""
    file_url: str | None
    """Where the ``.torrent`` of the only one lies on the web; ``None`` for the peers to tell."""
    trackers: tuple[str, ...]
    """Announce URLs."""


@dataclass(frozen=True, slots=True)
class ExtraSpec:
    """Annotations of the clips beside their classes: an archive of tables."""

    name: str
    """``ava`` (boxes of people and what each does) or ``countix`` (repetitions); tells how it is read."""
    url: str
    file_name: str
    """The archive's name in the mirror's ``annotations/<name>`` folder."""


@dataclass(frozen=True)
class Manifest:
    """A dataset: an edition of Kinetics from one source."""

    name: str
    """Also its folder under the root: ``k700-2020``."""
    title: str
    """For people: ``Kinetics-700-2020``."""
    sources: tuple[str, ...]
    """Where the facts in it come from: URLs, or a line for people."""
    hosts: tuple[Host, ...]
    splits: tuple[SplitSpec, ...]
    replacement: ReplacementSpec | None
    readmes: tuple[str, ...]
    """URLs of texts kept beside the annotations."""
    youtube: str | None
    """What comes before a clip's YouTube id in its video's address; ``None`` where clips are of no video."""
    by_hand: tuple[str, ...]
    """Copies that only a person can fetch: where each lies, and the code it asks for."""
    labels: LabelMap
    """Empty where no split has labels."""
    list_prefix: str
    """What MMAction2's list files begin with: ``kinetics400``."""
    short_tolerance: float
    """A clip shorter by more than so many seconds than its name says is ``short``."""
    max_member: int
    """Bytes; a larger member of an archive is skipped."""
    publishers: tuple[PublisherSpec, ...]
    """Whoever else lists the clips."""
    extras: tuple[ExtraSpec, ...]
    """Annotations beside the classes."""
    torrent: TorrentSpec | None
    """``None`` where no host is a torrent."""
    path: Path = field(compare=False)
    """The file it was read from."""

    def source_of(self, url: str) -> str:
        """Who publishes what lies at ``url``: its host's name, the dataset's where it is on none of them."""
        under = [host for host in self.hosts if url.startswith(host.base)]
        return max(under, key=lambda host: len(host.base)).name if under else self.name

    def extra(self, name: str) -> ExtraSpec:
        """The annotations of this name. Raises UsageError if the dataset has none."""
        for extra in self.extras:
            if extra.name == name:
                return extra
        names = ", ".join(extra.name for extra in self.extras)
        fix = f"{self.name} has {names}" if names else f"give its manifest an [[extra]] named {name!r}"
        raise UsageError(f"{self.name} has no such annotations", subject=repr(name), fix=fix)

    def sharing(self, name: str) -> tuple[str, ...]:
        """The splits whose clips lie in the same archives as those of this split, itself included."""
        own = self.split(name)
        return tuple(
            split.name
            for split in self.splits
            if split is own
            or (own.list_url is not None and own.list_url == split.list_url)
            or not set(own.archives).isdisjoint(split.archives)
        )

    @property
    def split_names(self) -> tuple[str, ...]:
        return tuple(split.name for split in self.splits)

    def split(self, name: str) -> SplitSpec:
        """The split of this name. Raises UsageError if the dataset has none."""
        for split in self.splits:
            if split.name == name:
                return split
        names = self.split_names
        fix = near(name, names) or f"{self.name} has {', '.join(names)}"
        raise UsageError(f"{self.name} has no such split", subject=repr(name), fix=fix)
