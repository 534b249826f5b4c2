"""Fitting a model file's score of the whole image from existing reports."""

from __future__ import annotations

from edge_app.core.errors import UsageError
from edge_app.evaluation.metrics import whole_and_resampled
from edge_app.evaluation.overall import judged
from edge_app.evaluation.report import Report, counted
from edge_app.model.model_file import ModelFile
from quantize.package import with_test
from train.overall import image_level


def with_overall(report: Report, model: ModelFile) -> Report:
    """A copy of a report with what the model's image-level points reach on its images."""
    evaluated, content = report.evaluated, report.content
    whole = judged(
        evaluated.targets.astype(bool),
        report.calibrated(evaluated.logits),
        model.labels,
        model.head,
        model.manifest.get("overall"),
        whole_and_resampled(evaluated.patients, content["bootstrap"]["resamples"], seed=0),
        evaluated.patients,
    )
    return Report({**content, "overall": whole}, evaluated)


def scored_as_a_whole(model: ModelFile, validation: Report, test: Report) -> ModelFile:
    """The model with `overall`, `reference` and `prevalence` in its manifest; not yet written.

    Args:
        model: the network.
        validation: report to fit on, of the network whose calibration the model has.
        test: report of this network, on images that nothing was fitted on.

    Raises:
        UsageError: the reports are not of this model, or hold too few images.
    """
    if validation.content["calibration"] != model.manifest["calibration"]:
        raise UsageError("the validation report has another calibration than the model file")
    if test.content["model"]["sha256"] != model.sha256:
        raise UsageError("the test report is of another network than the model file's")
    answers, dataset = validation.evaluated, validation.content["dataset"]
    where = f"{dataset['split']}, {counted(dataset)}"
    scores = validation.calibrated(answers.logits)
    facts = image_level(answers.targets, scores, model.labels, model.head, where)
    if "overall" not in facts:
        raise UsageError("the validation report cannot tell normal images from others")
    return with_test(model, {**model.manifest, **facts}, test)
