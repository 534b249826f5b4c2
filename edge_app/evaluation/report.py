"""The evaluation report: one JSON per (model, data set, runtime), and its raw scores in a file.

The same format on workstation and device, for float and int8, for the labels of any model. Every
metric is ``{"value", "low", "high"}`` with a patient-clustered 95 % bootstrap interval; null means
"not computable" (no positives, one patient). ``retest`` tells, where it was measured, how far the
same model agrees with itself on slightly changed images.
"""

from __future__ import annotations

import hashlib
import json
import math
import struct
import zipfile
import zlib
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np
from numpy.typing import NDArray

from edge_app.core import strict_json
from edge_app.core.about import DISCLAIMER, __version__
from edge_app.core.errors import ReportError
from edge_app.core.files import UnreadableError, read_bounded, write_whole
from edge_app.core.plain_text import decimal, rounded
from edge_app.evaluation.metrics import (
    Confusion,
    Floats,
    Ranked,
    Resampled,
    calibration_error,
    interval,
    of_several,
    whole_and_resampled,
)
from edge_app.evaluation.overall import judged
from edge_app.evaluation.proportions import of_all_or_none, of_mean_area, of_perfect_order
from edge_app.evaluation.splits import NO_PATIENTS
from edge_app.images.perturb import PERTURBATIONS
from edge_app.model.calibration import calibrated
from edge_app.model.labels import FINDING, KINDS, NORMAL, NORMAL_OF_VERSION_1, Label, Labels

if TYPE_CHECKING:
    from edge_app.evaluation.document import (
        AchievedAtPoint,
        ConfusionCounts,
        Facts,
        Metric,
        ReportDocument,
        RetestDocument,
    )
    from edge_app.model.manifest_types import Head, OverallFacts

SCHEMA_VERSION: Final = 2
KIND: Final = "edge-cxr evaluation report"
RESAMPLES: Final = 1000
AT_A_THRESHOLD: Final = "precision, recall and the like: those with a threshold"
STORED: Final = ("images", "patients", "targets", "logits")
HEADS: Final = ("independent", "exclusive")
Bools = NDArray[np.bool_]
SHARES: Final[dict[str, Callable[[Bools, Bools], Bools]]] = {
    "precision": lambda truth, predicted: predicted,
    "recall": lambda truth, predicted: truth,
    "specificity": lambda truth, predicted: ~truth,
    "accuracy": lambda truth, predicted: np.ones(len(truth), bool),
}
"""Metrics that are shares of images, and which images these are."""

RETEST: Final = "retest_"
"""Begins the names of the retest's arrays in the `.npz`."""


@dataclass(frozen=True)
class Evaluated:
    """What a model answered about N labelled images.

    Attributes:
        images, patients: N names.
        targets: N×L, uint8, 0 or 1.
        logits: N×L, float32.
        retest: by key of `perturb.PERTURBATIONS`, N×L float32: the logits of the same model on
            the same images, perturbed; empty if that was not measured.
    """

    images: NDArray[np.str_]
    patients: NDArray[np.str_]
    targets: NDArray[np.uint8]
    logits: NDArray[np.float32]
    retest: dict[str, NDArray[np.float32]] = field(default_factory=dict)


@dataclass(frozen=True)
class Report:
    """A report and the scores it was made from."""

    content: ReportDocument
    evaluated: Evaluated

    @property
    def labels(self) -> Labels:
        """Of the model that answered."""
        return Labels(Label(row["label"], row["kind"]) for row in self.content["labels"])

    @property
    def head(self) -> Head:
        """The model's."""
        return self.content["head"]

    def calibrated(self, logits: NDArray[np.float32]) -> Floats:
        """Logits (…, L) → scores, with the report's calibration."""
        return calibrated(logits, self.content["calibration"], self.head)


def dataset_digest(
    images: Iterable[str], digests: Iterable[str], targets: NDArray[np.uint8]
) -> str:
    """SHA-256 over the sorted lines ``name sha256-of-the-file labels-as-bits``.

    Two evaluations with the same digest saw the same files under the same labels, in any order.
    """
    lines = sorted(
        f"{image} {digest} {''.join(map(str, row))}"
        for image, digest, row in zip(images, digests, targets.tolist(), strict=True)
    )
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()


