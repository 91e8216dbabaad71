"""Which clip a file is, going by its name, its folders, and the annotations that the mirror has."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

from kdl.dataset.clipname import ClipName, format_clip_name
from kdl.dataset.labels import Style, class_dir
from kdl.dataset.layouts import Place
from kdl.dataset.specs import Manifest, SplitSpec
from kdl.jobs.clipkeys import timed
from kdl.ledger.adopted import listed_by_id, listed_elsewhere
from kdl.ledger.clips import ClipRow, clip_row, find_clip
from kdl.ledger.ledger import Ledger
from kdl.values import ClipKey


@dataclass(frozen=True, slots=True)
class Named:
    """A file that is a clip of the dataset."""

    key: ClipKey
    name: str
    """Its base name in the mirror."""
    label: str | None
    class_dir: str
    listed: bool
    row: ClipRow | None
    """What the ledger has of it."""
    misplaced: str = ""
    """What is wrong with the folder it lies in, in words; empty where nothing is."""


@dataclass(frozen=True, slots=True)
class Refused:
    """A file that is not taken in: the kind of finding it makes, and why."""

    kind: str
    detail: str
    fix: str


class Names:
    """Resolves names. May be used in any thread."""

    def __init__(self, ledger: Ledger, manifest: Manifest, style: Style, split: str | None) -> None:
        """``split`` is that of files whose folders tell none."""
        self._ledger = ledger
        self._manifest = manifest
        self._style = style
        self._split = split
        self.annotated = tuple(
            spec.name
            for spec in manifest.splits
            if spec.annotation is not None and ledger.meta(f"annotations.{spec.name}") is not None
        )
        """The splits whose annotations the ledger has."""

    def is_clip(self, base_name: str) -> bool:
        """Whether the name is one of a clip in any split, or of its source alone."""
        return any(
            spec.name_with(base_name, times=times) is not None
            for spec in self._manifest.splits
            for times in {spec.times, False}
        )

    def resolve(
        self, base_name: str, place: Place, *, trusted: bool, hint: str | None = None
    ) -> Named | Refused:
        """The clip that a file is, or why it is none.

        ``trusted``: its folder is an archive's, or the mirror's own, whose word counts more than the
        annotation's; a clip that no annotation lists is taken from there as well. ``hint`` is the class that
        the archive's name tells.
        """
        told = place.split or self._split
        specs = self._manifest.splits if told is None else (self._manifest.split(told),)
        keys = [(spec, name) for spec in specs if (name := self._parse(base_name, spec)) is not None]
        if not keys:
            return self._no_clip(base_name, specs)
        if told is None:
            listed = self._where_listed(keys)
            if len(listed) != 1:
                return self._no_split(len(listed))
            keys = listed
        spec, name = keys[0]
        key, misplaced = name.key(spec.name), ""
        row = self._row(key)
        if (row is None or not row.listed) and spec.name in self.annotated and not trusted:
            if spec.untimed and (refused := self._ambiguous(base_name, (spec,))) is not None:
                return refused
            others = listed_elsewhere(self._ledger.reader(), key, self.annotated)
            if len(others) != 1:
                return Refused(
                    "adopt_unlisted",
                    f"no annotation of {self._manifest.name} lists it",
                    "nothing to do: trainers have no use for it",
                )
            key, misplaced = others[0], f"its folder says {spec.name}, it is annotated as {others[0].split}"
            spec, row = self._manifest.split(key.split), self._row(key)
        called = base_name if spec.untimed else format_clip_name(name)
        return self._named(spec, key, called, place.label or hint, row, misplaced, trusted=trusted)

    def _named(
        self,
        spec: SplitSpec,
        key: ClipKey,
        name: str,
        told: str | None,
        row: ClipRow | None,
        misplaced: str,
        *,
        trusted: bool,
    ) -> Named:
        annotated = row.label if row is not None and row.listed else None
        told = told if spec.labelled else None
        if told and annotated and told != annotated:
            misplaced = misplaced or f"its folder says {told!r}, it is annotated {annotated!r}"
        label = (told or annotated) if trusted else (annotated or told)
        folder = class_dir(label, self._style) if label and spec.labelled else ""
        if not label and row is not None:
            folder = row.class_dir
        listed = bool(row.listed) if row is not None else spec.name not in self.annotated
        return Named(key, name, label, folder, listed, row, misplaced)

    def _parse(self, base_name: str, spec: SplitSpec) -> ClipName | None:
        """The name, completed from the annotation where it is the source's alone and means one clip."""
        name = spec.read_name(base_name)
        if name is not None and spec.untimed:
            key = timed(self._ledger.reader(), spec, name.key(spec.name))
            return replace(name, start=key.start, end=key.end)
        if name is not None or not spec.times:
            return name
        name = spec.name_with(base_name, times=False)
        keys = listed_by_id(self._ledger.reader(), spec.name, name.youtube_id) if name else []
        if name is None or len(keys) != 1:
            return None
        return ClipName(name.youtube_id, keys[0].start, keys[0].end, name.ext)

    def _where_listed(self, keys: Iterable[tuple[SplitSpec, ClipName]]) -> list[tuple[SplitSpec, ClipName]]:
        found = []
        for spec, name in keys:
            row = self._row(name.key(spec.name))
            if row is not None and row.listed:
                found.append((spec, name))
        return found

    def _row(self, key: ClipKey) -> ClipRow | None:
        row = find_clip(self._ledger.reader(), key)
        return None if row is None else clip_row(row)

    def _no_clip(self, base_name: str, specs: Iterable[SplitSpec]) -> Refused:
        specs = tuple(specs)
        spec = specs[0]
        if (refused := self._ambiguous(base_name, specs)) is not None:
            return refused
        times = "_<start>_<end>, six digits each" if spec.times else ""
        shape = f"{'<name>' if spec.any_id else '<youtube id>'}{times}, then {' or '.join(spec.extensions)}"
        alone = spec.name_with(base_name, times=False) is not None
        reason = "its name lacks times, and no annotation here tells them" if alone else "no clip's name"
        fix = "--annotations DIR tells the times that names lack; nothing else is to be done"
        return Refused("adopt_unknown_name", f"{reason}; {self._manifest.name} has {shape}", fix)

    def _ambiguous(self, base_name: str, specs: Iterable[SplitSpec]) -> Refused | None:
        """Why nothing is guessed, where a name lacks times and a split has several clips of its id."""
        for spec in specs:
            name = spec.name_with(base_name, times=False)
            keys = listed_by_id(self._ledger.reader(), spec.name, name.youtube_id) if name else []
            if len(keys) > 1:
                times = ", ".join(f"{key.start}-{key.end} s" for key in keys)
                return Refused(
                    "adopt_unknown_name",
                    f"its name lacks times, and {spec.name} has {len(keys)} clips of its id: {times}",
                    "rename it to <youtube id>_<start>_<end>, six digits each; then run the same again",
                )
        return None

    def _no_split(self, count: int) -> Refused:
        reason = "several annotations list it" if count else "no annotation here lists it"
        return Refused(
            "adopt_split_unknown", f"no folder tells its split, and {reason}", "--split NAME says which it is"
        )
