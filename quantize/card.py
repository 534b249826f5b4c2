"""A model's `MODEL_CARD.md`: what it is, how good it is, overall and by subgroup, and its limits.

After Mitchell et al., Model Cards for Model Reporting, FAT* 2019. Every number comes from the model
file's manifest or from a report next to the card.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.core.about import DISCLAIMER
from edge_app.core.errors import ReportError
from edge_app.core.plain_text import percent
from edge_app.evaluation.metrics import calibration_error
from edge_app.evaluation.report import Report, interval_text, read
from edge_app.evaluation.splits import NO_PATIENTS
from edge_app.images.perturb import PERTURBATIONS
from edge_app.model.calibration import calibrated
from edge_app.model.model_file import ModelFile
from quantize.about import NOT_STATED, About, about_model
from quantize.errors import ConversionError
from train.datasets import joined
from train.finished_run import NOT_SHOWN, TRAINED_ON
from train.source import describe
from train.subgroups import NOTABLE_GAP

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Manifest

CARD: Final = "MODEL_CARD.md"
MAKES: Final = {
    "float": "python -m quantize int8 RUN DATA",
    "int8": "python -m quantize int8 RUN DATA",
    "float-validation": "python -m train evaluate RUN DATA --split validation",
}
"""The command that makes each report."""

OF_THE_FIRST: Final = (
    "python -m train evaluate FIRST DATA --split validation --out REPORTS, FIRST being the run "
    "before the refit, writes the right one"
)

METRICS: Final = {
    "auroc": "AUROC",
    "average_precision": "average precision",
    "recall": "sensitivity",
    "specificity": "specificity",
    "precision": "precision",
    "f1": "F1",
}
LIMITS: Final = (
    "The network answers any picture; what its input check does not flag gets scores that look "
    "like any others.",
    "A heatmap shows on what a score rests, in squares: it does not outline a lesion, nor show "
    "where one is.",
    "Validation patients chose the recipe and the epoch, so the figures on them are optimistic.",
    "A threshold's sensitivity and specificity were fitted on validation patients and are not "
    "reached on test patients: compare the two columns before relying on either.",
)
"""Limits of every model; its maker states further ones."""


def model_card(model: ModelFile, folder: Path) -> str:
    """The card's Markdown.

    Args:
        model: the shipped int8 model.
        folder: its reports: `float.json` and `int8.json` on test, `float-validation.json` of the
            network before the refit, `subgroups.json`; `second-reference`, `alarms`,
            `input-check`, `localisation` and `film`, JSON and Markdown, where these were measured.

    Raises:
        ReportError: a report is missing or damaged.
        ConversionError: the reports are of another model or of different images, or a float one
            has no retest.
    """
    reports = {stem: _report(folder, stem) for stem in ("float", "int8", "float-validation")}
    validation = reports.pop("float-validation")
    about = about_model(model.manifest)
    _require_fit(model, reports, validation)
    subgroups = json.loads((folder / "subgroups.json").read_text())
    sections = [
        f"# {model.name}",
        f"**{DISCLAIMER}**",
        _facts(model),
        "## Data",
        _data(model, about, reports["int8"], validation),
        "## How well it ranks",
        _ranking(reports, validation),
        "## By what radiologists agreed on",
        _from_report(model, folder, "second-reference", "python -m quantize adjudicated"),
        "## Operating points",
        "Sensitivity and specificity as fitted on validation patients, and as reached by the int8 "
        "model on the test patients. Labels without enough validation positives have none.",
        operating_points_table(reports["int8"]),
        "## False alarms",
        _from_report(model, folder, "alarms", "python -m quantize alarms"),
        "## Calibration",
        _calibration(reports, validation),
        "## Subgroups",
        _subgroups(subgroups),
        "## Steadiness",
        _steadiness({"float, test": reports["float"], "float, validation": validation}),
        "## What the input check refuses",
        _from_report(model, folder, "input-check", "python -m quantize refusals"),
        "## Where the maps point",
        _from_report(model, folder, "localisation", "python -m quantize localise"),
        "## Photographs of films",
        _from_report(model, folder, "film", "python -m quantize film"),
        "## Recipe",
        _recipe(model),
        "## Limits",
        "\n".join(f"- {limit}" for limit in (*about.limits, *LIMITS)),
        f"Intended use: {model.manifest['intended_use']}",
    ]
    return "\n\n".join(sections) + "\n"


def _report(folder: Path, stem: str) -> Report:
    try:
        return read(folder / f"{stem}.json")
    except ReportError as error:
        raise ReportError(f"{error}: {MAKES[stem]} writes it") from None


def _require_fit(model: ModelFile, reports: dict[str, Report], validation: Report) -> None:
    """Refuse reports of another model, whose numbers would look as plausible."""
    if reports["int8"].content["model"]["sha256"] != model.sha256:
        raise ConversionError(f"int8.json is not of {model.path}: evaluate this model again")
    if len({report.content["dataset"]["digest"] for report in reports.values()}) > 1:
        raise ConversionError("float.json and int8.json are not over the same images")
    for stem, report in (("float", reports["float"]), ("float-validation", validation)):
        if report.content["calibration"] != model.manifest["calibration"]:
            raise ConversionError(
                f"{stem}.json is of another network than {model.path}: {MAKES[stem]} writes it anew"
            )
        if TRAINED_ON in report.content["dataset"].get("notes", ()):
            raise ConversionError(
                f"{stem}.json is of a network that was trained on these patients: {OF_THE_FIRST}"
            )
        if not report.content.get("retest"):
            split = report.content["dataset"]["split"]
            raise ConversionError(
                f"the float report on {split} has no retest: python -m train evaluate measures it"
            )


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _facts(model: ModelFile) -> str:
    manifest = model.manifest
    image = manifest["input"]
    gates = manifest["quantization"].get("gates")
    judged = "not judged"
    if gates is not None:
        verdict = gates.get("verdict", "passed" if gates["passed"] else "not passed")
        judged = "all passed" if verdict == "passed" else verdict.upper()
    return markdown_table(
        ("", ""),
        [
            ("architecture", manifest["architecture"]),
            ("input", f"{image['height']}×{image['width']} gray, {image['dtype']}"),
            ("network", f"{len(model.flatbuffer) / 1e6:.2f} MB, SHA-256 `{model.sha256}`"),
            ("scheme", manifest["quantization"]["scheme"]),
            ("gates against the float network", judged),
            ("input check", _check(manifest)),
            ("licence", manifest["licence"]),
            ("created", manifest["created"]),
        ],
    )


def _check(manifest: Manifest) -> str:
    """The origin of the input check, and the shares that it flagged in its trial."""
    if "input_check" not in manifest:
        return "none: the network scores any picture"
    tried = manifest["training"].get("input_check")
    text = manifest["input_check"]["fitted_on"]
    if tried:
        drawn, real = tried["drawn"], tried.get("radiographs")
        flags = percent(drawn["flagged"], 0, "%")
        text += f"; flags {flags} of {drawn['pictures']} drawn pictures, "
        text += (
            f"{percent(real['flagged'], 2, '%')} of {real['on']}"
            if real
            else "tried on no radiograph"
        )
    return text + (f" ({tried['why']})" if tried and "why" in tried else "")


def _data(model: ModelFile, about: About, test: Report, validation: Report) -> str:
    training = model.manifest["training"]["dataset"]
    sets = {"trained on": training["train"], "judged on": validation.content["dataset"]}
    sets["tested on"] = test.content["dataset"]
    rows = [
        (use, facts["split"], str(facts["images"]), str(facts["patients"]), facts["digest"][:16])
        for use, facts in sets.items()
    ]
    table = markdown_table(("", "split", "images", "patients", "digest"), rows)
    tested = test.content["dataset"]
    text = f"{tested['name']}. No patient is in two of the splits"
    if NOT_SHOWN in tested.get("notes", ()):
        text = f"{tested['name']}. Of the test patients {NOT_SHOWN}"
    if NO_PATIENTS in tested.get("notes", ()):
        text = (
            f"{tested['name']}. The data tell no patients, so one may be in two of the splits; "
            "each image counts as one, and intervals are too narrow"
        )
    if "refit_of" in training:
        text += (
            ", but that the shipped network was trained once more, by the recipe that the "
            "validation patients had judged, on them as well: the figures on validation are of "
            "the network before that"
        )
    start = training.get("started_from")
    started_from = f" **{describe(start)}**" if start else ""
    more = "".join(f"\n\n{each}" for each in joined.describe(training.get("further", ())))
    return f"{_sentence(about.data)}\n\n{text}.{started_from}{more}\n\n{table}"


def _sentence(data: str) -> str:
    return "Where the data are from is not stated." if data == NOT_STATED else data


def _ranking(reports: dict[str, Report], validation: Report) -> str:
    columns = {"int8, test": reports["int8"], "float, test": reports["float"]}
    columns["float, validation"] = validation
    labels = validation.labels
    rows = [
        (
            label,
            str(reports["int8"].content["labels"][channel]["support"]),
            *(interval_text(r.content["labels"][channel]["auroc"]) for r in columns.values()),
            interval_text(reports["int8"].content["labels"][channel]["average_precision"]),
        )
        for channel, label in enumerate(labels.names)
    ]
    macro = (
        f"**macro, {labels.all_findings}**",
        "",
        *(f"**{interval_text(r.content['macro']['auroc'])}**" for r in columns.values()),
        interval_text(reports["int8"].content["macro"]["average_precision"]),
    )
    header = ("AUROC", "support", *columns, "average precision, int8, test")
    macros = [
        (
            name,
            *(interval_text(reports["int8"].content[over][key]) for over in ("macro", "micro")),
        )
        for key, name in METRICS.items()
    ]
    point = reports["int8"].content["operating_point"]
    return (
        "With 95 % intervals from resampled patients.\n\n"
        f"{markdown_table(header, [*rows, macro])}\n\n"
        f"The int8 model on test, at the operating point `{point}` where one is needed:\n\n"
        + markdown_table(("", "macro", "micro"), macros)
    )


def _share(value: float | None) -> str:
    return "none" if value is None else f"{value:.3f}"


def operating_points_table(report: Report) -> str:
    """What each operating point reached where it was fitted, and reaches here, label by label."""
    points = report.content["operating_points"]
    header = ["label"]
    for name in points:
        header += [f"{name}: sensitivity fitted", "test", "specificity fitted", "test"]
    rows = []
    for channel, label in enumerate(report.labels.names):
        row = [label]
        for reached in (points[name][channel] for name in points):
            row += [_share(reached["sensitivity_fitted"]), _share(reached["sensitivity"])]
            row += [_share(reached["specificity_fitted"]), _share(reached["specificity"])]
        rows.append(row)
    return markdown_table(header, rows)


def _errors(report: Report) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Expected calibration error of each finding before and after calibration."""
    answers = report.evaluated
    count = answers.logits.shape[1]
    raw = {"slope": np.ones(count), "intercept": np.zeros(count)}
    scores = {
        "before": calibrated(answers.logits, raw, report.head),
        "after": report.calibrated(answers.logits),
    }
    whole = np.ones((1, len(answers.targets)))
    before, after = (
        np.array(
            [
                calibration_error(answers.targets[:, i] > 0, s[:, i], whole)[0]
                for i in report.labels.findings
            ]
        )
        for s in scores.values()
    )
    return before, after


