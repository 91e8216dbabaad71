"""kdl mirrors the Kinetics video datasets: fetched, verified, repaired, resized and listed.

``kdl.mirror("k400", root="/data/kinetics")`` does what the command ``kdl mirror`` does, and so for every
verb; ``kdl.open("/data/kinetics/k400")`` reads what is there. docs/python.md tells all names. What is not
in ``__all__`` here or in :mod:`kdl.aio` is internal.

Names are loaded when they are asked for, so that ``import kdl`` costs nothing.
"""

from importlib import import_module as _import_module
from typing import TYPE_CHECKING as _TYPE_CHECKING
from typing import Any as _Any

if _TYPE_CHECKING:
    from kdl import aio, errors, events
    from kdl.api import (
        adopt,
        annotated,
        compare_annotations,
        config,
        datasets,
        demo,
        derive,
        describe_annotations,
        doctor,
        export,
        fetch_only,
        init_manifest,
        mirror,
        nightly,
        overlap,
        pack,
        plan,
        plan_repair,
        repair,
        show,
        status,
        verify,
        watch,
        write_lists,
        write_report,
    )
    from kdl.api.mirrors import Clip, Mirror, open
    from kdl.api.results import (
        Checkup,
        DatasetInfo,
        Exported,
        MirrorPlan,
        PlannedObject,
        PlannedVolume,
        RepairPlan,
        RepairShard,
        ShownClip,
        Status,
    )
    from kdl.dataset.draft import ManifestDraft
    from kdl.errors import (
        ArchiveError,
        ClusterError,
        DiskFull,
        FetchError,
        Hung,
        KdlError,
        LedgerError,
        LockHeld,
        MachineError,
        ManifestError,
        MediaError,
        PermanentError,
        SourceChanged,
        ToolMissing,
        TransientError,
        UsageError,
        WorkerLost,
    )
    from kdl.events import Bus, Event
    from kdl.jobs.configview import Config
    from kdl.jobs.doctor_check import Check
    from kdl.jobs.watching import Glance, Watch
    from kdl.values import Cause, ClipKey, Facts, Finding, Level, RunSummary, Verdict

__version__ = "0.1.0"

__all__ = [
    "ArchiveError",
    "Bus",
    "Cause",
    "Check",
    "Checkup",
    "Clip",
    "ClipKey",
    "ClusterError",
    "Config",
    "DatasetInfo",
    "DiskFull",
    "Event",
    "Exported",
    "Facts",
    "FetchError",
    "Finding",
    "Glance",
    "Hung",
    "KdlError",
    "LedgerError",
    "Level",
    "LockHeld",
    "MachineError",
    "ManifestDraft",
    "ManifestError",
    "MediaError",
    "Mirror",
    "MirrorPlan",
    "PermanentError",
    "PlannedObject",
    "PlannedVolume",
    "RepairPlan",
    "RepairShard",
    "RunSummary",
    "ShownClip",
    "SourceChanged",
    "Status",
    "ToolMissing",
    "TransientError",
    "UsageError",
    "Verdict",
    "Watch",
    "WorkerLost",
    "__version__",
    "adopt",
    "aio",
    "annotated",
    "compare_annotations",
    "config",
    "datasets",
    "demo",
    "derive",
    "describe_annotations",
    "doctor",
    "errors",
    "events",
    "export",
    "fetch_only",
    "init_manifest",
    "mirror",
    "nightly",
    "open",
    "overlap",
    "pack",
    "plan",
    "plan_repair",
    "repair",
    "show",
    "status",
    "verify",
    "watch",
    "write_lists",
    "write_report",
]

_HOMES = (
    "kdl.errors",
    "kdl.values",
    "kdl.events",
    "kdl.api",
    "kdl.api.results",
    "kdl.api.mirrors",
    "kdl.dataset.draft",
    "kdl.jobs.doctor_check",
    "kdl.jobs.watching",
    "kdl.jobs.configview",
)
"""Where the names are at home, the quickest to load first."""


def __getattr__(name: str) -> _Any:
    if name in ("aio", "errors", "events"):
        return _import_module(f"kdl.{name}")
    if name in __all__:
        for home in map(_import_module, _HOMES):
            if hasattr(home, name):
                found = globals()[name] = getattr(home, name)
                return found
    raise AttributeError(f"module 'kdl' has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
