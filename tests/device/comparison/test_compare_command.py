"""`edge-cxr compare` as its users meet it: terminal, JSON, page, exit codes."""

from __future__ import annotations

import json
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import numpy as np
import pytest

from edge_app import DISCLAIMER
from edge_app.comparison.compare import Comparison, compare
from edge_app.comparison.gates import judge
from edge_app.comparison.html import page
from edge_app.evaluation import report as reports
from edge_app.evaluation.report import Evaluated
from train.labels import LABELS

from ..conftest import Run
from ..reports import FLOAT, answers, compared, nearly, report, with_logits

VOID = {"meta", "br"}


class Page(HTMLParser):
    """What a page is made of; unbalanced tags raise."""

    def __init__(self, text: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


@pytest.fixture(scope="module")
def faithful() -> Comparison:
    evaluated = answers()
    return compared(evaluated, nearly(evaluated))


@pytest.fixture
def pair(tmp_path: Path) -> tuple[Path, Path]:
    """Reports on disk of a float network and a faithful int8 one."""
    evaluated = answers()
    reports.write(report(evaluated, model=FLOAT), tmp_path / "float.json")
    reports.write(report(nearly(evaluated)), tmp_path / "int8.json")
    return tmp_path / "float.json", tmp_path / "int8.json"


QUICK = ("--resamples", 100)


# --- the page ---------------------------------------------------------------------------------


def test_the_page_needs_neither_network_nor_script(faithful: Comparison) -> None:
    text = page(faithful, judge(faithful))
    found = Page(text)
    assert found.tags.isdisjoint({"script", "link", "img", "iframe", "object", "image", "use"})
    names = {name for name, _ in found.attributes}
    assert names.isdisjoint({"src", "href", "xlink:href", "onload", "onclick", "style"})
    assert "http:" not in text
    assert "https:" not in text
    assert "@import" not in text
    assert "url(" not in text
    assert "NaN" not in text
    assert "default-src 'none'" in text


def test_the_page_says_the_verdict_before_anything_else(faithful: Comparison) -> None:
    found = Page(page(faithful, judge(faithful)))
    words = found.text.split("}", 1)[-1]
    assert words.index("Passed") < words.index("Gates") < words.index("AUROC, label by label")
    for section in ("Decisions that change", "ROC curves", "Confusion matrices", "Calibration"):
        assert section in words
    assert DISCLAIMER in words
    assert all(label in words for label in LABELS)
    assert "1" * 64 in words  # the data digest
    inverted = answers()
    bad = compared(inverted, with_logits(inverted, -inverted.logits))
    text = Page(page(bad, judge(bad))).text
    assert "Not passed" in text
    assert "required ≥ −0.0020" in text


def test_what_a_report_says_is_text_and_never_markup() -> None:
    evil = '<script>alert("1")</script>&\x1b[31m\ud800'
    evaluated = answers()
    names = np.array([f"{evil}{i}" for i in range(200)])
    evaluated = replace(evaluated, images=names)
    points = report(evaluated).content["operating_points"]
    sides = {"sensitivity": [0.5] * 15, "specificity": [0.5] * 15}
    facts = {
        "dataset": {"name": evil, "split": evil, "digest": evil},
        "runtime": {"name": evil, "version": evil, evil: {evil: [evil]}},
        "operating_points": {evil: {"thresholds": [0.4] * len(points["balanced"]), **sides}},
        "operating_point": evil,
    }
    sides_ = (
        report(evaluated, model={**FLOAT, "name": evil}, **facts),
        report(nearly(evaluated), model={"name": f"{evil}!", "format": evil}, **facts),
    )
    bad = compare(*sides_, 100)
    text = page(bad, judge(bad))
    found = Page(text)
    assert "script" not in found.tags
    assert '<script>alert("1")</script>&�[31m�' in found.text
    assert "\x1b" not in text
    text.encode()


def test_the_page_of_hard_cases_is_whole(tmp_path: Path) -> None:
    """No positives, no thresholds, one patient, a constant output, one image."""
    evaluated = answers(patients=1)
    targets = evaluated.targets.copy()
    targets[:, 4], targets[:, 5] = 0, 1
    evaluated = replace(evaluated, targets=targets)
    logits = evaluated.logits.copy()
    logits[:, 6] = 3
    candidate = with_logits(evaluated, logits)
    none: list[float | None] = [None] * 15
    for thresholds in (none, [None, *none[1:14], 0.5]):
        hard = compare(
            report(evaluated, thresholds, model=FLOAT), report(candidate, thresholds), 100
        )
        assert "not computable" in Page(page(hard, judge(hard))).text
    one = answers(1, 1)
    single = compared(one, nearly(one))
    assert "Not proven" in Page(page(single, judge(single))).text


def test_the_page_shows_where_logits_are_no_numbers() -> None:
    evaluated = answers()
    logits = evaluated.logits.copy()
    logits[:, 2] = np.nan
    logits[5, 3] = np.inf
    bad = compared(evaluated, with_logits(evaluated, logits))
    found = Page(page(bad, judge(bad)))
    assert "logits that are no finite number" in found.text
    assert not any(word in ("nan", "inf") for word in found.text.lower().split())
    assert not any("nan" in value or "inf" in value for _, value in found.attributes)


def test_the_page_of_the_shipped_reports_is_small(repository: Path) -> None:
    folder = repository / "reports" / "cxr-lite0-128"
    shipped = compare(*(reports.read(folder / f"{s}.json") for s in ("float", "int8")), 100)
    text = page(shipped, judge(shipped))
    Page(text)
    assert len(text.encode()) < 1_000_000


# --- the command ------------------------------------------------------------------------------


def test_a_faithful_candidate_ends_with_0_and_the_verdict_first(
    run: Run, pair: tuple[Path, Path]
) -> None:
    done = run("compare", *pair, *QUICK)
    assert done.returncode == 0
    assert done.stderr == ""
    assert done.stdout.startswith("PASSED: all 13 gates met\n")
    assert all(label in done.stdout for label in LABELS)
    assert "reference, noise of one gray level" in done.stdout
    assert "not measured" in done.stdout  # the other perturbations
    assert done.stdout.endswith(DISCLAIMER + "\n")


def test_a_broken_gate_is_a_line_on_standard_error_and_code_5(
    run: Run, pair: tuple[Path, Path]
) -> None:
    done = run("compare", *pair, *QUICK, "--gate", "agreement=1", "--gate", "macro_auroc=1")
    assert done.returncode == 5
    first, second = done.stderr.splitlines()
    assert first.startswith("edge-cxr: macro_auroc: macro ΔAUROC: ")
    assert second.startswith("edge-cxr: agreement: share of equal decisions at 'balanced': ")
    assert "required ≥ 100" in second
    assert done.stdout.startswith("NOT PASSED: 2 of 13 gates not met: macro_auroc, agreement\n")


def test_json_is_the_comparison_with_its_gates(run: Run, pair: tuple[Path, Path]) -> None:
    done = run("compare", *pair, *QUICK, "--json")
    found = json.loads(done.stdout, parse_constant=pytest.fail)
    assert done.returncode == 0
    assert list(found)[:3] == ["passed", "verdict", "gates"]
    assert found["passed"] is True
    assert found["verdict"] == "passed"
    assert found["gates"]["macro_auroc"]["limit"] == -0.002
    expected = compare(*map(reports.read, pair), 100).written
    assert {key: found[key] for key in expected} == expected


def test_a_page_is_written_whole(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    out = tmp_path / "page.html"
    done = run("compare", *pair, *QUICK, "--html", out)
    assert done.returncode == 0
    assert "Passed" in Page(out.read_text()).text
    assert not list(tmp_path.glob("*.partial"))


def test_a_page_that_cannot_be_written_is_said(run: Run, pair: tuple[Path, Path]) -> None:
    place = pair[0].parent / "nowhere" / "page.html"
    done = run("compare", *pair, *QUICK, "--html", place)
    assert done.returncode == 4
    assert done.stderr == f"edge-cxr: {place}: cannot be written: No such file or directory\n"


def test_missing_foreign_and_truncated_files_are_refused_in_one_line(
    run: Run, pair: tuple[Path, Path], tmp_path: Path, picture: Path
) -> None:
    cut = tmp_path / "cut.json"
    cut.write_bytes(pair[0].read_bytes()[:2000])
    for path, words in (
        (tmp_path / "nothing.json", "no such file"),
        (tmp_path, "is a folder"),
        (picture, "is neither a CSV in UTF-8 nor an .npz"),
        (cut, "is damaged or no edge-cxr evaluation report"),
    ):
        for line in ((path, pair[1]), (pair[0], path)):
            done = run("compare", *line)
            assert done.returncode == 3
            assert done.stderr.startswith(f"edge-cxr: {path}: {words}")
            assert done.stderr.count("\n") == 1
            assert done.stdout == ""


def test_a_comparison_is_no_report(run: Run, pair: tuple[Path, Path], tmp_path: Path) -> None:
    path = tmp_path / "comparison.json"
    path.write_text(run("compare", *pair, *QUICK, "--json").stdout)
    done = run("compare", path, pair[1])
    assert done.returncode == 3
    assert "is not an edge-cxr evaluation report" in done.stderr


def test_reports_of_fewer_images_are_refused(run: Run, pair: tuple[Path, Path]) -> None:
    evaluated = answers()
    keys = ("images", "patients", "targets", "logits")
    half = Evaluated(**{key: getattr(evaluated, key)[:100] for key in keys})
    reports.write(report(half, model=FLOAT), pair[0])
    done = run("compare", *pair)
    assert done.returncode == 3
    assert "100 images are in one of the reports only" in done.stderr


@pytest.mark.parametrize(
    ("options", "words"),
    [
        (("--gate", "speed=1"), "there are macro_auroc"),
        (("--gate", "agreement"), "write NAME=VALUE"),
        (("--resamples", "3"), "--resamples"),
    ],
)
def test_wrong_usage_is_said_before_anything_is_read(
    run: Run, options: tuple[str, ...], words: str
) -> None:
    done = run("compare", "nothing.json", "nothing.json", *options)
    assert done.returncode == 2
    assert words in done.stderr
