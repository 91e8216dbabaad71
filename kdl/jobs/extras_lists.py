"""Lists of boxes and of repetitions: what is annotated beside the classes, of the clips that are here."""

from __future__ import annotations

from collections.abc import Iterator

from kdl.dataset.ava import key_frames, named_actions
from kdl.dataset.countix import repetitions
from kdl.errors import UsageError
from kdl.jobs.extras_bring import ExtraTables, extra_tables
from kdl.jobs.extras_join import W, join
from kdl.jobs.listsource import ListSource
from kdl.ledger.videos import VideoClip
from kdl.lists import ava, countix
from kdl.lists.ava import Action, BoxRow
from kdl.lists.countix import CountRow
from kdl.lists.rows import ListRow, WrittenList


def write_extra(source: ListSource, name: str) -> list[WrittenList]:
    """The lists of an annotation, in a folder for its source. In a thread.

    Raises UsageError where the annotation was not brought yet, the dataset has none, or the readers would
    misread what the recipe makes; KdlError for tables that somebody altered.
    """
    run = source.run
    source.manifest.extra(name)
    tables = extra_tables(run.paths, name)
    context = source.context(run.paths.lists / name / source.name, None)
    if name == ava.NAME:
        ava.refuse_ava(context, source.recipe.fps if source.recipe else None)
    else:
        countix.refuse_countix(context)
    if not tables.splits:
        fix = run.command("annotations", "--with", name)
        raise UsageError("these annotations are not here yet", subject=name, fix=fix)
    if name == countix.NAME:
        return countix.write_countix(lambda split: _counts(source, tables, split), context, tables.splits)
    actions = [Action(*each) for each in named_actions(tables.actions)]
    return ava.write_ava(lambda split: _boxes(source, tables, split), context, tables.splits, actions)


def _listable(source: ListSource, found: Iterator[W]) -> Iterator[tuple[W, VideoClip, ListRow]]:
    """What is found of clips that can be listed."""
    for item in join(source.run, source.manifest, found):
        clip = item.clip
        row = source.of_clip(clip.id) if clip is not None and clip.readable else None
        if clip is not None and row is not None:
            yield item.what, clip, row


def _boxes(source: ListSource, tables: ExtraTables, split: str) -> Iterator[BoxRow]:
    excluded = _excluded(tables, split)
    for frame, clip, row in _listable(source, key_frames(tables.table(split))):
        beyond = clip.duration is not None and frame.second - clip.start >= clip.duration
        yield BoxRow(
            clip=row,
            youtube_id=frame.youtube_id,
            start=clip.start,
            end=clip.end,
            second=frame.second,
            boxes=tuple((box.x1, box.y1, box.x2, box.y2, box.action_id) for box in frame.boxes),
            excluded=beyond or (frame.youtube_id, frame.second) in excluded,
        )


def _excluded(tables: ExtraTables, split: str) -> set[tuple[str, float]]:
    path = tables.excluded(split)
    return {(frame.youtube_id, frame.second) for frame in key_frames(path)} if path.is_file() else set()


def _counts(source: ListSource, tables: ExtraTables, split: str) -> Iterator[CountRow]:
    for stretch, clip, row in _listable(source, repetitions(tables.table(split))):
        yield CountRow(
            clip=row,
            label=stretch.label,
            count=stretch.count,
            first=max(stretch.repetition_start - clip.start, 0.0),
            last=min(stretch.repetition_end, clip.end) - clip.start,
            duration=clip.duration,
        )
