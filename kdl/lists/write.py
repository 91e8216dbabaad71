"""Writing the lists of one consumer: every split's, and the label map beside them."""

from __future__ import annotations

import re
import string
from dataclasses import dataclass
from typing import TextIO

from kdl.errors import UsageError
from kdl.lists.consumer import BLANK, SEPARATORS, Anchor, Consumer, Form
from kdl.lists.consumers import CONSUMERS
from kdl.lists.labels import ClassIds
from kdl.lists.rows import ListContext, ListRow, Rows, WrittenList
from kdl.lists.staging import Staging

LABEL_MAP = "label_map.txt"

_CONTROLS = r"\x00-\x1f\x7f-\x9f\u2028\u2029\ud800-\udfff"
"""Line ends of any script, control characters, and bytes that are not UTF-8."""
_NAMES = {separator: name for name, separator in SEPARATORS.items()}
_TEMPLATE_FIELDS = {"split", "class", "name", "stem"}


def consumer_of(name: str) -> Consumer:
    """The consumer of that name. Raises UsageError if there is none."""
    if name not in CONSUMERS:
        raise UsageError("no such consumer", subject=name, fix=f"choose one of {', '.join(CONSUMERS)}")
    return CONSUMERS[name]


def write_lists(consumer: str, rows: Rows, context: ListContext) -> list[WrittenList]:
    """The lists of a consumer, by its name; see :func:`write_for`. Raises UsageError for an unknown one."""
    return write_for(consumer_of(consumer), rows, context)


def write_for(consumer: Consumer, rows: Rows, context: ListContext) -> list[WrittenList]:
    """The lists of every split in ``context.splits``, in that order, and the label map last.

    Rows are listed in the order they come in and never held together. Nothing appears under a final
    name before all of it is whole; a split that has nothing to list loses its older list.

    Raises UsageError if the consumer can not read what there is, if a path holds the separator, or if
    a class of the rows has no id; MachineError if the folder can not be written.
    """
    _refuse_media(consumer, context)
    _refuse_paths(consumer, context)
    return _Writer(consumer, context).write(rows)


def suits(consumer: Consumer, context: ListContext) -> bool:
    """Whether the consumer's reader can read what is listed."""
    try:
        _refuse_media(consumer, context)
    except UsageError:
        return False
    return True


def _refuse_media(consumer: Consumer, context: ListContext) -> None:
    """Raise UsageError unless the reader takes this kind of media, and images that are called so."""
    forms = consumer.forms.get(context.kind)
    if forms is None:
        raise _not_this_kind(consumer, context)
    pictures = context.pictures
    for form in forms if context.kind != "video" else ():
        if form.first is not None and form.first != pictures.first:
            raise UsageError(
                f"its reader counts images from {form.first}, and these begin at {pictures.first}",
                subject=consumer.name,
                fix=f"make a recipe with start = {form.first}, or list these for another consumer",
            )
        if form.pattern is not None and form.pattern != pictures.pattern:
            raise UsageError(
                f"its reader opens {form.pattern} and nothing else, and these are {pictures.pattern}",
                subject=consumer.name,
                fix=f'make a recipe with template = "{form.pattern}"',
            )
    if consumer.clip_names and context.keep_extension:
        raise UsageError(
            "its reader drops the extension of a folder of frames, and these keep theirs",
            subject=consumer.name,
            fix="make a recipe without keep_extension",
        )


def _refuse_paths(consumer: Consumer, context: ListContext) -> None:
    """Raise UsageError if the reader does not take the separator, or would split the root at it."""
    separator = context.separator or consumer.separators[0]
    if separator not in consumer.separators:
        raise UsageError(
            f"its reader splits lines at {' or '.join(_NAMES[each] for each in consumer.separators)} only",
            subject=consumer.name,
            fix="leave --separator out, or name a consumer that takes it with --for",
        )
    absolute = consumer.anchor is Anchor.ABSOLUTE and context.name_template is None
    if absolute and _unlistable(separator).search(str(context.media_root)):
        raise UsageError(
            f"{consumer.name} takes absolute paths and its reader splits them at blanks",
            subject=str(context.media_root),
            fix="reach the mirror by a path without blanks (ln -s is enough) and give that as --root",
        )


def check_name_template(template: str) -> None:
    """Raise UsageError if ``template`` does not name a clip, or is no template at all."""
    try:
        fields = {field for _, field, _, _ in string.Formatter().parse(template) if field is not None}
    except ValueError as error:
        raise UsageError(f"is no template: {error}", subject=template, fix=_TEMPLATE_FIX) from error
    if unknown := fields - _TEMPLATE_FIELDS:
        named = ", ".join(f"{{{name}}}" for name in sorted(unknown))
        raise UsageError(f"nothing is known of {named}", subject=template, fix=_TEMPLATE_FIX)
    if not fields & {"name", "stem"}:
        raise UsageError("every clip would have the same path", subject=template, fix=_TEMPLATE_FIX)


_TEMPLATE_FIX = "put {name} or {stem}, and if need be {split} and {class}, into --name-template"


