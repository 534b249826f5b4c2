"""Simulated sites: drawn as specified, and judged by the truth about their population."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from edge_app.evaluation.report import read as read_report
from edge_app.model.model_file import SHIPPED, read
from quantize.studies.inputs import ModelAndReportInputs
from quantize.studies.sites import PREVALENCES, Exposure, Population, sites_study

REPORTS = Path(__file__).resolve().parents[3] / "reports" / "cxr-cnn28"


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> ModelAndReportInputs:
    model, report = read(SHIPPED / "cxr-cnn28.tflite"), read_report(REPORTS / "int8.json")
    return ModelAndReportInputs(model, report, tmp_path_factory.mktemp("out"))


@pytest.fixture(scope="module")
def population(inputs: ModelAndReportInputs) -> Population:
    return Population(inputs.report, inputs.model)


@pytest.mark.parametrize("prevalence", PREVALENCES)
def test_a_site_has_the_requested_prevalence_and_exposures(
    population: Population, prevalence: float
) -> None:
    generator = np.random.default_rng(0)
    sites = [population.site(prevalence, Exposure(2, 1), generator) for _ in range(20)]
    bearing = np.concatenate([site.bearing for site in sites])
    assert bearing.mean() == pytest.approx(prevalence, rel=0.15)
    assert len(bearing) / 20 == pytest.approx(2000, rel=0.1)
    plain = population.site(prevalence, Exposure(1, 0), np.random.default_rng(3))
    exposed = population.site(prevalence, Exposure(2, 1), np.random.default_rng(3))
    np.testing.assert_allclose(exposed.logits, 2 * plain.logits + 1, rtol=1e-5)


def test_who_is_drawn_twice_is_two_patients(population: Population) -> None:
    site = population.site(0.4, Exposure(1, 0), np.random.default_rng(0))
    assert len(np.unique(site.patients)) > len(np.unique(population.all.patients))


def test_what_is_true_at_a_prevalence(population: Population) -> None:
    scores = population.odds(Exposure(1, 0))
    everything = population.true(scores, -np.inf, 0.05)
    assert everything["sensitivity"] == everything["flagged"] == 1
    assert everything["ppv"] == pytest.approx(0.05)
    half = population.true(scores, float(np.median(scores)), 0.05)
    assert half["ppv"] > 0.05
    assert half["npv"] > 0.95


def test_a_few_draws_make_the_table(inputs: ModelAndReportInputs) -> None:
    result = sites_study(inputs, draws=2)
    assert len(result.rows) == 2 * len(PREVALENCES)
    for kinds in result.content["sites"].values():
        for each in kinds["targets"].values():
            assert each["refused"] == 1 or 0 <= each["met"] <= 1
    after = result.content["halves"]["after"]["false_alarms"]
    assert after["low"] < after["value"] < after["high"]
    assert "calibrated on one half of them" in result.caption
