"""What callers write, read: plain values become those that jobs take, or a UsageError that names them."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from kdl.errors import UsageError

if TYPE_CHECKING:
    from kdl.fetch.timetable import Timetable
    from kdl.jobs.options import Choice
    from kdl.jobs.verify_options import Subset

Words = str | Sequence[str]
"""Several of a kind; a single text is one of them."""
PathLike = str | Path
"""A text may begin with ``~``."""
Paths = PathLike | Sequence[PathLike]


def read_dataset(value: PathLike) -> str:
    """A dataset as the command line names it: a :class:`Path` is a manifest's, whatever it is called."""
    return value if isinstance(value, str) else str(value.absolute())


def read_path(value: PathLike) -> Path:
    return Path(value).expanduser() if isinstance(value, str) else value


def read_optional(value: PathLike | None) -> Path | None:
    return None if value is None else read_path(value)


def read_paths(value: Paths) -> tuple[Path, ...]:
    several = (value,) if isinstance(value, (str, Path)) else value
    return tuple(map(read_path, several))


def read_root(value: PathLike | None) -> Path:
    """The folder of the mirrors; None for ``KDL_ROOT``, else ``./kinetics``."""
    return read_path(os.environ.get("KDL_ROOT") or "kinetics") if value is None else read_path(value)


def read_words(value: Words) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def read_splits(value: Words) -> tuple[str, ...]:
    """Single names, however they are given: ``"train,val"`` is two."""
    return tuple(name for word in read_words(value) for name in word.split(",") if name)


def read_choice(splits: Words, classes: Words, shards: Words = (), limit: int | None = None) -> Choice:
    from kdl.jobs.options import Choice

    return Choice(read_splits(splits), read_words(classes), read_words(shards), at_least("limit", limit, 1))


def one_of(name: str, value: Any, known: Sequence[str]) -> Any:
    """``value``, one of ``known`` or None. Raises UsageError for anything else."""
    if value is not None and value not in known:
        raise UsageError(
            "there is no such choice", subject=f"{name}={value!r}", fix=f"choose one of {', '.join(known)}"
        )
    return value


def at_least(name: str, value: Any, least: float, most: float | None = None) -> Any:
    """``value``, a number within the bounds or None. Raises UsageError for one beyond them."""
    if value is not None and (value < least or (most is not None and value > most)):
        bounds = f"at the least {least:g}" if most is None else f"from {least:g} to {most:g}"
        raise UsageError(f"it is {bounds}", subject=f"{name}={value!r}", fix=f"give another {name}")
    return value


def read_rate(value: str | int | None) -> int | Timetable | None:
    """Bytes a second, ``50M``, or ``08:00,20M 20:00,off``. Raises UsageError."""
    from kdl.fetch.timetable import parse_limit

    return parse_limit(value) if isinstance(value, str) else at_least("limit_rate", value, 1)


def read_span(value: str | float | None) -> float | None:
    """Seconds, or ``90m``, ``2h``, ``30d``, ``2w``. Raises UsageError."""
    from kdl.jobs.verify_options import parse_span

    return parse_span(value) if isinstance(value, str) else value


def read_moment(value: str | float | None) -> float | None:
    """Unix seconds, or ``7d`` ago, or a date. Raises UsageError."""
    from kdl.jobs.verify_options import parse_moment

    return parse_moment(value, time.time()) if isinstance(value, str) else value


def read_subset(value: str | None) -> Subset:
    """``1/7``, ``10%`` or ``50G``; None for all. Raises UsageError."""
    from kdl.jobs.verify_options import WHOLE, parse_subset

    return WHOLE if value is None else parse_subset(value)


def read_size(value: str | int) -> int:
    """Bytes, or ``1G``, ``50Mi``. Raises UsageError."""
    from kdl.settings import parse_size

    return parse_size(value) if isinstance(value, str) else value
