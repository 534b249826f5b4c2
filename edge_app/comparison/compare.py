"""Two evaluation reports of the same images → everything that differs.

The reference is what a model is held to (the float network), the candidate what is to replace it
(int8). Both answered the same images, so every difference is *paired*: each bootstrap sample of
patients is drawn once and both models are judged on it, and what the sample does to both alike
cancels out.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import numpy as np

from edge_app.comparison.pairing import Answers, Bools, Pair, decisions, pair
from edge_app.comparison.reference import CHANCE, MIN_PATIENTS, patients_of, spread, why_not_proven
from edge_app.core.about import DISCLAIMER, __version__
from edge_app.core.plain_text import DECIMALS
from edge_app.evaluation.metrics import (
    Confusion,
    Floats,
    Ranked,
    calibration_error,
    cohen_kappa,
    interval,
    weight_chunks,
)
from edge_app.evaluation.of_scores import is_of_scores
from edge_app.evaluation.proportions import of_area, of_mean_area, unseen
from edge_app.evaluation.report import Report
from edge_app.images.perturb import PERTURBATIONS

if TYPE_CHECKING:
    from edge_app.comparison.document import (
        Agreement,
        Compared,
        ComparisonDocument,
        DecidedSide,
        LogitDifference,
        Proven,
        Repeated,
        Role,
        Side,
    )
    from edge_app.evaluation.document import ConfusionCounts, Facts, Metric

KIND: Final = "edge-cxr comparison"
ROLES: Final[tuple[Role, Role]] = ("reference", "candidate")
Decider = tuple[Floats, Floats]
"""N×L scores and the L thresholds that decide on them."""

SCHEMA_VERSION: Final = 1
RESAMPLES: Final = 2000
METRICS: Final = (
    "auroc",
    "average_precision",
    "sensitivity",
    "specificity",
    "calibration_error",
)
LARGEST_CHANGES: Final = 20
MISPLACED_BY: Final = 0.01
"""Of correlation: labels that already correlate in the reference are not taken for a mix-up."""


@dataclass(frozen=True)
class Comparison:
    """What differs, and what it was computed from.

    Attributes:
        content: plain JSON-able; its keys are in docs/compare.md. Null stands for "not computable".
            Its figures are not rounded: gates decide on them.
        pair: the reports' answers in the same order.
    """

    content: ComparisonDocument
    pair: Pair

    @property
    def written(self) -> ComparisonDocument:
        """The content as it is written, its figures rounded."""
        return cast("ComparisonDocument", _rounded(self.content))


def compare(
    reference: Report, candidate: Report, resamples: int = RESAMPLES, seed: int = 0
) -> Comparison:
    """Compare two reports image by image.

    Args:
        reference, candidate: of the same data; the order of the images may differ.
        resamples: bootstrap samples of patients behind each 95 % interval.
        seed: of the resampling.

    Raises:
        ReportError: they cannot be compared.
    """
    pairing = pair(reference, candidate)
    patients = reference.evaluated.patients
    several = len(np.unique(patients)) > 1
    samples = resamples if several else 0
    drawn = _Drawn(pairing, samples, seed)
    dataset = reference.content["dataset"]
    content: ComparisonDocument = {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "edge_cxr": __version__,
        "disclaimer": DISCLAIMER,
        "reference": _side(pairing.reference),
        "candidate": _side(pairing.candidate),
        "dataset": {
            **{key: _plain(dataset.get(key)) for key in ("name", "split", "digest")},
            "images": len(patients),
            "patients": len(np.unique(patients)),
        },
        "bootstrap": {
            "unit": "patient",
            "paired": True,
            "resamples": samples,
            "level": 0.95,
            "seed": seed,
        },
        "notes": [*_notes(pairing.reference, pairing.candidate), *drawn.unmoved()],
        "operating_point": pairing.points[0],
        "labels": [
            {
                "label": label,
                "support": int(pairing.targets[:, channel].sum()),
                **_proven(pairing, drawn, channel),
                **drawn.label(channel),
                **_fidelity(pairing, channel),
            }
            for channel, label in enumerate(pairing.labels.names)
        ],
        "macro": _macro(pairing, drawn),
        "proven": drawn.proven(),
        "logits": _logit_difference(pairing),
        "operating_points": {point: _agreement(pairing, point, drawn) for point in pairing.points},
        "largest_changes": _largest_changes(pairing),
    }
    return Comparison(content, pairing)


def _rounded(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _rounded(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [_rounded(inner) for inner in value]
    return round(value, DECIMALS) if isinstance(value, float) else value


def _plain(value: Any, depth: int = 4) -> Any:
    """A copy that `json` can write: null for numbers that are not finite and for deeper levels."""
    if isinstance(value, (dict, list, tuple)) and not depth:
        return None
    if isinstance(value, dict):
        return {str(key): _plain(inner, depth - 1) for key, inner in value.items()}
    if isinstance(value, (list, tuple)):
        return [_plain(inner, depth - 1) for inner in value]
    if isinstance(value, (float, np.floating)):
        return float(value) if math.isfinite(value) else None
    return value


def _side(report: Report) -> Side:
    content = report.content
    calibration, scores = content["calibration"], content.get("scores")
    return {
        "model": _plain(content["model"]),
        "runtime": _plain(content["runtime"]),
        "calibration": _plain(
            {"method": calibration.get("method"), "fitted_on": calibration.get("fitted_on")}
        ),
        "scores_sha256": scores["sha256"] if scores else None,
    }


def _notes(reference: Report, candidate: Report) -> list[str]:
    one, other = reference.content["model"], candidate.content["model"]
    scored = [side for side in (reference, candidate) if is_of_scores(side)]
    notes = []
    if one.get("sha256") is not None and one.get("sha256") == other.get("sha256"):
        notes.append(
            "Both files of scores are the same."
            if len(scored) == 2
            else "Both reports are of the same model file: this compares runtimes, no scheme."
        )
    if one.get("name") != other.get("name"):
        notes.append(f"The models have different names: {one.get('name')}, {other.get('name')}.")
    for side in scored:
        name = side.content["model"].get("name")
        notes += [f"{name}: {note}" for note in side.content["dataset"].get("notes", ())]
    if is_of_scores(reference):
        notes.append(
            "The reference cannot be shown changed images, so nothing says how often it would "
            "agree with itself: agreement is held to its floor alone."
        )
    return notes


# --- differences with intervals ---------------------------------------------------------------


class _Drawn:
    """Metrics of both models on all images and on each bootstrap sample of patients."""

    def __init__(self, pairing: Pair, resamples: int, seed: int) -> None:
        self.targets = pairing.targets
        self.patients = patients = pairing.reference.evaluated.patients
        whole = np.ones((1, len(patients)))
        same = {point: _same(pairing, point) for point in pairing.points}
        again = {
            (point, key): _same_again(pairing, point, key)
            for point in pairing.points
            for key in PERTURBATIONS
            if key in pairing.answers[0].retest
        }
        self.findings = list(pairing.labels.findings)
        self.count = len(np.unique(patients))
        self.bearing, self.others = patients_of(pairing.targets, patients)
        sides = [
            (
                answers,
                [
                    Ranked.of(*each)
                    for each in zip(pairing.targets.T, answers.ranking.T, strict=True)
                ],
            )
            for answers in pairing.answers
        ]
        self.values = [_metrics(pairing, *side, whole) for side in sides]
        differences, agreements, areas, repeated = [], [], [], []
        for weights in weight_chunks(patients, resamples, seed):
            one, other = (_metrics(pairing, *side, weights) for side in sides)
            differences.append(other - one)
            areas.append(one[0])
            agreements.append([_share(cells, weights) for cells in same.values()])
            repeated.append([_share(cells, weights) for cells in again.values()])
        empty = np.empty((len(METRICS), len(pairing.labels), 0))
        self.differences = np.concatenate([empty, *differences], axis=2)
        self.areas = np.concatenate([empty[0], *areas], axis=1)
        drawn = np.concatenate([np.empty((len(same), 0)), *map(np.array, agreements)], axis=1)
        exclusive = pairing.reference.head == "exclusive"  # then the last decision follows
        self.agreement = {
            point: self._widened(
                _with_interval(_share(cells, whole)[0], drawn[row]),
                cells.shape[1] - exclusive,
                minimum=0,
            )
            for row, (point, cells) in enumerate(same.items())
        }
        drawn_again = np.concatenate(
            [np.empty((len(again), 0)), *map(np.array, repeated if again else [])], axis=1
        )
        rows = {point: row for row, point in enumerate(same)}
        self.beyond = {
            (point, key): self._widened(
                _with_interval(
                    (_share(same[point], whole) - _share(cells, whole))[0],
                    drawn[rows[point]] - drawn_again[row],
                ),
                same[point].shape[1] - exclusive,
                minimum=-1,
            )
            for row, ((point, key), cells) in enumerate(again.items())
        }

    def _widened(self, metric: Metric, labels: int, minimum: int) -> Metric:
        """A mean over patients, in `minimum`..1, whose interval reaches as far as what is unseen.

        Every bootstrap sample repeats what all patients have in common, however few these are; and
        where next to none differ, nearly so.
        """
        if metric["value"] is None or metric["low"] is None or metric["high"] is None:
            return metric
        more, value = unseen(self.count, max(1, labels)), metric["value"]
        low = max(minimum, min(metric["low"], value - more))
        high = min(1.0, max(metric["high"], value + more))
        return {"value": value, "low": low, "high": high}

    def label(self, channel: int) -> dict[str, Compared]:
        one, other = self.values
        return {
            metric: _compared(
                one[row, channel, 0], other[row, channel, 0], self.differences[row, channel]
            )
            for row, metric in enumerate(METRICS)
        }

    def unmoved(self) -> list[str]:
        """A line where no sample of patients is ranked otherwise, so that nothing has a width."""
        auroc = self.macro()["auroc"]["difference"]
        if auroc["low"] is None or auroc["low"] != auroc["high"]:
            return []
        return [
            f"No AUROC differs on any of the {self.count} patients: the interval of ΔAUROC has no "
            "width, and says nothing of others."
        ]

    def unseen_loss(self, pairing: Pair) -> float | None:
        """What macro AUROC may lose unseen, as next to no patient is ranked otherwise; else None.

        Then every bootstrap sample repeats that, and says nothing of others. As many answers as
        none of those seen may differ, see `unseen`, and be no better than chance: so much of the
        reference's AUROC above chance is lost with them, once for each of a pair.
        """
        auroc = self.macro()["auroc"]["reference"]
        if auroc is None or _moved(pairing, self.findings) >= MIN_PATIENTS:
            return None
        exclusive = pairing.reference.head == "exclusive"
        labels = max(1, min(len(self.findings), len(pairing.labels) - exclusive))
        return float(_plain(2 * unseen(self.count, labels) * max(0.0, auroc - CHANCE)))

    def reference_auroc(self, channel: int) -> Metric:
        found = _with_interval(self.values[0][0, channel, 0], self.areas[channel])
        return of_area(found, self.targets[:, channel], self.patients)

    def proven(self) -> Proven:
        """What the reference knows, over the findings that enough patients bear, and do not."""
        patients = np.minimum(self.bearing, self.others)[self.findings]
        known = np.array(self.findings)[patients >= MIN_PATIENTS]
        value, ends = _mean(self.values[0][0, known, 0]), interval(_mean(self.areas[known]))
        computable = known[np.isfinite(self.values[0][0, known, 0])]
        drawn = np.array([interval(self.areas[each]) for each in computable]).reshape(-1, 2)
        of_each = map(self.reference_auroc, computable)
        found = [(each["value"], each["low"], each["high"]) for each in of_each]
        certain = np.array(found, np.float64).reshape(-1, 3)
        own = np.where(np.isin(certain[:, :1], (0, 1)), certain[:, 1:], drawn)
        low, high = of_mean_area(ends, drawn, own)
        auroc: Metric = {"value": _plain(value), "low": _plain(low), "high": _plain(high)}
        return {"findings": len(known), "patients": int(patients.max()), "auroc": auroc}

    def macro(self) -> dict[str, Compared]:
        """Means over the findings that both models have a value for."""
        one, other = (values[:, self.findings, 0] for values in self.values)
        both = np.isfinite(one) & np.isfinite(other)
        return {
            metric: _compared(
                _mean(one[row][both[row]]),
                _mean(other[row][both[row]]),
                _mean(self.differences[row][self.findings]),
            )
            for row, metric in enumerate(METRICS)
        }


def _macro(pairing: Pair, drawn: _Drawn) -> Facts:
    over = f"{pairing.labels.computable_findings} in both"
    return {"over": over, "unseen": drawn.unseen_loss(pairing), **drawn.macro()}


def _metrics(pairing: Pair, answers: Answers, ranked: Sequence[Ranked], weights: Floats) -> Floats:
    """METRICS × L labels × B weightings; NaN where not computable."""
    point = pairing.points[0]
    decided, thresholds = answers.decided(point), answers.thresholds[point]
    values = np.full((len(METRICS), len(pairing.labels), len(weights)), np.nan)
    for channel in range(len(pairing.labels)):
        truth, scores = pairing.targets[:, channel], answers.scores[:, channel]
        if not np.isfinite(scores).all():
            continue
        values[:2, channel] = ranked[channel].areas(weights)
        if np.isfinite(thresholds[channel]):
            ratios = Confusion.of(truth, decided[:, channel], weights).ratios()
            values[2, channel], values[3, channel] = ratios["recall"], ratios["specificity"]
        values[4, channel] = calibration_error(truth, scores, weights)
    return values


def _moved(pairing: Pair, findings: Sequence[int]) -> float:
    """How many patients the two models rank otherwise: as many as would be, each as much.

    By how much an image is, is the share of the other class that it passes, for all findings. One
    that passes many is passed by them, who count as little as each of them is passed.
    """
    passed = np.zeros(len(pairing.targets))
    for channel in findings:
        truth = pairing.targets[:, channel]
        one, other = (answers.ranking[:, channel] for answers in pairing.answers)
        if np.isfinite(one + other).all() and truth.any() and not truth.all():
            passed += np.abs(_places(truth, other) - _places(truth, one))
    _, patients = np.unique(pairing.reference.evaluated.patients, return_inverse=True)
    of_each = np.bincount(patients, passed)
    total = float(of_each.sum())
    return total**2 / float(np.square(of_each).sum()) if total else 0.0


def _places(truth: Bools, ranking: Floats) -> Floats:
    """Of each of N images, the share of the other class that it is above; a tie counts half."""
    places = np.zeros(len(truth))
    for own in (truth, ~truth):
        others = np.sort(ranking[~own])
        below = sum(np.searchsorted(others, ranking[own], side) for side in ("left", "right"))
        places[own] = below / (2 * len(others))
    return places


def _mean(values: Floats) -> Any:
    """Over the first axis, of what is computable; NaN where nothing is."""
    known = np.isfinite(values)
    with np.errstate(invalid="ignore"):
        return np.where(known, values, 0).sum(axis=0) / known.sum(axis=0)


def _compared(reference: float, candidate: float, differences: Floats) -> Compared:
    return {
        "reference": _plain(reference),
        "candidate": _plain(candidate),
        "difference": _with_interval(candidate - reference, differences),
    }


def _with_interval(value: float, drawn: Floats) -> Metric:
    low, high = interval(drawn) if math.isfinite(value) else (math.nan, math.nan)
    return {"value": _plain(value), "low": _plain(low), "high": _plain(high)}


def _proven(pairing: Pair, drawn: _Drawn, channel: int) -> Facts:
    """What one label of the reference rests on, and why that proves nothing, if so."""
    positives, others = int(drawn.bearing[channel]), int(drawn.others[channel])
    exclusive = pairing.reference.head == "exclusive"
    deviation = _plain(spread(pairing.answers[0], channel, exclusive=exclusive))
    auroc = drawn.reference_auroc(channel)
    return {
        "patients": {"with": positives, "without": others},
        "spread": deviation,
        "reference_auroc": auroc,
        "not_proven": why_not_proven(positives, others, deviation, auroc),
    }


# --- logits -----------------------------------------------------------------------------------


def _logit_difference(pairing: Pair) -> LogitDifference:
    """Over all labels, and the change of the reference's own logits on perturbed images."""
    first, second = (_centred(pairing, answers.logits) for answers in pairing.answers)
    kept = pairing.reference.evaluated.retest
    retest = {key: _centred(pairing, logits.astype(np.float64)) for key, logits in kept.items()}
    return {
        "rms": _rms(second - first),
        "largest": _plain(np.abs(second - first).max()),
        "retest": {key: _rms(retest[key] - first) for key in PERTURBATIONS if key in retest},
    }


