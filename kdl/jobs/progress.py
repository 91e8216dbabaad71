"""How far a transfer is that is made of parts, or that tells of itself."""

from __future__ import annotations

from kdl import events
from kdl.settings import MIB


class Progress:
    """What has come of a shard, told now and then."""

    def __init__(self, emit: events.Listener, name: str) -> None:
        self._emit = emit
        self._name = name
        self._told = 0
        self.received = 0
        self.fetched = 0
        """Bytes that came over the network."""

    def start(self, split: str, size: int | None) -> None:
        """Parts of ``size`` bytes together are asked for."""
        self._emit(events.TransferStarted(self._name, "shard", split, size, 0))

    def add(self, count: int) -> None:
        """So many bytes have come."""
        self.received += count
        self.fetched += count
        if self.received - self._told >= MIB:
            self.tell()

    def tell(self) -> None:
        """Now, and not only with the next MiB."""
        if self.received > self._told:
            self._told = self.received
            self._emit(events.TransferProgress(self._name, self.received))

    def hear(self, event: events.Event) -> None:
        """Listens to a transfer that tells of itself."""
        match event:
            case events.TransferStarted():
                self.received = event.resumed
            case events.TransferProgress():
                self.fetched += max(event.received - self.received, 0)
                self.received = event.received
        self._emit(event)
