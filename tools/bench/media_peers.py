"""What people run instead of ``kdl derive``: ffmpeg under xargs, and loops over OpenCV.

``python -m tools.bench.media_peers PEER LIST OUT`` works on the clips that the file LIST names, one a line.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path

CORES = len(os.sched_getaffinity(0))
SHORT_SIDE = "scale='if(gt(iw,ih),-2,{0})':'if(gt(iw,ih),{0},-2)'"
_QUIET = "ffmpeg -nostdin -hide_banner -loglevel error -y"


def resize(clips: Sequence[Path], out: Path) -> None:
    """A short side of 320 as MMAction2's script has it: ffprobe for the shape, then x264's defaults."""
    probe = "ffprobe -hide_banner -loglevel error -select_streams v:0 -show_entries stream=width,height"
    shape = f'$({probe} -of csv=p=0 "$1" | head -n 1)'
    scale = f"case $(awk -F, '{{print ($1 > $2)}}' <<< \"{shape}\") in 1) s=-2:320;; *) s=320:-2;; esac"
    _xargs(clips, out, f'{scale}; {_QUIET} -i "$1" -vf scale=$s -c:v libx264 -an "$2.mp4"')


def rawframes(clips: Sequence[Path], out: Path) -> None:
    """Every frame at a short side of 256, as ffmpeg's own JPEGs."""
    scale = SHORT_SIDE.format(256)
    one = f'{_QUIET} -threads 1 -i "$1" -vf "{scale}" -vsync vfr -threads 1 -q:v 2'
    _xargs(clips, out, f'mkdir "$2"; {one} "$2/img_%05d.jpg"')


def frames_300(clips: Sequence[Path], out: Path) -> None:
    """At most 300 frames, 30 a second, 340x256."""
    scale = "fps=30,scale=340:256"
    work = f'mkdir "$2"; {_QUIET} -i "$1" -vf {scale} -frames:v 300 -q:v 2 "$2/frame_%05d.jpg"'
    _xargs(clips, out, work)


def opencv_frames(clips: Sequence[Path], out: Path) -> None:
    """Every frame at a short side of 256, in a pool of processes."""
    _pool(_write_frames, clips, out)


def opencv_dis(clips: Sequence[Path], out: Path) -> None:
    """DIS flow at a short side of 256, in a pool of processes."""
    _pool(partial(_write_flow, "dis"), clips, out)


def opencv_tvl1(clips: Sequence[Path], out: Path) -> None:
    """TV-L1 flow at a short side of 256, in a pool of processes."""
    _pool(partial(_write_flow, "tvl1"), clips, out)


PEERS = {
    peer.__name__: peer for peer in (resize, rawframes, frames_300, opencv_frames, opencv_dis, opencv_tvl1)
}


def _xargs(clips: Sequence[Path], out: Path, work: str) -> None:
    """``work`` is bash: $1 the clip, $2 the place for what it makes, without an extension."""
    lines = "".join(f"{clip}\0{out / clip.stem}\0" for clip in clips)
    command = ["xargs", "-0", "-n", "2", "-P", str(CORES), "bash", "-c", work, "bash"]
    subprocess.run(command, input=lines, text=True, check=True, stderr=subprocess.DEVNULL)


def _pool(work: Callable[[Path, Path], None], clips: Sequence[Path], out: Path) -> None:
    with ProcessPoolExecutor(CORES) as pool:
        list(pool.map(partial(work, out), clips))


def _write_frames(out: Path, clip: Path) -> None:
    import cv2

    folder = out / clip.stem
    folder.mkdir()
    video, number = cv2.VideoCapture(str(clip)), 0
    while (read := video.read())[0]:
        number += 1
        cv2.imwrite(f"{folder}/img_{number:05d}.jpg", cv2.resize(read[1], _shape(*read[1].shape[:2])))


def _write_flow(algorithm: str, out: Path, clip: Path) -> None:
    import cv2
    import numpy as np

    folder = out / clip.stem
    folder.mkdir()
    method: cv2.DenseOpticalFlow = (
        cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)
        if algorithm == "dis"
        else cv2.optflow.createOptFlow_DualTVL1()
    )
    video, number, last = cv2.VideoCapture(str(clip)), 0, None
    while (read := video.read())[0]:
        grey = cv2.cvtColor(cv2.resize(read[1], _shape(*read[1].shape[:2])), cv2.COLOR_BGR2GRAY)
        if last is not None:
            number += 1
            flow = method.calc(last, grey, None)  # type: ignore[call-overload]
            scaled = np.clip(np.rint(255 * (flow + 20) / 40), 0, 255).astype(np.uint8)
            for axis, name in enumerate("xy"):
                cv2.imwrite(f"{folder}/flow_{name}_{number:05d}.jpg", scaled[..., axis])
        last = grey


def _shape(height: int, width: int) -> tuple[int, int]:
    if width > height:
        return round(width * 256 / height / 2) * 2, 256
    return 256, round(height * 256 / width / 2) * 2


if __name__ == "__main__":
    peer, names, place = sys.argv[1:]
    PEERS[peer]([Path(name) for name in Path(names).read_text(encoding="utf-8").splitlines()], Path(place))
