"""Lists of clips for trainers, and links to the clips in the layouts that trainers look for.

Where no reader wants it otherwise a line is ``path<SP>id<LF>``, or ``path<SP>frames<SP>id<LF>`` for
folders of frames: UTF-8, no blank in a path, no blank line, nothing after the last number. Readers do
not complain about other forms, they misread them: a tab can become "no label" or label 0, a second
blank a missing value. ``docs/lists.md`` tells what each consumer reads.
"""

from kdl.lists.consumers import CONSUMERS, USUAL
from kdl.lists.labels import read_label_map
from kdl.lists.rows import ListContext, ListRow, Pictures, WrittenList
from kdl.lists.write import write_lists

__all__ = [
    "CONSUMERS",
    "USUAL",
    "ListContext",
    "ListRow",
    "Pictures",
    "WrittenList",
    "read_label_map",
    "write_lists",
]