def counted(dataset: Mapping[str, Any]) -> str:
    """How many images of how many patients a report's `dataset` holds, in words."""
    if NO_PATIENTS in dataset.get("notes", ()):
        return f"{dataset['images']} images, patients not known"
    return f"{dataset['images']} images of {dataset['patients']} patients"


def build(
    evaluated: Evaluated,
    *,
    labels: Labels,
    head: Head = "independent",
    model: Facts,
    dataset: Mapping[str, Any],
    runtime: Facts,
    calibration: Mapping[str, Any],
    operating_points: Mapping[str, Any],
    operating_point: str,
    overall: OverallFacts | None = None,
    resamples: int = RESAMPLES,
) -> Report:
    """Compute every metric with its interval.

    Args:
        evaluated: the answers.
        labels, head: the model's; exclusive labels are judged one against the rest.
        model, dataset, runtime: what answered what on what; stored as given, plus counts.
        calibration, operating_points: as in a manifest.
        operating_point: the one whose thresholds precision, recall and the like are taken at.
        overall: as in a manifest.
    """
    scores = calibrated(evaluated.logits, calibration, head)
    targets = evaluated.targets.astype(bool)
    thresholds = operating_points[operating_point]["thresholds"]
    patients = len(np.unique(evaluated.patients))
    samples = resamples if patients > 1 else 0
    drawn = whole_and_resampled(evaluated.patients, samples, seed=0)
    metrics = _with_intervals(evaluated, scores, thresholds, drawn, labels.findings)
    content: ReportDocument = {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "edge_cxr": __version__,
        "disclaimer": DISCLAIMER,
        "model": model,
        "dataset": {**dataset, "images": len(targets), "patients": patients},
        "runtime": runtime,
        "bootstrap": {"unit": "patient", "resamples": samples, "level": 0.95},
        "head": head,
        "calibration": {**calibration},
        "operating_point": operating_point,
        "overall": judged(targets, scores, labels, head, overall, drawn, evaluated.patients),
        "labels": [
            {**_label_facts(label, targets[:, i], scores[:, i], thresholds[i]), **metrics[i]}
            for i, label in enumerate(labels)
        ],
        "macro": {"over": labels.computable_findings, **metrics["macro"]},
        "micro": {"over": f"{labels.all_findings}; {AT_A_THRESHOLD}", **metrics["micro"]},
        "operating_points": {
            name: _achieved(targets, scores, point, labels)
            for name, point in operating_points.items()
        },
        "retest": {
            key: _again(evaluated.logits, logits, calibration, head, operating_points)
            for key, logits in evaluated.retest.items()
        },
    }
    return Report(content, evaluated)


def _label_facts(
    label: Label, targets: NDArray[np.bool_], scores: Floats, threshold: float | None
) -> Facts:
    """Who bears a label, and what is decided at its threshold."""
    return {
        "label": label.name,
        "kind": label.kind,
        "support": int(targets.sum()),
        "threshold": threshold,
        "confusion": _confusion(targets, scores, threshold),
    }


def _with_intervals(
    evaluated: Evaluated,
    scores: Floats,
    thresholds: list[float | None],
    drawn: Resampled,
    findings: tuple[int, ...],
) -> dict[int | str, dict[str, Metric]]:
    """Every metric, with its interval, of every label by its channel, of macro and of micro."""
    targets, patients = evaluated.targets.astype(bool), evaluated.patients
    groups = _all_metrics(targets, scores, thresholds, drawn, findings)
    ends: dict[int | str, dict[str, tuple[float, float]]] = {}
    for group, metrics in groups.items():
        ends[group] = {}
        for name, values in metrics.items():
            value, (low, high) = values[0], interval(values[1:])
            if group == "macro" and name == "auroc":
                known = [each for each in findings if groups[each][name][0] >= 0]
                alone = np.array([interval(groups[each][name][1:]) for each in known])
                own = np.array([ends[each][name] for each in known]).reshape(-1, 2)
                low, high = of_mean_area((low, high), alone.reshape(-1, 2), own)
            elif isinstance(group, int) and not of_several(
                drawn.whose,
                *_kinds(name, targets[:, group], _predicted(scores[:, group], thresholds[group])),
            ):
                low = high = math.nan
            elif value in (0, 1) and low == high:
                if isinstance(group, int):
                    truth, at = targets[:, group], _predicted(scores[:, group], thresholds[group])
                    low, high = _of_extreme(name, value, truth, at, patients)
                else:
                    low = high = math.nan
            ends[group][name] = low, high
    return {
        group: {name: _metric(each[0], *ends[group][name]) for name, each in metrics.items()}
        for group, metrics in groups.items()
    }


