"""The fixtures of the media room's tests."""

from __future__ import annotations

import os
import shutil
import stat
from pathlib import Path

import pytest
from media_clips import RECIPES, Run, Wrap, probe

from kdl.media.recipe import Recipe, derived_path
from kdl.media.render import render
from kdl.media.task import OutputResult, RenderOutput, RenderTask
from kdl.values import Facts


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """Renders a clip below ``tmp_path/derived`` and checks that nothing temporary stays."""

    def run(
        clip: Path, *names: str | Recipe, facts: Facts | None = None, timeout: float = 60
    ) -> list[OutputResult]:
        recipes = [RECIPES[name] if isinstance(name, str) else name for name in names]
        if facts is None:
            audio = [s["codec_name"] for s in probe(clip) if s["codec_type"] == "audio"]
            facts = Facts(acodec=audio[0] if audio else None)
        outputs = tuple(
            RenderOutput(
                recipe,
                tmp_path / "derived" / recipe.name / derived_path(recipe, "val", "a_b", clip.name),
                tmp_path / "tmp",
            )
            for recipe in recipes
        )
        try:
            return list(render(RenderTask(clip, facts, outputs, timeout)).outputs)
        finally:
            assert list((tmp_path / "tmp").iterdir()) == []

    return run


@pytest.fixture
def wrapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Wrap:
    """Puts a Python script before the real ffmpeg; its arguments are kept, one line a start."""

    def wrap(change: str = "") -> Path:
        folder = tmp_path / "bin"
        folder.mkdir()
        log = tmp_path / "starts.jsonl"
        script = folder / "ffmpeg"
        script.write_text(
            f"#!{shutil.which('python3')}\nimport json, os, sys, time\nargv = sys.argv[1:]\n"
            f"with open({str(log)!r}, 'a') as log: log.write(json.dumps(argv) + '\\n')\n"
            f"{change}\nos.execv({shutil.which('ffmpeg')!r}, ['ffmpeg', *argv])\n"
        )
        script.chmod(script.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
        return log

    return wrap
