"""What people get wrong, and machines lack: one message that names thing, reason and way out."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.hosted import Hosted
from tests.e2e.running import KDL, kdl

NOBODY = 65534

WRONG: dict[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "dataset": (("mirror", "k40"), ("'k40'", "no such dataset", "did you mean k400")),
    "split": (("mirror", "DEMO", "--split", "vall"), ("'vall'", "no such split", "did you mean val?")),
    "class": (
        ("mirror", "DEMO", "--class", "abseilling"),
        ("'abseilling'", "no such class", "did you mean 'abseiling'?"),
    ),
    "class of a split without any": (
        ("mirror", "DEMO", "--split", "test", "--class", "abseiling"),
        ("--class", "no labels", "another --split"),
    ),
    "class file": (
        ("mirror", "DEMO", "--class", "@nowhere.txt"),
        ("nowhere.txt", "No such file", "one class a line"),
    ),
    "shard pattern": (
        ("mirror", "DEMO", "--shard", "part_9*"),
        ("part_9*", "no shard is selected", "'abseiling.tar.gz' to 'part_1.tar.gz'"),
    ),
    "shard pattern in a plan": (
        ("mirror", "DEMO", "--shard", "part_9*", "--dry-run"),
        ("part_9*", "no shard is selected", "'abseiling.tar.gz' to 'part_1.tar.gz'"),
    ),
    "recipe": (("mirror", "DEMO", "--recipe", "320"), ("320", "no such recipe", "did you mean 320p?")),
    "recipe file": (
        ("mirror", "DEMO", "--recipe", "FILES/recipe.toml:tiny"),
        ("recipe.toml", "tiny.colour: unknown", "docs/recipes.md"),
    ),
    "recipe file that is none": (
        ("mirror", "DEMO", "--recipe", "FILES/none.toml:tiny"),
        ("none.toml", "no TOML", "docs/recipes.md"),
    ),
    "recipe file that is not there": (
        ("mirror", "DEMO", "--recipe", "nowhere.toml:tiny"),
        ("nowhere.toml", "No such file", "--recipe FILE:NAME"),
    ),
    "manifest that is not there": (
        ("mirror", "./nowhere.toml"),
        ("nowhere.toml", "No such file", "kdl datasets"),
    ),
    "manifest that is none": (
        ("mirror", "FILES/none.toml"),
        ("none.toml", "not TOML", "docs/manifest.md"),
    ),
    "manifest with an unknown key": (
        ("mirror", "FILES/typo.toml"),
        ("typo.toml", "titel: unknown key", "did you mean title"),
    ),
    "manifest with several hosts": (
        ("mirror", "FILES/two.toml", "--origin", "http://127.0.0.1:9/"),
        ("--origin http://127.0.0.1:9/", "several hosts", "--origin left=http://127.0.0.1:9/"),
    ),
    "origin": (("mirror", "DEMO", "--origin", "nearby"), ("--origin nearby", "neither a URL", "http://")),
    "origin's protocol": (
        ("mirror", "DEMO", "--origin", "ftp://127.0.0.1/"),
        ("ftp://127.0.0.1/", "not an http, https", "http://"),
    ),
    "rate": (("mirror", "DEMO", "--limit-rate", "fast"), ("--limit-rate", "not a size", "50M")),
    "recipe without a look": (
        ("mirror", "DEMO", "--recipe", "320p", "--level", "hash"),
        ("made of clips that were probed", "--level probe"),
    ),
    "level": (("mirror", "DEMO", "--level", "deep"), ("'deep'", "is not one of", "decode")),
    "verb": (("mirrro", "DEMO"), ("'mirrro'", "no such verb", "did you mean 'mirror'?")),
    "verb like no other": (("bake", "DEMO"), ("'bake'", "no such verb", "mirror, fetch")),
    "option": (("mirror", "DEMO", "--splits", "val"), ("--splits", "No such option", "--split")),
    "consumer": (("lists", "DEMO", "--for", "videomea"), ("'videomea'", "is not one of", "videomae")),
    "verdict": (("status", "DEMO", "--show", "broken"), ("broken", "nothing of that name", "corrupt")),
    "nothing asked for": (("mirror",), ("DATASET", "Missing argument", "kdl mirror --help")),
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of files that are wrong."""
    folder = tmp_path_factory.mktemp("files")
    (folder / "none.toml").write_text("this is = = no toml\n")
    (folder / "recipe.toml").write_text('[tiny]\nkind = "video"\nshort_side = 64\ncolour = "blue"\n')
    own = """
name = "two"
title = "Two"
labels = ["a"]
hosts = { left = "https://left.invalid/", right = "https://right.invalid/" }
[[split]]
name = "train"
class_from = "folder"
archives = ["left:a.tar"]
"""
    (folder / "two.toml").write_text(own)
    (folder / "typo.toml").write_text(own.replace("title", "titel"))
    return folder


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_word(demo: Hosted, files: Path, tmp_path: Path, what: str) -> None:
    words, said = WRONG[what]
    arguments = [word.replace("DEMO", demo.dataset).replace("FILES", str(files)) for word in words]
    if "--origin" not in words and words[0] == "mirror" and "DEMO" in words:
        arguments += ["--origin", demo.server.url]
    root = tmp_path / "root"
    for face in ("--quiet", "--json") if words[0] == "mirror" else ("--json",):
        done = kdl(*arguments, face, KDL_ROOT=str(root))
        assert done.code == 2, done
        message = " ".join(str(done.result["findings"]).split()) if face == "--json" else done.err
        for word in said:
            assert word.replace("'", '"') in message.replace("'", '"').replace('\\"', '"')
        if face == "--json":
            assert sum(f["kind"] in ("usage", "manifest") for f in done.result["findings"]) == 1
    # only the link lists can tell that no shard has such a name
    assert what == "shard pattern" or not root.exists()


