"""docs/python.md names every function, value and error of the Python API, and no other."""

from __future__ import annotations

import ast
import dataclasses
import inspect
import re

import pytest
from docs_kit import PAGES, fences, plain, rows, spans

import kdl
from kdl import aio
from kdl.cli.main import VERBS

PAGE = PAGES["python.md"]


def functions() -> set[str]:
    return {name for name in kdl.__all__ if inspect.isfunction(getattr(kdl, name))} - {"open"}


def test_every_function_is_told_with_its_command_and_what_it_returns() -> None:
    told = {plain(cells[0]): cells[1:] for cells in rows(PAGE, "function")}
    assert set(told) == {f"kdl.{name}" for name in functions()}
    for name, (command, returned) in told.items():
        verb = plain(command).split()[1]
        assert verb in VERBS
        annotation = inspect.signature(getattr(kdl, name.removeprefix("kdl."))).return_annotation
        (wanted,) = re.findall(r"\w+", annotation)[-1:]
        assert f"`{wanted}`" in returned, name
    of_the_shell = {"completion"}
    assert {plain(command).split()[1] for command, _ in told.values()} == set(VERBS) - of_the_shell


def test_every_function_stands_in_an_example() -> None:
    examples = "".join(re.findall(r"^```py.*?^```$", PAGE, re.DOTALL | re.MULTILINE))
    assert {name for name in functions() if f"kdl.{name}(" not in examples} == set()


@pytest.mark.parametrize("block", fences("python.md", "python"))
def test_calls_that_are_not_run_have_arguments_that_are_taken(block: str) -> None:
    calls = [node for node in ast.walk(ast.parse(block)) if isinstance(node, ast.Call)]
    of_kdl = [call for call in calls if ast.unparse(call.func).startswith("kdl.")]
    assert of_kdl
    for call in of_kdl:
        function = getattr(kdl, ast.unparse(call.func).removeprefix("kdl."))
        inspect.signature(function).bind(*call.args, **{word.arg or "": 0 for word in call.keywords})


def test_every_field_of_a_clip_is_told() -> None:
    told = [plain(row[0]) for row in rows(PAGE, "field")]
    assert told == [field.name for field in dataclasses.fields(kdl.Clip)]


def test_every_error_and_value_is_named() -> None:
    named = {word.removeprefix("kdl.") for span in spans("python.md") for word in re.findall(r"[\w.]+", span)}
    classes = {name for name in kdl.__all__ if inspect.isclass(getattr(kdl, name))}
    inside = {"Bus", "Level", "ManifestError", "PlannedObject", "PlannedVolume", "RepairShard"}
    assert classes - inside <= named


def test_what_can_not_be_awaited_is_told() -> None:
    assert functions() - set(aio.__all__) == {"show", "watch"}
    assert "`show` and `watch` have no such form" in PAGE
