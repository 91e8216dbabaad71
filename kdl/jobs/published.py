"""Lists that the makers of a copy trained with: fetched, and held against the clips that are here."""

from __future__ import annotations

import csv
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

from kdl.dataset.specs import Manifest, PublishedSpec, SplitSpec
from kdl.diskerrors import disk_errors
from kdl.errors import KdlError, MachineError
from kdl.fetch.transfer import Fetcher
from kdl.jobs.clipkeys import key_of
from kdl.jobs.listings import save_object
from kdl.jobs.run import Run
from kdl.ledger.clips import key_of as recorded_key
from kdl.ledger.published import Counts, Difference, Ours, Theirs, differences
from kdl.media.cookbook import load_recipes
from kdl.media.recipe import Recipe
from kdl.urls import url_name
from kdl.values import SOUND, Finding

_COLUMNS = ("list", "what", "clip", "there", "here")
_WORDS = {
    "only_there": "only there",
    "only_here": "only here",
    "class": "of another class",
    "frames": "with another number of frames",
    "twice": "there twice",
}
_SAMPLES = 3
_NUMBER = re.compile(r"[0-9]{1,9}")


async def bring_published(run: Run, fetcher: Fetcher, manifest: Manifest, splits: Iterable[str]) -> None:
    """Fetch the lists of these splits. Nothing hangs on one: what can not be had is told."""
    for spec, _, url, path in _places(run, manifest, splits):
        try:
            with disk_errors(path.parent):
                path.parent.mkdir(parents=True, exist_ok=True)
            await save_object(run, fetcher, url, path, "readme", spec.name)
        except MachineError:
            raise
        except KdlError as error:
            run.find(Finding("published_list_missing", url, error.message, "nothing depends on it"))


def compare_published(run: Run, manifest: Manifest, recipes: Iterable[Recipe]) -> None:
    """Hold every list that was fetched against what is here. Runs in a thread.

    A finding for each list that differs, and ``reports/published-<by>.csv`` with a line for each clip.
    ``recipes`` are those of this run; the frames of the lists are held against one that takes every frame.
    """
    lists: dict[str, list[_List]] = {}
    for spec, published, url, path in _places(run, manifest, manifest.split_names):
        if path.is_file():
            frames = url == published.frames_url
            recipe = _every_frame(run, recipes) if frames else None
            lists.setdefault(published.by, []).append(_List(spec, path, recipe, frames))
    for by, found in lists.items():
        report = run.paths.reports / f"published-{by}.csv"
        with _written(report) as write:
            for item in found:
                _compare(run, manifest, item, report, write)


def _places(
    run: Run, manifest: Manifest, splits: Iterable[str]
) -> Iterator[tuple[SplitSpec, PublishedSpec, str, Path]]:
    """Every list of these splits: its URL, and where it is kept."""
    for spec in map(manifest.split, splits):
        if spec.published is not None:
            for url in spec.published.urls:
                yield spec, spec.published, url, run.paths.annotations / spec.published.by / url_name(url)


@dataclass(slots=True)
class _List:
    """One list that is here."""

    spec: SplitSpec
    path: Path
    recipe: Recipe | None
    """What its numbers of frames are held against; None in a list of videos."""
    frames: bool
    bad: int = 0
    """Lines that name no clip."""
    samples: list[str] = field(default_factory=list)
    """The first of them."""

    def rows(self, run: Run) -> Iterator[Theirs]:
        """Its rows; lines that are none are counted."""
        reader = run.ledger.reader()
        with disk_errors(self.path), self.path.open(encoding="utf-8", errors="replace") as file:
            for number, line in enumerate(file, start=1):
                if number % 1000 == 0:
                    run.checkpoint()
                if not line.strip():
                    continue
                path, *numbers = line.rstrip().rsplit(None, 2 if self.frames else 1)
                folder, _, name = path.rpartition("/")
                key = key_of(reader, self.spec, name)
                if key is None or len(numbers) != 1 + self.frames or not all(map(_NUMBER.fullmatch, numbers)):
                    self.bad += 1
                    if self.bad <= _SAMPLES:
                        self.samples.append(f"line {number}: {line.strip()[:80]!r}")
                    continue
                clip = f"{folder.rpartition('/')[2]}/{name}"
                yield Theirs(key, clip, int(numbers[-1]), int(numbers[0]) if self.frames else None)


