"""Scores that anybody's classifier gave, and the truth → an evaluation report."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import OutputError, UsageError
from edge_app.core.plain_text import printable
from edge_app.evaluation import report, score_files
from edge_app.evaluation.evaluate import NAMED
from edge_app.evaluation.label_names import denied, listed, plain_name, require_just_one
from edge_app.evaluation.metrics import Floats, roc_curve
from edge_app.evaluation.report import Evaluated, Report
from edge_app.evaluation.score_files import Scores, ScoresError, log_odds, matched
from edge_app.evaluation.truth import Truth
from edge_app.model.calibration import calibrated
from edge_app.model.labels import Labels

if TYPE_CHECKING:
    from edge_app.model.manifest_types import Head

SCORES_FILE: Final = "scores file"
"""A report's `runtime`, where it is of scores that somebody else computed."""

BALANCED, HALF = "balanced", "half"
MIN_IMAGES: Final = 10
"""Images with the label, and images without, that fitting a threshold takes at least."""

ADDS_UP: Final = 0.01
"""How far the probabilities of exclusive labels may miss a sum of 1: files are rounded."""

SCORED: Final = "see that each label that they bear has scores"


class Options(NamedTuple):
    """How files of scores are read.

    Attributes:
        scale: see `score_files.read`.
        labels: those that are looked at; all that have scores if empty.
        exclusive: whether just one of the labels applies. The scores' softmax is over all of their
            columns, so all of them have to be looked at.
    """

    scale: str = score_files.AUTO
    labels: tuple[str, ...] = ()
    exclusive: bool = False

    @classmethod
    def of(cls, scale: str, labels: Sequence[str], exclusive: bool) -> Options:
        """Of a command line.

        Raises:
            UsageError: there is no such scale, or a label is given twice.
        """
        if scale not in score_files.SCALES:
            raise UsageError(f"--scale {scale!r}: there are {', '.join(score_files.SCALES)}")
        if len({plain_name(name) for name in labels}) < len(labels):
            raise UsageError("--label: a label is given twice")
        return cls(scale, tuple(labels), exclusive)


def report_of(
    path: Path,
    truth: Truth,
    options: Options | None = None,
    like: Report | None = None,
    resamples: int = report.RESAMPLES,
) -> Report:
    """The report of a file of scores.

    Args:
        path: the scores.
        truth: what is known of their images.
        options: how they are read.
        like: a report whose labels must all be there, and whose thresholds decide; if None, the
            labels are those that scores and truth have in common, and the thresholds are fitted.
        resamples: bootstrap samples of patients behind each interval.

    Raises:
        ScoresError: scores or labels cannot be used.
        DatasetError: labels are exclusive, and an image does not bear just one that has scores.
        UsageError: a label that was asked for is not there.
    """
    options = options or Options()
    scores = score_files.read(path, options.scale, truth.images, truth.unlabelled)
    notes: list[str] = []
    if scores.others:
        notes.append(f"{scores.others} more images of {printable(path.name)} bear no known label")
    whole, truth = truth, _judged(scores, truth, options, like, notes)
    count = len(truth.labels)
    values, head = scores.of(truth.labels), _head(options, like)
    if head == "exclusive":
        _require_softmax(scores, whole, truth.labels, _cure(whole, options, like))
    odds = log_odds(values, scores.scale, head == "exclusive")
    evaluated, left_out = _matched(scores, truth, odds)
    calibration = {"method": "none", "slope": [1.0] * count, "intercept": [0.0] * count}
    if head == "exclusive":
        label_counts = evaluated.targets.sum(axis=1, dtype=int).tolist()
        require_just_one(label_counts, evaluated.images.tolist(), first=SCORED)
    _require_different(path, evaluated, truth.labels, head)
    points, default = _points(evaluated, truth.labels, calibration, head, like)
    others = _with_others(whole, truth.labels, evaluated)
    notes += [NOT_AS_A_WHOLE.format(others)] * (others > 0)
    notes += map(printable, denied(evaluated.targets, truth.labels))
    notes += _notes(evaluated, left_out, like)
    made = report.build(
        evaluated,
        labels=truth.labels,
        head=head,
        model=_model(scores),
        dataset=_dataset(truth, evaluated, left_out, notes),
        runtime={"name": SCORES_FILE, "version": printable(path.name), "delegate": "not stated"},
        calibration=calibration,
        operating_points=points,
        operating_point=default,
        resamples=resamples,
    )
    return replace(made, content={**made.content, "overall": None}) if others else made