def _centred(pairing: Pair, logits: Floats) -> Floats:
    """Logits as far as they tell anything: of exclusive labels, without what all have in common."""
    if pairing.reference.head != "exclusive":
        return logits
    common: Floats = logits.mean(axis=1, keepdims=True)
    return logits - common


def _rms(difference: Floats) -> Any:
    return _plain(np.sqrt(np.square(difference).mean()))


def _fidelity(pairing: Pair, channel: int) -> Facts:
    """How one label's logits differ, and how finely each model resolves it."""
    names = pairing.labels.names
    first, second = (_centred(pairing, answers.logits) for answers in pairing.answers)
    one, other = first[:, channel], second[:, channel]
    correlations = [_correlation(first[:, k], other) for k in range(len(names))]
    own = correlations[channel]
    closest = max(range(len(names)), key=lambda k: np.nan_to_num(correlations[k], nan=-2))
    misplaced = math.isfinite(own) and correlations[closest] > own + MISPLACED_BY
    return {
        "logits": {
            "rms": _rms(other - one),
            "correlation": _plain(own),
            "follows": names[closest] if misplaced else names[channel],
        },
        "resolution": {
            "reference": _resolution(pairing.answers[0].ranking[:, channel]),
            "candidate": _resolution(pairing.answers[1].ranking[:, channel]),
        },
    }


