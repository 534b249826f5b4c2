"""The radiologists' labels beside NIH's, for a shipped model."""

from __future__ import annotations

from pathlib import Path

import pytest

from edge_app.evaluation.report import read as read_report
from edge_app.evaluation.second_reference import read as read_second
from edge_app.model.model_file import SHIPPED, read
from quantize.errors import ConversionError
from quantize.studies.inputs import ModelAndAdjudicatedInputs
from quantize.studies.second_reference import second_reference_study

REPORTS = Path(__file__).resolve().parents[3] / "reports" / "cxr-cnn28"


def inputs(folder: Path, model: str = "cxr-cnn28") -> ModelAndAdjudicatedInputs:
    """Radiologists who say that every other image has an opacity."""
    report = read_report(REPORTS / "int8.json")
    lines = ["image,Fracture,Pneumothorax,Airspace opacity,Nodule or mass"]
    for index, image in enumerate(report.evaluated.images[:60]):
        lines.append(f"{image},NO,NO,{'YES' if index % 2 else 'NO'},NO")
    (folder / "adjudicated.csv").write_text("\n".join(lines))
    second = read_second(folder / "adjudicated.csv", {})
    return ModelAndAdjudicatedInputs(read(SHIPPED / f"{model}.tflite"), report, folder, second)


def test_in_words_and_in_numbers(tmp_path: Path) -> None:
    result = second_reference_study(inputs(tmp_path))
    assert [row[0] for row in result.rows] == [
        "any of these", "Airspace opacity", "Nodule or mass", "Pneumothorax",
    ]  # fmt: skip
    assert "**Airspace opacity**: radiologists saw it on 30 of 60 images" in result.caption
    assert "**Pneumothorax**" not in result.caption  # nobody saw one: there is no AUROC
    assert result.content["found"]["images"] == 60


def test_another_models_report_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConversionError, match="not of"):
        second_reference_study(inputs(tmp_path, "cxr-lite0-128"))
