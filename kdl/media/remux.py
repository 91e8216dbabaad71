"""A clip as an mp4 without encoding its pictures: another container round the same packets.

What is an mp4 already, whatever it is called, is taken as it is: a hard link where there can be one.
"""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import av

from kdl.errors import MediaError
from kdl.media.child import Deadline, run_child
from kdl.media.decode import first_video
from kdl.media.graph import FORMATS, copy_command
from kdl.media.transcode import Transcoded, judged

MP4_VIDEO = frozenset({"h264", "hevc", "av1", "vp9", "mpeg4", "mpeg1video", "mpeg2video"})
"""Those that ffmpeg's mp4 muxer has a place for; VP8 and Theora are not among them."""


def remux(clip: Path, made: Path, deadline: Deadline) -> Transcoded:
    """Make ``made`` an mp4 of the clip's packets; ``decoded`` tells how many of the video there are.

    Raises MediaError where its video can not go into an mp4 as it is, OSError where the disk refuses.
    """
    try:
        with av.open(f"file:{clip}", options={"format_whitelist": FORMATS}) as container:
            stream = first_video(container.streams.video)
            vcodec, sounds = stream.codec_context.name, container.streams.audio
            acodec = sounds[0].codec_context.name if sounds else None
            is_mp4 = "mp4" in container.format.name.split(",")
            packets = sum(1 for packet in container.demux(stream) if packet.size)
    except av.FFmpegError as error:
        raise MediaError(f"can not be read: {error}") from error
    if is_mp4:
        _link_or_copy(clip, made)
        return Transcoded(packets, 0, "")
    if vcodec not in MP4_VIDEO:
        raise MediaError(
            f"its {vcodec} video can not go into an mp4 as it is: use a recipe that encodes, such as 256p"
        )
    ran = judged(run_child(copy_command(clip, made, acodec), timeout=deadline.left), deadline)
    return Transcoded(packets, 0, ran.complaint)


def _link_or_copy(clip: Path, made: Path) -> None:
    try:
        os.link(clip, made)
    except OSError:  # another file system, or one without links
        shutil.copyfile(clip, made)
