"""``kdl lists --links``: a folder of links to the mirror, laid out as a trainer looks for it."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cache
from heapq import merge
from operator import attrgetter
from pathlib import Path, PurePath
from typing import Any

from kdl.dataset.annotations import normalised_name
from kdl.dataset.exclusion import Exclusion
from kdl.dataset.labels import class_dir
from kdl.dataset.specs import Manifest
from kdl.diskerrors import disk_errors
from kdl.errors import UsageError
from kdl.jobs.listsource import ListSource
from kdl.jobs.run import Run
from kdl.lists.farm import FarmPlan, Link, LinkFarm
from kdl.lists.layouts import Layout, zoo_info
from kdl.lists.rows import ListContext, ListRow
from kdl.lists.staging import Staging
from kdl.lists.write import LABEL_MAP, write_for
from kdl.media.cookbook import load_recipes
from kdl.media.recipe import Recipe
from kdl.values import Finding, bare_name


@dataclass(slots=True)
class _Seen:
    """What the rows of a split came to."""

    links: int = 0
    unlabelled: int = 0
    excluded: int = 0
    extensions: set[str] = field(default_factory=set)


class FarmMaker:
    """Makes one farm."""

    def __init__(
        self,
        run: Run,
        manifest: Manifest,
        layout: Layout,
        recipes: list[Recipe],
        folder: Path,
        ids: Mapping[str, int] | None,
        exclusion: Exclusion | None = None,
    ) -> None:
        """Raises UsageError if the layout has no place for what is to be linked, or for the folder."""
        self._run = run
        self._manifest = manifest
        self._layout = layout
        self._folder = folder
        self._ids = ids
        self._spelled = cache(lambda label: class_dir(label, layout.style))
        self._named = bool(recipes)
        self._exclusion = exclusion
        self._sources = self._leaving_out(_by_kind(run, manifest, layout, recipes))
        self._classes: dict[str, list[str]] = {}
        """The class folders of each split of videos."""
        _refuse_place(run, folder)

    def make(self, found: dict[str, Any]) -> None:
        """Make it what it is to be, and note what came of it in ``found``.

        Raises UsageError where something that is not kdl's own is in the way, MachineError, DiskFull.
        """
        for source in self._sources:
            source.require()
        if not self._named and not self._layout.merged:
            self._sources += self._leaving_out(_pictures_made(self._run, self._manifest, self._layout))
        with disk_errors(self._folder):
            farm = LinkFarm(self._folder, self._plan())
            trees = [
                self._place(farm, source, splits) for source in self._sources for splits in self._groups()
            ]
            written = [told for source in self._sources for told in self._write_lists(farm, source)]
            self._write_info(farm, trees)
            tally = farm.finish()
        if written:  # with each kind of media the same label map was written again
            lists = [told for told in written[:-1] if told["split"]]
            found["lists"][self._layout.name] = [*lists, written[-1]]
        found["links"] = {
            "folder": str(self._folder),
            **dataclasses.asdict(tally),
            "trees": [tree for tree in trees if tree["links"] or tree["note"]],
        }
        self._find_what_is_wrong(trees)

    def _plan(self) -> FarmPlan:
        layout, splits = self._layout, self._manifest.split_names
        trees = {
            layout.tree(source.kind, group[0]): source.media / ("" if layout.merged else group[0])
            for source in self._sources
            for group in self._groups()
        }
        links = {name: table for split in splits for name, table in self._table(split) if table.is_file()}
        files = [layout.info] if layout.info is not None else []
        if layout.lists is not None:
            files.append(LABEL_MAP)
            for source in self._sources:
                context = self._context(source)
                for form in layout.lists.forms[source.kind]:
                    files += [layout.lists.file_name(form, context, split) for split in splits]
        owner = {"consumer": layout.name, "dataset": self._manifest.name}
        return FarmPlan(owner, trees, links, tuple(files))

    def _leaving_out(self, sources: list[ListSource]) -> list[ListSource]:
        return [dataclasses.replace(source, exclusion=self._exclusion) for source in sources]

    def _groups(self) -> list[tuple[str, ...]]:
        """The splits that share a tree."""
        splits = self._manifest.split_names
        return [splits] if self._layout.merged else [(split,) for split in splits]

    def _table(self, split: str) -> Iterator[tuple[str, Path]]:
        """The name that a split's annotations have in the farm, and the file that it leads to."""
        layout, spec = self._layout, self._manifest.split(split)
        hosted = spec.annotation.file_name if spec.annotation else ""
        if layout.annotations is None or ("{hosted}" in layout.annotations and not hosted):
            return
        name = hosted if "{hosted}" in layout.annotations else normalised_name(split)
        yield layout.annotations.format(split=split, hosted=hosted), self._run.paths.annotations / name

    def _place(self, farm: LinkFarm, source: ListSource, splits: tuple[str, ...]) -> dict[str, Any]:
        split = ", ".join(splits)
        tree = self._layout.tree(source.kind, splits[0])
        seen = _Seen()
        found = [self._links(source, each, seen) for each in splits]
        folders = farm.place(tree, merge(*found, key=attrgetter("folder")))
        if source.kind == "video":
            self._classes[split] = folders
        notes = [f"of {source.name}"] if source.recipe is not None and seen.links else []
        if seen.links and self._layout.setting:
            told = seen.extensions if self._layout.extensions else set()
            beyond = f", extensions={tuple(sorted(told))}" if told - {*self._layout.extensions} else ""
            name = self._layout.split(split)
            notes.append(self._layout.setting.format(dir=self._folder, split=name, extensions=beyond))
        if seen.unlabelled:
            notes.append(f"{seen.unlabelled} clips without a label left out")
        if seen.excluded:
            notes.append(f"{seen.excluded} clips of the exclusion list left out")
        return {"split": split, "folder": tree, "links": seen.links, "note": "; ".join(notes)}

    def _links(self, source: ListSource, split: str, seen: _Seen) -> Iterator[Link]:
        for row in source.rows(split):
            folder = self._class_folder(row)
            if row.excluded:
                seen.excluded += 1
                continue
            if folder is None:
                seen.unlabelled += 1
                continue
            seen.links += 1
            name = PurePath(row.name)
            seen.extensions.add(name.suffix[1:])
            whole = source.kind == "video" or source.keep_extension
            below = f"{split}/{row.class_dir}" if self._layout.merged else row.class_dir
            yield Link(folder, row.name if whole else bare_name(row.name), below)

    def _class_folder(self, row: ListRow) -> str | None:
        return self._spelled(row.label) if row.label else self._layout.unlabelled

    def _context(self, source: ListSource) -> ListContext:
        """Of lists whose paths begin at the farm's own folders."""
        context = source.context(self._folder, self._ids)
        return dataclasses.replace(
            context, media_root=self._folder, split_folder=self._layout.trees[source.kind]
        )

    def _write_lists(self, farm: LinkFarm, source: ListSource) -> list[dict[str, object]]:
        if self._layout.lists is None:
            return []

        def rows(split: str) -> Iterator[ListRow]:
            for row in source.rows(split):
                yield dataclasses.replace(row, class_dir=self._class_folder(row) or "")

        context = dataclasses.replace(self._context(source), stage_dir=farm.work)
        return [result.told() for result in write_for(self._layout.lists, rows, context)]

    def _write_info(self, farm: LinkFarm, trees: list[dict[str, Any]]) -> None:
        if self._layout.info is None:
            return
        counts = {self._layout.split(tree["split"]): tree["links"] for tree in trees if tree["links"]}
        text = zoo_info(self._manifest.title, counts, list(self._manifest.labels))
        with Staging(farm.work) as stage:
            if text is None:
                stage.drop(self._layout.info)
            else:
                with stage.open(self._layout.info) as out:
                    out.write(text)
            stage.commit()

    def _find_what_is_wrong(self, trees: list[dict[str, Any]]) -> None:
        if not any(tree["links"] for tree in trees):
            detail = "no sound clips are on record that this layout has a place for"
            fix = self._sources[0].making
            self._run.find(Finding("nothing_to_list", self._manifest.name, detail, fix), 1)
        classes = {split: folders for split, folders in self._classes.items() if folders}
        if self._layout.numbers_folders and len({tuple(folders) for folders in classes.values()}) > 1:
            every = sorted({folder for folders in classes.values() for folder in folders})
            lacks = [
                f"{split} lacks {len(every) - len(folders)} of {len(every)}"
                for split, folders in classes.items()
                if len(folders) < len(every)
            ]
            self._run.find(
                Finding(
                    "class_ids_differ",
                    str(self._folder),
                    f"{self._layout.name} numbers the class folders that it finds in a split, and "
                    f"{', '.join(lacks)}: the same number is another class there",
                    "map its numbers by its list of classes, or mirror the same classes in every split",
                )
            )


