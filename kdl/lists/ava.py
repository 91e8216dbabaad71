"""Lists of boxes in AVA's form, for MMAction2's ``AVAKineticsDataset`` and for PySlowFast.

A line of boxes is ``clip,second,x1,y1,x2,y2,action,-1``: seconds are whole ones of the YouTube video, -1
stands for "nobody in particular". Neither reader takes a line of names, an empty cell or part of a second.

MMAction2 puts ``data_prefix['img']`` before the clip, takes the seconds at which it begins and ends from
its name, counts 30 pictures a second from there, the first one as 1, and reads folders of pictures only.

PySlowFast reads films from their 900th second on and key-frames from the 902nd to the 1798th, at 30
pictures a second, each picture named in a list, of whose lines it uses the first word and the fourth. In
what is written for it a clip begins at second 902 therefore, and its first picture stands sixty times
before the others: that is what its reader shows of a clip that begins too late.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import TextIO

from kdl.errors import UsageError
from kdl.lists.rows import ListContext, ListRow, WrittenList
from kdl.lists.staging import Staging

NAME = "ava"
FPS = 30
"""Pictures a second that both readers count."""
ACTION_LIST = "ava_action_list.pbtxt"
EVALUATED_LIST = "ava_action_list_for_activitynet.pbtxt"
SLOWFAST = "slowfast/"
"""The folder of what PySlowFast reads, below the lists."""

_FILES = {
    "boxes": "ava_{split}.csv",
    "included": "ava_{split}_included_timestamps.csv",
    "excluded": "ava_{split}_excluded_timestamps.csv",
}
_FRAMES = f"{SLOWFAST}frame_lists/{{split}}.csv"
_FRAMES_HEAD = "original_vido_id video_id frame_id path labels\n"
_FIRST_SECOND = 902
_LEAD = (_FIRST_SECOND - 900) * FPS
_BREAKS = frozenset(', \t\n\r"')
"""What no clip's path may hold: readers split lines there."""


@dataclass(frozen=True, slots=True)
class BoxRow:
    """A key-frame of a clip that is here."""

    clip: ListRow
    youtube_id: str
    start: int
    """Of the clip, in seconds into the video."""
    end: int
    second: float
    """Of the key-frame, likewise."""
    boxes: tuple[tuple[float, float, float, float, int], ...]
    """x1, y1, x2, y2 in fractions, and the action; empty: looked at, and nobody there."""
    excluded: bool
    """Nobody should learn from it or be judged by it: the file ends before, or the hosts say so."""

    @property
    def offset(self) -> int:
        """The nearest whole second of the clip, from 0."""
        return min(max(int(self.second + 0.5), self.start), self.end - 1) - self.start


BoxRows = Callable[[str], Iterator[BoxRow]]
"""The key-frames of a split, those of a video in a row; read once, never held together."""


@dataclass(frozen=True, slots=True)
class Action:
    """Something that a person in a box can do."""

    number: int
    name: str
    evaluated: bool


def refuse_ava(context: ListContext, fps: int | None) -> None:
    """Raise UsageError unless the readers read such media right.

    ``fps`` is the recipe's; ``None`` where a clip keeps its own rate.
    """
    if context.kind == "video":
        return
    reason, fix = "", ""
    if context.kind == "flow":
        reason, fix = "its readers read no optical flow", "leave --recipe out, or name one of frames"
    elif fps != FPS:
        reason = (
            f"its readers count {FPS} pictures a second, and these come at {fps or 'the rate of the clip'}"
        )
        fix = f"--recipe frames-300, or one of your own with fps = {FPS}"
    elif context.pictures.first != 1:
        reason = f"its readers count pictures from 1, and these begin at {context.pictures.first}"
        fix = "make a recipe with start = 1"
    elif context.keep_extension:
        reason = "its readers look for a clip's times at the end of its folder's name, and find .mp4 there"
        fix = "make a recipe without keep_extension"
    if reason:
        raise UsageError(reason, subject=NAME, fix=fix)


