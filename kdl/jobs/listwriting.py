"""``kdl lists``: what trainers read, from what the ledger calls sound."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kdl import events
from kdl.dataset.manifest import load_manifest
from kdl.dataset.specs import Manifest
from kdl.errors import UsageError
from kdl.jobs.deriving import Target
from kdl.jobs.ending import recorded
from kdl.jobs.planning import derived_folder
from kdl.jobs.run import Run, open_run
from kdl.jobs.style import Style
from kdl.lists.labels import read_label_map
from kdl.lists.rows import ListContext, ListRow, WrittenList
from kdl.lists.write import CONSUMERS, write_lists
from kdl.media.cookbook import resolve_recipe
from kdl.media.recipe import Recipe
from kdl.values import Finding, RunSummary


@dataclass(frozen=True, slots=True)
class ListOptions:
    """Everything ``kdl lists`` takes."""

    dataset: str
    root: Path
    consumers: tuple[str, ...] = ()
    """Empty for all."""
    recipe: str | None = None
    """List this recipe's derivatives; None for the originals."""
    label_map: Path | None = None
    ledger: Path | None = None


async def lists(options: ListOptions, bus: events.Bus) -> RunSummary:
    """Write the lists of the consumers asked for. Raises KdlError for what keeps it from starting."""
    manifest = load_manifest(options.dataset)
    recipe = resolve_recipe(options.recipe) if options.recipe else None
    if recipe is not None and not recipe.listable:
        raise UsageError(
            "readers of lists take videos and folders of frames, and this recipe makes neither",
            subject=recipe.name,
            fix=f"kdl pack {options.dataset} --recipe {options.recipe}",
        )
    ids = read_label_map(options.label_map) if options.label_map else None
    written: dict[str, list[dict[str, object]]] = {}
    with open_run(
        "lists", manifest.name, options.dataset, options.root, bus, ledger_path=options.ledger, create=False
    ) as run:

        async def result() -> dict[str, Any]:
            return {"lists": written}

        going = run.in_thread(_write_asked, run, manifest, options.consumers, recipe, ids, written)
        return await recorded(run, going, result)


def _write_asked(
    run: Run,
    manifest: Manifest,
    asked: tuple[str, ...],
    recipe: Recipe | None,
    ids: Mapping[str, int] | None,
    written: dict[str, list[dict[str, object]]],
) -> None:
    """Write each consumer's lists and note them in ``written``."""
    for consumer in asked or tuple(CONSUMERS):
        if recipe and recipe.kind == "frames" and not asked and not CONSUMERS[consumer].frames:
            continue
        found = _write(run, manifest, consumer, recipe, ids)
        written[consumer] = [
            {"split": w.split, "path": str(w.path) if w.path else None, "lines": w.lines, "note": w.note}
            for w in found
        ]
    if not any(item["path"] for found in written.values() for item in found):
        run.find(
            Finding(
                "nothing_to_list",
                manifest.name,
                "no sound clips with a label are on record",
                run.command("mirror"),
            ),
            1,
        )


def write_all_lists(run: Run, manifest: Manifest, style: Style, targets: list[Target]) -> None:
    """What a mirror run leaves: every consumer's lists, of the originals and of each recipe made."""
    for recipe in (None, *(target.recipe for target in targets if target.recipe.listable)):
        for name, consumer in CONSUMERS.items():
            if recipe is not None and recipe.kind == "frames" and consumer.frames is None:
                continue
            try:
                _write(run, manifest, name, recipe, None)
            except UsageError as error:
                # A blank in the root or in raw class folders: the mirror is right all the same.
                run.find(Finding("lists_not_written", name, str(error), error.fix))


def _write(
    run: Run, manifest: Manifest, consumer: str, recipe: Recipe | None, ids: Mapping[str, int] | None
) -> list[WrittenList]:
    out = run.paths.lists / consumer
    media = run.paths.videos
    if recipe is not None:
        out = out / recipe.name
        media = run.paths.derived / recipe.name
        if not derived_folder(run.paths, None, recipe.name).is_dir():
            raise UsageError(
                "nothing was made by this recipe yet",
                subject=recipe.name,
                fix=run.command("derive", "--recipe", recipe.name),
            )
    context = ListContext(
        out_dir=out,
        media_root=media.absolute(),
        kind="frames" if recipe and recipe.kind == "frames" else "video",
        keep_extension=recipe.keep_extension if recipe else True,
        splits=manifest.split_names,
        labels=tuple(manifest.labels),
        dataset_prefix=manifest.list_prefix,
        label_ids=ids,
    )
    return write_lists(consumer, lambda split: _rows(run, manifest, split, recipe), context)


def _rows(run: Run, manifest: Manifest, split: str, recipe: Recipe | None) -> Iterator[ListRow]:
    """Sound clips that an annotation lists, or those that have the derivative, by class and name."""
    join, parameters = "", ()
    columns = "c.label, c.class_dir, c.name, NULL AS frames"
    if recipe is not None:
        columns = "c.label, c.class_dir, c.name, d.frames, d.path"
        join = """JOIN derivatives AS d ON d.clip_id = c.id AND d.state = 'done' AND d.recipe = ?
                  AND d.clip_sha256 = c.sha256"""
        parameters = (recipe.name,)  # type: ignore[assignment]
    sql = f"""SELECT {columns} FROM clips AS c {join}
              WHERE c.split = ? AND c.verdict IN ('ok', 'short') AND c.listed > 0 AND c.path IS NOT NULL
              ORDER BY c.class_dir, c.name"""
    for row in run.ledger.rows(sql, (*parameters, split)):
        run.checkpoint()
        label = manifest.labels.find(row["class_dir"]) or row["label"] or row["class_dir"]
        name = row["name"]
        if recipe is not None and recipe.kind == "video":
            name = Path(row["path"]).name
        yield ListRow(split, label, row["class_dir"], name, row["frames"])
