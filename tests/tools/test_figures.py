"""The figures of README and the manual are those of the files that commands wrote."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tools.manual import figures, first_findings
from tools.manual.figures import one_line, said, section, strangers, ties, whole

REPOSITORY = Path(__file__).resolve().parents[2]
TIES = ties()
PER_CENT = {"phrase": "{r[a]:.1%} of {r[b][Edema][n]:,}", "files": {"r": "r.json"}}


def page(name: str) -> str:
    return one_line((REPOSITORY / name).read_text("utf-8"))


@pytest.mark.parametrize("tie", TIES["figure"], ids=lambda tie: tie["phrase"][:40])
def test_a_phrase_stands_in_its_pages_with_the_values_of_its_files(tie: Mapping[str, Any]) -> None:
    phrase = said(tie)
    assert re.search(r"\{\w+\[", tie["phrase"]), "it has no value"
    assert [name for name in tie["pages"] if not whole(phrase).search(page(name))] == [], phrase


@pytest.mark.parametrize("tie", TIES["fact"], ids=lambda tie: tie["phrase"][:40])
def test_what_others_found_stands_in_its_pages_with_its_source(tie: Mapping[str, Any]) -> None:
    for name in tie["pages"]:
        others, found = whole(tie["phrase"]).subn(" ", page(name))
        assert found
        assert tie["source"] in others


@pytest.mark.parametrize("tie", TIES["lines"], ids=lambda tie: tie["page"])
def test_lines_of_a_page_stand_in_their_file(tie: Mapping[str, Any]) -> None:
    assert list(strangers(tie)) == []


@pytest.mark.parametrize("tie", TIES["section"], ids=lambda tie: tie["name"])
def test_a_section_of_a_page_is_what_stands_in_its_file(tie: Mapping[str, Any]) -> None:
    shown = section(tie)
    assert shown.startswith("`python -m ")
    assert (REPOSITORY / tie["file"]).read_text("utf-8").startswith(f"{shown}\n")


def test_what_the_first_findings_are_worth_is_what_the_report_s_scores_say() -> None:
    assert first_findings.found() == pytest.approx(json.loads(first_findings.FOUND.read_text()))


def test_values_are_formatted_as_the_phrase_says(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = {"a": 0.123, "b": [{"label": "Edema", "n": 2012}], "c": ["Edema", "Mass"]}
    (tmp_path / "r.json").write_text(json.dumps(report))
    monkeypatch.setattr(figures, "REPOSITORY", tmp_path)
    assert said(PER_CENT) == "12.3 % of 2,012"
    assert said({**PER_CENT, "phrase": "{r[c]!n} findings"}) == "2 findings"


@pytest.mark.parametrize("text", ["of 12 % found", "1.2 % found", "−2 % found", "2 % foundered"])
def test_a_phrase_is_no_end_of_a_longer_number_or_word(text: str) -> None:
    assert whole("2 % found").search("that 2 %\nfound.")
    assert not whole("2 % found").search(text)
    assert not whole("of 1").search("of 1.5, of 1,500 and of 12")


def test_bytes_a_ratio_and_seconds_have_the_units_of_the_manual(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "code.py").write_text("LARGEST, MARGIN, PAUSE, MUCH = 36 << 20, 1.03, 0.25, 3503")
    monkeypatch.setattr(figures, "REPOSITORY", tmp_path)
    phrase = (
        "{c[LARGEST]!b:.0f} MiB, {c[LARGEST]!K:.0f} KiB, {c[LARGEST]!m:.1f} MB, {c[MUCH]!k:.1f} GB"
    )
    phrase += ", {c[MARGIN]!z:.0f}%, {c[PAUSE]!t:.0f} ms"
    assert said({"phrase": phrase, "files": {"c": "code.py"}}) == (
        "36 MiB, 36864 KiB, 37.7 MB, 3.5 GB, 3 %, 250 ms"
    )


def test_a_complement_and_a_negative_value_are_formatted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "r.json").write_text(json.dumps({"found": 0.62, "less": -0.01}))
    monkeypatch.setattr(figures, "REPOSITORY", tmp_path)
    phrase = "{r[found]!c:.0%}, {r[found]!p:.1f} and {r[found]!q:.0f}, {r[less]:.2f}"
    assert said({"phrase": phrase, "files": {"r": "r.json"}}) == "38 %, 62.0 and 38, −0.01"


def test_the_least_and_the_greatest_of_all_elements_are_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    report = {
        "sites": {
            "0.02": {"rows": [{"ppv": 0.93, "npv": 0.95, "refused": 0.3}]},
            "0.4": {"rows": [{"ppv": 0.94, "npv": 0.99, "refused": 0.0}, {"ppv": 0.92, "npv": 1}]},
        }
    }
    (tmp_path / "r.json").write_text(json.dumps(report))
    monkeypatch.setattr(figures, "REPOSITORY", tmp_path)
    field = "{r[sites][*][rows][*]"
    phrase = f"{field}[ppv, npv]!<:.0%}} to {field}[ppv, npv]!>:.0%}}"
    phrase += f", {field}[ppv]!>}} of {field}!n}}"
    assert said({**PER_CENT, "phrase": phrase}) == "92 % to 100 %, 0.94 of 3"


def test_a_line_that_its_file_has_not_is_found(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "page.md").write_text("| a | 1 |\n| a | 2 |\n| b | 3 |\n")
    (tmp_path / "file.md").write_text("| a | 1 |\n")
    monkeypatch.setattr(figures, "REPOSITORY", tmp_path)
    tie = {"page": "page.md", "file": "file.md", "begin": ["| a"]}
    assert list(strangers(tie)) == ["| a | 2 |"]
    assert list(strangers({**tie, "begin": ["| c"]})) != []