def _correlation(one: Floats, other: Floats) -> float:
    """Pearson's; NaN where one is constant or not finite."""
    if not (np.isfinite(one).all() and np.isfinite(other).all()):
        return math.nan
    a, b = one - one.mean(), other - other.mean()
    size = math.sqrt(float(a @ a) * float(b @ b))
    return float(a @ b) / size if size > 0 else math.nan


def _resolution(ranking: Floats) -> Facts:
    """How coarse what orders the images of one label is, its logits or scores: see `Answers`.

    `tied`: the share of pairs of images with equal ones, 1/k for k steps evenly filled;
    `lowest`, `highest`: the share of images at either end of what was seen.
    """
    count = len(ranking)
    invalid = int((~np.isfinite(ranking)).sum())
    if invalid:
        nothing = dict.fromkeys(("distinct", "tied", "lowest", "highest"))
        return {**nothing, "non_finite": invalid}
    _, sizes = np.unique(ranking, return_counts=True)
    pairs = count * (count - 1)
    return {
        "distinct": len(sizes),
        "tied": _plain((sizes * (sizes - 1)).sum() / pairs) if pairs else None,
        "lowest": _plain(sizes[0] / count),
        "highest": _plain(sizes[-1] / count),
        "non_finite": 0,
    }


# --- decisions --------------------------------------------------------------------------------


