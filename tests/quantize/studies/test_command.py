"""A study as a command: what its images cannot show is published with it."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest

from edge_app.evaluation.report import Report
from quantize.studies import inputs
from quantize.studies.bench import Bench
from quantize.studies.command import command
from quantize.studies.registry import Study
from quantize.studies.result import Result
from train.cache import Cached
from train.finished_run import NOT_SHOWN, FinishedRun


def small(bench: Bench) -> Result:
    return Result("small", "python -m quantize small", "What.", ("a",), [("x",)], {"x": 1})


def published(study: Study, folder: Path) -> tuple[str, dict[str, Any]]:
    command(study)(out=folder, document=None)
    return (folder / "small.md").read_text(), json.loads((folder / "small.json").read_text())


@pytest.fixture
def opened(
    untrained: tuple[FinishedRun, Cached], monkeypatch: pytest.MonkeyPatch
) -> Callable[[dict[str, Any]], Study]:
    run, cached = untrained
    monkeypatch.setattr(inputs, "read_data", lambda *_: cached)

    def study(dataset: dict[str, Any]) -> Study:
        config = replace(run.config, content=run.config.content | {"dataset": dataset})
        known = replace(run, config=config)
        monkeypatch.setattr(inputs, "open_run", lambda _: known)

        def open_small(out: Path) -> Bench:
            return inputs.open_bench(Path("run"), Path("data"), out=out)

        return Study("small", open_small, small, "Help.")

    return study


def test_a_study_says_whether_the_run_may_know_the_patients_it_is_measured_on(
    opened: Callable[[dict[str, Any]], Study],
    untrained: tuple[FinishedRun, Cached],
    tmp_path: Path,
) -> None:
    cached = untrained[1]
    same = {"train": {"digest": cached.split("train").digest}}
    text, content = published(opened(same), tmp_path / "same")
    assert "notes" not in content
    assert "Note:" not in text

    moved = {"train": {"digest": "0" * 64}}
    text, content = published(opened(moved), tmp_path / "moved")
    assert content["notes"] == [NOT_SHOWN]
    assert f"What. Note: {NOT_SHOWN}." in text


def test_a_study_of_reports_says_what_these_say_of_their_images(tmp_path: Path) -> None:
    noted = {"dataset": {"split": "test", "notes": [NOT_SHOWN]}}
    plain = {"dataset": {"split": "validation"}}
    test, validation = (Report(cast("Any", each), cast("Any", None)) for each in (noted, plain))

    def result(_: object) -> Result:
        return Result("small", "python -m quantize small", "What.", ("a",), [("x",)], {"x": 1})

    def one(out: Path) -> inputs.ModelAndReportInputs:
        return inputs.ModelAndReportInputs(cast("Any", None), test, out)

    def two(out: Path) -> inputs.ModelAndReportsInputs:
        return inputs.ModelAndReportsInputs(cast("Any", None), validation, test, out)

    said = f"of the test images: {NOT_SHOWN}"
    for opening in (one, two):
        text, content = published(Study("small", opening, result, "Help."), tmp_path)
        assert content["notes"] == [said]
        assert f"What. Note: {said}." in text