def _kinds(name: str, truth: Bools, predicted: Bools) -> list[Bools]:
    """The kinds of images that a metric takes several patients of, each."""
    if name in SHARES:
        return [SHARES[name](truth, predicted)]
    kinds = {"auroc": [truth, ~truth], "average_precision": [truth], "f1": [truth]}
    return kinds.get(name, [])


def _of_extreme(
    name: str, value: float, truth: Bools, predicted: Bools, patients: NDArray[np.str_]
) -> tuple[float, float]:
    """The interval's ends of a metric that is 0 or 1 in every sample; NaN where none is known."""
    if name == "auroc":
        return of_perfect_order(value, truth, patients)
    if name in SHARES:
        return of_all_or_none(value, SHARES[name](truth, predicted), patients)
    return math.nan, math.nan


def _metric(value: float, low: float, high: float) -> Metric:
    known = math.isfinite(value)
    return {
        "value": _plain(value),
        "low": _plain(low) if known else None,
        "high": _plain(high) if known else None,
    }


def _again(
    logits: NDArray[np.float32],
    changed: NDArray[np.float32],
    calibration: Mapping[str, Any],
    head: Head,
    operating_points: Mapping[str, Any],
) -> RetestDocument:
    """How far a model agrees with itself: its logits, and those on changed images."""
    scores, others = (calibrated(each, calibration, head) for each in (logits, changed))
    return {
        "logit_rms": _plain(logit_rms(logits, changed)),
        "decisions_kept": {
            name: decisions_kept(scores, others, point["thresholds"])
            for name, point in operating_points.items()
        },
    }


def _plain(value: float) -> float | None:
    return rounded(value) if math.isfinite(value) else None


def _predicted(scores: Floats, threshold: float | None) -> NDArray[np.bool_]:
    return scores >= (math.inf if threshold is None else threshold)


def _confusion(
    targets: NDArray[np.bool_], scores: Floats, threshold: float | None
) -> ConfusionCounts | None:
    if threshold is None:
        return None
    table = Confusion.of(targets, _predicted(scores, threshold), np.ones((1, len(targets))))
    return table.counts()


def _achieved(
    targets: NDArray[np.bool_], scores: Floats, point: Mapping[str, Any], labels: Labels
) -> list[AchievedAtPoint]:
    """Per label: the threshold, what it reached where it was fitted, and what it reaches here."""
    rows: list[AchievedAtPoint] = []
    for channel, label in enumerate(labels.names):
        threshold = point["thresholds"][channel]
        predicted = _predicted(scores[:, channel], threshold)
        ratios = Confusion.of(targets[:, channel], predicted, np.ones((1, len(targets)))).ratios()
        known = threshold is not None
        rows.append(
            {
                "label": label,
                "threshold": threshold,
                "sensitivity_fitted": point["sensitivity"][channel],
                "sensitivity": _plain(ratios["recall"][0]) if known else None,
                "specificity_fitted": point["specificity"][channel],
                "specificity": _plain(ratios["specificity"][0]) if known else None,
            }
        )
    return rows


def logit_rms(logits: NDArray[np.float32], changed: NDArray[np.float32]) -> float:
    """Root mean square of the difference of two N×L logits, over all images and labels."""
    return float(np.sqrt(np.square(logits.astype(np.float64) - changed).mean()))


