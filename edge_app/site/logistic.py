"""Logistic regression of one score: what a probability has to become to be true at a site."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.evaluation.proportions import Clusters, student_quantile

Floats = NDArray[np.float64]

ROUNDS: Final = 50
ENOUGH: Final = 1e-10
"""A step of Newton's method, relative to the parameters, after which it ends."""


class Line(NamedTuple):
    """slope · x + intercept are the log-odds.

    Attributes:
        slope, intercept: as fitted.
        slope_ends, intercept_ends: of their 95 % intervals over patients.
    """

    slope: float
    intercept: float
    slope_ends: tuple[float, float]
    intercept_ends: tuple[float, float]


def fit(
    x: Floats,
    truth: NDArray[np.bool_],
    patients: NDArray[Any],
    *,
    slope: bool = True,
    weights: Floats | None = None,
) -> Line | None:
    """The most likely line, by Newton's method; None where there is none.

    The intervals are robust to patients' images being alike: by the delete-one-patient jackknife
    (CR3 of Bell & McCaffrey, Survey Methodology 28, 2002), with Student's t for their number.

    Args:
        x: N, finite.
        truth: N.
        patients: N, whose images these are.
        slope: fit it too; it is 1 otherwise.
        weights: N, how many images each of them stands for; one if None.
    """
    if not 0 < truth.mean() < 1:
        return None
    counts = np.ones(len(x)) if weights is None else weights / weights.mean()
    share = (counts * truth).mean()
    columns = np.column_stack([x, np.ones(len(x))]) if slope else np.ones((len(x), 1))
    offset = np.zeros(len(x)) if slope else x
    parameters = np.zeros(columns.shape[1])
    parameters[-1] = np.log(share / (1 - share)) - (counts * offset).mean()
    for _ in range(ROUNDS):
        probability = 1 / (1 + np.exp(-np.clip(columns @ parameters + offset, -30, 30)))
        gradients = columns * (counts * (truth - probability))[:, np.newaxis]
        spread = counts * probability * (1 - probability)
        curvature = columns.T @ (columns * spread[:, np.newaxis])
        try:
            step = np.linalg.solve(curvature, gradients.sum(axis=0))
        except np.linalg.LinAlgError:
            return None
        parameters = parameters + step
        if np.abs(step).max() <= ENOUGH * max(1.0, np.abs(parameters).max()):
            clusters = Clusters(patients)
            squares = columns[:, :, np.newaxis] * columns[:, np.newaxis] * spread[:, None, None]
            of_patients = clusters.sums(gradients), clusters.sums(squares)
            return _line(parameters, curvature, *of_patients, slope)
    return None  # the score separates the two, or nothing is known


def _line(
    parameters: Floats, curvature: Floats, gradients: Floats, curvatures: Floats, slope: bool
) -> Line | None:
    """The line and its intervals, by what each patient adds to gradient and curvature."""
    count = len(gradients)
    try:  # by a step of Newton's method without one patient at a time
        moves = np.linalg.solve(curvature - curvatures, gradients[:, :, np.newaxis])[:, :, 0]
    except np.linalg.LinAlgError:
        return None
    spread = np.sqrt((count - 1) / count * np.square(moves).sum(axis=0))
    half = student_quantile(0.975, max(count - 1, 1)) * spread
    if not np.isfinite(half).all():
        return None
    ends = [(float(v - h), float(v + h)) for v, h in zip(parameters, half, strict=True)]
    values = [float(v) for v in parameters]
    if not slope:
        values, ends = [1.0, *values], [(1.0, 1.0), *ends]
    return Line(values[0], values[1], ends[0], ends[1])


def fit_softmax(
    odds: Floats, targets: NDArray[np.bool_], weights: Floats, *, slope: bool = True
) -> tuple[float, Floats] | None:
    """What log-odds of exclusive labels have to become: one slope, and an intercept a label.

    The most likely ones, by Newton's method; None where there are none. Intercepts are as of a
    softmax, which a constant in all of them does not change: the last one is 0.

    Args:
        odds: N×L.
        targets: N×L, one label an image, and each borne by one.
        weights: N, how many images each of them stands for.
        slope: fit it too; it is 1 otherwise.
    """
    counts = weights / weights.sum()
    shares = counts @ targets
    steep, free = (0.0, 1) if slope else (1.0, 0)
    intercepts = np.log(shares) - (0 if slope else counts @ odds)
    parameters = np.concatenate([[steep] * free, (intercepts - intercepts[-1])[:-1]])
    for _ in range(ROUNDS):
        steep = parameters[0] if free else 1.0
        moved = steep * odds + np.append(parameters[free:], 0.0)
        softmax = np.exp(moved - moved.max(axis=1, keepdims=True))
        softmax /= softmax.sum(axis=1, keepdims=True)
        gradient, curvature = _softmax_slopes(odds, targets - softmax, softmax, counts)
        try:
            step = np.linalg.solve(curvature[1 - free :, 1 - free :], gradient[1 - free :])
        except np.linalg.LinAlgError:
            return None
        parameters = parameters + step
        if not np.isfinite(parameters).all():
            return None
        if np.abs(step).max() <= ENOUGH * max(1.0, np.abs(parameters).max()):
            return float(parameters[0]) if free else 1.0, np.append(parameters[free:], 0.0)
    return None  # the scores part the labels, or nothing is known


def _softmax_slopes(
    odds: Floats, residuals: Floats, softmax: Floats, counts: Floats
) -> tuple[Floats, Floats]:
    """Gradient and curvature of the likelihood by the slope, and all intercepts but the last."""
    weighed = counts[:, np.newaxis] * softmax
    mean = (softmax * odds).sum(axis=1)
    gradient = np.append((counts @ (residuals * odds)).sum(), (counts @ residuals)[:-1])
    curvature = np.empty((odds.shape[1], odds.shape[1]))
    curvature[0, 0] = (weighed * odds**2).sum() - counts @ mean**2
    curvature[0, 1:] = curvature[1:, 0] = (weighed * (odds - mean[:, np.newaxis])).sum(axis=0)[:-1]
    curvature[1:, 1:] = (np.diag(weighed.sum(axis=0)) - weighed.T @ softmax)[:-1, :-1]
    return gradient, curvature
