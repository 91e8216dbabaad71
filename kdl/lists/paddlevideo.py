"""PaddleVideo: ``VideoDataset`` and ``FrameDataset``.

Both split a stripped line at blanks and put ``data_prefix`` before the path. Its own lists hold the
class folder and the clip's name with the extension, for folders of frames too. Its sampler counts
images from 1; what they are called is said by ``suffix``.
"""

from kdl.lists.consumer import Anchor, Consumer, Form

PADDLEVIDEO = Consumer(
    name="paddlevideo",
    anchor=Anchor.SPLIT,
    forms={
        "video": (Form("{split}.list", 'data_prefix: "{base}"'),),
        "frames": (
            Form(
                "{split}_frames.list",
                "data_prefix: \"{base}\", suffix: '{template}'",
                "{path} {frames} {id}",
                first=1,
            ),
        ),
    },
    usual=True,
)