def _model(scores: Scores) -> dict[str, Any]:
    """A report's `model`: nobody says more of whoever gave the scores than their file does."""
    return {
        "name": printable(scores.path.stem),
        "format": scores.scale,
        "sha256": scores.sha256,
        "architecture": "not stated",
    }


NOT_AS_A_WHOLE: Final = (
    "images as a whole are not judged: {} that seem normal bear labels that are not judged"
)


def _with_others(whole: Truth, judged: Labels, evaluated: Evaluated) -> int:
    """How many images bear nothing that is judged, and are not normal by all their labels."""
    known = dict(zip(whole.images, whole.labels.not_normal(whole.targets).tolist(), strict=True))
    ill = np.array([known[image] for image in evaluated.images.tolist()])
    return int((ill & ~judged.not_normal(evaluated.targets)).sum())


def _dataset(
    truth: Truth, evaluated: Evaluated, left_out: list[tuple[str, str]], notes: list[str]
) -> dict[str, Any]:
    """A report's `dataset`; its digest is that of files which are not known."""
    unseen = ["-"] * len(evaluated.images)
    return {
        "name": printable(truth.name),
        "split": truth.split,
        "digest": report.dataset_digest(evaluated.images.tolist(), unseen, evaluated.targets),
        "files": "not seen",
        "notes": notes,
        "left_out": {
            "images": len(left_out),
            "first": [{"image": name, "reason": why} for name, why in left_out[:NAMED]],
        },
    }


def is_of_scores(made: Report) -> bool:
    """Whether a report is of scores whose images nobody here has read."""
    return made.content["runtime"].get("name") == SCORES_FILE


def _judged(
    scores: Scores, truth: Truth, options: Options, like: Report | None, notes: list[str]
) -> Truth:
    """The truth of the labels that are looked at; notes tell which are not."""
    if like is not None:
        names: Sequence[str] = like.labels.names
    else:
        names = options.labels or _common(scores, truth, notes)
    truth = truth.of(names)
    if like is not None:  # which may call the normal label otherwise
        truth = replace(truth, labels=like.labels)
    if not truth.labels.findings:
        raise UsageError("none of the labels is a finding: see --label and --normal")
    return truth


def _common(scores: Scores, truth: Truth, notes: list[str]) -> list[str]:
    places = scores.columns_of(truth.labels)
    names = [truth.labels[channel].name for channel in places]
    if not names:
        raise ScoresError(
            f"{scores.path}: none of its columns ({', '.join(scores.labels[:8])}) is a label of "
            f"{truth.name} ({', '.join(truth.labels.names[:8])})"
        )
    for what, missing in (
        (
            f"no label of {truth.name}",
            [name for place, name in enumerate(scores.labels) if place not in places.values()],
        ),
        ("without scores", [name for name in truth.labels.names if name not in names]),
    ):
        if missing:
            more = f" and {len(missing) - 8} more" if len(missing) > 8 else ""
            notes.append(printable(f"{what}, so not judged: {', '.join(missing[:8])}{more}"))
    return names


def _head(options: Options, like: Report | None) -> Head:
    if options.exclusive or (like is not None and like.head == "exclusive"):
        return "exclusive"
    return "independent"


