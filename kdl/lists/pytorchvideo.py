"""PyTorchVideo: ``LabeledVideoPaths.from_csv``, which ``Kinetics`` and ``labeled_video_dataset`` use.

It takes the last word of a line for the id and all before it for the path, and puts
``video_path_prefix`` before that. A path that is a folder is read as a video of images at 30 a
second, however many they are: a number of frames in the line would become part of the path.
"""

from kdl.lists.consumer import Anchor, Consumer, Form

PYTORCHVIDEO = Consumer(
    name="pytorchvideo",
    anchor=Anchor.MEDIA,
    forms={
        "video": (Form("{split}.csv", "video_path_prefix='{base}'"),),
        "frames": (
            Form(
                "{split}.csv",
                "video_path_prefix='{base}', decode_audio=False (frames are taken for 30 a second)",
            ),
        ),
    },
    usual=True,
)