def _by_kind(run: Run, manifest: Manifest, layout: Layout, recipes: list[Recipe]) -> list[ListSource]:
    """One source a kind of media: the videos, which are the originals where no recipe makes any, first."""
    sources: dict[str, ListSource] = {"video": ListSource(run, manifest, None)}
    for recipe in recipes:
        if recipe.kind not in layout.trees:
            raise UsageError(
                f"{layout.name} has no place for {recipe.kind}",
                subject=recipe.name,
                fix=f"give --recipe one that makes {' or '.join(layout.trees)}",
            )
        known = sources.get(recipe.kind)
        if known is not None and known.recipe is not None:
            raise UsageError(
                f"{known.name} is to lie at the same place",
                subject=recipe.name,
                fix="give --recipe one of them",
            )
        sources[recipe.kind] = ListSource(run, manifest, recipe)
    found = list(sources.values())
    # What shares one tree with the clips would mix with them.
    return found[-1:] if layout.merged else found


def _pictures_made(run: Run, manifest: Manifest, layout: Layout) -> list[ListSource]:
    """Frames and flow that are there already: for each the first of the shipped recipes that made some."""
    found: dict[str, ListSource] = {}
    query = "SELECT DISTINCT recipe, fingerprint FROM derivatives WHERE state = 'done'"
    made = {(row[0], row[1]) for row in run.ledger.reader().execute(query)}
    for recipe in load_recipes().values():
        has_place = recipe.kind != "video" and recipe.kind in layout.trees and recipe.listable
        if has_place and (recipe.name, recipe.fingerprint) in made:
            found.setdefault(recipe.kind, ListSource(run, manifest, recipe))
    return list(found.values())


def _refuse_place(run: Run, folder: Path) -> None:
    """The mirror's own folders are read by trainers as they are; ``views/`` is for links."""
    base = Path(run.paths.base).resolve()
    place = folder.resolve()
    inside = place.is_relative_to(base) and not place.is_relative_to(base / "views")
    if inside or base.is_relative_to(place):
        raise UsageError(
            "the links would lie among the mirror's own folders",
            subject=str(folder),
            fix=f"give --links a folder below {base / 'views'}, or one outside of the mirror",
        )