@pytest.mark.parametrize("verb", ["lists", "derive", "export", "status"])
def test_a_verb_before_any_mirror(demo: Hosted, tmp_path: Path, verb: str) -> None:
    root = tmp_path / "a root"
    more = {"derive": ("--recipe", "320p"), "export": ("--out", tmp_path / "rows.csv")}.get(verb, ())
    done = kdl(verb, demo.dataset, "--root", root, *more, "--json")
    assert done.code == 3
    (finding,) = done.result["findings"]
    assert finding["subject"] == str(root / "demo")
    assert "no mirror of demo" in finding["detail"]
    assert finding["fix"] == f"kdl mirror {demo.dataset} --root '{root}'"
    assert not root.exists()


def test_a_root_that_is_a_file(demo: Hosted, tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_text("mine\n")
    for root in (file, file / "below"):
        for plan in ((), ("--dry-run",)):
            done = demo.mirror(root, *plan)
            assert done.code == 3
            (finding,) = done.result["findings"]
            assert (finding["subject"], finding["detail"]) == (str(file), "it is not a folder")
            assert "--root" in finding["fix"]
    assert file.read_text() == "mine\n"


def as_nobody(*arguments: object) -> subprocess.CompletedProcess[str]:
    """The command as a user without rights, where root may become one."""
    command = [str(part) for part in (*KDL, *arguments)]
    if os.geteuid() == 0:
        rights = ["--reuid", str(NOBODY), "--regid", str(NOBODY), "--clear-groups"]
        command = ["setpriv", *rights, "--", *command]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, env=os.environ | {"HOME": "/"})


def test_a_root_without_rights(demo: Hosted, tmp_path: Path) -> None:
    """Readers may read what they may not write to; nothing else begins."""
    for folder in {*tmp_path.parents, tmp_path, *Path(demo.dataset).parents}:
        if "pytest" in str(folder):
            folder.chmod(0o755)
    base = demo.copy(tmp_path / "theirs")
    for folder in (base, base / ".kdl", base / ".kdl" / "ledger.db", tmp_path / "theirs"):
        folder.chmod(0o555)
    for root in (tmp_path / "theirs", tmp_path / "theirs" / "new"):
        for plan in ((), ("--dry-run",)):
            refused = as_nobody("mirror", demo.dataset, "--root", root, *plan)
            assert refused.returncode == 3, refused
            assert f"error: {base if root.exists() else root.parent}: you may not write" in refused.stderr
    rows = as_nobody("export", demo.dataset, "--root", tmp_path / "theirs")
    assert (rows.returncode, rows.stdout.count("\n")) == (0, 1 + 40), rows.stderr
    assert as_nobody("status", demo.dataset, "--root", tmp_path / "theirs").returncode == 0


