"""A dataset in numbers, as ``kdl datasets`` shows it."""

from __future__ import annotations

from typing import Any

from kdl.dataset.specs import Manifest, SplitSpec


def describe(manifest: Manifest) -> dict[str, Any]:
    """The dataset as JSON-ready values.

    ``clips``, ``shards`` and ``bytes`` are the sums over its splits (clips hosted; bytes to
    download, rounded), ``None`` where a split's number is not known.
    """
    splits = [_describe_split(split) for split in manifest.splits]
    replacement = manifest.replacement
    return {
        "name": manifest.name,
        "title": manifest.title,
        "classes": len(manifest.labels),
        "clips": _total(splits, "clips"),
        "shards": _total(splits, "shards"),
        "bytes": _total(splits, "bytes"),
        "approximate": any(split["approximate"] for split in splits),
        "splits": splits,
        "replacement": replacement
        and {"url": replacement.url, "splits": list(replacement.splits), "clips": replacement.clips},
        "hosts": {host.name: host.base for host in manifest.hosts},
        "sources": list(manifest.sources),
        "by_hand": list(manifest.by_hand),
        "path": str(manifest.path),
    }


def _describe_split(split: SplitSpec) -> dict[str, Any]:
    counts = split.counts
    return {
        "name": split.name,
        "clips": counts.clips,
        "rows": counts.rows,
        "shards": counts.shards if split.list_url else len(split.archives),
        "bytes": counts.bytes,
        "approximate": counts.approximate,
        "labelled": split.labelled,
        "class_from": split.class_from,
        "list": split.list_url,
        "annotation": split.annotation.url if split.annotation else None,
        "never_hosted": len(split.never_hosted),
    }


def _total(splits: list[dict[str, Any]], key: str) -> int | None:
    numbers = [split[key] for split in splits]
    return None if None in numbers else sum(numbers)
