"""What workers do for derivatives: make them, and take the digests that ``kdl verify`` holds them to."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from kdl.check.hashes import sha256_tree
from kdl.media.task import OutputResult, RenderResult, RenderTask, render_durably, render_in_worker


@dataclass(frozen=True, slots=True)
class Rendered:
    """What became of one derivative, and the digest of what was made."""

    output: OutputResult
    sha256: str | None = None
    """None where nothing was made, or it could not be read back: the first look takes it then."""


def render_hashed(task: RenderTask) -> tuple[Rendered, ...]:
    """:func:`render_in_worker`; the bytes are still in memory, so that their digests cost next to nothing."""
    return _hashed(render_in_worker(task))


def render_hashed_durably(task: RenderTask) -> tuple[Rendered, ...]:
    """The same on another machine, with :func:`render_durably`."""
    return _hashed(render_durably(task))


def _hashed(result: RenderResult) -> tuple[Rendered, ...]:
    return tuple(Rendered(output, _digest(output)) for output in result.outputs)


def _digest(output: OutputResult) -> str | None:
    with contextlib.suppress(OSError):
        return sha256_tree(str(output.path)) if output.ok else None
    return None