def _labels_decided(pairing: Pair, point: str) -> list[int]:
    """Channels that one model or both decide, so that a lost threshold counts as a change."""
    known = [np.isfinite(answers.thresholds[point]) for answers in pairing.answers]
    return np.flatnonzero(known[0] | known[1]).tolist()


def _same(pairing: Pair, point: str) -> Bools:
    """N×K, of the K labels decided: whether the decisions are equal. NaN agrees with nothing."""
    channels = _labels_decided(pairing, point)
    first, second = pairing.answers
    known = np.isfinite(first.scores) & np.isfinite(second.scores)
    same: Bools = (first.decided(point) == second.decided(point)) & known
    return same[:, channels]


def _share(cells: Bools, weights: Floats) -> Floats:
    """Share of true cells (N×K) under B×N weights."""
    if not cells.shape[1]:
        return np.full(len(weights), np.nan)
    share: Floats = (weights @ cells.mean(axis=1)) / weights.sum(axis=1)
    return share


def _agreement(pairing: Pair, point: str, drawn: _Drawn) -> Agreement:
    """How often both models decide alike, and how often the reference agrees with itself."""
    channels, same = _labels_decided(pairing, point), _same(pairing, point)
    first, second = ((answers.scores, answers.thresholds[point]) for answers in pairing.answers)
    again = pairing.answers[0].retest
    retest = {
        key: _repeated(first, (again[key], first[1]), drawn.beyond[point, key])
        for key in PERTURBATIONS
        if key in again
    }
    return {
        "decisions": int(same.size),
        "agreement": drawn.agreement[point],
        "kappa": _kappa(first, second, channels),
        "images_changed": int((~same.all(axis=1)).sum()),
        "retest": retest,
        "labels": [
            {
                "label": pairing.labels[channel].name,
                "agreement": _plain(same[:, column].mean()),
                "kappa": _kappa(first, second, [channel]),
                "reference": _decided_side(pairing, pairing.answers[0], point, channel),
                "candidate": _decided_side(pairing, pairing.answers[1], point, channel),
            }
            for column, channel in enumerate(channels)
        ],
    }


