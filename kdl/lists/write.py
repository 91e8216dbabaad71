"""Writing the lists of one consumer: every split's, and the label map beside them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TextIO

from kdl.errors import UsageError
from kdl.lists.consumer import Anchor, Consumer
from kdl.lists.labels import ClassIds
from kdl.lists.mmaction2 import MMACTION2
from kdl.lists.paddlevideo import PADDLEVIDEO
from kdl.lists.pytorchvideo import PYTORCHVIDEO
from kdl.lists.rows import ListContext, ListRow, Rows, WrittenList
from kdl.lists.slowfast import SLOWFAST
from kdl.lists.staging import Staging
from kdl.lists.videomae import VIDEOMAE

CONSUMERS: dict[str, Consumer] = {
    consumer.name: consumer for consumer in (MMACTION2, PADDLEVIDEO, VIDEOMAE, SLOWFAST, PYTORCHVIDEO)
}
"""Consumers by the name that ``--for`` takes."""

LABEL_MAP = "label_map.txt"

_UNLISTABLE = re.compile(r"[\s\x00-\x1f\x7f\ud800-\udfff]")
"""Blanks and line ends of any script, control characters, and bytes that are not UTF-8."""


def write_lists(consumer: str, rows: Rows, context: ListContext) -> list[WrittenList]:
    """The lists of every split in ``context.splits``, in that order, and the label map last.

    Rows are listed in the order they come in and never held together. Nothing appears under a final
    name before all of it is whole; a split that has nothing to list loses its older list.

    Raises UsageError if the consumer is unknown or takes no frames, if a path holds a blank, or if a
    class of the rows has no id; MachineError if the folder can not be written.
    """
    reader = _reader(consumer, context)
    ids = ClassIds(context.labels, context.label_ids)
    with Staging(context.out_dir) as stage:
        written = [_write_split(reader, rows, context, split, ids, stage) for split in context.splits]
        ids.refuse_unknown()
        if any(result.path for result in written):
            written.append(_write_label_map(context, ids, stage))
        stage.commit()
    return written


def _reader(name: str, context: ListContext) -> Consumer:
    """The consumer of that name, once it is clear that it can read what the context offers."""
    if name not in CONSUMERS:
        raise UsageError("no such consumer", subject=name, fix=f"choose one of {', '.join(CONSUMERS)}")
    reader = CONSUMERS[name]
    if context.kind == "frames" and reader.frames is None:
        able = ", ".join(other.name for other in CONSUMERS.values() if other.frames)
        raise UsageError(
            "reads videos only, no folders of frames",
            subject=name,
            fix=f"list a recipe that makes videos, or list these frames for {able}",
        )
    if reader.anchor is Anchor.ABSOLUTE and _UNLISTABLE.search(str(context.media_root)):
        raise UsageError(
            f"{name} takes absolute paths and its reader splits them at blanks",
            subject=str(context.media_root),
            fix="reach the mirror by a path without blanks (ln -s is enough) and give that as --root",
        )
    return reader


@dataclass(slots=True)
class _Tally:
    lines: int = 0
    unlabelled: int = 0
    frameless: int = 0


def _write_split(
    reader: Consumer, rows: Rows, context: ListContext, split: str, ids: ClassIds, stage: Staging
) -> WrittenList:
    name = reader.file_name(context, split)
    with stage.open(name) as out:
        tally = _write_lines(reader, rows, context, split, ids, out)
    if not tally.lines:
        stage.drop(name)
        return WrittenList(split, None, 0, _why_none(tally))
    left_out = [
        f"{count} clips {why} left out"
        for count, why in ((tally.unlabelled, "without a label"), (tally.frameless, "without frames"))
        if count
    ]
    note = "; ".join([reader.setting(context, split), *left_out])
    return WrittenList(split, context.out_dir / name, tally.lines, note)


def _write_lines(
    reader: Consumer, rows: Rows, context: ListContext, split: str, ids: ClassIds, out: TextIO
) -> _Tally:
    tally = _Tally()
    start = reader.start(context, split)
    for row in rows(split):
        if not row.label:
            tally.unlabelled += 1
        elif context.kind == "frames" and not row.frames:
            tally.frameless += 1
        else:
            path, middle = reader.fields(context, row)
            if _UNLISTABLE.search(path):
                raise _unlistable(row, path)
            out.write(f"{start}{path}{middle} {ids.of(row.label, row.class_dir)}\n")
            tally.lines += 1
    return tally


def _unlistable(row: ListRow, path: str) -> UsageError:
    return UsageError(
        "a path in a list can hold no blank and no control character: readers split lines there",
        subject=f"{row.split}/{path}",
        fix="keep the mirror's class folders in the default style, which writes _ for a blank"
        if _UNLISTABLE.search(row.class_dir)
        else "rename the clip",
    )


def _why_none(tally: _Tally) -> str:
    if tally.unlabelled:
        return f"no list: its {tally.unlabelled} clips have no labels, and every line needs one"
    if tally.frameless:
        return f"no list: none of its {tally.frameless} clips has frames"
    return "no list: no sound clips there"


def _write_label_map(context: ListContext, ids: ClassIds, stage: Staging) -> WrittenList:
    names = ids.names()
    with stage.open(LABEL_MAP) as out:
        out.writelines(f"{name}\n" for name in names)
    return WrittenList("", context.out_dir / LABEL_MAP, len(names), "line n is the class with id n, from 0")
