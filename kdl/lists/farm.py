"""A folder of links to a mirror's media, made to be exactly what is due.

What is kdl's own in it is told without keeping a list of every link: a link is its own if it leads to
something of the same name below the media that its tree stands for, now or at an earlier run. Those
media, and the few files and links beside the trees, are written down in a small file in the folder.
Whatever else lies there is never touched.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import attrgetter
from pathlib import Path
from typing import Any

from kdl.errors import UsageError
from kdl.lists.links import link_text

MARK = ".kdl-links.json"
_TEMP = ".kdl-links.tmp"


@dataclass(frozen=True, slots=True)
class Link:
    """One link of a tree."""

    folder: str
    """The class folder it lies in; empty for the tree itself."""
    name: str
    source: str
    """The folder below the tree's media that holds what it leads to; empty for the media's own."""


@dataclass(frozen=True, slots=True)
class FarmPlan:
    """What a farm is made of; names are relative to it."""

    owner: Mapping[str, str]
    """Whose it is: a farm is never turned into another's."""
    trees: Mapping[str, Path]
    """Folders of links, and the media that each stands for; the empty name is the farm itself."""
    links: Mapping[str, Path]
    """Single links to files of the mirror, two folders below a place that moves as a whole."""
    files: tuple[str, ...]
    """Texts that may be written into it."""


@dataclass(slots=True)
class Tally:
    """What a run did, in links."""

    made: int = 0
    kept: int = 0
    removed: int = 0


@dataclass(slots=True)
class _Mark:
    """The small file: what earlier runs put here."""

    owner: dict[str, str]
    trees: dict[str, list[str]] = field(default_factory=dict)
    """Where the links of each tree led, relative to the farm."""
    links: dict[str, str] = field(default_factory=dict)
    files: list[str] = field(default_factory=list)


