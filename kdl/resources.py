"""Where the data files that ship with kdl lie."""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path

from kdl.errors import MachineError


def shipped(name: str) -> Path:
    """The path of a file or folder under ``manifests/``: ``recipes.toml``, ``k400.toml``, ``labels``.

    An installed kdl has them beside its modules (``kdl/manifests``), a checkout one folder higher.
    Raises MachineError where neither is there.
    """
    package = Path(str(files("kdl")))
    for folder in (package / "manifests", package.parent / "manifests"):
        if (found := folder / name).exists():
            return found
    raise MachineError("does not come with this copy of kdl", subject=name, fix="install kdl again")
