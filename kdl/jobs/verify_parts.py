"""Which part of a mirror tonight's look is about, so that each night takes the next one."""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from hashlib import sha256

from kdl.jobs.verify_options import Subset
from kdl.ledger.clips import Scope, set_meta
from kdl.ledger.ledger import Ledger
from kdl.values import Level


@dataclass(frozen=True, slots=True)
class Turn:
    """A part whose turn it is."""

    key: str
    """Of the ledger's ``meta``."""
    part: int
    """From 0."""
    begun: float
    """Unix seconds: what was looked at since then belongs to this turn, an interrupted run's as well."""
    ended: tuple[float, ...]
    """When each part was last gone through; 0 for never."""


def take_turn(ledger: Ledger, subset: Subset, level: Level, scope: Scope) -> Turn:
    """The part that was begun and not gone through, else the one that was longest not; kept in the ledger.

    Where several are equal it is ``subset.part`` or the next after it. Each level, number of parts and
    selection goes round by itself.
    """
    chosen = json.dumps([scope.splits, scope.class_dirs])
    key = f"verify.{level}.{subset.parts}.{sha256(chosen.encode()).hexdigest()[:12]}"
    known = json.loads(ledger.meta(key) or "{}")
    ended = tuple(known.get("ended") or [0.0] * subset.parts)
    if known.get("begun"):
        return Turn(key, known["part"], known["begun"], ended)
    order = sorted(range(subset.parts), key=lambda at: (ended[at], (at - subset.part + 1) % subset.parts))
    turn = Turn(key, order[0], time.time(), ended)
    _keep(ledger, turn, begun=turn.begun)
    return turn


def end_turn(ledger: Ledger, turn: Turn) -> None:
    """The part was gone through: the next run takes another."""
    ended = (*turn.ended[: turn.part], time.time(), *turn.ended[turn.part + 1 :])
    _keep(ledger, Turn(turn.key, turn.part, turn.begun, ended), begun=None)


def _keep(ledger: Ledger, turn: Turn, *, begun: float | None) -> None:
    value = json.dumps({"part": turn.part, "begun": begun, "ended": turn.ended})
    ledger.write(lambda c: set_meta(c, turn.key, value)).result()
