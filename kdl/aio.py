"""The functions of ``kdl``, to be awaited: ``await kdl.aio.mirror("k400", root="/data/kinetics")``.

Cancelled, a run records what it has before CancelledError goes on; those that only read go on to
their end in a thread.
"""

from __future__ import annotations

from kdl.api import asking, making
from kdl.api.annotating import compare_annotations, describe_annotations, overlap
from kdl.api.asking import demo
from kdl.api.calling import awaitable
from kdl.api.extras import annotated
from kdl.api.keeping import adopt, nightly, plan_repair, repair, verify
from kdl.api.making import derive, pack, write_lists, write_report
from kdl.api.manifests import init_manifest
from kdl.api.mirroring import fetch_only, mirror, plan

__all__ = [
    "adopt",
    "annotated",
    "compare_annotations",
    "config",
    "datasets",
    "demo",
    "derive",
    "describe_annotations",
    "doctor",
    "export",
    "fetch_only",
    "init_manifest",
    "mirror",
    "nightly",
    "overlap",
    "pack",
    "plan",
    "plan_repair",
    "repair",
    "status",
    "verify",
    "write_lists",
    "write_report",
]

export = awaitable(making.export)
status = awaitable(asking.status)
datasets = awaitable(asking.datasets)
config = awaitable(asking.config)
doctor = awaitable(asking.doctor)
