"""What distinguishes one consumer's lists from another's."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum

from kdl.lists.rows import Kind, ListContext, ListRow
from kdl.values import bare_name

BLANK, COMMA, TAB = " ", ",", "\t"
SEPARATORS = {"blank": BLANK, "comma": COMMA, "tab": TAB}
"""What can stand between the fields of a line, by the name that ``--separator`` takes."""
_IN_A_SHELL = {BLANK: "' '", COMMA: "','", TAB: "$'\\t'"}


class Anchor(Enum):
    """Where a list's paths begin."""

    SPLIT = "split"
    """At the split's folder."""
    MEDIA = "media"
    """At the folder of the splits."""
    ABSOLUTE = "absolute"


@dataclass(frozen=True, slots=True)
class Form:
    """One list that a consumer reads.

    ``file`` is a template over ``prefix`` and ``split``. ``setting``, which tells a person how to
    point the trainer at the clips, is one over ``base`` (the folder that the paths are relative to),
    ``lists`` (the folder of the lists), ``file``, and ``template``, ``pattern`` and ``first`` of the
    images.
    """

    file: str
    setting: str
    line: str | None = "{path} {id}"
    """A template over ``path``, ``frames``, ``id`` and ``first``; ``None`` for a JSON object."""
    labelled: bool = True
    """Its lines need an id: clips without a label are left out."""
    first: int | None = None
    """Its reader counts images from here and can not be told otherwise."""
    pattern: str | None = None
    """Its reader wants images called so, whatever it is told."""

    def renderer(self, separator: str, first: int) -> Callable[[str, ListRow, int | None], str]:
        """Makes a line of a path, its row and its id; ``first`` is the images' first number."""
        if self.line is None:
            return _json_line
        line = self.line.replace(BLANK, separator).replace("{first}", str(first)) + "\n"
        return lambda path, row, number: line.format(path=path, frames=row.frames or 0, id=number)


def _json_line(path: str, row: ListRow, number: int | None) -> str:
    return json.dumps({"file_name": path, "label": number, "class": row.label}, ensure_ascii=False) + "\n"


@dataclass(frozen=True, slots=True)
class Consumer:
    """One family of list readers."""

    name: str
    anchor: Anchor
    forms: Mapping[Kind, tuple[Form, ...]]
    """Its lists of what it can read."""
    separators: tuple[str, ...] = (BLANK,)
    """Those that its reader takes, its default first."""
    separator_setting: str = ""
    """How the reader is told of a separator other than a blank: a template over ``separator``."""
    link: str | None = None
    """The reader looks for the clips beside its list: a link to the split's folder, below the lists."""
    below: str = ""
    """What a path begins with where it begins at the split's folder."""
    clip_names: bool = False
    """Lines for folders of frames hold the clip's name; the reader drops up to two extensions."""
    own_folder: bool = False
    """Its reader walks folders: the lists of the originals must not lie above those of recipes."""
    usual: bool = False
    """Written by every mirror run, and where no consumer is named."""

    def setting(self, form: Form, context: ListContext, split: str, separator: str) -> str:
        """How the trainer is told where the clips are; empty where the lists say it themselves."""
        told = form.setting if separator == BLANK else form.setting + self.separator_setting
        return told.format(
            base=context.media(split) if self.anchor is Anchor.SPLIT else context.media_root,
            lists=context.out_dir,
            file=self.file_name(form, context, split),
            template=context.pictures.template,
            pattern=context.pictures.pattern,
            first=context.pictures.first,
            separator=_IN_A_SHELL[separator],
        )

    def file_name(self, form: Form, context: ListContext, split: str) -> str:
        """The name of a split's list below the folder of the lists."""
        return form.file.format(prefix=context.dataset_prefix, split=split)

    def start(self, context: ListContext, split: str) -> str:
        """What every path of a split's list begins with."""
        if context.name_template is not None:
            return ""
        match self.anchor:
            case Anchor.SPLIT:
                return self.below
            case Anchor.MEDIA:
                return f"{context.media(split).relative_to(context.media_root)}/"
            case Anchor.ABSOLUTE:
                return f"{context.media(split)}/"

    def path(self, context: ListContext, row: ListRow) -> str:
        """The path of a row below :meth:`start`."""
        stem = bare_name(row.name)
        whole = context.kind == "video" or context.keep_extension or self.clip_names
        leaf = row.name if whole else stem
        if context.name_template is not None:
            fields = {"split": row.split, "class": row.class_dir, "name": leaf, "stem": stem}
            return context.name_template.format(**fields)
        return f"{row.class_dir}/{leaf}" if row.class_dir else leaf