def decisions_kept(scores: Floats, changed: Floats, thresholds: list[float | None]) -> float | None:
    """Share of equal yes/no decisions of two sets of scores (N×L each).

    Labels without a threshold have no decisions; None if there is no other.
    """
    known = [channel for channel, at in enumerate(thresholds) if at is not None]
    if not known:
        return None
    limits = np.array([thresholds[channel] for channel in known], np.float64)
    same = (scores[:, known] >= limits) == (changed[:, known] >= limits)
    return _plain(same.mean())


def _all_metrics(
    targets: NDArray[np.bool_],
    scores: Floats,
    thresholds: list[float | None],
    drawn: Resampled,
    findings: tuple[int, ...],
) -> dict[int | str, dict[str, Floats]]:
    """Every metric of every label by its channel, of macro and of micro: B values each."""
    groups: dict[int | str, dict[str, Floats]] = {}
    limits = np.array([math.inf if each is None else each for each in thresholds])
    tables = Confusion.of(targets, scores >= limits, *drawn)
    pooled = tables.over([each for each in findings if thresholds[each] is not None])
    ratios, unknown = tables.ratios(), np.full(len(drawn.weights), np.nan)
    for channel, threshold in enumerate(thresholds):
        truth, values = targets[:, channel], scores[:, channel]
        groups[channel] = {
            **{
                name: unknown if threshold is None else each[:, channel]
                for name, each in ratios.items()
            },
            **Ranked.of(truth, values).areas(*drawn)._asdict(),
            "calibration_error": calibration_error(truth, values, *drawn),
        }
    groups["macro"] = {
        name: _nanmean(np.stack([groups[channel][name] for channel in findings]))
        for name in groups[findings[0]]
    }
    together = Ranked.of(targets[:, list(findings)], scores[:, list(findings)])
    groups["micro"] = {**pooled.ratios(), **together.areas(*drawn)._asdict()}
    return groups


def _nanmean(values: Floats) -> Floats:
    """Mean over the first axis of what is computable; NaN where nothing is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        mean: Floats = np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)
    return mean


def interval_text(metric: Mapping[str, Any]) -> str:
    """A metric with its interval as people read it."""
    if metric["value"] is None:
        return "not computable"
    if metric["low"] is None:
        return f"{decimal(metric['value'])} (no interval)"
    return f"{decimal(metric['value'])} ({decimal(metric['low'])} to {decimal(metric['high'])})"


def write(report: Report, path: Path) -> None:
    """Write `path` (JSON) and its scores as an `.npz` of the same stem, whole or not at all."""
    scores, buffer = path.with_suffix(".npz"), BytesIO()
    arrays: dict[str, Any] = {name: getattr(report.evaluated, name) for name in STORED}
    arrays |= {f"{RETEST}{key}": logits for key, logits in report.evaluated.retest.items()}
    # Without allow_pickle, which numpy 1 would store as an array; none of these is pickled.
    np.savez_compressed(buffer, **arrays)
    data = buffer.getvalue()
    write_whole(scores, data)
    stated = {"file": scores.name, "sha256": hashlib.sha256(data).hexdigest()}
    text = json.dumps({**report.content, "scores": stated}, indent=1, allow_nan=False)
    write_whole(path, f"{text}\n".encode())


MAX_REPORT_BYTES: Final = 16 << 20
MAX_SCORES_BYTES: Final = 256 << 20


def read(path: Path) -> Report:
    """Read a report and its scores; one of version 1 is brought to this version.

    Raises:
        ReportError: it is no report, of a newer version, or its scores are missing, changed or
            not what scores are.
    """
    place = path
    try:
        content = strict_json.parse(read_bounded(path, MAX_REPORT_BYTES))
        if content["kind"] != KIND:
            raise ReportError(f"{path}: is not an {KIND}")
        if content["schema_version"] > SCHEMA_VERSION:
            raise ReportError(f"{path}: has version {content['schema_version']}: update edge-cxr")
        stated = content["scores"]
        place = path.with_name(Path(stated["file"]).name)
        data = read_bounded(place, MAX_SCORES_BYTES)
        if hashlib.sha256(data).hexdigest() != stated["sha256"]:
            raise ReportError(f"{place}: is not the scores file that {path.name} was written with")
        if content["schema_version"] == 1:
            _upgrade(content)
        if (
            any(row["kind"] not in KINDS for row in content["labels"])
            or content["head"] not in HEADS
        ):
            raise _WrongError("its labels or its head are of no kind that is known")
        evaluated = _evaluated(arrays_of(data), len(content["labels"]))
        content.setdefault("retest", {})  # reports of before it was measured
        if content["retest"].keys() != evaluated.retest.keys():
            raise _WrongError(f"its retest is not the one in {place.name}")
    except UnreadableError as error:
        raise ReportError(f"{place}: {error}") from None
    except DAMAGED as error:
        raise ReportError(f"{path}: is damaged or no {KIND}{_reason(error)}") from None
    return Report(cast("ReportDocument", content), evaluated)


class _WrongError(ValueError):
    """What is wrong with a report, in words for people."""


def _reason(error: Exception) -> str:
    """What is wrong, at the end of a line; nothing where only Python has words for it."""
    if isinstance(error, KeyError):
        return f": it has no {str(error.args[0])[:40]!r}"
    if isinstance(error, _WrongError | json.JSONDecodeError):
        return f": {' '.join(str(error).split())[:200]}"
    return ""


def _upgrade(content: dict[str, Any]) -> None:
    """Version 1 stated neither the labels' kinds nor the head."""
    for row in content["labels"]:
        row["kind"] = NORMAL if row["label"] == NORMAL_OF_VERSION_1 else FINDING
    content |= {"schema_version": SCHEMA_VERSION, "head": "independent"}