def _require_softmax(scores: Scores, whole: Truth, labels: Labels, cure: str) -> None:
    """Refuse what is no softmax, and a part of one: without a column it is another softmax.

    Args:
        scores: all of them.
        whole: the truth about all labels.
        labels: those that are judged.
        cure: what to do where a column is not judged.
    """
    normal = whole.labels.normal
    if normal is not None and normal not in scores.columns_of(whole.labels):
        raise ScoresError(
            f"{scores.path}: has no scores of {whole.labels[normal].name!r}, the normal label; its "
            f"columns are {listed(scores.labels)}: name one of them with --normal, or leave normal "
            "images out of the table"
        )
    judged = scores.columns_of(labels).values()
    others = [name for place, name in enumerate(scores.labels) if place not in judged]
    if others:
        raise ScoresError(
            f"{scores.path}: not judged: {listed(others)}, without which the softmax of exclusive "
            f"labels is another one: {cure}"
        )
    if scores.scale == "probabilities":
        sums = scores.of(labels).sum(axis=1)
        off = np.abs(sums - 1)
        if off.max() > ADDS_UP:
            raise ScoresError(
                f"{scores.path}: the probabilities of exclusive labels add up to "
                f"{sums[off.argmax()]:.3g} for an image, not to 1"
            )


def _cure(whole: Truth, options: Options, like: Report | None) -> str:
    """What to do about a column of exclusive scores that no label is judged by."""
    if options.labels:
        return "leave out --label"
    if like is not None:
        return "the labels are the other side's, so take out a column that is none of a softmax's"
    known = f"give {whole.name} a column of 0 and 1 for each label, or take out what is none"
    if whole.labels.normal is not None:
        return known
    return f"say --normal NAME of the column of images without findings, {known}"


def _require_different(path: Path, evaluated: Evaluated, labels: Labels, head: Head) -> None:
    """Where all images have one score, nothing is ranked and nothing can be compared."""
    values: NDArray[np.floating[Any]] = evaluated.logits
    if head == "exclusive":  # of whose logits one may be constant: the others are relative to it
        values = calibrated(values, {"slope": 1.0, "intercept": 0.0}, head)
    alike = (values == values[0]).all(axis=0)
    if alike.any() and len(values) > 1:
        names = [labels[channel].name for channel in np.flatnonzero(alike)]
        cure = (
            "take its column out" if head == "exclusive" else "name the other labels with --label"
        )
        raise ScoresError(
            f"{path}: every image has the same score of {', '.join(names[:5])}, which tells "
            f"nothing: {cure}"
        )


def _matched(
    scores: Scores, truth: Truth, logits: NDArray[np.float32]
) -> tuple[Evaluated, list[tuple[str, str]]]:
    """What is both scored and labelled, in the truth's order; and the rest, with reasons."""
    of_truth = matched(scores.path, scores.all_images, truth.images, truth.unlabelled)
    taken: dict[int, int] = {}
    left_out = list(scores.refused)
    for row, (name, place) in enumerate(zip(scores.images, of_truth, strict=False)):
        if place is None:
            left_out.append((name, f"not in {truth.name}"))
        elif place >= len(truth.images):
            left_out.append((name, "unlabelled"))
        else:
            taken[place] = row
    refused = {*of_truth[len(scores.images) :]}
    missing = [
        name
        for place, name in enumerate(truth.images)
        if place not in taken and place not in refused
    ]
    left_out += [(name, "no score") for name in missing]
    if not taken:
        raise ScoresError(
            f"{scores.path}: none of its images ({scores.images[0]}, …) is in {truth.name} "
            f"({truth.images[0]}, …): their names must be the same"
        )
    places = sorted(taken)
    rows = [taken[place] for place in places]
    images = [truth.images[place] for place in places]
    evaluated = Evaluated(
        np.array(images),
        np.array(_patients(scores, truth, places, rows) or images),
        truth.targets[places],
        logits[rows],
    )
    return evaluated, [(printable(name), why) for name, why in left_out]