def _decided_side(pairing: Pair, answers: Answers, point: str, channel: int) -> DecidedSide:
    return {
        "threshold": _plain(answers.thresholds[point][channel]),
        "confusion": _confusion(pairing, answers, point, channel),
    }


def _repeated(first: Decider, second: Decider, beyond: Metric) -> Repeated:
    """Agreement and κ of one model with itself, over the labels that it decides."""
    channels, same = _alike(first, second)
    return {
        "agreement": _plain(same.mean()) if channels else None,
        "kappa": _kappa(first, second, channels),
        "beyond": beyond,
    }


def _alike(first: Decider, second: Decider) -> tuple[list[int], Bools]:
    """The channels that one model decides, and N×K whether it decides them as before."""
    channels = np.flatnonzero(np.isfinite(first[1])).tolist()
    same: Bools = (decisions(*first) == decisions(*second)) & np.isfinite(first[0] + second[0])
    return channels, same[:, channels]


def _same_again(pairing: Pair, point: str, key: str) -> Bools:
    """N×K: whether the reference decides as before on images that are perturbed in this way."""
    answers = pairing.answers[0]
    thresholds = answers.thresholds[point]
    return _alike((answers.scores, thresholds), (answers.retest[key], thresholds))[1]


def _kappa(first: Decider, second: Decider, channels: list[int]) -> Any:
    """Cohen's κ over all decisions of some labels; null with a score that is no number."""
    if not channels or not all(np.isfinite(side[0][:, channels]).all() for side in (first, second)):
        return None
    one, other = (
        decisions(scores, limits)[:, channels].ravel() for scores, limits in (first, second)
    )
    return _plain(cohen_kappa(one, other))