def write_ava(
    rows: BoxRows, context: ListContext, splits: Sequence[str], actions: Sequence[Action]
) -> list[WrittenList]:
    """The boxes, the key-frames looked at and those left out of each split, and the actions last.

    Of folders of pictures also what PySlowFast reads. Nothing appears under a final name before all of it
    is whole; a file that would hold nothing is removed. Raises UsageError for a path that holds a blank, a
    comma or a double quote; MachineError if the folder can not be written.
    """
    with Staging(context.out_dir) as stage:
        written = [result for split in splits for result in _Split(context, split).write(rows(split), stage)]
        if actions and any(result.path for result in written):
            evaluated = [action for action in actions if action.evaluated]
            written.append(_write_actions(context, stage, ACTION_LIST, actions))
            written.append(_write_actions(context, stage, EVALUATED_LIST, evaluated))
        stage.commit()
    return written


def _write_actions(context: ListContext, stage: Staging, name: str, actions: Sequence[Action]) -> WrittenList:
    with stage.open(name) as out:
        out.writelines(f'item {{\n  name: "{action.name}"\n  id: {action.number}\n}}\n' for action in actions)
    note = f"label_file='{context.out_dir / name}'"
    if context.kind == "frames":
        note += f" AVA.LABEL_MAP_FILE '../{name}'"
    return WrittenList("", context.out_dir / name, len(actions), note)


class _Form:
    """The three files that one reader wants of a split, by its own clock."""

    def __init__(self, stage: Staging, stack: ExitStack, split: str, folder: str, first: int | None) -> None:
        """``first``: the second that every clip begins at; ``None`` for that of its video."""
        self.names = {what: folder + name.format(split=split) for what, name in _FILES.items()}
        self._out = {what: stack.enter_context(stage.open(name)) for what, name in self.names.items()}
        self._first = first
        self.lines: Counter[str] = Counter()

    def put(self, path: str, row: BoxRow) -> None:
        second = (row.start if self._first is None else self._first) + row.offset
        self._write("excluded" if row.excluded else "included", f"{path},{second}\n")
        for *corners, action in () if row.excluded else row.boxes:
            box = ",".join(f"{corner:g}" for corner in corners)
            self._write("boxes", f"{path},{second},{box},{action},-1\n")

    def _write(self, what: str, line: str) -> None:
        self._out[what].write(line)
        self.lines[what] += 1


