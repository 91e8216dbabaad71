"""``kdl lists``: what trainers read, from what the ledger calls sound."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdl import events
from kdl.dataset.manifest import load_manifest
from kdl.dataset.specs import Manifest
from kdl.errors import UsageError
from kdl.jobs.deriving import Target
from kdl.jobs.ending import recorded
from kdl.jobs.linkfarm import FarmMaker
from kdl.jobs.listsource import ListSource, listable_recipe
from kdl.jobs.run import Run, open_run
from kdl.lists import CONSUMERS, USUAL, ListContext, read_label_map
from kdl.lists.consumer import SEPARATORS, Consumer
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
    found: dict[str, Any] = {"lists": {}}
    with open_run(
        "lists", manifest.name, options.dataset, options.root, bus, ledger_path=options.ledger, create=False
    ) as run:

        async def result() -> dict[str, Any]:
            return found

        if options.links is not None:
            layout = LAYOUTS[options.consumers[0]]
            maker = FarmMaker(run, manifest, layout, recipes, options.links.absolute(), ids)
            going = run.in_thread(maker.make, found)
        else:
            going = run.in_thread(_write_asked, run, manifest, options, recipes, ids, found["lists"])
        return await recorded(run, going, result)


def _refuse_what_does_not_go_together(options: ListOptions) -> None:
    by_folders = [name for name in options.consumers if name not in CONSUMERS]
    if options.links is None:
        for name in by_folders:
            raise UsageError(
                "reads folders, not lists",
                subject=name,
                fix=f"kdl lists {options.dataset} --for {name} --links DIR",
            )
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


def _write_asked(
    run: Run,
    manifest: Manifest,
    options: ListOptions,
    recipes: list[Recipe],
    ids: Mapping[str, int] | None,
    written: dict[str, list[dict[str, object]]],
) -> None:
    """Write each consumer's lists and note them in ``written``."""
    chosen: list[Recipe | None] = [*recipes] or [None]
    for source in [ListSource(run, manifest, recipe) for recipe in chosen]:
        source.require()
        for consumer in map(consumer_of, dict.fromkeys(options.consumers or USUAL)):
            context = _context(source, consumer, options, ids)
            if not options.consumers and not suits(consumer, context):
                continue
            found = write_for(consumer, source.rows, context)
            written.setdefault(consumer.name, []).extend(result.told() for result in found)
    if not any(item["path"] for found in written.values() for item in found):
        run.find(
            Finding(
                "nothing_to_list",
                manifest.name,
                "no sound clips with a label are on record",
                ListSource(run, manifest, chosen[0]).making,
            ),
            1,
        )


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
