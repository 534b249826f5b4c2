"""What rules mark, of the shipped small model's own reports, and by the answer's own rule."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from edge_app.evaluation import report
from edge_app.model.decisions import RAISED, RAISED_FROM, TIMES, mark
from edge_app.model.model_file import locate, read
from quantize.studies.inputs import ModelAndReportsInputs
from quantize.studies.raised import raised_study
from train.overall import raised

REPORTS = Path(__file__).parents[3] / "reports" / "cxr-lite0-128"


def test_the_rule_in_use_is_the_answers() -> None:
    rng = np.random.default_rng(0)
    scores, usually = rng.random((200, 4)) * 0.4, np.array([0.0, 0.0004, 0.05, 0.12])
    expected = [
        [
            mark(score, usual, None, by_label=False) == RAISED
            for score, usual in zip(row, usually, strict=True)
        ]
        for row in scores.tolist()
    ]
    assert raised(scores, usually, TIMES, RAISED_FROM).tolist() == expected
    assert 0 < np.sum(expected) < scores.size


def test_a_stricter_rule_marks_fewer_normal_images_and_is_right_more_often() -> None:
    validation, test = (
        report.read(REPORTS / name) for name in ("float-validation.json", "int8.json")
    )
    model = read(locate("cxr-lite0-128"))
    inputs = ModelAndReportsInputs(model, validation, test, REPORTS)
    result = raised_study(inputs)
    used = f"{TIMES}x, {RAISED_FROM:.0f} %"
    assert f"In use: {used}." in result.caption
    found = result.content["rules"]
    for split in ("validation", "test"):
        before, after = found["2x, 1 %"][split], found[used][split]
        assert after["normal"] < before["normal"]
        assert after["right"] > before["right"] > 0
        assert 0 < after["found"] < before["found"]
    (labels,) = {model.labels.findings}
    scores = validation.calibrated(validation.evaluated.logits)[:, list(labels)]
    usually = np.array(model.manifest["prevalence"])[list(labels)]
    assert raised(scores, usually, TIMES, RAISED_FROM).sum() == found[used]["validation"]["marks"]


def test_where_a_rule_marks_nothing_no_share_of_it_is_right(tmp_path: Path) -> None:
    """As of a model whose findings all are usual."""
    validation, test = (
        report.read(REPORTS / name) for name in ("float-validation.json", "int8.json")
    )
    model = read(locate("cxr-lite0-128"))
    usual = model.replace(manifest={**model.manifest, "prevalence": [0.9] * len(model.labels)})
    result = raised_study(ModelAndReportsInputs(usual, validation, test, REPORTS))
    assert result.rows[0] == ("2x, 1 %", "", "0.0%", "0.0%", "", "0.0%", "0.0%")
    result.write(tmp_path)
    assert (tmp_path / "raised.json").stat().st_size