def _calibration(reports: dict[str, Report], validation: Report) -> str:
    sets = {
        "float, validation (where it was fitted)": validation,
        "float, test": reports["float"],
        "int8, test": reports["int8"],
    }
    rows = []
    for name, report in sets.items():
        before, after = _errors(report)
        labels = report.labels
        worst = labels[labels.findings[int(after.argmax())]].name
        rows.append(
            (name, f"{before.mean():.4f}", f"{after.mean():.4f}", f"{worst}, {after.max():.4f}")
        )
    header = ("", "before", "after", "largest after")
    exclusive = validation.head == "exclusive"
    how = (
        "One slope for all labels and an intercept each" if exclusive else "Platt scaling per label"
    )
    return (
        f"{how}, fitted on validation. Expected calibration error, mean over "
        f"{validation.labels.all_findings}:\n\n{markdown_table(header, rows)}"
    )


def _subgroups(content: dict[str, Any]) -> str:
    rows, words, alone = [], [], []
    for kind, compared in content["by"].items():
        for name, group in compared["groups"].items():
            macro = interval_text(group["macro_auroc"])
            counts = (str(group["images"]), str(group["patients"]))
            rows.append((kind, name, *counts, str(len(compared["over"])), macro))
        if compared["gap"] is None or len(compared["groups"]) < 2:
            alone.append(kind)
        elif compared["gap"] > NOTABLE_GAP:
            ranked = sorted(
                compared["groups"], key=lambda n: compared["groups"][n]["macro_auroc"]["value"]
            )
            words.append(
                f"**By {kind} the gap is {compared['gap']:.3f}: it ranks worst for {ranked[0]} "
                f"and best for {ranked[-1]}.**"
            )
    if alone:
        words.append(
            f"By {' and '.join(alone)} nothing could be compared: whom the model serves less is "
            "not known."
        )
    not_told = content.get("not_told", [])
    if not_told:
        words.append(
            f"The data tell no {', '.join(not_told)}: whom the model serves less is not known."
        )
    if not rows:
        return words[0]
    if not words:
        words = [f"No gap between groups is above {NOTABLE_GAP}."]
    header = ("", "group", "images", "patients", "findings compared", "macro AUROC")
    return (
        f"The {content['model']['format']} model on {content['dataset']['split']}, over findings "
        "with at least 10 positives in each group of a kind.\n\n"
        f"{markdown_table(header, rows)}\n\n" + "\n\n".join(words)
    )


