"""Clips to facts, facts to verdicts.

``structure`` and the two readers (``pyav``, ``ffprobe``) gather, ``reading`` turns what they gathered
into :class:`~kdl.values.Facts`, ``judge`` decides, ``inspect`` is the whole for one clip.
"""
