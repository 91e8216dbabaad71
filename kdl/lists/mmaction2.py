"""MMAction2: ``VideoDataset`` and ``RawframeDataset``.

Both split a stripped line at blanks and put ``data_prefix`` before the path, which is the folder of
one split: the class folder stands first in a line. ``RawframeDataset`` numbers images from 1 and
expects them as ``img_{:05}.jpg`` unless ``filename_tmpl`` says otherwise.
"""

from kdl.lists.consumer import Anchor, Consumer

MMACTION2 = Consumer(
    name="mmaction2",
    anchor=Anchor.SPLIT,
    videos="{prefix}_{split}_list_videos.txt",
    videos_setting="data_prefix=dict(video='{base}')",
    frames="{prefix}_{split}_list_rawframes.txt",
    frames_setting="data_prefix=dict(img='{base}')",
)
