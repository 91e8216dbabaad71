"""What a shell offers for arguments and options that name datasets, splits, classes and recipes."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import click
from click.shell_completion import CompletionItem

Completer = Callable[[click.Context, click.Parameter, str], list[CompletionItem]]


def datasets(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Datasets by name; files where a path is begun."""
    from kdl.api.completing import dataset_names

    if begun.startswith((".", "/", "~")):
        return [CompletionItem(begun, type="file")]
    return _that_begin(begun, dataset_names())


def splits(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Splits; several are divided by commas, and the last is completed."""
    from kdl.api.completing import split_names

    before = begun[: begun.rfind(",") + 1]
    return _that_begin(begun, (before + name for name in split_names(_dataset(ctx))))


def classes(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Classes, spelled without blanks; files behind an ``@``."""
    from kdl.api.completing import class_names

    return _that_begin(begun, class_names(_dataset(ctx)))


def recipes(ctx: click.Context, param: click.Parameter, begun: str) -> list[CompletionItem]:
    """Recipes."""
    from kdl.api.completing import recipe_names

    return _that_begin(begun, recipe_names())


def _dataset(ctx: click.Context) -> str:
    """Behind an option without its value click has not parsed the words: the first is the dataset."""
    return str(ctx.params.get("dataset") or next(iter(ctx.args), ""))


def _that_begin(begun: str, names: Iterable[str]) -> list[CompletionItem]:
    return [CompletionItem(name) for name in names if name.startswith(begun)]
