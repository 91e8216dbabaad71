"""The folders of derivatives: opened, and kept so that each derivative lies under its clip's class."""

from __future__ import annotations

import contextlib
import os
import shutil
from pathlib import Path

from kdl.diskerrors import disk_errors
from kdl.errors import UsageError
from kdl.jobs.planning import derived_folder
from kdl.jobs.run import Run
from kdl.ledger.derivatives import misplaced_derivatives, move_derivatives
from kdl.media.recipe import Recipe, derived_path
from kdl.settings import MirrorPaths


def open_folder(paths: MirrorPaths, name: str, derived: Path | None) -> Path:
    """A recipe's folder, made; with ``derived`` it is on another disk and linked from the mirror.

    Raises UsageError where it is in use for something else, DiskFull and MachineError.
    """
    link = paths.derived / name
    folder = derived_folder(paths, derived.absolute() if derived else None, name)
    with disk_errors(folder):
        paths.derived.mkdir(parents=True, exist_ok=True)
        if derived is not None and Path(os.path.realpath(link)) != Path(os.path.realpath(folder)):
            if link.is_dir() and not link.is_symlink() and any(link.iterdir()):
                raise UsageError(
                    "this mirror has derivatives of the recipe in its own folder already",
                    subject=str(link),
                    fix=f"mv {link} {folder} and run the same again, or leave --derived out",
                )
            if folder.is_dir() and any(folder.iterdir()) and not _only_temps(folder):
                raise UsageError(
                    "this folder holds something else",
                    subject=str(folder),
                    fix="give --derived another folder",
                )
            folder.mkdir(parents=True, exist_ok=True)
            if link.is_symlink():
                link.unlink()
            elif link.is_dir():
                link.rmdir()
            link.symlink_to(folder)
        folder.mkdir(parents=True, exist_ok=True)
        for leftover in folder.glob(".tmp-*"):
            shutil.rmtree(leftover, ignore_errors=True)
    return folder


def _only_temps(folder: Path) -> bool:
    return all(entry.name.startswith(".tmp-") for entry in folder.iterdir())


def bring_home(run: Run, recipe: Recipe, folder: Path) -> None:
    """Move what lies in ``folder`` under an older class of its clip. Raises MachineError.

    The ledger is told afterwards: what a kill leaves moved and not recorded is made again.
    """
    moved = []
    for row in misplaced_derivatives(run.ledger.reader(), recipe.name):
        home = derived_path(recipe, row.split, row.class_dir or None, row.name)
        source, target = folder / row.path, folder / home
        with disk_errors(target):
            if source.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                _remove(target)
                source.rename(target)
                _drop_if_empty(source.parent)
        moved.append((str(home), row.clip_id, recipe.name))
    if moved:
        run.ledger.write(lambda c: move_derivatives(c, moved)).result()


def remove(path: Path) -> None:
    """Remove a derivative, a file or a folder of frames, if it is there; its class folder if it was the last.

    Raises MachineError.
    """
    with disk_errors(path):
        _remove(path)
        if path.parent.is_dir():
            _drop_if_empty(path.parent)


def _remove(path: Path) -> None:
    if path.is_dir():
        shutil.rmtree(path, ignore_errors=True)
    else:
        path.unlink(missing_ok=True)


def _drop_if_empty(folder: Path) -> None:
    """A class folder without clips would be a class to a trainer that reads folders."""
    with os.scandir(folder) as entries:
        empty = next(entries, None) is None
    if empty:
        with contextlib.suppress(OSError):  # something has just been put there
            folder.rmdir()
