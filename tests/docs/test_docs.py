"""README and docs/ promise what there is: commands, options, codes, files, decisions, and nothing else."""

from __future__ import annotations

import ast
import re
import shlex
import sys
import tomllib
from xml.etree import ElementTree

import click
import pytest
from docs_kit import PAGES, ROOT, block_lines, plain, rows, section, spans

from kdl import errors
from kdl.cli.main import VERBS, kdl
from kdl.dataset.labels import STYLES, class_dir
from kdl.dataset.manifest import load_manifest
from kdl.dataset.plan import CLIP_BYTES_PER_ARCHIVE_BYTE, shards_at_once
from kdl.lists.write import CONSUMERS
from kdl.media.cookbook import load_recipes
from kdl.resources import shipped
from kdl.settings import human_size

TEXT = "\n".join(PAGES.values())
SOURCES = {path: ast.parse(path.read_text(encoding="utf-8")) for path in (ROOT / "kdl").rglob("*.py")}


def verb_command(name: str) -> click.Command:
    command = kdl.get_command(click.Context(kdl), name)
    assert command is not None, f"no verb {name}"
    return command


def commands(page: str) -> list[str]:
    """The lines of a page's code blocks that call kdl, from ``kdl`` on."""
    found = (re.search(r"(?:^|[\s/])(kdl [^;]*)", line) for line in block_lines(page))
    return [match[1] for match in found if match]


IN_BLOCKS = [(page, line) for page in sorted(PAGES) for line in commands(page)]
IN_SPANS = sorted({(page, span) for page in PAGES for span in spans(page) if span.startswith("kdl ")})


def test_there_are_commands_to_try() -> None:
    assert len(IN_BLOCKS) > 25
    assert len(IN_SPANS) > 15


@pytest.mark.parametrize(("page", "line"), IN_BLOCKS)
def test_a_command_in_a_block_parses(page: str, line: str) -> None:
    _, verb, *arguments = shlex.split(line, comments=True)
    verb_command(verb).make_context(f"kdl {verb}", arguments)


@pytest.mark.parametrize(("page", "span"), IN_SPANS)
def test_a_command_in_a_sentence_names_verb_and_options_that_exist(page: str, span: str) -> None:
    _, verb, *rest = re.sub(r"[\[\]…]", " ", span).split()
    known = {"--help"}
    if verb not in ("VERB", "--help"):
        known |= {option for param in verb_command(verb).params for option in param.opts}
    assert {word for word in rest if word.startswith("--")} <= known


@pytest.mark.parametrize("verb", VERBS)
def test_every_verb_option_and_choice_is_told(verb: str) -> None:
    assert f"kdl {verb}" in TEXT
    for param in verb_command(verb).params:
        for option in param.opts if isinstance(param, click.Option) else ():
            assert re.search(rf"{re.escape(option)}(?![\w-])", TEXT), option
        for choice in param.type.choices if isinstance(param.type, click.Choice) else ():
            assert re.search(rf"(?<![\w-]){re.escape(choice)}(?![\w-])", TEXT), choice


def test_exit_codes_are_those_of_the_code() -> None:
    told = {int(code): meaning for code, meaning, _ in rows(PAGES["exit-codes.md"], "code")}
    assert told == errors.EXIT_CODES
    short = section("README.md", "## Exit codes")
    codes = re.findall(r"(?:Codes:|[·,])\s(\d+)(?=[,\s])", short)
    assert [int(code) for code in codes] == list(errors.EXIT_CODES)


def test_exit_codes_of_single_verbs_name_verbs() -> None:
    named = re.findall(r"`(\w+)", "".join(row[0] for row in rows(PAGES["exit-codes.md"], "verb")))
    assert set(named) == set(VERBS) - {"lists"}


def literals() -> set[str]:
    """Every text constant in the code."""
    nodes = (node for tree in SOURCES.values() for node in ast.walk(tree))
    return {node.value for node in nodes if isinstance(node, ast.Constant) and isinstance(node.value, str)}


def raised_kinds() -> set[str]:
    """The kinds of findings that stand as they are where a finding is made, and those of the errors."""
    calls = (node for tree in SOURCES.values() for node in ast.walk(tree) if isinstance(node, ast.Call))
    made = [call.args[0] for call in calls if getattr(call.func, "id", "") == "Finding" and call.args]
    kinds = {kind.value for kind in made if isinstance(kind, ast.Constant)}
    classes = [thing for thing in vars(errors).values() if isinstance(thing, type)]
    return kinds | {cls.kind for cls in classes if issubclass(cls, errors.KdlError)}


def test_every_kind_of_finding_is_explained_and_no_other() -> None:
    told = [plain(row[0]) for row in rows(PAGES["troubleshooting.md"], "kind")]
    assert told == sorted(set(told))
    assert raised_kinds() <= set(told) <= literals()


