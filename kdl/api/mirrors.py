"""A mirror as a program reads it: ``kdl.open("/data/kinetics/k400")``."""

from __future__ import annotations

import os
import sqlite3
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from kdl.api.choices import VERDICTS
from kdl.api.results import Status
from kdl.api.words import PathLike, Words, one_of, read_optional, read_path, read_splits, read_words
from kdl.errors import MachineError, UsageError
from kdl.settings import MirrorPaths
from kdl.values import ClipKey, Facts, Finding, Verdict

if TYPE_CHECKING:
    import pandas

    from kdl.dataset.specs import Manifest
    from kdl.jobs.cliprows import ClipQuery
    from kdl.ledger.ledger import Ledger


@dataclass(frozen=True, slots=True)
class Clip:
    """One clip of a mirror, as the ledger has it."""

    key: ClipKey
    path: Path | None
    """Absolute; None where there is no file."""
    label: str | None
    """The class name of its folder, with its spaces; None in a split without labels."""
    label_id: int | None
    """The 0-based rank of the class in its dataset, as the lists for trainers have it."""
    facts: Facts
    """What probing measured; nothing yet of clips whose verdict is ``unchecked`` or ``pending``."""
    verdict: Verdict
    cause: str | None
    """A :class:`kdl.values.Cause`."""
    detail: str | None
    """One line for a person."""
    sha256: str | None
    replaced: bool
    """It stands in for one that was corrupt as hosted."""
    shard: str | None
    """The name of the archive that has it."""
    derived: Path | None
    """What the recipe that was asked for made of it, absolute: a file, or a folder of pictures."""


class Mirror:
    """A mirror, opened by :func:`open` for reading; a run may go on meanwhile.

    Works in any thread. A process that was forked, or that got the mirror pickled, opens it anew.
    """

    def __init__(self, paths: MirrorPaths, manifest: Manifest, ledger: Ledger) -> None:
        self.path = paths.base
        """Its folder, absolute."""
        self.dataset = manifest.name
        self.labels = tuple(manifest.labels)
        """The class names in the order of their ids."""
        self.splits = manifest.split_names
        self._paths = paths
        self._manifest = manifest
        self._opened: Ledger | None = ledger
        self._ledger_path = ledger.path
        self._process = os.getpid()
        self._inherited: Ledger | None = None

    def clips(
        self, *, split: Words = (), label: Words = (), verdict: Words = (), recipe: str | None = None
    ) -> Iterator[Clip]:
        """The clips, by split, class and YouTube id; only those of the splits, classes and verdicts named.

        With ``recipe`` only those of which it has made a derivative, found in ``derived``. They are read
        page by page, so that memory does not grow with their number (8 bytes a clip are kept), and a
        slow reader hinders no run. Raises UsageError for what the dataset has not, LedgerError.
        """
        query = self._query(split, label, verdict, recipe)
        return self._clips(query)

    def frame(
        self, *, split: Words = (), label: Words = (), verdict: Words = (), recipe: str | None = None
    ) -> pandas.DataFrame:
        """The same clips as a pandas frame, with the columns of ``kdl export``; paths are relative to
        :attr:`path`. Raises as :meth:`clips` does."""
        from kdl.jobs.cliprows import clip_rows, export_row
        from kdl.report.export import data_frame

        query = self._query(split, label, verdict, recipe)
        return data_frame(map(export_row, clip_rows(self._ledger, query)))

    def __len__(self) -> int:
        """All clips on record, those without a file included."""
        row = self._ledger.one("SELECT count(*) FROM clips")
        return row[0] if row else 0

    def status(self) -> Status:
        """What a run is doing now, and what the ledger knows, as ``kdl.status``."""
        from kdl.jobs.views import status_of
        from kdl.ledger.ledger import open_ledger

        found: dict[str, Any] = {"clips": {}, "shards": {}, "derived": {}}
        found |= status_of(self._paths, lambda: open_ledger(self._ledger.path, read_only=True))
        return Status(self.dataset, **found)

    def findings(self) -> tuple[Finding, ...]:
        """What the last ended run of each verb found, the latest run first."""
        from kdl.ledger.overview import last_findings

        return tuple(last_findings(self._ledger.reader()))

    def close(self) -> None:
        """Let go of the ledger; iterations that are under way end with UsageError."""
        ledger, self._opened = self._opened, None
        if ledger is not None and self._process == os.getpid():
            ledger.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"<Mirror {self.dataset} at {self.path}>"

    def __reduce__(self) -> tuple[Any, ...]:
        return open, (self.path, str(self._manifest.path), self._ledger_path)

    @property
    def _ledger(self) -> Ledger:
        if self._opened is None:
            raise UsageError("this mirror is closed", subject=str(self.path), fix="open it again: kdl.open")
        if self._process != os.getpid():
            from kdl.ledger.ledger import open_ledger

            # SQLite's connections do not survive a fork, not even to be closed: they are kept as they are.
            self._inherited, self._process = self._opened, os.getpid()
            self._opened = open_ledger(self._ledger_path, read_only=True)
        return self._opened

    def _query(self, split: Words, label: Words, verdict: Words, recipe: str | None) -> ClipQuery:
        from kdl.dataset.labels import class_dir, resolve_classes
        from kdl.jobs.cliprows import ClipQuery
        from kdl.jobs.style import style_of
        from kdl.media.cookbook import resolve_recipe

        splits = read_splits(split)
        for name in splits:
            self._manifest.split(name)
        verdicts = tuple(str(one_of("verdict", word, VERDICTS)) for word in read_words(verdict))
        folders = None
        if labels := read_words(label):
            style = style_of(self._ledger)
            folders = tuple(class_dir(name, style) for name in resolve_classes(self._manifest.labels, labels))
        made = None
        if recipe is not None:
            found = resolve_recipe(recipe)
            made = found.name, found.fingerprint
        return ClipQuery(splits or self.splits, verdicts or VERDICTS, folders, made)

    def _clips(self, query: ClipQuery) -> Iterator[Clip]:
        from kdl.jobs.cliprows import clip_rows

        for row in clip_rows(self._ledger, query):
            if self._opened is None:
                raise UsageError("this mirror was closed", subject=str(self.path), fix="close it later")
            yield self._clip(row, query.recipe)

    def _clip(self, row: sqlite3.Row, recipe: tuple[str, str] | None) -> Clip:
        from kdl.jobs.cliprows import has_file
        from kdl.ledger.clips import facts_of, key_of

        label = self._labels.get(row["class_dir"]) or row["label"]
        return Clip(
            key=key_of(row),
            path=self.path / row["path"] if has_file(row) else None,
            label=label,
            label_id=self._ids.get(label),
            facts=facts_of(row),
            verdict=Verdict(row["verdict"]),
            cause=row["cause"],
            detail=row["detail"],
            sha256=row["sha256"],
            replaced=row["origin"] == "replacement",
            shard=row["shard"],
            derived=self._paths.derived / recipe[0] / row["derived"] if recipe else None,
        )

    @cached_property
    def _ids(self) -> dict[str | None, int]:
        return {name: at for at, name in enumerate(self.labels)}

    @cached_property
    def _labels(self) -> dict[str, str]:
        """Class names by their folders here."""
        from kdl.dataset.labels import class_dir
        from kdl.jobs.style import style_of

        style = style_of(self._ledger)
        return {class_dir(name, style): name for name in self.labels}


