"""The command lines that README and the manual show are ones that the programs take."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tools.manual.command_lines import fault, shown

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [
    *(REPOSITORY / name for name in ("README.md", "CONTRIBUTING.md")),
    *sorted((REPOSITORY / "docs").rglob("*.md")),
    *sorted((REPOSITORY / "docs").rglob("*.ipynb")),
]


def text(page: Path) -> str:
    if page.suffix != ".ipynb":
        return page.read_text("utf-8")
    cells = json.loads(page.read_text("utf-8"))["cells"]
    return "\n".join("".join(each["source"]) for each in cells if each["cell_type"] == "markdown")


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_what_a_page_shows_can_be_entered(page: Path) -> None:
    wrong = {line: fault(line, whole) for line, whole in shown(text(page))}
    assert {line: why for line, why in wrong.items() if why} == {}


def test_the_pages_show_hundreds() -> None:
    assert sum(len(list(shown(text(page)))) for page in PAGES) > 200


@pytest.mark.parametrize(
    ("line", "why"),
    [
        ("edge-cxr classfy image.png", "no command classfy"),
        ("edge-cxr classify --tip 3 image.png", "--tip"),
        ("cat image.png | edge-cxr classify --top three -", "three"),
        ("EDGE_CXR_SITE=none sudo edge-cxr classify image.png", None),  # sudo comes first
        ("sudo edge-cxr serve", "MissingParameter"),
        ("~/.local/bin/edge-cxr drift --nothing", "--nothing"),
        ("python -m train fit DATA", "MissingParameter"),
        ("KERAS_BACKEND=jax python -m train fit DATA --run a b", "extra"),
        ("edge-cxr-quantize intate", "no command intate"),
        ("python -m tools.nothing", "no module"),
        ("python -m boards deb --target pi64 --nothing", "--nothing"),
    ],
)
def test_what_cannot_be_entered_is_found(line: str, why: str | None) -> None:
    found = fault(line, whole=True)
    assert found is None if why is None else found is not None and why in found


def test_in_prose_a_command_may_be_without_its_arguments() -> None:
    assert fault("python -m train fit --set distil=0.5", whole=False) is None
    assert fault("edge-cxr models", whole=False) is None
    assert fault("edge-cxr classify --tip", whole=False) == "no option --tip"


def test_lines_without_a_prompt_among_prompts_are_output() -> None:
    page = "```\n$ edge-cxr doctor\nedge-cxr nothing\n```\n`edge-cxr serve`, `not this`\n"
    assert list(shown(page)) == [("edge-cxr doctor", True), ("edge-cxr serve", False)]


def test_lines_are_joined_and_other_languages_left_alone() -> None:
    page = "```sh\nedge-cxr classify \\\n  --json a.png\n```\n```python\nedge-cxr nothing\n```\n"
    assert [" ".join(line.split()) for line, _ in shown(page)] == ["edge-cxr classify --json a.png"]
