"""The story of each shard, told as it happens: one event for each step of its way."""

from __future__ import annotations

import time
from dataclasses import dataclass

from kdl import events


@dataclass(slots=True)
class _Story:
    split: str
    size: int | None
    received: int = 0
    began: float | None = None


class Timeline:
    """Stands before a listener: hands every event on, and tells behind it what it means for a shard.

    Only the shards that were queued have a story. For the loop's thread.
    """

    def __init__(self, emit: events.Listener) -> None:
        self._emit = emit
        self._stories: dict[str, _Story] = {}

    def queue(self, name: str, split: str, size: int | None) -> None:
        """The shard ``name`` is to be fetched."""
        self._stories[name] = _Story(split, size)
        self.reach(name, "queued")

    def begin(self, name: str) -> None:
        """The shard's turn has come."""
        self._stories[name].began = time.monotonic()

    def hear(self, event: events.Event) -> None:
        """Hand an event on; a listener itself."""
        self._emit(event)
        match event:
            case events.TransferStarted() if event.name in self._stories:
                story = self._stories[event.name]
                story.received, story.size = event.resumed, event.size
                self.reach(event.name, "resumed" if event.resumed else "started")
            case events.TransferProgress() if event.name in self._stories:
                self._stories[event.name].received = event.received
            case events.RetryScheduled() if event.subject in self._stories:
                self.reach(event.subject, "retried", event.cause)
            case events.TransferEnded() if event.name in self._stories:
                story = self._stories[event.name]
                story.received = event.received or story.received
                self.reach(event.name, event.state, event.error)
                del self._stories[event.name]

    def reach(self, name: str, state: str, detail: str = "", *, received: int | None = None) -> None:
        """The shard is at ``state``, a word of :class:`kdl.events.ShardChanged`."""
        story = self._stories[name]
        if received is not None:
            story.received = received
        seconds = 0.0 if story.began is None else round(time.monotonic() - story.began, 3)
        self._emit(events.ShardChanged(name, story.split, state, story.received, story.size, seconds, detail))