def _every_frame(run: Run, recipes: Iterable[Recipe]) -> Recipe | None:
    """A recipe that takes all of a clip's frames, and by which some are here; this run's own first."""
    made = {
        (row[0], row[1])
        for row in run.ledger.rows(
            "SELECT DISTINCT recipe, fingerprint FROM derivatives WHERE state = 'done'"
        )
    }
    for recipe in chain(recipes, load_recipes().values()):
        every = recipe.kind == "frames" and not (recipe.fps or recipe.count or recipe.drop_duplicates)
        if every and (recipe.name, recipe.fingerprint) in made:
            return recipe
    return None


def _ours(run: Run, manifest: Manifest, spec: SplitSpec, recipe: Recipe | None) -> Iterator[Ours]:
    """Every annotated clip of the split, as lists have it."""
    name, fingerprint = (recipe.name, recipe.fingerprint) if recipe else ("", "")
    labels = manifest.labels
    ids: dict[tuple[str, str | None], int | None] = {}
    for row in run.ledger.rows(
        """SELECT c.split, c.youtube_id, c.time_start, c.time_end, c.class_dir, c.label, c.name, c.path,
                  c.verdict, d.frames
           FROM clips AS c LEFT JOIN derivatives AS d ON d.clip_id = c.id AND d.state = 'done'
                AND d.recipe = ? AND d.fingerprint = ? AND d.clip_sha256 = c.sha256
           WHERE c.split = ? AND c.listed > 0""",
        (name, fingerprint, spec.name),
    ):
        run.checkpoint()
        spelled = (row["class_dir"], row["label"])
        if spelled not in ids:
            label = labels.find(row["class_dir"]) or row["label"]
            ids[spelled] = labels.id_of(label) if label in labels else None
        sound = row["path"] is not None and row["verdict"] in SOUND
        clip = f"{row['class_dir']}/{row['name'] or row['youtube_id']}"
        yield Ours(recorded_key(row), clip, ids[spelled], row["frames"], row["verdict"], sound)


def _compare(run: Run, manifest: Manifest, item: _List, report: Path, write: Any) -> None:
    """One list's differences into the report, and one finding of them all."""
    scratch = run.tmp / "published.db"
    scratch.unlink(missing_ok=True)
    counts, kinds = Counts(), Counter[str]()
    try:
        ours = _ours(run, manifest, item.spec, item.recipe)
        for odd in differences(scratch, item.rows(run), ours, counts):
            run.checkpoint()
            if not counts.rows:  # it is something else: everything would be only here
                break
            kinds[odd.what] += 1
            write(item.path.name, odd)
    finally:
        scratch.unlink(missing_ok=True)
    subject = str(item.path.relative_to(run.paths.base))
    if item.bad:
        detail = f"{item.bad} lines name no clip of {item.spec.name}: {'; '.join(item.samples)}"
        run.find(Finding("published_list_lines", subject, detail, "nothing to do: they are passed over"))
    if not kinds:
        return
    told = [f"{count} {_WORDS[what]}" for what, count in sorted(kinds.items())]
    if counts.waiting:
        told.append(f"{counts.waiting} of clips that were not fetched yet")
    if item.frames and item.recipe is None:
        told.append("no frames are here to be counted")
    where = report.relative_to(run.paths.base)
    fix = f"{where} has them one by one; {run.command('lists')} writes lists of what is here"
    detail = f"{counts.rows} rows: {', '.join(told)}"
    run.find(Finding("published_list_differs", subject, detail, fix))


@contextmanager
def _written(report: Path) -> Iterator[Any]:
    """Writes lines of a report, which appears when it is whole; one without a line is not there."""
    temp, count = report.with_name(f".{report.name}.part"), 0
    try:
        with disk_errors(report):
            report.parent.mkdir(parents=True, exist_ok=True)
            with temp.open("w", encoding="utf-8", newline="") as file:
                table = csv.writer(file, lineterminator="\n")
                table.writerow(_COLUMNS)

                def write(name: str, odd: Difference) -> None:
                    nonlocal count
                    count += 1
                    table.writerow((name, *odd))

                yield write
            if count:
                temp.replace(report)
            else:
                report.unlink(missing_ok=True)
    finally:
        temp.unlink(missing_ok=True)
