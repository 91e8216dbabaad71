"""What `make dist` builds, installed into environments that hold nothing else, and run from elsewhere."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

import pytest
import yaml

from kdl import __version__

ROOT = Path(__file__).parents[2]
BIN = Path(sys.executable).parent
WHEELS = ROOT / ".venv" / "wheels"
"""What kdl needs, as files: `tools/setup.sh test` keeps them, so that nothing here asks the network."""

pytestmark = pytest.mark.skipif(not WHEELS.is_dir(), reason="tools/setup.sh test keeps the wheels it needs")


def run(*command: object, cwd: Path, **environment: object) -> str:
    given = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(
        list(map(str, command)),
        cwd=cwd,
        env={**given, **{name: str(value) for name, value in environment.items()}},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=170,
        stdin=subprocess.DEVNULL,
    )
    assert done.returncode == 0, done.stdout
    return done.stdout


@pytest.fixture(scope="module")
def dist(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("dist")
    run(sys.executable, "-m", "build", "--no-isolation", "--outdir", out, ROOT, cwd=out)
    return out


@pytest.fixture(scope="module")
def wheel(dist: Path) -> Path:
    (found,) = dist.glob("*.whl")
    return found


def uses(kdl: Path, folder: Path) -> None:
    """The installed command and package do what the README says, far from the sources."""
    assert run(kdl, "--version", cwd=folder).strip().endswith(__version__)
    told = json.loads(run(kdl, "datasets", "--json", cwd=folder))
    assert {"k400", "k600", "k700-2020"} <= {each["name"] for each in told["datasets"]}
    assert all(str(ROOT) not in each["path"] for each in told["datasets"])
    shown = run(kdl, "demo", "--quick", "--out", folder / "demo", cwd=folder, no_proxy="*")
    assert re.search(r"\bwrong 0\b", shown), shown


def test_the_wheel_holds_what_runs_and_nothing_else(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as file:
        names = set(file.namelist())
        told = Parser().parsestr(file.read(f"kdl-{__version__}.dist-info/METADATA").decode())
    assert {"kdl/manifests/k400.toml", "kdl/manifests/labels/k400.txt", "kdl/py.typed"} <= names
    assert f"kdl-{__version__}.dist-info/licenses/LICENSE" in names
    assert all(name.startswith(("kdl/", f"kdl-{__version__}.dist-info/")) for name in names)
    shipped = {str(path.relative_to(ROOT)) for path in (ROOT / "kdl").rglob("*") if path.is_file()}
    assert {name for name in shipped if "__pycache__" not in name} <= names
    assert told["License-Expression"] == "Apache-2.0"


def test_the_sdist_holds_what_builds_and_tests_it(dist: Path) -> None:
    (found,) = dist.glob("*.tar.gz")
    with tarfile.open(found) as tar:
        names = {name.partition("/")[2] for name in tar.getnames()}
    wanted = ("Makefile", "pyproject.toml", "README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")
    wanted += ("CITATION.cff", "LICENSE", "tools/setup.sh", "tests/e2e/test_dist.py", "docs/manifest.md")
    assert set(wanted) <= names
    assert not [name for name in names if name.startswith((".venv", "kinetics", "shared"))]


def test_uv_tool_installs_the_command(wheel: Path, tmp_path: Path) -> None:
    places = {
        "UV_TOOL_DIR": tmp_path / "tools",
        "UV_TOOL_BIN_DIR": tmp_path / "bin",
        "UV_CACHE_DIR": tmp_path / "cache",
    }
    offline = ("--offline", "--no-index", "--find-links", WHEELS, "--python", sys.executable)
    run(BIN / "uv", "tool", "install", *offline, wheel, cwd=tmp_path, **places)
    uses(tmp_path / "bin" / "kdl", tmp_path)


@pytest.mark.long
def test_pip_installs_the_sdist(dist: Path, tmp_path: Path) -> None:
    (sdist,) = dist.glob("*.tar.gz")
    run(sys.executable, "-m", "venv", tmp_path / "empty", cwd=tmp_path)
    offline = ("--no-index", "--find-links", WHEELS, "--disable-pip-version-check")
    run(tmp_path / "empty/bin/pip", "install", *offline, sdist, cwd=tmp_path)
    uses(tmp_path / "empty" / "bin" / "kdl", tmp_path)
    typed = run(tmp_path / "empty/bin/python", "-c", "import kdl; print(kdl.__file__)", cwd=tmp_path)
    assert str(tmp_path) in typed


@pytest.mark.long
def test_pipx_installs_the_command(wheel: Path, tmp_path: Path) -> None:
    places = {
        "PIPX_HOME": tmp_path / "pipx",
        "PIPX_BIN_DIR": tmp_path / "bin",
        "PIPX_DEFAULT_PYTHON": sys.executable,
        "PIP_NO_INDEX": 1,
        "PIP_FIND_LINKS": WHEELS,
    }
    run(BIN / "pipx", "install", "--backend", "pip", wheel, cwd=tmp_path, **places)
    uses(tmp_path / "bin" / "kdl", tmp_path)


def test_the_citation_is_of_this_version() -> None:
    told = yaml.safe_load((ROOT / "CITATION.cff").read_text())
    assert (told["version"], told["license"]) == (__version__, "Apache-2.0")
    assert f"## {__version__}" in (ROOT / "CHANGELOG.md").read_text()
