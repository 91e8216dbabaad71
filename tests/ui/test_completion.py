"""What a shell completes, asked of click as shells ask it, and once by a real bash."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.shell_completion import ShellComplete

from kdl.cli.completion import SHELLS
from kdl.cli.main import VERBS, kdl

SHELL = ShellComplete(kdl, {}, "kdl", "_KDL_COMPLETE")


@pytest.mark.parametrize(
    ("words", "begun", "wanted"),
    [
        ([], "", set(VERBS)),
        (["mirror"], "k7", {"k700-2020"}),
        (["mirror", "k400", "--split"], "t", {"train", "test"}),
        (["mirror", "k400", "--split"], "train,v", {"train,val"}),
        (["mirror", "k600", "--class"], "massaging_p", {"massaging_person's_head"}),
        (["derive", "k400", "--recipe"], "frames-3", {"frames-300", "frames-32"}),
        (["lists", "k400", "--for"], "videom", {"videomae", "videomaev2"}),
        (["verify", "k400", "--lev"], "--lev", {"--level"}),
        (["mirror", "no-such", "--class"], "", set()),
        (["manifest"], "", {"init"}),
    ],
)
def test_what_is_offered(words: list[str], begun: str, wanted: set[str]) -> None:
    offered = {item.value for item in SHELL.get_completions(words, begun)}
    assert wanted <= offered
    assert all(value.startswith(begun) for value in offered)
    if not wanted:
        assert not offered


def test_a_path_is_completed_as_one() -> None:
    (item,) = SHELL.get_completions(["mirror"], "./mine")
    assert item.type == "file"


@pytest.mark.parametrize("shell", SHELLS)
def test_a_script_for_each_shell(shell: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "kdl", "completion", shell], capture_output=True, text=True, check=True
    )
    assert "_KDL_COMPLETE" in done.stdout
    assert done.stderr == ""


def test_bash_completes(tmp_path: Path) -> None:
    program = tmp_path / "kdl"
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m kdl "$@"\n')
    program.chmod(0o755)
    asked = """
        PATH="$1:$PATH"; source <(kdl completion bash)
        COMP_WORDS=(kdl mirror k6); COMP_CWORD=2; _kdl_completion kdl; echo "${COMPREPLY[@]}"
    """
    done = subprocess.run(["bash", "-c", asked, "bash", tmp_path], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["k600"], done.stderr