def kept_text(share: float | None) -> str:
    """A share of kept decisions in words; without thresholds there are no decisions."""
    return "no decisions" if share is None else percent(share, 1, "%")


def _steadiness(reports: dict[str, Report]) -> str:
    point = next(iter(reports.values())).content["operating_point"]
    rows = [
        (
            key,
            *(
                f"{kept_text(r.content['retest'][key]['decisions_kept'][point])}, "
                f"{_share(r.content['retest'][key]['logit_rms'])}"
                for r in reports.values()
            ),
        )
        for key in PERTURBATIONS
    ]
    return (
        f"Decisions at `{point}` that stay the same when the picture is changed a little, and the "
        f"root mean square by which logits move.\n\n{markdown_table(('', *reports), rows)}"
    )


def _from_report(model: ModelFile, folder: Path, name: str, command: str) -> str:
    """The table of another command from the folder of reports; it must be of this model."""
    try:
        content = json.loads((folder / f"{name}.json").read_text())
        table = (folder / f"{name}.md").read_text()
    except FileNotFoundError:
        return f"Not measured: `{command}` does."
    if content["model"]["sha256"] != model.sha256:
        raise ConversionError(f"{name}.json is not of {model.path}: run {command} again")
    return table.removesuffix(f"\n\n{DISCLAIMER}\n")


def _recipe(model: ModelFile) -> str:
    training = model.manifest["training"]
    packages = ", ".join(f"{name} {version}" for name, version in training["packages"].items())
    text = f"```json\n{json.dumps(training['recipe'], indent=1)}\n```\n\nMade with {packages}."
    return text + _teachers(training["dataset"])


def _teachers(facts: Mapping[str, Any]) -> str:
    """The teachers, and what each was trained on, which may include the test patients."""
    names = facts.get("teachers", [])
    known = facts.get("teachers_trained_on")
    if known is None:  # a run of an earlier version, whose teachers saw the same patients
        return f" Its teachers were {', '.join(names)}." if names else ""
    lines = [f"- {name}, trained on: {on}" for name, on in zip(names, known, strict=True)]
    text = "\n\nIts teachers were\n\n" + "\n".join(lines)
    shown = facts["teachers_know_no_more"]
    strangers = [name for name, is_shown in zip(names, shown, strict=True) if not is_shown]
    if strangers:
        text += (
            "\n\nNothing shows that the test patients are unknown to "
            f"{', '.join(strangers)}: what the test says may be too good."
        )
    return text
