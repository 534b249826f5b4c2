"""How well a model ranks by radiologists' consensus, compared with labels mined from reports."""

from __future__ import annotations

from edge_app.evaluation.report import interval_text
from edge_app.evaluation.second_reference import judged, sentences
from quantize.errors import ConversionError
from quantize.studies.inputs import ModelAndAdjudicatedInputs
from quantize.studies.result import Result
from train.labels import ADJUDICATED


def second_reference_study(inputs: ModelAndAdjudicatedInputs) -> Result:
    """The image as a whole, and each group of findings, by either reference standard."""
    model, report = inputs.model, inputs.report
    if report.content["model"]["sha256"] != model.sha256:
        raise ConversionError(f"the report is not of {model.path}: evaluate this model")
    second = inputs.second._replace(groups=ADJUDICATED)
    found = judged(report, second, model.manifest.get("overall"))
    words = sentences(found, "radiologists", "NIH's")
    return Result(
        name="second-reference",
        command="python -m quantize adjudicated MODEL REPORT.json ADJUDICATED.csv",
        caption="\n\n".join(
            [
                f"What radiologists agreed on after discussion (Majkowska et al., Radiology 294, "
                f"2020) about {found['images']} images of {found['patients']} patients of "
                f"{report.content['dataset']['split']}, beside the labels that were mined from "
                f"reports, for {model.name}. A group's score is that of any of its labels (noisy "
                "or). 95 % intervals: patients resampled.",
                *words,
            ]
        ),
        header=(
            *("", "NIH's labels", "images", "radiologists: yes", "NIH: yes", "agreement"),
            *("AUROC, radiologists", "AUROC, NIH's labels"),
        ),
        rows=[
            (
                row["group"],
                ", ".join(row["labels"]) or "any finding",
                str(row["images"]),
                str(row["said"]),
                str(row["labelled"]),
                *(interval_text(row[key]) for key in ("agreement", "auroc", "auroc_by_labels")),  # type: ignore[literal-required,arg-type]
            )
            for row in found["groups"]
        ],
        content={"model": report.content["model"], "found": found},
    )
