"""Lists of clips, in the one dialect that the trainers' readers share.

A line is ``path<SP>id<LF>``, or ``path<SP>frames<SP>id<LF>`` for folders of frames: UTF-8, no blank
in a path, no blank line, nothing after the last number. Readers do not complain about other forms,
they misread them: a tab can become "no label" or label 0, a second blank a missing value.
``docs/lists.md`` tells what each consumer's paths are relative to.
"""

from kdl.lists.labels import read_label_map
from kdl.lists.rows import ListContext, ListRow, WrittenList
from kdl.lists.write import CONSUMERS, write_lists

__all__ = ["CONSUMERS", "ListContext", "ListRow", "WrittenList", "read_label_map", "write_lists"]
