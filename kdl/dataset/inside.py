"""What the names inside a shard tell of its clips: their keys, and the classes they belong to."""

from __future__ import annotations

from dataclasses import dataclass

from kdl.dataset.labels import LabelMap
from kdl.dataset.specs import SplitSpec
from kdl.values import ClipKey


@dataclass(frozen=True, slots=True)
class ShardNames:
    """The names inside one shard, read as its split's manifest has it. Picklable."""

    spec: SplitSpec
    labels: LabelMap
    class_hint: str | None
    """The class of all its clips, where the shard's own name or rank tells."""

    def key(self, base_name: str) -> ClipKey | None:
        """The key that a name tells; None where it is no clip's.

        It lacks times where the name does, though the clip may be annotated with some.
        """
        name = self.spec.read_name(base_name)
        return None if name is None else name.key(self.spec.name)

    def label(self, member: str) -> str | None:
        """The class that the folder of a member says, else the shard's; None where neither does."""
        if not self.spec.labelled:
            return None
        folder = self._folder(member)
        if folder and (label := self.labels.find(folder)):
            return label
        if folder and not len(self.labels) and self.spec.class_from == "folder":
            return folder
        return self.class_hint

    def _folder(self, member: str) -> str:
        """The clip's folder in the archive, without those that only wrap it all."""
        parts = [part for part in member.split("/")[:-1] if part not in ("", ".")]
        return next(reversed(parts[self.spec.strip :]), "")
