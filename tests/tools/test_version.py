"""The version stands in one place; what cannot take it from there is held to it."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_app import __version__
from edge_app.cli import app

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
FILE = re.compile(r"edge[-_]cxr[-_](\d+\.\d+\.\d+)[-_]")


def text(name: str) -> str:
    return (REPOSITORY / name).read_text("utf-8")


def test_the_command_tells_it(capsys: pytest.CaptureFixture[str]) -> None:
    assert app.run(["--version"]) == 0
    assert capsys.readouterr().out == f"edge-cxr {__version__}\n"


@pytest.mark.parametrize("project", ["pyproject.toml", "workstation/pyproject.toml"])
def test_a_wheel_takes_it_from_the_code(project: str) -> None:
    assert 'dynamic = ["version"]' in text(project)
    assert 'version = { attr = "edge_app.core.about.__version__" }' in text(project)


def test_the_citation_has_it() -> None:
    assert re.findall(r"^version: (.*)$", text("CITATION.cff"), re.MULTILINE) == [__version__]


def test_the_newest_release_in_the_changes_is_this_one() -> None:
    assert re.findall(r"^## (\d.*)$", text("CHANGELOG.md"), re.MULTILINE)[0] == __version__


def test_files_that_the_manual_names_are_of_this_version() -> None:
    named = {page.name: FILE.findall(page.read_text("utf-8")) for page in PAGES}
    assert len([name for name, versions in named.items() if versions]) > 2
    assert {name: v for name, v in named.items() if set(v) - {__version__}} == {}