class _Split:
    """One split's files, of one reader or of both."""

    def __init__(self, context: ListContext, split: str) -> None:
        self._context = context
        self._split = split
        self._frames = _FRAMES.format(split=split)
        self._doubles = 0
        self._unwanted = 0

    def write(self, rows: Iterator[BoxRow], stage: Staging) -> list[WrittenList]:
        pictures = self._context.kind == "frames"
        with ExitStack() as stack:
            mine = _Form(stage, stack, self._split, "", None)
            slow = _Form(stage, stack, self._split, SLOWFAST, _FIRST_SECOND) if pictures else None
            frames = stack.enter_context(stage.open(self._frames)) if pictures else None
            forms = [mine] if slow is None else [mine, slow]
            self._fill(rows, forms, frames)
        for form in forms:
            for what, name in form.names.items():
                # an evaluation opens the file of what is excluded, whether anything is or not
                if not (form.lines[what] or (what == "excluded" and form.lines["boxes"])):
                    stage.drop(name)
        if slow is None or not slow.lines["boxes"]:
            stage.drop(self._frames)
        return self._told(mine, slow)

    def _fill(self, rows: Iterator[BoxRow], forms: list[_Form], frames: TextIO | None) -> None:
        if frames:
            frames.write(_FRAMES_HEAD)
        video, seen, shown = "", set[tuple[str, int]](), set[str]()
        for row in rows:
            if row.clip.excluded:
                self._unwanted += 1
                continue
            path = self._path(row.clip)
            if row.youtube_id != video:
                video, seen, shown = row.youtube_id, set(), set()
            if (path, row.offset) in seen:
                self._doubles += 1
                continue
            seen.add((path, row.offset))
            for form in forms:
                form.put(path, row)
            if frames and row.boxes and not row.excluded and path not in shown:
                shown.add(path)
                frames.writelines(self._pictures(path, row.clip.frames or 0))

    def _path(self, clip: ListRow) -> str:
        """The clip below the folder of the splits."""
        context = self._context
        leaf = clip.name if context.kind == "video" else PurePath(clip.name).stem
        folder = context.media(clip.split).relative_to(context.media_root)
        path = str(folder / clip.class_dir / leaf)
        if not _BREAKS.isdisjoint(path):
            raise UsageError(
                "a path in this list can hold no blank, comma or double quote: readers split lines there",
                subject=path,
                fix="keep the mirror's class folders in the default style, which writes _ for a blank",
            )
        return path

    def _pictures(self, path: str, count: int) -> Iterator[str]:
        """Lines of the list of pictures: the first one for as long as the reader passes over."""
        pictures = self._context.pictures
        for number in (*[pictures.first] * _LEAD, *range(pictures.first, pictures.first + count)):
            yield f'{path} 0 {number} {path}/{pictures.pattern % number} ""\n'

    def _told(self, mine: _Form, slow: _Form | None) -> list[WrittenList]:
        out = self._context.out_dir
        counts = (
            (self._doubles, "key-frames left out: another has their second"),
            (self._unwanted, "key-frames of the exclusion list left out"),
        )
        left_out = "".join(f"; {count} {why}" for count, why in counts if count)
        if not mine.lines:
            why = f"no list: no key-frame of a clip that is here{left_out}"
            return [WrittenList(self._split, None, 0, why, self._unwanted)]
        told = [
            WrittenList(
                self._split, out / name, mine.lines[what], self._setting(what) + left_out, self._unwanted
            )
            for what, name in mine.names.items()
            if mine.lines[what]
        ]
        if slow is not None and slow.lines["boxes"]:
            path = out / slow.names["boxes"]
            told.append(WrittenList(self._split, path, slow.lines["boxes"], self._slowfast(slow)))
        return told

    def _setting(self, what: str) -> str:
        """How MMAction2 is told."""
        context = self._context
        if what != "boxes":
            return (
                "exclude_file" if what == "excluded" else "every key-frame looked at, those without a box too"
            )
        base = f"data_prefix=dict(img='{context.media_root}')"
        if context.kind == "video":
            return f"paths begin at {context.media_root}; MMAction2 and PySlowFast want --recipe frames-300"
        return f"AVAKineticsDataset: {base}, filename_tmpl='{context.pictures.template}'"

    def _slowfast(self, slow: _Form) -> str:
        """How PySlowFast is told."""
        folder = self._context.out_dir / SLOWFAST
        told = [
            f"AVA.FRAME_DIR '{self._context.media_root}'",
            f"AVA.FRAME_LIST_DIR '{folder}/frame_lists'",
            f"AVA.ANNOTATION_DIR '{folder}'",
        ]
        if self._split == "train":
            told.append(f"AVA.TRAIN_LISTS \"['{self._split}.csv']\"")
            told.append(f"AVA.TRAIN_GT_BOX_LISTS \"['{Path(slow.names['boxes']).name}']\"")
            told.append("AVA.TRAIN_PREDICT_BOX_LISTS '[]'")
        else:
            told.append(f"AVA.TEST_LISTS \"['{self._split}.csv']\" AVA.FULL_TEST_ON_VAL True")
            told.append(f"AVA.GROUNDTRUTH_FILE '{Path(slow.names['boxes']).name}'")
            told.append(f"AVA.EXCLUSION_FILE '{Path(slow.names['excluded']).name}'")
        return " ".join(told)
