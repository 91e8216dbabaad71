"""What lies in a mirror and is not on record: told, and known again where it is a clip that was renamed."""

from __future__ import annotations

import errno
import os
import shlex
from collections.abc import Iterator
from functools import partial
from pathlib import Path

from kdl.check.hashes import sha256_file
from kdl.dataset.specs import Manifest
from kdl.errors import MachineError
from kdl.jobs.clipkeys import key_of
from kdl.jobs.run import Run
from kdl.jobs.verify_combined import Combined
from kdl.jobs.verify_look import Mark, may_read
from kdl.jobs.verify_pace import Pace
from kdl.jobs.verify_tally import Tally
from kdl.ledger.checked import lost_of_size, paths_in, record_found
from kdl.ledger.clips import Scope, find_clip
from kdl.values import Finding


class Strays:
    """Walks the folders of clips; to be used after the clips on record were looked at. Runs in a thread."""

    def __init__(
        self, run: Run, manifest: Manifest, scope: Scope, tally: Tally, combined: Combined, pace: Pace
    ) -> None:
        self._run = run
        self._base = str(run.paths.base)
        self._manifest = manifest
        self._scope = scope
        self._tally = tally
        self._combined = combined
        self._pace = pace

    def find(self) -> None:
        """Raises Stopped once the run is to end."""
        for split in self._scope.splits:
            videos, labelled = f"videos/{split}", self._manifest.split(split).labelled
            if self._scope.class_dirs is not None:
                for name in self._scope.class_dirs:
                    self._folder(f"{videos}/{name}", split, name)
                continue
            self._folder(videos, split, "", deep=not labelled)
            for name in _folders(f"{self._base}/{videos}") if labelled else ():
                self._folder(f"{videos}/{name}", split, name)
            self._folder(f"unlisted/{split}", split, None)

    def _folder(self, folder: str, split: str, class_dir: str | None, *, deep: bool = True) -> None:
        """One folder, and with ``deep`` those in it, where no clip on record lies."""
        self._run.checkpoint()
        try:
            place = self._run.paths.base / folder
            if not may_read(str(place), place.stat()):
                raise PermissionError(errno.EACCES, "we may not read it")
            known = paths_in(self._run.ledger.reader(), split, class_dir)
            strays = [name for name in _files(self._base, folder, deep=deep) if name not in known]
        except FileNotFoundError:
            return  # its clips are missing, and told
        except OSError as error:
            fix = shlex.join(("chmod", "u+rwx", f"{self._base}/{folder}"))
            kind = "permission_lost" if isinstance(error, PermissionError) else "not_checked"
            said = error.strerror or str(error)
            self._run.find(Finding(kind, folder, said, fix), MachineError.exit_code)
            return
        for name in sorted(strays):
            if not self._is_on_record(name, split):
                self._stray(self._run.paths.base / name, name)

    def _is_on_record(self, path: str, split: str) -> bool:
        """Whether a clip lies here that has another class by now."""
        spec = self._manifest.split(split)
        reader = self._run.ledger.reader()
        key = key_of(reader, spec, Path(path).name)
        row = None if key is None else find_clip(reader, key)
        return row is not None and row["path"] == path

    def _stray(self, path: Path, name: str) -> None:
        self._combined.add([(Mark.ONLY_HERE, name)])
        if self._known_again(path, name):
            return
        self._tally.extra_files += 1
        fix = "move it out of the mirror, or delete it: trainers that read folders meet it"
        self._run.find(Finding("extra_file", name, "no clip on record lies here", fix))

    def _known_again(self, path: Path, name: str) -> bool:
        """Whether a clip that has gone lies here; only a file of a missing one's size is read."""
        try:
            candidates = lost_of_size(self._run.ledger.reader(), path.stat().st_size)
            if not candidates:
                return False
            digest = sha256_file(str(path), passed=self._pace.passed)
        except OSError:
            return False
        for lost in candidates:
            if lost.sha256 == digest:
                self._run.ledger.write(partial(record_found, clip_id=lost.id, path=name)).result()
                return True
        return False


def _folders(folder: str) -> list[str]:
    """Names of the folders in a folder; of one that can not be read, none."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entry.name for entry in entries if _is_folder(entry))
    except OSError:  # told where its files are looked for
        return []


def _files(base: str, folder: str, *, deep: bool) -> Iterator[str]:
    """Paths below ``base`` of all in a folder that is no folder. Raises OSError."""
    folders = []
    with os.scandir(f"{base}/{folder}") as entries:
        for entry in entries:
            if entry.is_file(follow_symlinks=False) or not _is_folder(entry):
                yield f"{folder}/{entry.name}"
            elif deep:
                folders.append(f"{folder}/{entry.name}")
    for below in folders:
        yield from _files(base, below, deep=True)


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:  # a link that leads in circles
        return False