@pytest.mark.parametrize(
    ("lacks", "arguments"),
    [
        ("ffprobe", ("mirror",)),
        ("ffmpeg", ("mirror",)),
        ("ffmpeg", ("mirror", "--prober", "ffprobe", "--recipe", "320p")),
        ("ffmpeg", ("derive", "--recipe", "320p")),
    ],
)
def test_a_program_that_is_not_there(
    demo: Hosted, tmp_path: Path, lacks: str, arguments: tuple[str, ...]
) -> None:
    path = tools_without(lacks, tmp_path / "bin")
    done = demo.run(arguments[0], tmp_path / "root", *arguments[1:], "--json", PATH=path)
    assert done.code == 3
    (finding,) = done.result["findings"]
    assert (finding["kind"], finding["subject"]) == ("tool_missing", lacks)
    assert "apt-get install ffmpeg" in finding["fix"]
    assert not (tmp_path / "root").exists()


def test_what_needs_no_program_works_without(demo: Hosted, tmp_path: Path) -> None:
    path = tools_without("ffmpeg", tmp_path / "bin", "ffprobe")
    assert demo.run("fetch", tmp_path, "--split", "val", "--json", PATH=path).code == 0
    level = demo.mirror(tmp_path, "--split", "test", "--level", "hash", PATH=path)
    assert (level.code, level.result["clips"]["unchecked"]) == (0, 4)
    doctor = kdl("doctor", "--root", tmp_path, "--json", PATH=path)
    assert doctor.code == 3
    assert {"ffmpeg", "ffprobe"} <= {finding["subject"] for finding in doctor.result["findings"]}


def tools_without(lacks: str, folder: Path, *more: str) -> str:
    folder.mkdir()
    for name in {"ffmpeg", "ffprobe"} - {lacks, *more}:
        (folder / name).symlink_to(str(shutil.which(name)))
    return str(folder)


@pytest.mark.parametrize(
    "arguments", [("datasets",), ("export",), ("export", "--format", "jsonl"), ("status", "--show", "ok")]
)
def test_a_reader_that_leaves_early(demo: Hosted, arguments: tuple[str, ...]) -> None:
    about = (demo.dataset, "--root", str(demo.mirrored)) if arguments[0] != "datasets" else ()
    with subprocess.Popen(
        [*KDL, arguments[0], *about, *arguments[1:]], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as process:
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        assert process.stderr.read() == b""
        assert process.wait(60) == 0


@pytest.mark.parametrize("environment", [{"NO_COLOR": "1"}, {"TERM": "dumb"}, {"PYTHONIOENCODING": "ascii"}])
def test_plain_text_for_plain_readers(demo: Hosted, tmp_path: Path, environment: dict[str, str]) -> None:
    done = demo.run("mirror", tmp_path, "--split", "test", **environment)
    assert done.code == 0
    for shown in (done.out, demo.run("status", tmp_path, **environment).out, kdl("datasets").out):
        assert shown
        assert "\x1b" not in shown


def test_a_root_with_an_awkward_name(demo: Hosted, tmp_path: Path) -> None:
    root = tmp_path / 'it\'s a "root" für $HOME; 日本 & [b]'
    done = demo.mirror(root, "--split", "val,test", "--recipe", "256p")
    assert done.code == 1
    assert done.result["derived"] == {"256p": {"done": 12, "failed": 0}}
    (refused,) = (f for f in done.result["findings"] if f["kind"] == "lists_not_written"
                  and "256p" not in f["detail"])  # fmt: skip
    assert refused["subject"] == "videomae"
    assert "blanks" in refused["detail"]
    assert (root / "demo/lists/mmaction2/demo_val_list_videos.txt").read_text().count("\n") == 8
    assert demo.run("lists", root, "--for", "slowfast").code == 0
    alone = demo.run("lists", root, "--for", "videomae", "--json")
    assert (alone.code, alone.kinds()) == (2, {"usage"})
    show = next(f["fix"] for f in done.result["findings"] if f["kind"] == "short_clips")
    shown = subprocess.run(
        show.replace("kdl ", f"{sys.executable} -m kdl ", 1),
        shell=True, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip
    assert shown.stdout.endswith("1 clips\n")


def test_a_root_reached_from_elsewhere(demo: Hosted, tmp_path: Path) -> None:
    """A relative root, the default one, and one behind a link are the same mirror."""
    arguments = [*KDL, "mirror", demo.dataset, "--split", "test", "--origin", demo.server.url, "--quiet"]
    subprocess.run(arguments, cwd=tmp_path, check=True, timeout=100)
    (tmp_path / "link").symlink_to("kinetics")
    mark = demo.mark()
    for more in (["--root", "kinetics"], ["--root", "link"], ["--root", str(tmp_path / "kinetics")]):
        subprocess.run([*arguments, *more], cwd=tmp_path, check=True, timeout=100)
    assert demo.fetched(mark) == []
