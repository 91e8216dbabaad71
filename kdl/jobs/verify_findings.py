"""A finding for each clip that is bad or could not be looked at, from what the ledger has of it."""

from __future__ import annotations

import shlex
from collections import Counter
from pathlib import Path

from kdl.errors import MachineError
from kdl.jobs.run import Run
from kdl.ledger.checked import Trouble, match_found, troubles
from kdl.ledger.clips import Scope
from kdl.ledger.derivatives import damaged_derivatives
from kdl.values import Cause, Finding, Verdict

_BY_CAUSE = {Cause.CHANGED: "clip_changed", Cause.TRUNCATED: "clip_truncated"}


def verify_findings(run: Run, scope: Scope, *, bad: bool = True) -> None:
    """Of this run and of earlier ones: what is bad stays told until it is mended. Runs in a thread.

    ``bad``: tell of each bad clip; whoever has tried to mend them does that with better reason.
    """
    run.ledger.write(match_found).result()
    gone: Counter[str] = Counter()
    there: dict[str, bool] = {}
    for trouble in troubles(run.ledger.reader(), scope):
        subject = trouble.path or f"{trouble.split}/{trouble.class_dir}/{trouble.name or trouble.youtube_id}"
        if trouble.verdict not in (Verdict.MISSING, Verdict.CORRUPT):
            run.find(_could_not(run, subject, trouble), MachineError.exit_code)
            continue
        folder = str(Path(subject).parent)
        if trouble.verdict == Verdict.MISSING and trouble.path is not None and not trouble.found_path:
            there.setdefault(folder, (run.paths.base / folder).is_dir())
            gone[folder] += not there[folder]
        if bad:
            run.find(_bad(run, subject, trouble), 1)
    for folder in sorted(+gone):
        detail = f"the folder has gone, and with it {gone[folder]:,} clip{'s' * (gone[folder] != 1)}"
        run.find(Finding("folder_missing", folder, detail, run.command("repair")), 1)
    for recipe, path, why in damaged_derivatives(run.ledger.reader(), scope):
        fix = run.command("derive", "--recipe", recipe)
        run.find(Finding("derivative_damaged", f"derived/{recipe}/{path}", why, fix), 1)


def _could_not(run: Run, subject: str, trouble: Trouble) -> Finding:
    detail = trouble.detail or "it could not be read"
    if trouble.kind == "permission_lost":
        fix = shlex.join(("chmod", "u+r", str(run.paths.base / subject)))
        return Finding("permission_lost", subject, detail, fix)
    fix = "look at the disk and the system's log; then run the same again"
    return Finding("not_checked", subject, detail, fix)


def _bad(run: Run, subject: str, trouble: Trouble) -> Finding:
    fix = run.command("repair")
    if trouble.verdict == Verdict.CORRUPT:
        cause = trouble.cause or "corrupt"
        return Finding("corrupt_clip", subject, f"{cause}: {trouble.said}" if trouble.said else cause, fix)
    if trouble.kind == "clip_swapped":
        return Finding(
            "clip_swapped", subject, f"it holds the clip of {trouble.found_path}, and that one its", fix
        )
    if trouble.kind == "clip_renamed":
        base = run.paths.base
        back = shlex.join(("mv", "-n", str(base / str(trouble.found_path)), str(base / subject)))
        return Finding("clip_renamed", subject, f"it lies at {trouble.found_path}", back)
    kind = trouble.kind or _BY_CAUSE.get(trouble.cause, "missing_clip")  # type: ignore[call-overload]
    detail = trouble.detail or "the ledger has it, the disk has not"
    return Finding(kind, subject, detail, fix)
