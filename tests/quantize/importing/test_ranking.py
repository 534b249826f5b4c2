"""What an import says a network was worth as it came is what its own scores are worth."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import fastjsonschema
import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import softmax
from sklearn.metrics import roc_auc_score

from edge_app.core import strict_json
from edge_app.evaluation import document, report
from edge_app.evaluation.report import Evaluated, Report, interval_text
from edge_app.model.labels import NORMAL, Label, Labels
from quantize.importing.card import _ranking
from quantize.importing.decide import decided
from quantize.importing.ranking import OWN, ranking, turned, with_own

NAMES = ("Nodule", "Effusion", "Healthy")
LABELS = Labels([Label("Nodule"), Label("Effusion"), Label("Healthy", NORMAL)])
COUNT = 400


def answered(seed: int, off: float = 5.0) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Exclusive targets, and logits of a network that finds effusion everywhere.

    What tells healthy images from nodules is thus lost in its softmax, and found by an intercept.
    """
    rng = np.random.default_rng(seed)
    truth = rng.integers(0, 3, COUNT)
    targets = np.eye(3, dtype=np.uint8)[truth]
    nodule, effusion, healthy = targets.T
    logits = rng.normal(0, 1, (COUNT, 3)) + np.stack(
        [2.0 * nodule - 2.0 * healthy, off + 2.0 * effusion + 3.0 * healthy, 0.0 * healthy], axis=1
    )
    return targets, logits.astype(np.float32)


def reported(head: Any = "exclusive", off: float = 5.0, seed: int = 2) -> Report:
    """Of test images, with what validation images decided."""
    fitted = decided(*answered(1, off), LABELS, head, "validation")
    names = np.array([f"{n:03d}" for n in range(COUNT)])
    targets, logits = answered(seed, off)
    return report.build(
        Evaluated(names, names, targets, logits),
        labels=LABELS,
        head=head,
        model={"name": "own", "format": "float32", "sha256": "0" * 64, "architecture": "own"},
        dataset={"name": "own", "split": "test", "digest": "0" * 64},
        runtime={"name": "keras", "version": "3", "delegate": "cpu"},
        calibration=fitted.calibration,
        operating_points=fitted.operating_points,
        operating_point="balanced",
        resamples=200,
    )


def test_as_it_came_is_by_the_networks_own_softmax() -> None:
    made = with_own(reported())
    answers = made.evaluated
    own = softmax(answers.logits.astype(np.float64), axis=1)
    fitted = made.calibrated(answers.logits)
    for channel, row in enumerate(made.content["labels"]):
        truth = answers.targets[:, channel]
        assert row[OWN]["value"] == pytest.approx(roc_auc_score(truth, own[:, channel]), abs=1e-6)
        assert row["auroc"]["value"] == pytest.approx(
            roc_auc_score(truth, fitted[:, channel]), abs=1e-6
        )
        assert row[OWN]["low"] < row[OWN]["value"] < row[OWN]["high"]
    expected = np.mean([row[OWN]["value"] for row in made.content["labels"][:2]])
    assert made.content["macro"][OWN]["value"] == pytest.approx(expected, abs=1e-6)
    healthy = made.content["labels"][2]
    assert healthy[OWN]["value"] < 0.5 < healthy["auroc"]["value"]  # what this is all about


def test_three_columns_stand_where_fitting_moves_the_ranking() -> None:
    made, other = with_own(reported()), reported(seed=3)
    found = ranking(made, other)
    header = ("as it came", "after fitting", "model file, after fitting")
    assert found.header == ("AUROC", "support", *header)
    for row, one, two in zip(
        found.rows, made.content["labels"], other.content["labels"], strict=False
    ):
        shown = [interval_text(each) for each in (one[OWN], one["auroc"], two["auroc"])]
        assert list(row) == [one["label"], str(one["support"]), *shown]
    assert found.rows[3][0] == "macro, findings"
    assert found.rows[3][2] == interval_text(made.content["macro"][OWN])
    title, header_line, *lines = found.lines()
    assert "as it came, that is by the network's own softmax" in title
    assert [line.split()[0] for line in lines[:3]] == list(NAMES)
    assert all(len(line) == len(header_line) for line in lines[:4])


def test_two_columns_are_enough_where_own_and_fitted_scores_rank_alike() -> None:
    independent = reported("independent")
    assert with_own(independent) is independent
    found = ranking(independent, independent)
    assert found.header == ("AUROC", "support", "as it came", "model file")
    assert {len(row) for row in found.rows} == {4}
    assert found.lines() == []
    answers = independent.evaluated
    for channel, row in enumerate(independent.content["labels"]):
        own = roc_auc_score(answers.targets[:, channel], answers.logits[:, channel])
        assert row["auroc"]["value"] == pytest.approx(own, abs=1e-6)


def moved(own: float, low: float, high: float, fitted: float) -> Report:
    """A report whose healthy images rank so, and the others alike by both scores."""
    made = with_own(reported(off=0.0))
    labels = [{**row, OWN: row["auroc"]} for row in made.content["labels"]]
    interval = {"value": own, "low": low, "high": high}
    labels[2] |= {OWN: interval, "auroc": {**interval, "value": fitted}}
    content: Any = {**made.content, "labels": labels}
    return Report(content, made.evaluated)


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((0.276, 0.2, 0.35, 0.682), "turns its ranking round"),
        ((0.6, 0.45, 0.75, 0.45), "turns its ranking round"),
        ((0.8, 0.75, 0.85, 0.9), "moves its ranking beyond its interval"),
        ((0.3, 0.25, 0.35, 0.45), "moves its ranking beyond its interval"),
    ],
)
def test_a_ranking_that_fitting_turns_round_is_told_in_output_and_card(
    numbers: tuple[float, float, float, float], words: str
) -> None:
    made = moved(*numbers)
    (said,) = turned(made)
    assert said.startswith(f"Healthy: fitting {words}: AUROC {numbers[0]:.3f} by the network's own")
    assert f"{numbers[3]:.3f} after fitting" in said
    assert f"**{said}.**" in _ranking(made, made)


@pytest.mark.parametrize("numbers", [(0.8, 0.75, 0.85, 0.84), (0.503, 0.41, 0.6, 0.498)])
def test_a_ranking_that_fitting_leaves_as_it_is_by_chance_is_not_told(
    numbers: tuple[float, float, float, float],
) -> None:
    made = moved(*numbers)
    assert list(turned(made)) == []
    assert "**Healthy" not in _ranking(made, made)


def test_a_report_with_both_is_one_by_the_schema() -> None:
    made = with_own(reported())
    schema = Path(document.__file__).with_name("report.schema.json").read_bytes()
    check = fastjsonschema.compile(strict_json.parse(schema))
    content = {**made.content, "scores": {"file": "a.npz", "sha256": "0" * 64}}
    check(content)
    content["labels"] = [{**row, "auroc_before": 0.5} for row in made.content["labels"]]
    with pytest.raises(fastjsonschema.JsonSchemaException):
        check(content)
