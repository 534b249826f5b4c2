"""The suite's report from a result: ratios the right way round, nothing lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from benchmarks import predictions as boards
from benchmarks import report, sizes, suite, versions
from benchmarks.contest import OURS_LABEL, Contest
from benchmarks.goals import GOALS, reached
from benchmarks.suite import _checks
from tests.device.performance.results import MACHINE, quantity


def made() -> dict[str, Any]:
    quantities = {
        "cold start": {
            OURS_LABEL: quantity([0.2, 0.21, 0.19]),
            "smallest script, int8": quantity([0.15, 0.16, 0.15]),
            "Keras predict, float32": quantity([4.0, 4.1, 4.2]),
        },
        "SingleStream, 1024×1024 PNG": {
            OURS_LABEL: quantity([0.01, 0.011]),
            "ONNX Runtime, int8": quantity([0.02, 0.021]),
        },
        "Offline, 1024×1024 PNG, workers: 1": {
            OURS_LABEL: quantity([90.0, 91.0], "images/s"),
            "decoding alone": quantity([100.0, 101.0], "images/s"),
        },
        "invoke by litert-benchmark": {
            "int8": quantity([0.001]),
            "float32": quantity([0.002]),
        },
    }
    kind = {"operator": "CONV_2D", "count": 2, "macs": 10**8, "bytes": 10**6}
    return {
        "kind": "edge-cxr benchmarks",
        "command": "python -m benchmarks run x",
        "created": "2026-01-01T00:00:00+00:00",
        "partial": False,
        "warnings": ["the machine was busy"],
        "machine": MACHINE,
        "model": {"name": "cxr-lite0-128", "dtype": "int8"},
        "quantities": quantities,
        "ratios": report.ratios(quantities),
        "checks": {"our Offline rate, one worker / LoadGen's": "1.000"},
        "peak": {"macs": {"int8": 1e11, "float32": 5e10}, "bandwidth": 1e10},
        "layers": {"int8": [{**kind, "seconds": 2e-3, "least": 1e-3}]},
        "boards": {
            "factor": boards.factor(),
            "predictions": boards.predict(1e8, "int8"),
            "checks": boards.checks(),
        },
    }


def test_above_one_this_package_is_ahead_of_times_and_of_rates() -> None:
    found = made()["ratios"]
    assert found["cold start"]["Keras predict, float32"]["value"] > 15
    assert found["cold start"]["smallest script, int8"]["value"] < 1
    assert found["Offline, 1024×1024 PNG, workers: 1"]["decoding alone"]["value"] == pytest.approx(
        0.9, abs=0.01
    )
    assert "invoke by litert-benchmark" not in found


def test_the_report_has_every_part_and_marks_predictions(tmp_path: Path) -> None:
    written = report.write(made(), tmp_path, "here")
    text = written[0].read_text()
    for words in ("cold start", "Keras predict", "warning: the machine was busy", "CONV_2D"):
        assert words in text
    assert "predictions, not measurements" in text
    assert "| **all** | 2 | 100.0 | 1.00 | 2.00 ms | 50.0 | 50% |" in text
    for path in written[1:]:
        ElementTree.parse(path)
    assert len(written) == 2


def test_a_partial_result_says_so(tmp_path: Path) -> None:
    half = {**made(), "partial": True, "peak": None, "layers": {}}
    assert "PARTIAL" in report.markdown(half)


def test_the_readme_s_table_is_the_user_s_scenarios() -> None:
    table = report.readme_table(made())
    assert table.startswith("| scenario |")
    assert "SingleStream" in table
    assert "litert-benchmark" not in table


def test_results_under_version_control_have_their_report() -> None:
    writers = {
        suite.KIND: report.markdown,
        versions.KIND: versions.markdown,
        sizes.KIND: sizes.markdown,
    }
    for path in (Path(report.__file__).parent / "results").glob("*.json"):
        result = json.loads(path.read_text())
        assert result["command"].startswith("python -m benchmarks")
        assert path.with_suffix(".md").read_text() == writers[result["kind"]](result)
        if result["kind"] == suite.KIND:
            assert [goal for goal, _ in reached(result["quantities"])] == list(GOALS)


def test_goals_are_met_from_their_own_side_and_the_missed_ones_say_so() -> None:
    text = report.markdown(made())
    row = "| whole process / smallest script, wall time | ≤ 1.35 | 1.30 (1.22 to 1.39) | met |"
    assert row in text
    row = (
        "| folder / decoding alone, 1024×1024 PNG, one worker | ≥ 0.9 | 0.90 (0.89 to 0.91) | met |"
    )
    assert row in text
    slower = made()
    slower["quantities"]["cold start"][OURS_LABEL] = quantity([0.3, 0.31, 0.29])
    assert "| **missed** |" in report.markdown(slower)
    assert "two workers" not in text  # which were not measured


def test_peers_that_answer_differently_are_seen() -> None:
    contest = Contest()
    contest.logits["smallest script, int8, s"] = [[1.0, 2.0]]
    contest.logits["ONNX Runtime, int8, s"] = [[1.0, 2.5]]
    found = _checks(contest, {})
    assert found["largest difference of an int8 logit, smallest script and ONNX Runtime"] == "0.5"
    assert found["our Offline rate, one worker / LoadGen's"] == "not measured"
