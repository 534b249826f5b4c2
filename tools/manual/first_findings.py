"""How often the first findings of a flagged validation image are right, for the manual.

    python -m tools.manual.first_findings         # writes first-findings.json into its reports

From the scores in the float network's validation report, at the shipped model's default point.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

import numpy as np

from edge_app.evaluation.report import read
from edge_app.model import model_file
from edge_app.model.overall import OverallScore
from edge_app.model.shipped import DEFAULT_MODEL

REPORTS: Final = Path(__file__).resolve().parents[2] / "reports" / DEFAULT_MODEL
FOUND: Final = REPORTS / "first-findings.json"


def found() -> dict[str, float]:
    """The number of flagged images with a finding, and their shares that have the most probable
    finding, and one of the three most probable ones."""
    report = read(REPORTS / "float-validation.json")
    model = model_file.read(model_file.locate(DEFAULT_MODEL))
    whole = OverallScore.of(model.manifest, model.labels)
    assert whole is not None
    assert whole.facts is not None
    points = whole.facts["operating_points"]
    threshold = points[whole.facts["default_operating_point"]]["threshold"]
    scores = report.calibrated(report.evaluated.logits)
    targets = report.evaluated.targets[:, model.labels.findings]
    chosen = (whole.probability(scores) >= threshold) & targets.any(axis=1)
    order = np.argsort(-scores[:, model.labels.findings], axis=1)
    right = np.take_along_axis(targets, order, axis=1)[chosen] == 1
    return {
        "images": int(chosen.sum()),
        "first": float(right[:, 0].mean()),
        "first three": float(right[:, :3].any(axis=1).mean()),
    }


if __name__ == "__main__":
    FOUND.write_text(json.dumps(found(), indent=1) + "\n", "utf-8")
