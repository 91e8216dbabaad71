"""VideoMAE, VideoMAEv2 and InternVideo.

VideoMAE and VideoMAEv2 read ``train.csv``, ``val.csv`` and ``test.csv`` in one folder with pandas, a
single blank between the fields, and open the first field as it is. VideoMAEv2's
``RawFrameClsDataset`` takes the second field for the number of images and the last for the id;
VideoMAE itself reads videos only. VideoMAEv2's pretraining wants a path, the number of the first
image and how many there are, 0 and -1 for a video; it looks at no label.

InternVideo2's single-modality code reads the same three names, puts ``--prefix`` before a path and
splits lines at ``--split``; its pretraining takes one of the lists by its name. Its Kinetics readers
open videos only.
"""

from kdl.lists.consumer import BLANK, COMMA, TAB, Anchor, Consumer, Form

VIDEOMAE = Consumer(
    name="videomae",
    anchor=Anchor.ABSOLUTE,
    forms={
        "video": (Form("{split}.csv", "--data_path '{lists}'"),),
        "frames": (
            Form(
                "{split}.csv",
                "--data_path '{lists}' --fname_tmpl '{template}' --start_idx {first}"
                " (VideoMAEv2's RawFrameClsDataset)",
                "{path} {frames} {id}",
            ),
        ),
    },
    usual=True,
)

_PRETRAIN = "{split}_pretrain.csv"

VIDEOMAEV2 = Consumer(
    name="videomaev2",
    anchor=Anchor.ABSOLUTE,
    forms={
        "video": (
            Form("{split}.csv", "--data_path '{lists}' --data_root ''"),
            Form(_PRETRAIN, "--data_path '{lists}/{file}' --data_root ''", "{path} 0 -1", labelled=False),
        ),
        "frames": (
            Form(
                "{split}.csv",
                "--data_path '{lists}' --data_root '' --fname_tmpl '{template}' --start_idx {first}"
                " (RawFrameClsDataset)",
                "{path} {frames} {id}",
            ),
            Form(
                _PRETRAIN,
                "--data_path '{lists}/{file}' --data_root '' --fname_tmpl '{template}'",
                "{path} {first} {frames}",
                labelled=False,
            ),
        ),
    },
)

INTERNVIDEO = Consumer(
    name="internvideo",
    anchor=Anchor.MEDIA,
    forms={"video": (Form("{split}.csv", "--data_path '{lists}' --prefix '{base}'"),)},
    separators=(BLANK, COMMA, TAB),
    separator_setting=" --split {separator}",
)
