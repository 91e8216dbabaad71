"""``kdl lists``: what trainers read, from what the ledger calls sound."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdl import events
from kdl.dataset.exclusion import read_exclusion
from kdl.dataset.manifest import load_manifest
from kdl.dataset.specs import Manifest
from kdl.errors import UsageError
from kdl.jobs.deriving import Target
from kdl.jobs.ending import recorded
from kdl.jobs.extras_lists import write_extra
from kdl.jobs.linkfarm import FarmMaker
from kdl.jobs.listsource import ListSource, listable_recipe
from kdl.jobs.published import compare_published
from kdl.jobs.run import Run, open_run
from kdl.lists import CONSUMERS, USUAL, ListContext, read_label_map
from kdl.lists.consumer import SEPARATORS, Consumer
from kdl.lists.consumers import EXTRAS
from kdl.lists.layouts import LAYOUTS
from kdl.lists.write import check_name_template, consumer_of, suits, write_for
from kdl.media.recipe import Recipe
from kdl.values import Finding, RunSummary


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Everything ``kdl lists`` takes."""

    dataset: str
    root: Path
    consumers: tuple[str, ...] = ()
    """Empty for the usual ones."""
    recipes: tuple[str, ...] = ()
    """List these recipes' derivatives; empty for the originals."""
    label_map: Path | None = None
    separator: str | None = None
    """A name of :data:`~kdl.lists.consumer.SEPARATORS`; ``None`` for each consumer's own."""
    name_template: str | None = None
    """What a line says in place of the path."""
    links: Path | None = None
    """Make a folder of links in the one consumer's layout here, instead of lists in the mirror."""
    ledger: Path | None = None
    exclude: Path | None = None
    """A file of YouTube ids and clip names to be left out."""


async def lists(options: ListOptions, bus: events.Bus) -> RunSummary:
    """Write the lists of the consumers asked for, or one's folder of links.

    Raises KdlError for what keeps it from starting.
    """
    manifest = load_manifest(options.dataset)
    recipes = [listable_recipe(word, options.dataset) for word in options.recipes]
    _refuse_what_does_not_go_together(options)
    if options.name_template is not None:
        check_name_template(options.name_template)
    ids = read_label_map(options.label_map) if options.label_map else None
    exclusion = read_exclusion(options.exclude, manifest.splits) if options.exclude else None
    found: dict[str, Any] = {"lists": {}}
    if exclusion is not None:
        found["exclude"] = {
            "file": str(options.exclude),
            "entries": exclusion.entries,
            "unknown": exclusion.unknown,
        }
    with open_run(
        "lists", manifest.name, options.dataset, options.root, bus, ledger_path=options.ledger, create=False
    ) as run:

        async def result() -> dict[str, Any]:
            return found

        if options.links is not None:
            layout = LAYOUTS[options.consumers[0]]
            maker = FarmMaker(run, manifest, layout, recipes, options.links.absolute(), ids, exclusion)
            going = run.in_thread(maker.make, found)
        else:
            chosen: list[Recipe | None] = [*recipes] or [None]
            sources = [ListSource(run, manifest, recipe, exclusion) for recipe in chosen]
            going = run.in_thread(_write_asked, sources, options, ids, found["lists"])
        return await recorded(run, going, result)


def _refuse_what_does_not_go_together(options: ListOptions) -> None:
    by_folders = [name for name in options.consumers if name not in (*CONSUMERS, *EXTRAS)]
    if options.links is None:
        for name in by_folders:
            raise UsageError(
                "reads folders, not lists",
                subject=name,
                fix=f"kdl lists {options.dataset} --for {name} --links DIR",
            )
        _refuse_for_extras(options)
        return
    if len(options.consumers) != 1 or options.consumers[0] not in LAYOUTS:
        raise UsageError(
            "a folder of links is laid out for one consumer",
            subject="--links",
            fix=f"give --for once: {', '.join(LAYOUTS)}",
        )
    if options.separator or options.name_template:
        option = "--separator" if options.separator else "--name-template"
        raise UsageError(
            "the lists beside the links are the consumer's own", subject=option, fix="leave it out"
        )
    if options.label_map and LAYOUTS[options.consumers[0]].lists is None:
        raise UsageError(
            f"{options.consumers[0]} takes a class's id or name from its folder",
            subject="--label-map",
            fix="leave it out",
        )


def _refuse_for_extras(options: ListOptions) -> None:
    """Lists of annotations have a form of their own."""
    extras = [name for name in options.consumers if name in EXTRAS]
    given = {
        "--label-map": options.label_map,
        "--separator": options.separator,
        "--name-template": options.name_template,
    }
    for option, value in given.items():
        if extras and value is not None:
            raise UsageError(f"the lists of {extras[0]} are as its readers want them", subject=option)


def _write_asked(
    sources: list[ListSource],
    options: ListOptions,
    ids: Mapping[str, int] | None,
    written: dict[str, list[dict[str, object]]],
) -> None:
    """Write each consumer's lists of each source and note them in ``written``."""
    for source in sources:
        source.require()
        for name in dict.fromkeys(options.consumers or USUAL):
            if name in EXTRAS:
                written.setdefault(name, []).extend(each.told() for each in write_extra(source, name))
                continue
            consumer = consumer_of(name)
            context = _context(source, consumer, options, ids)
            if not options.consumers and not suits(consumer, context):
                continue
            found = write_for(consumer, source.rows, context)
            written.setdefault(consumer.name, []).extend(result.told() for result in found)
    if not any(item["path"] for found in written.values() for item in found):
        first = sources[0]
        detail = f"no sound clips with {_lacking(options)} are on record"
        if options.exclude is not None:
            detail += f", but for those that {options.exclude} names"
        first.run.find(Finding("nothing_to_list", first.manifest.name, detail, first.making), 1)
    recipes = [source.recipe for source in sources if source.recipe is not None]
    compare_published(sources[0].run, sources[0].manifest, recipes)


def _lacking(options: ListOptions) -> str:
    """What all lists asked for need beside a sound clip."""
    of_annotations = bool(options.consumers) and {*options.consumers} <= {*EXTRAS}
    return "these annotations" if of_annotations else "a label"


def write_all_lists(run: Run, manifest: Manifest, targets: list[Target]) -> None:
    """What a mirror run leaves: the usual consumers' lists, of the originals and of each recipe made."""
    for recipe in (None, *(target.recipe for target in targets if target.recipe.listable)):
        source = ListSource(run, manifest, recipe)
        for consumer in (CONSUMERS[name] for name in USUAL):
            context = _context(source, consumer)
            if not suits(consumer, context):
                continue
            try:
                write_for(consumer, source.rows, context)
            except UsageError as error:
                # A blank in the root or in raw class folders: the mirror is right all the same.
                run.find(Finding("lists_not_written", consumer.name, str(error), error.fix))
    compare_published(run, manifest, [target.recipe for target in targets])


def _context(
    source: ListSource,
    consumer: Consumer,
    options: ListOptions | None = None,
    ids: Mapping[str, int] | None = None,
) -> ListContext:
    out = source.run.paths.lists / consumer.name
    if source.recipe is not None or consumer.own_folder:
        out = out / source.name
    context = source.context(out, ids)
    if options is None:
        return context
    separator = SEPARATORS[options.separator] if options.separator else None
    return dataclasses.replace(context, separator=separator, name_template=options.name_template)
