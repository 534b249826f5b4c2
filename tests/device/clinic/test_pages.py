"""The manual and the conformance statement say what the code does."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from edge_app.clinic import codes
from edge_app.clinic.node import RADIOGRAPHS, SYNTAXES
from edge_app.clinic.settings import read_settings


@pytest.fixture(scope="session")
def statement(repository: Path) -> str:
    return (repository / "docs/conformance.md").read_text()


@pytest.fixture(scope="session")
def manual(repository: Path) -> str:
    return (repository / "docs/serve.md").read_text()


def test_the_statement_lists_every_code_of_the_scheme(statement: str) -> None:
    scheme = statement.partition("### 5.3")[2]
    listed = dict(re.findall(r"^\| ([A-Z]+) \| (.+) \|$", scheme, re.MULTILINE))
    assert listed == {code.value: code.meaning for code in codes.OWN}


def test_the_statement_lists_every_class_and_transfer_syntax(statement: str) -> None:
    for uid in RADIOGRAPHS:
        assert uid in statement
    for uid in SYNTAXES:
        assert uid in statement or f".{uid.rpartition('.')[2]} |" in statement


def test_the_manual_s_settings_are_settings(manual: str, tmp_path: Path) -> None:
    example = re.search(r"```toml\n(.*?)```", manual, re.DOTALL)
    assert example
    (tmp_path / "box.toml").write_text(example[1])
    read = read_settings(tmp_path / "box.toml")
    assert read.node is not None
    assert read.node.receivers == ("archive",)


def test_the_manual_names_every_event(manual: str, repository: Path) -> None:
    events = set()
    for path in (repository / "edge_app/clinic").rglob("*.py"):
        events |= set(re.findall(r'\.(?:tell|audit)\(\s*"([\w-]+)"', path.read_text()))
    named = set(re.findall(r"`([\w-]+)`", manual))
    assert events - named == {"audit-failed", "housekeeping-failed"}


@pytest.fixture(scope="session")
def manual_of_page(repository: Path) -> str:
    return (repository / "docs/page.md").read_text()


def test_the_page_s_manual_shows_settings_that_are_settings(
    manual_of_page: str, tmp_path: Path
) -> None:
    examples = re.findall(r"```toml\n(.*?)```", manual_of_page, re.DOTALL)
    assert examples
    for example in examples:
        (tmp_path / "box.toml").write_text(example)
        assert read_settings(tmp_path / "box.toml").page is not None


def test_the_page_s_manual_names_every_metric(manual_of_page: str, repository: Path) -> None:
    code = (repository / "edge_app/clinic/metrics.py").read_text()
    for name in set(re.findall(r'"(edge_cxr_\w+)"', code)):
        assert f"`{name}" in manual_of_page, name