def _not_this_kind(consumer: Consumer, context: ListContext) -> UsageError:
    able = ", ".join(other.name for other in CONSUMERS.values() if context.kind in other.forms)
    if context.kind == "video":
        return UsageError(
            "reads folders of frames only, no videos",
            subject=consumer.name,
            fix=f"give --recipe one that makes frames, or list the videos for {able}",
        )
    what = "frames" if context.kind == "frames" else "optical flow"
    only = "videos only" if set(consumer.forms) == {"video"} else "no optical flow"
    reason = "reads videos only, no folders of frames" if context.kind == "frames" else f"reads {only}"
    return UsageError(
        reason,
        subject=consumer.name,
        fix=f"list a recipe that makes {' or '.join(consumer.forms)}, or list this {what} for {able}",
    )


def _unlistable(separator: str | None) -> re.Pattern[str]:
    """What no path may hold: the separator and ends of lines; of JSON, what is not UTF-8."""
    if separator is None:
        return re.compile(r"[\ud800-\udfff]")
    return re.compile(rf"[\s{_CONTROLS}]" if separator == BLANK else rf"[{re.escape(separator)}{_CONTROLS}]")


@dataclass(slots=True)
class _Tally:
    lines: int = 0
    unlabelled: int = 0
    frameless: int = 0
    excluded: int = 0

    def left_out(self) -> list[str]:
        counts = (
            (self.unlabelled, "without a label"),
            (self.frameless, "without frames"),
            (self.excluded, "of the exclusion list"),
        )
        return [f"{count} clips {why} left out" for count, why in counts if count]

    def why_none(self) -> str:
        if self.unlabelled:
            return f"no list: its {self.unlabelled} clips have no labels, and every line needs one"
        if self.frameless:
            return f"no list: none of its {self.frameless} clips has frames"
        if self.excluded:
            return f"no list: all its {self.excluded} clips are in the exclusion list"
        return "no list: no sound clips there"


class _Writer:
    """One consumer's lists of a run."""

    def __init__(self, consumer: Consumer, context: ListContext) -> None:
        self._consumer = consumer
        self._context = context
        self._forms = consumer.forms[context.kind]
        self._separator = context.separator or consumer.separators[0]
        self._ids = ClassIds(context.labels, context.label_ids)

    def write(self, rows: Rows) -> list[WrittenList]:
        with Staging(self._context.stage_dir or self._context.out_dir) as stage:
            written = [
                self._write(rows, form, split, stage)
                for form in self._forms
                for split in self._context.splits
            ]
            self._ids.refuse_unknown()
            self._link(written, stage)
            if any(result.path for result in written):
                written.append(self._write_label_map(stage))
            stage.commit()
        return written

    def _write(self, rows: Rows, form: Form, split: str, stage: Staging) -> WrittenList:
        name = self._consumer.file_name(form, self._context, split)
        with stage.open(name) as out:
            tally = self._write_lines(rows, form, split, out)
        if not tally.lines:
            stage.drop(name)
            return WrittenList(split, None, 0, tally.why_none(), tally.excluded)
        setting = self._consumer.setting(form, self._context, split, self._separator)
        note = "; ".join([setting, *tally.left_out()])
        return WrittenList(split, self._context.out_dir / name, tally.lines, note, tally.excluded)

    def _write_lines(self, rows: Rows, form: Form, split: str, out: TextIO) -> _Tally:
        tally = _Tally()
        context = self._context
        start = self._consumer.start(context, split)
        render = form.renderer(self._separator, context.pictures.first)
        unlistable = _unlistable(None if form.line is None else self._separator)
        for row in rows(split):
            if row.excluded:
                tally.excluded += 1
            elif form.labelled and not row.label:
                tally.unlabelled += 1
            elif context.kind != "video" and not row.frames:
                tally.frameless += 1
            else:
                path = self._consumer.path(context, row)
                if unlistable.search(path):
                    raise self._refused(row, path, unlistable)
                number = self._ids.of(row.label, row.class_dir) if form.labelled else None
                out.write(render(f"{start}{path}", row, number))
                tally.lines += 1
        return tally

    def _refused(self, row: ListRow, path: str, unlistable: re.Pattern[str]) -> UsageError:
        name = _NAMES[self._separator]
        return UsageError(
            f"a path in this list can hold no {name} and no control character: readers split lines there",
            subject=f"{row.split}/{path}",
            fix="keep the mirror's class folders in the default style, which writes _ for a blank"
            if unlistable.search(row.class_dir)
            else "rename the clip",
        )

    def _link(self, written: list[WrittenList], stage: Staging) -> None:
        """A link to each listed split's folder, for readers that look beside their list."""
        template = self._consumer.link
        listed = {result.split for result in written if result.path}
        for split in self._context.splits if template else ():
            place = str(template).format(split=split)
            if split in listed:
                stage.link(place, self._context.media(split))
            else:
                stage.drop(place)

    def _write_label_map(self, stage: Staging) -> WrittenList:
        names = self._ids.names()
        with stage.open(LABEL_MAP) as out:
            out.writelines(f"{name}\n" for name in names)
        path = self._context.out_dir / LABEL_MAP
        return WrittenList("", path, len(names), "line n is the class with id n, from 0")
