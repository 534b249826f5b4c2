"""The manual as a site: what is generated for it, where links lead, what it must not load."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

import edge_app
from edge_app.cli import app
from tools.manual import pages, schemas
from tools.manual.external import external_loads
from tools.manual.pages import Site, listing, notebook
from tools.manual.standins import KNOWING, StandIn

REPOSITORY = Path(__file__).resolve().parents[2]
NAVIGATION = re.compile(r"^ +- .*: (\S+\.md)$", re.MULTILINE)


@pytest.fixture(scope="module")
def reference() -> Mapping[str, str]:
    return pages.reference()


def test_every_command_and_option_that_help_tells_is_in_the_reference(
    reference: Mapping[str, str], capsys: pytest.CaptureFixture[str]
) -> None:
    page = reference["reference/edge-cxr.md"]
    for name in app.COMMANDS:
        assert app.run([name, "--help"]) == 0
        options = set(re.findall(r"--[a-z][\w-]+", capsys.readouterr().out)) - {"--help"}
        section = page.split(f"## edge-cxr {name}\n")[1].split("\n## ")[0]
        assert {each for each in options if each not in section} == set()


def test_the_workstations_commands_are_described_without_its_packages(
    reference: Mapping[str, str],
) -> None:
    for name, words in (
        ("train", "## python -m train parcel make"),
        ("quantize", "`--labels PATH`"),
        ("benchmarks", "## python -m benchmarks versions"),
        ("boards", "## python -m boards deb"),
    ):
        assert words in reference[f"reference/{name}.md"]
        assert "StandIn" not in reference[f"reference/{name}.md"]
    left = [
        name
        for name, module in list(sys.modules.items())
        if name.split(".")[0] in KNOWING
        and any(value is StandIn or type(value) is StandIn for value in vars(module).values())
    ]
    assert not left, "modules with stand-ins are still there"


def test_every_public_name_is_in_the_reference(reference: Mapping[str, str]) -> None:
    named = re.findall(r"^::: edge_app\.(\w+)$", reference["reference/python.md"], re.MULTILINE)
    assert sorted(named) == sorted(set(edge_app.__all__) - {"DISCLAIMER", "__version__"})


def test_the_exit_codes_are_those_of_the_guide(reference: Mapping[str, str]) -> None:
    def codes(page: str) -> set[str]:
        return set(re.findall(r"^\| (\d+) \|", page, re.MULTILINE))

    guide = (REPOSITORY / "docs/classify.md").read_text("utf-8")
    assert codes(reference["reference/exit-codes.md"]) == codes(guide)


def flat(document: Any, place: str = "") -> set[str]:
    """The keys of a document, those within lists by `[]`."""
    if isinstance(document, list):
        return set().union(*(flat(each, f"{place}[]") for each in document))
    if not isinstance(document, dict):
        return set()
    inner = {key: f"{place}.{key}" if place else key for key in document}
    return set(inner.values()).union(*(flat(document[key], inner[key]) for key in document))


def test_the_keys_of_a_real_report_are_in_the_reference(reference: Mapping[str, str]) -> None:
    report = json.loads((REPOSITORY / "reports/cxr-lite0-128/int8.json").read_text("utf-8"))
    documented = re.findall(r"^\| `([^` ]+)", reference["reference/json-report.md"], re.MULTILINE)
    patterns = [re.escape(key).replace("NAME", r"[^.\[\]]+") for key in documented]
    found = re.compile("|".join(patterns))
    free = {each for each in flat(report) if each.split(".")[0] in ("labels", "macro", "dataset")}
    assert len(free) > 20
    assert {key for key in free if not found.fullmatch(key)} == set()


def test_a_schema_that_names_itself_ends() -> None:
    tree = {"$ref": "#/definitions/tree", "description": "a branch"}
    root = {"definitions": {"tree": {"type": "object", "properties": {"branch": tree}}}}
    rows = list(schemas.keys(root, {"properties": {"root": tree}}))
    assert [row[:2] for row in rows] == [("root ?", "object"), ("root.branch ?", "as above")]


@pytest.mark.parametrize(
    ("link", "source", "leads_to"),
    [
        ("docs/serve.md", "README.md", "serve.md"),
        ("../README.md", "docs/serve.md", "index.md"),
        ("../../reports/cxr-cnn28/MODEL_CARD.md", "docs/develop/testing.md",
         "../repository/reports/cxr-cnn28/MODEL_CARD.md"),
        ("../reports", "docs/models.md", "repository/reports/index.md"),
        ("tutorials/bring-your-own.ipynb", "docs/import.md", "tutorials/bring-your-own.md"),
        ("docs/serve.md", "CONTRIBUTING.md", "../serve.md"),
        ("https://example.org/docs/serve.md", "README.md", "https://example.org/docs/serve.md"),
        ("nothing.md", "README.md", "nothing.md"),
    ],
)  # fmt: skip
def test_links_of_the_repository_lead_from_page_to_page(
    link: str, source: str, leads_to: str
) -> None:
    text = Site().linked(f"see [it]({link}#there)\n```\n[it]({link})\n```", source)
    assert text == f"see [it]({leads_to}#there)\n```\n[it]({link})\n```"


def test_a_folders_page_lists_its_reports(tmp_path: Path) -> None:
    (tmp_path / "deep").mkdir()
    for name in ("card.md", "deep/report.json", "scores.npz"):
        (tmp_path / name).touch()
    assert "[deep/report.json](deep/report.json)" in listing(tmp_path)
    assert "npz" not in listing(tmp_path)


def test_a_notebook_becomes_a_page() -> None:
    cells = [
        {"cell_type": "markdown", "source": ["# One\n", "two"]},
        {"cell_type": "code", "source": ["x = 1\n", "x"]},
    ]
    assert notebook(json.dumps({"cells": cells})) == "# One\ntwo\n\n```python\nx = 1\nx\n```\n\n"


def test_every_page_is_in_the_navigation_once() -> None:
    listed = NAVIGATION.findall((REPOSITORY / "mkdocs.yml").read_text("utf-8"))
    docs = REPOSITORY / "docs"
    written = {path.relative_to(docs).as_posix() for path in docs.rglob("*.md")}
    notebooks = {Site().place(f"docs/{p.relative_to(docs)}") for p in docs.rglob("*.ipynb")}
    assert sorted(set(listed)) == sorted(listed)
    assert written | notebooks <= set(listed)
    elsewhere = {each for each in listed if each not in written | notebooks}
    generated = set(pages.reference()) | {Site().place(each) for each in Site().needed()}
    assert elsewhere <= generated


@pytest.fixture
def site(tmp_path: Path) -> Callable[[str, str], list[str]]:
    def loads(name: str, text: str) -> list[str]:
        (tmp_path / name).write_text(text)
        return external_loads(tmp_path)

    return loads


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.html", '<script src="https://cdn.example/a.js"></script>'),
        ("a.html", '<link rel="stylesheet" href="//fonts.example/a.css">'),
        ("a.html", '<link rel="preconnect" href="https://fonts.example">'),
        ("a.html", '<img alt="" src="http://cdn.example/a.png">'),
        ("a.html", '<p style="background: url(https://cdn.example/a.png)">'),
        ("a.html", "<style>@import 'https://cdn.example/a.css';</style>"),
        ("a.css", "@font-face { src: url(https://fonts.example/a.woff2) }"),
    ],
)
def test_what_a_page_would_load_from_elsewhere_is_found(
    site: Callable[[str, str], list[str]], name: str, text: str
) -> None:
    found = site(name, text)
    assert len(found) == 1
    assert "example" in found[0]


def test_a_link_and_a_file_of_the_sites_own_are_nothing_of_elsewhere(
    site: Callable[[str, str], list[str]],
) -> None:
    text = '<link rel="canonical" href="https://a.example"><a href="https://b.example">b</a>'
    assert site("a.html", f'{text}<script src="assets/a.js"></script>') == []