def _confusion(pairing: Pair, answers: Answers, point: str, channel: int) -> ConfusionCounts | None:
    """Counts at the threshold; null where there is none or a score is no number."""
    known = np.isfinite(answers.scores[:, channel]).all()
    if not known or not np.isfinite(answers.thresholds[point][channel]):
        return None
    decided = answers.decided(point)[:, channel]
    table = Confusion.of(pairing.targets[:, channel], decided, np.ones((1, len(decided))))
    return table.counts()


def _largest_changes(pairing: Pair) -> list[Facts]:
    """The scores that moved most, with what both models decide at the default operating point."""
    first, second = pairing.answers
    point = pairing.points[0]
    change = second.scores - first.scores
    order = np.argsort(-np.abs(np.nan_to_num(change, nan=0.0)), axis=None, kind="stable")
    decided = [answers.decided(point) for answers in pairing.answers]
    rows = []
    for image, channel in np.stack(np.unravel_index(order[:LARGEST_CHANGES], change.shape), axis=1):
        row: Facts = {
            "image": str(pairing.reference.evaluated.images[image]),
            "label": pairing.labels[channel].name,
            "present": bool(pairing.targets[image, channel]),
            "change": _plain(change[image, channel]),
        }
        for role, answers, yes in zip(ROLES, pairing.answers, decided, strict=True):
            known = np.isfinite(answers.thresholds[point][channel])
            row[role] = {
                "score": _plain(answers.scores[image, channel]),
                "above": bool(yes[image, channel]) if known else None,
            }
        if change[image, channel]:
            rows.append(row)
    return rows