def _patients(scores: Scores, truth: Truth, places: list[int], rows: list[int]) -> list[str] | None:
    known = None if truth.patients is None else [truth.patients[place] for place in places]
    stated = None if scores.patients is None else [scores.patients[row] for row in rows]
    if known and stated and known != stated:
        image = next(
            truth.images[p] for p, a, b in zip(places, known, stated, strict=True) if a != b
        )
        raise ScoresError(f"{scores.path}: {image} is of another patient than in {truth.name}")
    return known or stated


def _points(
    evaluated: Evaluated,
    labels: Labels,
    calibration: dict[str, Any],
    head: Head,
    like: Report | None,
) -> tuple[dict[str, Any], str]:
    """Operating points as in a manifest, and the default one's name."""
    count = len(labels)
    if like is not None:
        points = {
            name: {
                "thresholds": [row["threshold"] for row in rows],
                "sensitivity": [row["sensitivity_fitted"] for row in rows],
                "specificity": [row["specificity_fitted"] for row in rows],
            }
            for name, rows in like.content["operating_points"].items()
        }
        return points, like.content["operating_point"]
    scores = calibrated(evaluated.logits, calibration, head)
    nothing: list[float | None] = [None] * count
    balanced = [
        _youden(evaluated.targets[:, channel] > 0, scores[:, channel]) for channel in range(count)
    ]
    return {
        BALANCED: {
            "thresholds": [at for at, _, _ in balanced],
            "sensitivity": [found for _, found, _ in balanced],
            "specificity": [found for _, _, found in balanced],
        },
        HALF: {"thresholds": [0.5] * count, "sensitivity": nothing, "specificity": nothing},
    }, BALANCED


def _youden(
    truth: NDArray[np.bool_], scores: Floats
) -> tuple[float | None, float | None, float | None]:
    """The threshold of largest sensitivity + specificity (Youden, Cancer 3, 1950), and both.

    It lies midway between the lowest score that reaches it and the next: rounding moves nothing.
    """
    if not MIN_IMAGES <= truth.sum() <= len(truth) - MIN_IMAGES:
        return None, None, None
    false, true = roc_curve(truth, scores)
    distinct = np.r_[np.inf, np.unique(scores)[::-1]]
    best = int(np.argmax(true - false))
    if best == 0:  # nothing is better than saying no to all
        return None, None, None
    below = distinct[best + 1] if best + 1 < len(distinct) else 0.0
    return float((distinct[best] + below) / 2), float(true[best]), float(1 - false[best])


def _notes(evaluated: Evaluated, left_out: list[tuple[str, str]], like: Report | None) -> list[str]:
    notes = ["matched by their names alone: nobody here has seen the images that were scored"]
    if like is None:
        notes.append(
            f"the thresholds of {BALANCED!r} are fitted on these very images: what they reach "
            "elsewhere is likely to be less"
        )
    if (evaluated.patients == evaluated.images).all():
        notes.append(
            "nothing tells patients: each image counts as one, so intervals are too narrow"
        )
    if left_out:
        counts: dict[str, int] = {}
        for _, why in left_out:
            counts[why] = counts.get(why, 0) + 1
        most_frequent = sorted(counts.items(), key=lambda each: -each[1])[:5]
        notes.append(
            "left out: " + ", ".join(f"{count} images: {why}" for why, count in most_frequent)
        )
    return [printable(note) for note in notes]


def with_patients(truth: Truth, made: Report) -> Truth:
    """A truth that tells no patients, with those of a report of the same images."""
    if truth.patients is not None:
        return truth
    known = dict(zip(made.evaluated.images, made.evaluated.patients, strict=True))
    return replace(truth, patients=[str(known.get(name, name)) for name in truth.images])


def write(made: Report, place: Path) -> None:
    """Write a report and its scores.

    Raises:
        UsageError: its name does not end in ``.json``.
        OutputError: it cannot be written.
    """
    if place.suffix != ".json":
        raise UsageError(f"{place}: a report's name ends in .json")
    try:
        report.write(made, place)
    except OSError as error:
        raise OutputError(
            f"{place}: cannot be written: {error.strerror or error}: choose another --out"
        ) from None
