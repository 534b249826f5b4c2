"""The manual's pages hold together."""

from __future__ import annotations

import re
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / "README.md", *sorted((REPOSITORY / "docs").rglob("*.md"))]
LINK = re.compile(r"\]\(([^)#\s]*)(?:#([^)\s]*))?\)")


def anchors(page: Path) -> set[str]:
    """What a link may name after a #, as GitHub makes it of a heading."""
    headings = re.findall(r"^#+ (.*)$", page.read_text("utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", each.lower()).replace(" ", "-") for each in headings}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_links_lead_somewhere(page: Path) -> None:
    dead = []
    for target, anchor in LINK.findall(page.read_text("utf-8")):
        if target.startswith(("http:", "https:")):
            continue
        place = page.parent / target if target else page
        if not place.exists() or (anchor and anchor not in anchors(place)):
            dead.append(f"{target}#{anchor}")
    assert dead == []


def test_readme_leads_to_every_page() -> None:
    readme = (REPOSITORY / "README.md").read_text("utf-8")
    missing = [
        page.name for page in PAGES[1:] if page.relative_to(REPOSITORY).as_posix() not in readme
    ]
    assert missing == []


def test_the_integrators_program_tells_an_answer_from_a_refusal_and_from_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    page = (REPOSITORY / "docs/start/integrator.md").read_text("utf-8")
    program = page.split("```python\n")[1].split("```")[0]
    monkeypatch.chdir(tmp_path)
    shutil.copy(REPOSITORY / "examples/synthetic-radiograph.png", "a.png")
    Path("b.dcm").write_text("no image")
    exec(compile(program, "integrator.md", "exec"), {})
    answered, refused = capsys.readouterr().out.splitlines()
    assert answered.startswith("a.png 0.29")
    assert refused.startswith("b.dcm refused: ")
    noise = np.random.default_rng(0).integers(0, 256, (300, 300), np.uint8)
    Image.fromarray(noise).save("a.png")
    exec(compile(program, "integrator.md", "exec"), {})
    assert capsys.readouterr().out.startswith("a.png not scored: ")
