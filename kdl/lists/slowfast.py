"""PySlowFast and its descendants: TimeSformer, MViT, UniFormer.

They read ``<mode>.csv`` in ``DATA.PATH_TO_DATA_DIR``, split a line at ``DATA.PATH_LABEL_SEPARATOR``
(a blank by default, a comma in UniFormer's published settings) and put ``DATA.PATH_PREFIX`` before
the path. One prefix serves all modes, so a path begins with its split. Their Kinetics reader opens
videos only; of a line with three fields it would drop the middle one, or stop.
"""

import dataclasses

from kdl.lists.consumer import BLANK, COMMA, TAB, Anchor, Consumer, Form

SLOWFAST = Consumer(
    name="slowfast",
    anchor=Anchor.MEDIA,
    forms={"video": (Form("{split}.csv", "DATA.PATH_TO_DATA_DIR '{lists}' DATA.PATH_PREFIX '{base}'"),)},
    separators=(BLANK, COMMA, TAB),
    separator_setting=" DATA.PATH_LABEL_SEPARATOR {separator}",
    usual=True,
)
UNIFORMER = dataclasses.replace(SLOWFAST, name="uniformer", separators=(COMMA, BLANK, TAB), usual=False)
