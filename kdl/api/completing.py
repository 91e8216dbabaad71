"""Names that a shell completes; nothing is raised, and what can not be told is no name."""

from __future__ import annotations

from kdl.errors import KdlError


def dataset_names() -> list[str]:
    """The datasets that kdl knows by itself."""
    from kdl.dataset.manifest import shipped_manifests

    return shipped_manifests()


def split_names(dataset: str) -> list[str]:
    """A dataset's splits."""
    from kdl.dataset.manifest import load_manifest

    try:
        return list(load_manifest(dataset).split_names)
    except KdlError:
        return []


def class_names(dataset: str) -> list[str]:
    """A dataset's classes as their folders are named, without blanks."""
    from kdl.dataset.labels import class_dir
    from kdl.dataset.manifest import load_manifest

    try:
        return [class_dir(label, "mmaction2") for label in load_manifest(dataset).labels]
    except KdlError:
        return []


def recipe_names() -> list[str]:
    """The recipes that kdl knows by itself."""
    from kdl.media.cookbook import load_recipes

    return list(load_recipes())
