"""Readers that sample pictures by their number: TSN and TSM, Tiny-Kinetics, SeCo, GluonCV.

All split a line at blanks into a path, a number of images and an id, and count images from 1.

TSM's ``TSNDataSet`` (the two-stream nets' reader) puts ``root_path`` before the path. Of flow it
knows ``flow_{}_{:05d}.jpg`` with x and y, else pictures that hold both. While training it passes
over clips of fewer than three images.

The reader that Tiny-Kinetics-400 was made for looks for ``<root>/<split>.txt``, drops up to two
extensions from a path, and opens ``<root>/<split>/<path>/frame_00001.jpg``. SeCo's own looks for
``<root>/<split>_list.txt`` and opens ``<root>/data/<path>/frame_000001.jpg``.

GluonCV's ``VideoClsCustom`` puts ``root`` before the path; for videos it asks the decoder how many
frames there are and passes over the number in the line. Its PyTorch reader joins ``data_path`` and
path without a slash.
"""

from kdl.lists.consumer import Anchor, Consumer, Form

_LINE = "{path} {frames} {id}"
_TSM = "TSNDataSet(root_path='{base}', list_file='{lists}/{file}', image_tmpl='{template}'"
_GLUONCV = "VideoClsCustom(root='{base}', setting='{lists}/{file}'"

TSM = Consumer(
    name="tsm",
    anchor=Anchor.SPLIT,
    forms={
        "frames": (Form("{split}_videofolder.txt", f"{_TSM}, modality='RGB')", _LINE, first=1),),
        "flow": (
            Form(
                "{split}_videofolder_flow.txt",
                f"{_TSM}, modality='Flow')",
                _LINE,
                first=1,
                pattern="flow_{}_%05d.jpg",
            ),
        ),
    },
)

TINYKINETICS = Consumer(
    name="tinykinetics",
    anchor=Anchor.SPLIT,
    forms={"frames": (Form("{split}.txt", "root='{lists}'", _LINE, first=1, pattern="frame_%05d.jpg"),)},
    link="{split}",
    clip_names=True,
)

SECO = Consumer(
    name="seco",
    anchor=Anchor.MEDIA,
    forms={"frames": (Form("{split}_list.txt", "root='{lists}'", _LINE, first=1, pattern="frame_%06d.jpg"),)},
    link="data/{split}",
)

GLUONCV = Consumer(
    name="gluoncv",
    anchor=Anchor.SPLIT,
    forms={
        "video": (
            Form(
                "{prefix}_{split}_list_videos.txt", f"{_GLUONCV}, video_loader=True, use_decord=True)", _LINE
            ),
        ),
        "frames": (
            Form(
                "{prefix}_{split}_list_rawframes.txt",
                f"{_GLUONCV}, name_pattern='{{pattern}}')",
                _LINE,
                first=1,
            ),
        ),
    },
)
