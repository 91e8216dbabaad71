"""PySlowFast and its descendants: TimeSformer, MViT, UniFormer.

They read ``<mode>.csv`` in ``DATA.PATH_TO_DATA_DIR``, split a line at ``DATA.PATH_LABEL_SEPARATOR``
(a blank by default) and put ``DATA.PATH_PREFIX`` before the path. One prefix serves all modes, so a
path begins with its split. Their Kinetics reader opens videos only; of a line with three fields it
would drop the middle one.
"""

from kdl.lists.consumer import Anchor, Consumer

SLOWFAST = Consumer(
    name="slowfast",
    anchor=Anchor.MEDIA,
    videos="{split}.csv",
    videos_setting="DATA.PATH_TO_DATA_DIR '{lists}' DATA.PATH_PREFIX '{base}'",
)
