"""What distinguishes one consumer's lists from another's."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum
from pathlib import PurePath

from kdl.lists.rows import ListContext, ListRow


class Anchor(Enum):
    """Where a list's paths begin."""

    SPLIT = "split"
    """At the split's folder."""
    MEDIA = "media"
    """At the folder of the splits."""
    ABSOLUTE = "absolute"


@dataclass(frozen=True, slots=True)
class Consumer:
    """One family of list readers.

    The file names are templates over ``prefix`` and ``split``; the settings, which tell a person how
    to point the trainer at the clips, are templates over ``base`` (the folder that the paths are
    relative to) and ``lists`` (the folder of the lists).
    """

    name: str
    anchor: Anchor
    videos: str
    videos_setting: str
    frames: str | None = None
    """``None``: its reader takes no folders of frames."""
    frames_setting: str = ""
    frame_count: bool = True
    """Lines for folders of frames tell how many there are."""

    def file_name(self, context: ListContext, split: str) -> str:
        """The base name of a split's list."""
        template = self.videos if context.kind == "video" else self.frames
        assert template is not None, "refused before the first split"
        return template.format(prefix=context.dataset_prefix, split=split)

    def setting(self, context: ListContext, split: str) -> str:
        """How the trainer is told where the clips are; empty where the lists say it themselves."""
        template = self.videos_setting if context.kind == "video" else self.frames_setting
        base = context.media_root / split if self.anchor is Anchor.SPLIT else context.media_root
        return template.format(base=base, lists=context.out_dir)

    def start(self, context: ListContext, split: str) -> str:
        """What every path of a split's list begins with."""
        match self.anchor:
            case Anchor.SPLIT:
                return ""
            case Anchor.MEDIA:
                return f"{split}/"
            case Anchor.ABSOLUTE:
                return f"{context.media_root}/{split}/"

    def fields(self, context: ListContext, row: ListRow) -> tuple[str, str]:
        """The path of a row below :meth:`start`, and what stands between it and the id."""
        folder = f"{row.class_dir}/" if row.class_dir else ""
        if context.kind == "video":
            return folder + row.name, ""
        leaf = row.name if context.keep_extension else PurePath(row.name).stem
        return folder + leaf, f" {row.frames}" if self.frame_count else ""