def open(path: PathLike, dataset: PathLike | None = None, ledger: PathLike | None = None) -> Mirror:
    """The mirror in a folder, ``ROOT/<dataset>``, to be read; nothing in it is changed.

    ``dataset`` names the manifest where it has been moved since the mirror was made, ``ledger`` the
    ledger where that has been.
    Raises MachineError for a folder that is no mirror, UsageError for a manifest that is not to be had,
    LedgerError for a ledger that can not be read.
    """
    from kdl.ledger.ledger import open_ledger

    paths = MirrorPaths(read_path(path).absolute())
    place = read_optional(ledger) or _ledger_of(paths)
    opened = open_ledger(place, read_only=True)
    try:
        return Mirror(paths, _manifest(paths, opened, dataset), opened)
    except BaseException:
        opened.close()
        raise


def _ledger_of(paths: MirrorPaths) -> Path:
    """Raises MachineError that says what the folder is, where it is no mirror."""
    from kdl.jobs.run import find_ledger

    base = paths.base
    if not base.is_dir():
        reason = "it is not a folder" if base.exists() else "there is no such folder"
        raise MachineError(reason, subject=str(base), fix="kdl.mirror(DATASET, root=ROOT) makes ROOT/DATASET")
    inside = sorted(folder.parent for folder in base.glob("*/.kdl"))
    if not paths.state.is_dir() and inside:
        names = ", ".join(folder.name for folder in inside)
        raise MachineError(
            f"it is no mirror, but the root of {names}",
            subject=str(base),
            fix=f"kdl.open({str(inside[0])!r})",
        )
    return find_ledger(paths, base.name)


def _manifest(paths: MirrorPaths, ledger: Ledger, dataset: PathLike | None) -> Manifest:
    """The one that is named, that the mirror was made by, or that ships under its folder's name."""
    from kdl.dataset.manifest import load_manifest, shipped_manifests

    if dataset is not None:
        return load_manifest(dataset)
    name, known = paths.base.name, ledger.meta("manifest")
    if known is not None and Path(known).is_file():
        return load_manifest(Path(known))
    if name in shipped_manifests():
        return load_manifest(name)
    raise UsageError(
        "the manifest that this mirror was made by is not there any more"
        if known
        else "it names no manifest",
        subject=known or str(paths.base),
        fix=f"kdl.open({str(paths.base)!r}, dataset='MANIFEST.toml')",
    )
