"""Where things lie and how large they are: what holds for every file of the repository."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.markers import SLOW

REPOSITORY = Path(__file__).resolve().parents[2]
PACKAGES = ("edge_app", "train", "quantize", "benchmarks", "boards", "tools")
SCRIPTS = ("benchmarks/peers",)
"""Folders of programs that are written and started as their users would: no packages."""

LONGEST = 60
"""Lines of a function; the longest are one table or one straight sequence of steps."""

STYLE_RULE = re.compile(r"[\w.]+ *\{ *(fill|stroke|color|background|margin|padding|font)[\w-]* *:")


def modules(*tops: str) -> Iterator[tuple[str, str]]:
    """Each module's path from the repository's root, and its text."""
    for top in tops:
        for path in sorted((REPOSITORY / top).rglob("*.py")):
            yield path.relative_to(REPOSITORY).as_posix(), path.read_text("utf-8")


def test_generated_code_says_so_in_its_name_and_names_its_generator() -> None:
    for place, text in modules(*PACKAGES):
        header = text[:500]
        if "generated" not in Path(place).name:
            assert "not to be edited" not in header, f"{place}: name it …_generated.py"
            continue
        named = re.search(r"python -m (tools[\w.]*)", header)
        assert named, f"{place}: its header does not say which generator in tools/ makes it"
        generator = REPOSITORY.joinpath(*named[1].split("."))
        assert generator.is_dir() or generator.with_suffix(".py").is_file(), f"{place}: {named[1]}"


def test_style_sheets_are_css_files() -> None:
    for place, text in modules(*PACKAGES):
        assert not STYLE_RULE.search(text), f"{place}: move its style sheet to a .css file"


def test_every_package_says_what_it_is_for() -> None:
    for top in PACKAGES:
        for folder in {path.parent for path in (REPOSITORY / top).rglob("*.py")}:
            place = folder.relative_to(REPOSITORY).as_posix()
            if place in SCRIPTS:
                continue
            init = folder / "__init__.py"
            assert init.is_file(), f"{place} has no __init__.py"
            assert ast.get_docstring(ast.parse(init.read_text("utf-8"))), f"{init}: no docstring"


def test_functions_are_short() -> None:
    found = {}
    for place, text in modules(*PACKAGES):
        if "generated" in Path(place).name or place.startswith(SCRIPTS):
            continue
        for node in ast.walk(ast.parse(text)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                assert node.end_lineno is not None
                lines = node.end_lineno - node.lineno + 1
                if lines > LONGEST:
                    found[f"{place}: {node.name}"] = lines
    assert not found, f"more than {LONGEST} lines: split them"


@pytest.mark.parametrize("tests", ["device", "train", "quantize", "benchmarks", "boards"])
def test_tests_lie_as_the_code_they_test(tests: str) -> None:
    code = REPOSITORY / ("edge_app" if tests == "device" else tests)
    for path in (REPOSITORY / "tests" / tests).rglob("test_*.py"):
        folder = path.parent.relative_to(REPOSITORY / "tests" / tests)
        assert (code / folder).is_dir(), f"{path}: there is no {code / folder}"


def test_what_is_listed_as_slow_is_there() -> None:
    for listed in SLOW:
        place, _, test = listed.partition("::")
        path = REPOSITORY / place
        assert path.exists(), f"tests/markers.py: SLOW names {listed}, which is not there"
        assert not test or f"def {test}(" in path.read_text("utf-8"), f"SLOW: no {listed}"
