"""``kdl lists``: what trainers read, from what the ledger calls sound."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from kdl import events
from kdl.dataset.manifest import load_manifest
from kdl.dataset.specs import Manifest
from kdl.errors import UsageError
from kdl.jobs.deriving import Target
from kdl.jobs.planning import derived_folder
from kdl.jobs.run import Run, open_run
from kdl.jobs.style import Style
from kdl.ledger.ledger import Ledger
from kdl.lists.labels import read_label_map
from kdl.lists.rows import ListContext, ListRow, WrittenList
from kdl.lists.write import CONSUMERS, write_lists
from kdl.media.recipe import Recipe, resolve_recipe
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


def lists(options: ListOptions, bus: events.Bus) -> RunSummary:
    """Write the lists of the consumers asked for. Raises KdlError."""
    began = time.monotonic()
    manifest = load_manifest(options.dataset)
    recipe = resolve_recipe(options.recipe) if options.recipe else None
    ids = read_label_map(options.label_map) if options.label_map else None
    consumers = options.consumers or tuple(CONSUMERS)
    with open_run(
        "lists", manifest.name, options.dataset, options.root, bus, ledger_path=options.ledger, create=False
    ) as run:
        written: dict[str, list[dict[str, object]]] = {}
        for consumer in consumers:
            if (
                recipe
                and recipe.kind == "frames"
                and not options.consumers
                and not CONSUMERS[consumer].frames
            ):
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
        summary = run.summary({"lists": written})
        run.end(summary)
    return RunSummary(
        summary.dataset, summary.exit_code, time.monotonic() - began, summary.findings, summary.extra
    )


def write_all_lists(run: Run, manifest: Manifest, style: Style, targets: list[Target]) -> None:
    """What a mirror run leaves: every consumer's lists, of the originals and of each recipe made."""
    for recipe in (None, *(target.recipe for target in targets)):
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
        kind=recipe.kind if recipe else "video",
        keep_extension=recipe.keep_extension if recipe else True,
        splits=manifest.split_names,
        labels=tuple(manifest.labels),
        dataset_prefix=manifest.list_prefix,
        label_ids=ids,
    )
    return write_lists(consumer, lambda split: _rows(run.ledger, manifest, split, recipe), context)


def _rows(ledger: Ledger, manifest: Manifest, split: str, recipe: Recipe | None) -> Iterator[ListRow]:
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
    for row in ledger.rows(sql, (*parameters, split)):
        label = manifest.labels.find(row["class_dir"]) or row["label"] or row["class_dir"]
        name = row["name"]
        if recipe is not None and recipe.kind == "video":
            name = Path(row["path"]).name
        yield ListRow(split, label, row["class_dir"], name, row["frames"])
