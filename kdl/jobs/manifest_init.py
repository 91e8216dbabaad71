"""``kdl manifest init``: a first manifest for what lies in a folder, or is named by a link list."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path, PurePosixPath

from kdl import events
from kdl.dataset.draft import Draft, ManifestDraft, SplitDraft, Survey, draft, labels_of, video_extension
from kdl.dataset.labels import LabelMap
from kdl.dataset.layouts import piece_of, recognise, split_in
from kdl.dataset.linklist import archive_stem
from kdl.dataset.manifest import load_manifest
from kdl.dataset.schema import SPLIT_NAMES
from kdl.dataset.textfile import read_names, reason_of
from kdl.diskerrors import disk_errors
from kdl.errors import KdlError, ManifestError, UsageError
from kdl.fetch.origins import Origins
from kdl.fetch.source import RemoteFile
from kdl.fetch.transfer import Fetcher
from kdl.jobs.manifest_look import ID_COLUMN, Looker
from kdl.urls import place_url

_NO_LABELS = LabelMap(())
_TABLES = ".csv"


@dataclass(frozen=True, slots=True)
class InitOptions:
    """What ``kdl manifest init`` takes."""

    name: str
    """The dataset's."""
    place: str
    """A folder (a URL with a slash at its end, or a path), an archive, or a link list."""
    out: Path | None = None
    """The manifest's file; None for ``NAME.toml`` here."""
    title: str | None = None
    split: str = "train"
    """What is told by no name is of this one."""
    labels: Path | None = None
    """A file of the classes in the order of their ids; None to take what folders and archives spell."""
    look: bool = True
    """Read archives to see what is in them."""


@dataclass
class _Found:
    """What belongs to one split."""

    archives: list[RemoteFile] = field(default_factory=list)
    clips: list[RemoteFile] = field(default_factory=list)
    table: RemoteFile | None = None


async def init(options: InitOptions, emit: events.Listener) -> ManifestDraft:
    """Look at the place and write the manifest. Raises KdlError; a file that is there is never replaced."""
    out = options.out or Path(f"{options.name}.toml")
    if out.exists():
        raise UsageError("is there already", subject=str(out), fix="give --out another file, or move it away")
    if options.split not in SPLIT_NAMES:
        raise UsageError(f"a split is one of {', '.join(SPLIT_NAMES)}", subject=f"--split {options.split}")
    async with Fetcher(Origins({}), emit=emit) as fetcher:
        return await _Init(options, Looker(fetcher, emit)).go(_place(options.place), out)


def _place(text: str) -> str:
    """The URL of a place; folders of this machine get their slash."""
    path = Path(text).expanduser()
    try:
        if "://" not in text and path.exists():
            return place_url(str(path.absolute())) + "/" * path.is_dir()
        return place_url(text)
    except ValueError as error:
        fix = "give a folder (with a slash at its end), an archive or a link list: a URL or a path"
        raise UsageError(str(error), subject=text, fix=fix) from error


