"""How often the first findings of a flagged validation image are right, as the manual says.

    python -m tools.manual.first_findings         # writes first-findings.json beside its reports

Of the scores that the float network's validation report keeps, at the default point of the model
that ships.
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
    """Of flagged images that are not normal: how many, and the share that bears the most probable
    finding, and one of the three most probable ones."""
    report = read(REPORTS / "float-validation.json")
    model = model_file.read(model_file.locate(DEFAULT_MODEL))
    whole = OverallScore.of(model.manifest, model.labels)
    assert whole is not None
    assert whole.facts is not None
    points = whole.facts["operating_points"]
    threshold = points[whole.facts["default_operating_point"]]["threshold"]
    scores = report.calibrated(report.evaluated.logits)
    borne = report.evaluated.targets[:, model.labels.findings]
    chosen = (whole.probability(scores) >= threshold) & borne.any(axis=1)
    order = np.argsort(-scores[:, model.labels.findings], axis=1)
    right = np.take_along_axis(borne, order, axis=1)[chosen] == 1
    return {
        "images": int(chosen.sum()),
        "first": float(right[:, 0].mean()),
        "first three": float(right[:, :3].any(axis=1).mean()),
    }


if __name__ == "__main__":
    FOUND.write_text(json.dumps(found(), indent=1) + "\n", "utf-8")