DAMAGED: Final = (
    *(ValueError, KeyError, TypeError, AttributeError, EOFError, OSError, RuntimeError),
    *(MemoryError, zipfile.BadZipFile, zlib.error, struct.error),
)
"""Errors that `json`, `zipfile` and `numpy` raise on damaged files."""


def arrays_of(data: bytes) -> dict[str, NDArray[Any]]:
    """The arrays of an `.npz` that unpacks to no more than `MAX_SCORES_BYTES`."""
    with zipfile.ZipFile(BytesIO(data)) as archive:
        if sum(member.file_size for member in archive.infolist()) > MAX_SCORES_BYTES:
            raise _WrongError(f"its scores unpack to more than {MAX_SCORES_BYTES} bytes")
    with np.load(BytesIO(data), allow_pickle=False) as arrays:
        return {name: arrays[name] for name in arrays.files}


def _evaluated(arrays: dict[str, NDArray[Any]], labels: int) -> Evaluated:
    """Arrays that others wrote → what a model answered, or a ValueError that says what is wrong."""
    count = len(arrays["images"])
    expected: dict[str, tuple[str, tuple[int, ...]]]
    expected = {
        "images": ("U", (count,)),
        "patients": ("U", (count,)),
        "targets": ("u", (count, labels)),
        "logits": ("f", (count, labels)),
    }
    expected |= {f"{RETEST}{key}": expected["logits"] for key in PERTURBATIONS}
    unknown = arrays.keys() - expected.keys()
    if unknown:
        raise _WrongError(f"its scores hold {min(unknown)!r}, which does not belong there")
    for name, array in arrays.items():
        kind, shape = expected[name]
        if array.dtype.kind != kind or array.shape != shape or not count:
            raise _WrongError(f"its {name} are {array.dtype} {array.shape}")
        if kind == "f" and (array.dtype != np.float32 or not np.isfinite(array).all()):
            raise _WrongError(f"its {name} are not finite 32-bit numbers")
    if arrays["targets"].dtype != np.uint8 or arrays["targets"].max() > 1:
        raise _WrongError("its targets are not 0 or 1 in 8 bits")
    retest = {key: arrays[f"{RETEST}{key}"] for key in PERTURBATIONS if f"{RETEST}{key}" in arrays}
    return Evaluated(**{key: arrays[key] for key in STORED}, retest=retest)
