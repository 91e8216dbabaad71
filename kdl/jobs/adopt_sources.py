"""What lies under the folders that a person names: clips, archives, and what is neither."""

from __future__ import annotations

import os
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kdl.dataset.layouts import piece_of
from kdl.dataset.specs import Manifest
from kdl.errors import UsageError
from kdl.jobs.run import Run
from kdl.settings import MirrorPaths
from kdl.values import Finding

_VIDEO = (".mp4", ".mkv", ".webm", ".avi", ".mov", ".m4v", ".flv", ".3gp")
_OF_A_MIRROR = ("videos", "archives")
"""The folders of another mirror that hold what can be taken in: its derivatives look like clips."""
_SAMPLES = 3


@dataclass(frozen=True, slots=True)
class FileSource:
    """A file that is a video by its name."""

    path: Path
    folders: tuple[str, ...]
    """The folders above it, from the outermost that may tell anything."""
    own: bool = False
    """It lies in the mirror itself."""


@dataclass(frozen=True, slots=True)
class ArchiveSource:
    """An archive, in one file or in pieces."""

    name: str
    paths: tuple[Path, ...]
    pieces: tuple[str, ...]
    """How the pieces are numbered; empty for a whole archive."""
    folders: tuple[str, ...]
    own: bool = False
    """It lies in the mirror itself."""

    @property
    def shown(self) -> str:
        return str(self.paths[0].with_name(self.name))


Source = FileSource | ArchiveSource


class Sources:
    """Walks the folders in the order of their names; flat memory."""

    def __init__(self, run: Run, manifest: Manifest, paths: Iterable[Path], mirror: MirrorPaths) -> None:
        """``mirror`` is where clips are taken in to: what lies in it already is its own.

        Raises UsageError for a path that is not there.
        """
        self._run = run
        self._base = mirror.base.resolve()
        own = {ext for split in manifest.splits for ext in split.extensions}
        self._splits = manifest.split_names
        self._video = tuple({*_VIDEO, *(ext.lower() for ext in own)})
        self._seen: set[tuple[int, int]] = set()
        self.passed_over: Counter[str] = Counter()
        """Files that are neither, by their suffix."""
        self._folders: list[Path] = []
        self._files: defaultdict[Path, list[Path]] = defaultdict(list)
        for path in paths:
            if not path.exists():
                raise UsageError("there is nothing here", subject=str(path), fix="name what is to be adopted")
            if path.is_dir():
                self._folders.append(path.resolve())
            else:
                self._files[path.parent.resolve()].append(path.parent.resolve() / path.name)

    def walk(self) -> Iterator[Source]:
        """Every clip and archive. Raises Stopped once the run is to end."""
        for folder, files in self._files.items():
            yield from self._take(sorted(files), _above(folder), own=folder.is_relative_to(self._base))
        for folder in self._folders:
            if folder in (self._base, self._base / "videos"):
                yield from self._walk_own()
            else:
                own = folder.is_relative_to(self._base)
                yield from self._walk(folder, _above(folder), own=own)

    def _walk_own(self) -> Iterator[Source]:
        """The clips of the mirror; what somebody altered lies in the quarantine as well, and stays there."""
        quarantined = (self._base / ".kdl" / "quarantine" / split for split in self._splits)
        for top in (*quarantined, self._base / "videos", self._base / "unlisted"):
            if top.is_dir():
                yield from self._walk(top, (top.name,), own=True)

    def _walk(self, folder: Path, folders: tuple[str, ...], *, own: bool) -> Iterator[Source]:
        self._run.checkpoint()
        try:
            stat = folder.stat()
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            detail = error.strerror or str(error)
            fix = "see to its permissions and run the same again"
            self._run.find(Finding("adopt_unreadable", str(folder), detail, fix), 1)
            return
        if (stat.st_dev, stat.st_ino) in self._seen:  # a link back to what was walked already
            return
        self._seen.add((stat.st_dev, stat.st_ino))
        names = {entry.name for entry in entries}
        if not own and ".kdl" in names:
            entries = [entry for entry in entries if entry.name in _OF_A_MIRROR]
        files = [Path(entry.path) for entry in entries if entry.is_file()]
        yield from self._take(files, folders, own=own)
        for entry in entries:
            inside = Path(entry.path)
            mirror = not own and inside.resolve() == self._base
            if entry.is_dir() and not entry.name.startswith(".") and not mirror:
                yield from self._walk(inside, (*folders, entry.name), own=own)

    def _take(self, files: Iterable[Path], folders: tuple[str, ...], *, own: bool) -> Iterator[Source]:
        """The sources among the files of one folder."""
        archives: defaultdict[str, list[tuple[str, Path]]] = defaultdict(list)
        for path in files:
            if path.name.startswith("."):
                self.passed_over["hidden files"] += 1
            elif path.name.lower().endswith(self._video):
                yield FileSource(path, folders, own)
            elif (piece := piece_of(path.name)) is not None:
                archives[piece[0]].append((piece[1], path))
            else:
                self.passed_over[path.suffix or "no suffix"] += 1
        for name, parts in sorted(archives.items()):
            whole = [path for piece, path in parts if not piece]
            pieces = sorted((piece, path) for piece, path in parts if piece)
            if whole:
                yield ArchiveSource(name, (whole[0],), (), folders, own)
            else:
                numbers = tuple(piece for piece, _ in pieces)
                yield ArchiveSource(name, tuple(path for _, path in pieces), numbers, folders, own)

    def tell_passed_over(self) -> None:
        """Note, in one line, what was not looked at."""
        if self.passed_over:
            what = ", ".join(f"{count} x {kind}" for kind, count in self.passed_over.most_common(_SAMPLES))
            self._run.note(f"{self.passed_over.total()} files are neither clips nor archives: {what}")


def _above(folder: Path) -> tuple[str, ...]:
    """The last names of a folder's path: people name the class folder, or the split's, as well."""
    return folder.parts[1:][-2:]
