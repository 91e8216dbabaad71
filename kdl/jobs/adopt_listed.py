"""Which clips there are, without the network: from a folder of annotations, or those the mirror has."""

from __future__ import annotations

import shutil
from pathlib import Path

from kdl.check.hashes import sha256_file
from kdl.dataset.specs import Manifest
from kdl.errors import UsageError
from kdl.jobs.listings import take_annotation
from kdl.jobs.run import Run
from kdl.jobs.style import Style


def bring_annotations(run: Run, manifest: Manifest, style: Style, given: Path | None) -> None:
    """Let the ledger know what is listed: as ``given`` has it, else as the mirror does. Runs in a thread.

    Raises UsageError where ``given`` has no annotation, KdlError for one that can not be read.
    """
    specs = [(spec, spec.annotation.file_name) for spec in manifest.splits if spec.annotation is not None]
    if given is not None and not any((given / name).is_file() for _, name in specs):
        names = ", ".join(name for _, name in specs)
        raise UsageError("no annotation lies here", subject=str(given), fix=f"they are called {names}")
    run.paths.annotations.mkdir(parents=True, exist_ok=True)
    for spec, name in specs:
        path = run.paths.annotations / name
        source = given / name if given is not None else path
        if source.is_file() and source.resolve() != path.resolve():
            temp = path.with_name(f".{name}.tmp")
            shutil.copyfile(source, temp)
            temp.replace(path)
        if path.is_file():
            take_annotation(run, manifest, spec, path, sha256_file(str(path)), style)