def third_party() -> set[str]:
    """The top packages that kdl imports and that neither it nor Python brings."""
    found = set()
    for tree in SOURCES.values():
        for node in ast.walk(tree):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.level == 0:
                found.add((node.module or "").partition(".")[0])
    return found - set(sys.stdlib_module_names) - {"kdl"}


def dependencies() -> set[str]:
    """What pyproject.toml asks for, extras and the build included."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    asked = [*project["build-system"]["requires"], *project["project"]["dependencies"]]
    for extra in project["project"]["optional-dependencies"].values():
        asked += extra
    names = {re.split(r"[\[<>=~! ]", each)[0] for each in asked}
    return names - {"kdl"}


def test_every_library_has_its_reason() -> None:
    text = section("decisions.md", "## Libraries")
    reasons = set(re.findall(r"\*\*([\w-]+)\*\*|`([\w-]+)`", text))
    told = {name for pair in reasons for name in pair if name}
    assert third_party() - {"ffmpeg"} <= told
    assert dependencies() <= told


def test_links_between_pages_resolve() -> None:
    for page, text in PAGES.items():
        folder = ROOT if page == "README.md" else ROOT / "docs"
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", text):
            assert (folder / target).is_file(), f"{page}: {target}"
    assert set(re.findall(r"docs/([\w-]+\.md)", PAGES["README.md"])) == set(PAGES) - {"README.md"}


def test_what_is_named_exists() -> None:
    make = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"(?:`|^)make (demo|test|[a-z]+-[a-z-]+)", TEXT, re.MULTILINE)
    assert {"demo", "test"} <= set(targets)
    for target in targets:
        assert re.search(rf"^{target}:", make, re.MULTILINE), target
    for module in re.findall(r"python -m ([\w.]+)", TEXT):
        assert (ROOT / module.replace(".", "/")).with_suffix(".py").is_file(), module
    for path in re.findall(r"`((?:docs|tools|manifests|tests)/[\w./-]+)`", TEXT):
        assert (ROOT / path).exists(), path


def test_the_licence_is_the_one_that_is_named() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert project["license"] == "Apache-2.0"
    assert "Apache License\n                           Version 2.0" in (ROOT / "LICENSE").read_text()
    assert f"## {project['version']}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_picture_is_whole_and_asks_no_server_for_anything() -> None:
    path = ROOT / "docs" / "terminal.svg"
    text = path.read_text(encoding="utf-8")
    assert ElementTree.parse(path).getroot().tag.endswith("svg")
    assert "url(" not in re.sub(r"url\(#", "", text)
    assert "train/part_" in text.replace("&#160;", " ")


@pytest.mark.parametrize("name", ["k400", "k600", "k700-2020"])
def test_costs_are_the_arithmetic_they_are_said_to_be(name: str) -> None:
    splits = [split.counts for split in load_manifest(name).splits]
    size = sum(counts.bytes or 0 for counts in splits)
    clips = sum(counts.clips or 0 for counts in splits)
    end = size * CLIP_BYTES_PER_ARCHIVE_BYTE
    largest = max((counts.bytes or 0) / (counts.shards or 1) for counts in splits)
    hours = [f"{8 * size / rate / 3600:.1f} h" for rate in (1e8, 1e9)]
    shards = f"{sum(counts.shards or 0 for counts in splits):,}"
    peak = end + shards_at_once(4) * largest
    row = [shards, f"{clips:,}", human_size(size), *hours, human_size(end), human_size(peak)]
    told = {plain(cells[0]): cells[1:] for cells in rows(PAGES["README.md"], "dataset")}
    assert told[name] == row
    text = PAGES["README.md"]
    column = text[text.index("| recipe |") :].split("\n", 1)[0].strip("|").split("|")
    at = [plain(cell.strip()) for cell in column].index(name)
    recipes = load_recipes(shipped("recipes.toml"))
    assert {plain(cells[0]): cells[at] for cells in rows(text, "recipe")} == {
        recipe.name: human_size(recipe.bytes_per_clip * clips) for recipe in recipes.values()
    }


def test_class_folders_are_written_as_told() -> None:
    head = re.search(r"^\| style \| `(.*)` \| `(.*)` \|", PAGES["layout.md"], re.MULTILINE)
    assert head is not None
    told = {
        plain(cells[0]): [plain(cell) for cell in cells[1:3]] for cells in rows(PAGES["layout.md"], "style")
    }
    assert told == {style: [class_dir(label, style) for label in head.groups()] for style in STYLES}


def test_lists_name_every_consumer() -> None:
    told = {re.findall(r"`(\w+)`", cells[0])[0] for cells in rows(PAGES["lists.md"], "`--for`")}
    assert told == set(CONSUMERS)
