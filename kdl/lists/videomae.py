"""VideoMAE, VideoMAEv2 and InternVideo, and whatever else wants absolute paths (DALI's ``file_list``).

They read ``train.csv``, ``val.csv`` and ``test.csv`` in one folder with pandas, a single blank
between the fields, and open the first field as it is. VideoMAEv2's ``RawFrameClsDataset`` takes the
second field for the number of images and the last for the id; VideoMAE itself reads videos only.
"""

from kdl.lists.consumer import Anchor, Consumer

VIDEOMAE = Consumer(
    name="videomae",
    anchor=Anchor.ABSOLUTE,
    videos="{split}.csv",
    videos_setting="--data_path '{lists}'",
    frames="{split}.csv",
    frames_setting="--data_path '{lists}' (VideoMAEv2's RawFrameClsDataset)",
)