class LinkFarm:
    """A farm that is being made; a folder that is not there yet appears when it is whole.

    Raises UsageError where the folder, or a place in it, holds something that is not kdl's own; OSError
    for whatever the file system refuses.
    """

    def __init__(self, folder: Path, plan: FarmPlan) -> None:
        self._folder = folder
        self._plan = plan
        self.work = folder if folder.exists() else folder.with_name(f".{folder.name}.kdl-part")
        """Where it is made: ``folder``, or beside it."""
        self.tally = Tally()
        self._old = self._read_mark()
        self._bases = {tree: link_text(media, folder) for tree, media in plan.trees.items()}
        self._links = {
            name: link_text(target, folder / Path(name).parent) for name, target in plan.links.items()
        }
        self._claim()

    def place(self, tree: str, links: Iterable[Link]) -> list[str]:
        """Make a tree's links, those of a folder in a row, and no others; the folders that hold some."""
        folders = []
        for folder, group in groupby(links, key=attrgetter("folder")):
            wanted = {link.name: self._text(tree, link) for link in group}
            self._sync(tree, folder, wanted)
            folders.append(folder)
        self._clear(tree, keep=folders)
        return folders

    def finish(self) -> Tally:
        """Make the single links, remove what is due no more, and let the farm appear."""
        for name, text in self._links.items():
            path = self.work / name
            self._make(path.parent)
            self._put(path, text, _scan(path.parent), own=name in self._old.links)
        for tree in self._old.trees.keys() - self._plan.trees.keys():
            self._clear(tree, keep=[])
        for name in {*self._old.files, *self._old.links} - {*self._plan.files, *self._links}:
            self._remove(name)
        files = [name for name in self._plan.files if (self.work / name).is_file()]
        trees = {tree: [base] for tree, base in self._bases.items()}
        self._write_mark(_Mark(dict(self._plan.owner), trees, dict(self._links), files))
        if self.work != self._folder:
            self.work.rename(self._folder)
        return self.tally

    def _text(self, tree: str, link: Link) -> str:
        up = "../" * (tree.count("/") + bool(tree) + bool(link.folder))
        return "/".join(part for part in (up + self._bases[tree], link.source, link.name) if part)

    def _sync(self, tree: str, folder: str, wanted: Mapping[str, str]) -> None:
        place = self.work / tree / folder
        self._make(place)
        there = _scan(place)
        for name, text in wanted.items():
            if there.get(name) == text:
                self.tally.kept += 1
            else:
                self._put(place / name, text, there, own=self._is_own(tree, folder, name, there.get(name)))
        for name in there.keys() - wanted.keys():
            if self._is_own(tree, folder, name, there[name]):
                (place / name).unlink()
                self.tally.removed += 1

    def _put(self, path: Path, text: str, there: Mapping[str, str | None], *, own: bool) -> None:
        """Make a link, in place of an ``own`` one with another text; ``there`` is what its folder holds."""
        if path.name not in there:
            path.symlink_to(text)
        elif there[path.name] == text:
            self.tally.kept += 1
            return
        elif own and there[path.name] is not None:
            temp = path.with_name(_TEMP)
            temp.symlink_to(text)
            temp.replace(path)
        else:
            raise self._in_the_way(path)
        self.tally.made += 1

    def _clear(self, tree: str, keep: list[str]) -> None:
        """Remove a tree's own links outside of the folders in ``keep``, and folders that are left empty."""
        root = self.work / tree
        if root.is_symlink() or not root.is_dir():
            return
        with os.scandir(root) as entries:
            folders = [entry.name for entry in entries if entry.is_dir(follow_symlinks=False)]
        for folder in {*folders} - {*keep}:
            self._sync(tree, folder, {})
            _drop_if_empty(root / folder)
        if "" not in keep:
            self._sync(tree, "", {})
        _drop_if_empty(root)

    def _remove(self, name: str) -> None:
        """A file or a single link of an earlier run, unless somebody has put something else there."""
        path = self.work / name
        if path.is_symlink() if name in self._old.links else path.is_file() and not path.is_symlink():
            path.unlink()
            self.tally.removed += name in self._old.links
            if path.parent != self.work:
                _drop_if_empty(path.parent)

    def _is_own(self, tree: str, folder: str, name: str, text: str | None) -> bool:
        if text is None or text.rpartition("/")[2] != name:
            return False
        target = os.path.normpath(Path(tree, folder, text))
        bases = {*self._old.trees.get(tree, ()), *([self._bases[tree]] if tree in self._bases else [])}
        return any(target.startswith(f"{base}/") for base in bases)

    def _make(self, folder: Path) -> None:
        """A folder of the farm, never one that a link leads to: that would be somebody else's."""
        for part in (folder, *folder.parents):
            if part == self.work:
                break
            if part.is_symlink() or (part.exists() and not part.is_dir()):
                raise self._in_the_way(part)
        folder.mkdir(parents=True, exist_ok=True)

    def _in_the_way(self, path: Path) -> UsageError:
        return UsageError(
            "this is not kdl's own, and a link or list belongs here",
            subject=str(path),
            fix="move it away, or give --links another folder",
        )

    def _claim(self) -> None:
        """Write down what will be put here before anything is: a killed run's links stay kdl's own."""
        for name in {*self._plan.files, *self._links} - {*self._old.files, *self._old.links}:
            path = self.work / name
            if path.exists() or path.is_symlink():
                raise self._in_the_way(path)
        trees = {tree: list(bases) for tree, bases in self._old.trees.items()}
        for tree, base in self._bases.items():
            trees[tree] = [*(each for each in trees.get(tree, ()) if each != base), base]
        files = sorted({*self._old.files, *self._plan.files})
        self.work.mkdir(parents=True, exist_ok=True)
        self._write_mark(_Mark(dict(self._plan.owner), trees, {**self._links, **self._old.links}, files))

    def _write_mark(self, mark: _Mark) -> None:
        told: dict[str, Any] = {
            "made_by": "kdl lists --links", "owner": mark.owner, "trees": mark.trees, "links": mark.links,
            "files": mark.files,
        }  # fmt: skip
        temp = self.work / _TEMP
        temp.unlink(missing_ok=True)
        temp.write_text(json.dumps(told, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
        temp.replace(self.work / MARK)

    def _read_mark(self) -> _Mark:
        """What earlier runs put here. Raises UsageError where the folder is in use for something else."""
        mine = dict(self._plan.owner)
        if self.work.is_dir():
            there = sorted(entry.name for entry in self.work.iterdir())
        elif self.work.exists():
            raise UsageError("is no folder", subject=str(self.work), fix="give --links a folder")
        else:
            there = []
        if MARK not in there:
            if foreign := [name for name in there if name != _TEMP]:
                raise UsageError(
                    f"holds something else ({foreign[0]}), and a folder of links is kdl's alone",
                    subject=str(self.work),
                    fix="give --links an empty folder, or one that is not there yet",
                )
            return _Mark(mine)
        path = self.work / MARK
        try:
            told = json.loads(path.read_text(encoding="utf-8"))
            mark = _Mark(told["owner"], told["trees"], told["links"], told["files"])
        except (ValueError, KeyError, TypeError) as error:
            raise UsageError(
                "the record of the links here is damaged", subject=str(path), fix="give --links a new folder"
            ) from error
        if mark.owner != mine:
            whose = " for ".join(str(mark.owner.get(key)) for key in ("dataset", "consumer"))
            raise UsageError(
                f"holds the links of {whose}", subject=str(self.work), fix="give --links another folder"
            )
        return mark


def _scan(folder: Path) -> dict[str, str | None]:
    """What lies in a folder: the texts of links, ``None`` for all else; a killed run's rest is removed."""
    there: dict[str, str | None] = {}
    with os.scandir(folder) as entries:
        for entry in entries:
            if not entry.is_symlink():
                there[entry.name] = None
            elif entry.name == _TEMP:
                Path(entry.path).unlink()
            else:
                there[entry.name] = str(Path(entry.path).readlink())
    return there


def _drop_if_empty(folder: Path) -> None:
    """A class folder without clips would be a class to a trainer that reads folders."""
    with os.scandir(folder) as entries:
        empty = next(entries, None) is None
    if empty:
        folder.rmdir()
