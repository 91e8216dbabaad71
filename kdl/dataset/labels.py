"""Class names, their ids, and the folders they become."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

from kdl.dataset.safe import unsafe
from kdl.dataset.textfile import read_names, reason_of
from kdl.errors import UsageError

Style = Literal["mmaction2", "torchvision", "raw"]
"""How a class name becomes a folder's: blanks to ``_``; that, and no ``()'``; as it is."""
STYLES: tuple[Style, ...] = get_args(Style)

_CLASS_FILE = "--class @FILE reads one class a line; --class NAME takes one by name"
_BLANK = re.compile(r"\s")
_TORCHVISION_DROPS = str.maketrans("", "", "()'")


def clean_label(text: str) -> str:
    """A class name without surrounding blanks and literal double quotes, as some label files have them."""
    text = text.strip()
    if len(text) > 1 and text[0] == text[-1] == '"':
        text = text[1:-1].strip()
    return text


def class_dir(label: str, style: Style = "mmaction2") -> str:
    """The folder of a class. Raises UsageError for a label that can be no folder's name."""
    name = label if style == "raw" else _BLANK.sub("_", label)
    if style == "torchvision":
        name = name.translate(_TORCHVISION_DROPS)
    reason = unsafe(label) or unsafe(name)
    if reason is not None:
        raise UsageError(f"no folder can be named after this class: {reason}", subject=repr(label))
    return name


@dataclass(frozen=True)
class LabelMap:
    """The classes of a dataset: a label's id is its 0-based position."""

    names: tuple[str, ...]
    """Class names with their spaces, in the order of their ids."""

    def __len__(self) -> int:
        return len(self.names)

    def __iter__(self) -> Iterator[str]:
        return iter(self.names)

    def __contains__(self, label: object) -> bool:
        return label in self._ids

    @cached_property
    def _ids(self) -> dict[str, int]:
        return {name: at for at, name in enumerate(self.names)}

    @cached_property
    def _spellings(self) -> dict[str, str]:
        """Every folder style's spelling to its label; the label's own spelling wins."""
        known = {class_dir(name, style): name for style in reversed(STYLES) for name in self.names}
        return known | {name: name for name in self.names}

    def id_of(self, label: str) -> int:
        """The class id. Raises KeyError for a label that is not in the map."""
        return self._ids[label]

    def find(self, text: str) -> str | None:
        """The label that ``text`` spells: as annotated, quoted, or as a folder of any style."""
        return self._spellings.get(clean_label(text))

    def near(self, text: str) -> list[str]:
        """Up to three labels that look like ``text``, nearest first."""
        folded = {name.casefold(): name for name in self.names}
        wanted = clean_label(text).replace("_", " ").casefold()
        return [folded[hit] for hit in difflib.get_close_matches(wanted, folded, n=3, cutoff=0.6)]


def resolve_classes(labels: LabelMap, wanted: Sequence[str]) -> tuple[str, ...]:
    """The labels that ``--class`` values name, without repeats, in the order of their ids.

    A value is a label, a class folder of any style, or ``@FILE``: one a line, blank lines and ``#``
    comments skipped. Raises UsageError for a class or a file that is not there, with near matches.
    """
    found: set[str] = set()
    for value in wanted:
        for text in _expand(value):
            label = labels.find(text)
            if label is None:
                raise _no_class(labels, text)
            found.add(label)
    return tuple(sorted(found, key=labels.id_of))


def _expand(value: str) -> list[str]:
    if not value.startswith("@"):
        return [value]
    path = Path(value[1:]).expanduser()
    try:
        names = read_names(path)
    except (OSError, UnicodeDecodeError) as error:
        raise UsageError(
            f"can not read the list of classes: {reason_of(error)}", subject=str(path), fix=_CLASS_FILE
        ) from error
    if not names:
        raise UsageError("the list of classes names none", subject=str(path), fix=_CLASS_FILE)
    return names


def _no_class(labels: LabelMap, text: str) -> UsageError:
    near = labels.near(text)
    if near:
        fix = f"did you mean {', '.join(repr(name) for name in near)}?"
    elif labels.names:
        fix = f"there are {len(labels)} classes, {labels.names[0]!r} to {labels.names[-1]!r}"
    else:
        fix = "this dataset has no classes: leave --class out"
    return UsageError("no such class", subject=repr(text), fix=fix)
