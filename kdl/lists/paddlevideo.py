"""PaddleVideo: ``VideoDataset`` and ``FrameDataset``.

Both split a stripped line at blanks and put ``data_prefix`` before the path. Its own lists hold the
class folder and the clip's name with the extension, for folders of frames too.
"""

from kdl.lists.consumer import Anchor, Consumer

PADDLEVIDEO = Consumer(
    name="paddlevideo",
    anchor=Anchor.SPLIT,
    videos="{split}.list",
    videos_setting='data_prefix: "{base}"',
    frames="{split}_frames.list",
    frames_setting='data_prefix: "{base}"',
)
