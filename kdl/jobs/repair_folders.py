"""Folders and mirrors that clips are taken from: ``--from``."""

from __future__ import annotations

import hashlib
import os
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator
from pathlib import Path

from kdl.errors import KdlError, UsageError
from kdl.jobs.repair_options import Way
from kdl.jobs.repair_put import Found, Outcome, digest_wanted, temp_of
from kdl.jobs.run import Run, find_ledger
from kdl.ledger.clips import ClipRow, find_clip
from kdl.ledger.ledger import Ledger, open_ledger
from kdl.settings import MIB, MirrorPaths


class Folder:
    """A folder that has files named like clips, at any depth."""

    def __init__(self, top: Path, names: Collection[str]) -> None:
        """Looks through the folder for files of these names."""
        self.top = top
        self._paths: defaultdict[str, list[Path]] = defaultdict(list)
        for folder, _, files in os.walk(top):
            for name in files:
                if name in names:
                    self._paths[name].append(Path(folder, name))

    def candidates(self, row: ClipRow) -> Iterator[Path]:
        """Files that may be this clip."""
        yield from self._paths.get(row.name or "", ())

    def close(self) -> None:
        pass


class OtherMirror:
    """Another mirror of the dataset, whose ledger tells where a clip is and what its digest was."""

    def __init__(self, base: Path, ledger: Ledger) -> None:
        self.top = base
        self._ledger = ledger

    def candidates(self, row: ClipRow) -> Iterator[Path]:
        """The mirror's file of this clip, unless its ledger says that it has other bytes or none."""
        theirs = find_clip(self._ledger.reader(), row.key)
        if theirs is None or theirs["path"] is None or theirs["verdict"] in ("missing", "corrupt"):
            return
        wanted = digest_wanted(row)
        if wanted is None or theirs["sha256"] in (wanted, None):
            yield self.top / theirs["path"]

    def close(self) -> None:
        self._ledger.close()


Donor = Folder | OtherMirror


def open_donors(
    folders: tuple[Path, ...], dataset: str, names: Collection[str], note: Callable[[str], None]
) -> list[Donor]:
    """What ``--from`` names, in order. Reads folders to their end: call it in a thread."""
    return [_open(folder, dataset, names, note) for folder in folders]


def require_folder(folder: Path, base: Path) -> None:
    """Raise UsageError for a ``--from`` that is no folder, or this mirror itself."""
    if not folder.is_dir():
        raise UsageError("not a folder", subject=f"--from {folder}")
    if base.exists() and folder.resolve() in (base.resolve(), base.parent.resolve()):
        raise UsageError("that is this mirror itself", subject=f"--from {folder}", fix="leave it out")


def _open(folder: Path, dataset: str, names: Collection[str], note: Callable[[str], None]) -> Donor:
    """The mirror that ``folder`` is, or is the root of; else a folder of files."""
    for base in (folder, folder / dataset):
        paths = MirrorPaths(base.absolute())
        if not paths.state.is_dir():
            continue
        try:
            return OtherMirror(paths.base, open_ledger(find_ledger(paths, dataset), read_only=True))
        except KdlError as error:
            note(f"{base}: its ledger is of no use ({error}); its files are looked through")
    return Folder(folder, names)


def take_from(run: Run, donors: list[Donor], rows: list[ClipRow], outcome: Outcome) -> list[Found]:
    """Copies of these clips, as far as a donor has one that may be right. Runs in a thread."""
    return [found for row in rows if (found := _take(run, donors, row, outcome)) is not None]


def _take(run: Run, donors: list[Donor], row: ClipRow, outcome: Outcome) -> Found | None:
    wanted, others = digest_wanted(row), 0
    for donor in donors:
        for path in donor.candidates(row):
            run.checkpoint()
            temp = temp_of(run, row)
            try:
                sha256 = copy_hashing(path, temp)
            except OSError as error:
                outcome.say([row], f"{path}: {error.strerror or error}")
                continue
            if sha256 == wanted or (wanted is None and sha256 != row.sha256):
                return Found(row, temp, sha256, Way.FOLDER)
            others += 1
            temp.unlink()
    if others:
        outcome.say([row], f"--from: {others} cop{'ies' if others > 1 else 'y'} of it with other bytes")
    return None


def copy_hashing(source: Path, target: Path) -> str:
    """Copy a file; the sha256 of what was copied. Raises OSError."""
    digest = hashlib.sha256()
    with source.open("rb") as reader, target.open("wb") as writer:
        while chunk := reader.read(MIB):
            digest.update(chunk)
            writer.write(chunk)
    return digest.hexdigest()
