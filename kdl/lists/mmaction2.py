"""MMAction2: ``VideoDataset`` and ``RawframeDataset``.

Both split a stripped line at blanks and put ``data_prefix`` before the path, which is the folder of
one split: the class folder stands first in a line. ``RawframeDataset`` numbers images from 1 and
expects them as ``img_{:05}.jpg`` unless ``start_index`` and ``filename_tmpl`` say otherwise; with
``modality='Flow'`` it fills x and y into the template first and takes the second field for the
number of flow pictures.
"""

from kdl.lists.consumer import Anchor, Consumer, Form

_PICTURES = "data_prefix=dict(img='{base}'), filename_tmpl='{template}', start_index={first}"

MMACTION2 = Consumer(
    name="mmaction2",
    anchor=Anchor.SPLIT,
    forms={
        "video": (Form("{prefix}_{split}_list_videos.txt", "data_prefix=dict(video='{base}')"),),
        "frames": (Form("{prefix}_{split}_list_rawframes.txt", _PICTURES, "{path} {frames} {id}"),),
        "flow": (
            Form("{prefix}_{split}_list_flow.txt", f"{_PICTURES}, modality='Flow'", "{path} {frames} {id}"),
        ),
    },
    usual=True,
)
