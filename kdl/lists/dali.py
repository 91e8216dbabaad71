"""DALI: ``file_list`` of ``fn.readers.video``.

It reads words: a path, which it opens as it is, and an id of 0 or more; a third and a fourth word
would be the part of the video to read. Empty lines are passed over.
"""

from kdl.lists.consumer import Anchor, Consumer, Form

DALI = Consumer(
    name="dali",
    anchor=Anchor.ABSOLUTE,
    forms={"video": (Form("{split}_file_list.txt", "fn.readers.video(file_list='{lists}/{file}')"),)},
)
