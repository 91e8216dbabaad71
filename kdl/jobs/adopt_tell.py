"""What is said of an adoption: what was recognised, and what a mirror will fetch all the same."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from kdl.dataset.layouts import Recognised
from kdl.dataset.specs import Manifest
from kdl.jobs.run import Run
from kdl.settings import human_size
from kdl.values import Finding

Found = Mapping[tuple[str, str], Recognised]
"""By the folder that holds the class folders (or the clips, where there are none), and the split."""


def recognised_dict(found: Found) -> list[dict[str, Any]]:
    """What was recognised, JSON-ready."""
    return [
        {
            "folder": folder,
            "split": split,
            "layout": each.layout,
            "clips": each.clips,
            "classes": len(each.classes),
        }
        for (folder, split), each in sorted(found.items())
    ]


def tell_layouts(run: Run, found: Found) -> None:
    """A line for each folder that was recognised."""
    for (folder, split), each in sorted(found.items()):
        classes = f" in {len(each.classes)} classes" if each.classes else ""
        run.note(f"{folder}: {each.clips:,} clips of {split}{classes}, laid out as {each.layout}")


def tell_refetched(run: Run, manifest: Manifest, ahead: Mapping[str, Mapping[str, Any]]) -> None:
    """Say of each split with mixed shards what will be fetched again, and why."""
    for split, told in ahead.items():
        if not told["here"]:
            continue
        if told["listed"] is None and manifest.split(split).annotation is not None:
            detail = f"{told['here']:,} clips are here; which others the split has, no annotation here tells"
            fix = f"{run.command('mirror', '--split', split)} brings it, or give --annotations DIR"
            run.find(Finding("adopt_unannotated", split, detail, fix))
        elif told["lacking"] and told["shards_to_fetch"] and not manifest.split(split).class_by_shard:
            size = f" ({human_size(told['bytes_to_fetch'])})" if told["bytes_to_fetch"] else ""
            detail = (
                f"{told['lacking']:,} of {told['listed']:,} clips are not here, and nothing tells which of "
                f"its {told['shards']:,} shards hold them: a mirror of the split reads "
                f"{told['shards_to_fetch']:,} of them{size}"
            )
            fix = f"{run.command('mirror', '--split', split)}; or adopt archives, or more clips, first"
            run.find(Finding("adopt_refetch", split, detail, fix))