class _Init:
    """One look, and what is made of it."""

    def __init__(self, options: InitOptions, looker: Looker) -> None:
        self._options = options
        self._looker = looker
        self._notes: list[str] = []
        self._labels: set[str] = set()
        """Those that the tables spell."""

    async def go(self, place: str, out: Path) -> ManifestDraft:
        files = await self._looker.files(place)
        base = place if place.endswith("/") else place.rpartition("/")[0] + "/"
        found = await self._by_split(files)
        if not any(each.archives or each.clips for each in found.values()):
            raise KdlError(
                f"holds neither archives nor videos among {len(files)} files",
                subject=place,
                fix="give the folder that does, with a slash at its end, or a list of links, one a line",
            )
        splits: list[SplitDraft] = []
        for name in (name for name in SPLIT_NAMES if name in found):
            same = next((each for each in splits if found[each.name].archives == found[name].archives), None)
            if same is not None and same.archives:  # read already
                table = found[name].table
                splits.append(replace(same, name=name, annotation=table.url if table else None))
            else:
                splits.append(await self._split(name, found[name], place, base))
        labels = self._all_labels(splits)
        title = self._options.title or self._options.name
        plan = Draft(self._options.name, title, base, tuple(splits), labels, bool(self._labels))
        await asyncio.to_thread(_write, out, draft(plan))
        self._remark(splits, labels)
        return ManifestDraft(
            out,
            {
                split.name: {
                    "archives": len(split.archives),
                    "clips": split.survey.clips,
                    "classes": len(split.survey.classes or split.shard_names),
                    "class_from": split.class_from(bool(self._labels)),
                }
                for split in splits
            },
            len(labels),
            tuple(self._notes),
        )

    async def _by_split(self, files: Iterable[RemoteFile]) -> dict[str, _Found]:
        """What each split has. Where only tables tell splits apart, they share all the rest."""
        found: defaultdict[str | None, _Found] = defaultdict(_Found)
        tables: dict[str, RemoteFile] = {}
        for file in files:
            *folders, name = file.path.split("/")
            above = recognise(folders, SPLIT_NAMES, _NO_LABELS).split
            told = split_in(archive_stem(name), SPLIT_NAMES, _NO_LABELS)
            if piece_of(name) is not None:
                found[told or above].archives.append(file)
            elif video_extension(name) is not None:
                found[above].clips.append(file)
            elif told and name.lower().endswith(_TABLES) and await self._is_annotation(file):
                tables.setdefault(told, file)
        named = {split: each for split, each in found.items() if split is not None}
        untold = found.get(None)
        if untold is not None and not named and tables:
            return {split: replace(untold, table=table) for split, table in tables.items()}
        if untold is not None:
            mine = named.setdefault(self._options.split, _Found())
            mine.archives += untold.archives
            mine.clips += untold.clips
        for split, each in named.items():
            each.table = tables.get(split)
        return named

    async def _is_annotation(self, file: RemoteFile) -> bool:
        labels = await self._looker.labels_in(file)
        if labels is None:
            self._notes.append(f"{file.path} has no column {ID_COLUMN!r}, so it is no annotation")
            return False
        self._labels |= labels
        return True

    async def _split(self, name: str, found: _Found, place: str, base: str) -> SplitDraft:
        survey = Survey()
        if found.archives and found.clips:
            self._notes.append(f"{name}: {len(found.clips)} loose videos beside archives are left out")
        sizes = [file.size for file in found.archives or found.clips]
        known = sum(filter(None, sizes)) if None not in sizes else None
        annotation = found.table.url if found.table else None
        if found.archives:
            for file in found.archives if self._options.look else ():
                await self._looker.inside(file, name, survey)
            urls = tuple(file.url for file in found.archives)
            return SplitDraft(name, survey, archives=urls, annotation=annotation, bytes=known)
        top = _common_folder([file.path for file in found.clips], name)
        for file in found.clips:
            survey.add(file.path[len(top) :])
        list_url = base + top if place.endswith("/") else place
        return SplitDraft(name, survey, list_url=list_url, annotation=annotation, bytes=known)

    def _all_labels(self, splits: list[SplitDraft]) -> tuple[str, ...]:
        if self._options.labels is None:
            return tuple(labels_of(splits) or sorted(self._labels))
        try:
            return tuple(read_names(self._options.labels))
        except (OSError, UnicodeDecodeError) as error:
            reason = f"can not be read: {reason_of(error)}"
            raise UsageError(reason, subject=f"--labels {self._options.labels}") from error

    def _remark(self, splits: list[SplitDraft], labels: tuple[str, ...]) -> None:
        if not labels:
            self._notes.append("no classes were seen: the clips will lie in one folder a split")
        if self._options.labels is not None:
            strange = sorted(set(labels_of(splits)) - set(labels))
            if strange:
                shown = ", ".join(strange[:5])
                self._notes.append(f"folders that the label file lacks: {shown}" + " …" * (len(strange) > 5))
        if not any(split.annotation for split in splits):
            self._notes.append("there is no annotation: nothing tells which clips are lacking")


def _common_folder(paths: list[str], split: str) -> str:
    """The folder of a split's loose clips, a slash at its end: the outermost that names the split."""
    shared = PurePosixPath(paths[0]).parent.parts
    for at, folder in enumerate(shared):
        prefix = "/".join(shared[: at + 1]) + "/"
        if split_in(folder, (split,), _NO_LABELS) and all(path.startswith(prefix) for path in paths):
            return prefix
    return ""


def _write(out: Path, text: str) -> None:
    """The manifest, once it has been read back."""
    part = out.with_name(f".{out.name}.part.toml")
    with disk_errors(out):
        try:
            out.parent.mkdir(parents=True, exist_ok=True)
            part.write_text(text, encoding="utf-8")
            load_manifest(part.absolute())
            part.replace(out)
        except ManifestError as error:
            error.subject = str(out)
            error.fix = "--labels FILE names the classes, --split NAME what no name tells"
            raise
        finally:
            part.unlink(missing_ok=True)
