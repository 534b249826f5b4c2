"""An earlier version beside this one: ratios the right way round, a wrong name said."""

from __future__ import annotations

import zipfile
from pathlib import Path

import pytest

from benchmarks import versions
from benchmarks.environments import PeerError
from benchmarks.revision import parts_of
from benchmarks.scenarios import Process, Scenarios
from edge_app.evaluation.evaluate import part
from edge_app.evaluation.labelled import load
from tests.device.performance.results import MACHINE, quantity
from train.labels import NIH


def test_each_is_reported_as_a_share_of_the_plain_command() -> None:
    plain = {"wall": quantity([0.2, 0.21, 0.19]), "cpu": quantity([0.1, 0.1, 0.1])}
    slower = {"wall": quantity([0.4, 0.42, 0.38]), "cpu": quantity([0.1, 0.1, 0.1])}
    peak = {"peak": quantity([1e6, 1e6], "B")}
    rate = {"rate": quantity([100.0, 101.0, 99.0], "images/s")}
    text = versions.markdown(
        {
            "command": "python -m benchmarks versions HEAD~1",
            "created": "2026-01-01T00:00:00+00:00",
            "machine": MACHINE,
            "partial": True,
            "warnings": ["the machine was busy"],
            "wheels": {"HEAD~1": {"edge_app/old": 95_000}, "now": {"edge_app/new": 100_000}},
            "quantities": {
                "one": {"HEAD~1": {**slower, **peak}, "now": {**plain, **peak, **rate}},
            },
        }
    )
    before, now = (
        line for line in text.splitlines() if line.startswith(("| one | HEAD", "| one | now"))
    )
    assert "[2.00 (" in before
    assert "[1.00 (1.00 to 1.00)]" in before
    assert "[" not in now
    assert "/s |" in now
    assert "| wheel without models, bytes | HEAD~1 | now |" in text
    assert "| edge_app/old | 95,000 | 0 |" in text
    assert "| together | 95,000 | 100,000 |\n| ratio | 0.950 | 1.000 |" in text
    assert "PARTIAL" in text
    assert "the machine was busy" in text


def test_a_wheel_is_the_sum_of_its_folders_without_its_models(tmp_path: Path) -> None:
    wheel = tmp_path / "made.whl"
    with zipfile.ZipFile(wheel, "w") as archive:
        for name, size in (
            ("edge_app/api.py", 10),
            ("edge_app/clinic/node.py", 200),
            ("edge_app/clinic/page/app.py", 100),
            ("edge_app/model/shipped/one.tflite", 5000),
            ("edge_cxr-1.dist-info/RECORD", 50),
        ):
            archive.writestr(name, bytes(size))
    parts = parts_of(wheel)
    assert list(parts)[:2] == ["edge_app/clinic", "edge_app"]
    assert (parts["edge_app/clinic"], parts["edge_app"]) == (300, 10)
    assert sum(parts.values()) == wheel.stat().st_size - 5000


def test_a_commit_that_is_not_there_is_said_before_anything_is_installed() -> None:
    with pytest.raises(PeerError, match="git rev-parse"):
        versions.compare("no-such-commit", 0, "", pytest.fail)


def test_a_round_has_both_versions_of_everything(tmp_path: Path) -> None:
    scenarios = Scenarios(tmp_path, "HEAD~1", tmp_path / "before")
    processes = list(scenarios.round(1))
    for scenario in {process.scenario for process in processes}:
        labels = {process.label for process in processes if process.scenario == scenario}
        assert {"HEAD~1", "now"} <= labels
    many = [process for process in processes if process.scenario.startswith("evaluate")]
    assert [process.few for process in many] == [True] * 4 + [False] * 4
    assert part(load(Path(many[-1].line[2]), NIH), None).split == "all"


def test_a_part_of_the_scenarios_can_be_measured(tmp_path: Path) -> None:
    scenarios = Scenarios(tmp_path, "HEAD~1", tmp_path / "before", "evaluate")
    assert {process.scenario for process in scenarios.round(1)} == {"evaluate 400"}


def test_images_a_second_leave_out_what_a_process_takes_before_them(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    walls = {"few": 1.4, "many": 7.4}
    monkeypatch.setattr(
        versions, "launch", lambda line, _: {"wall": walls[line[0]], "cpu": 1.0, "peak": 1}
    )
    found: versions.Found = {}
    both = [Process("s", "now", ["few"], 4, True), Process("s", "now", ["many"], 64)]
    versions._add(found, both)
    assert found["s"]["now"]["rate"].as_dict()["value"] == pytest.approx(10)
    assert found["s"]["now"]["wall"].as_dict()["value"] == pytest.approx(7.4)
