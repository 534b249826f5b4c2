"""The pictures of a comparison's page: small multiples, one panel a label."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any, Final, Literal

import numpy as np

from edge_app.comparison.compare import ROLES
from edge_app.comparison.pairing import Pair
from edge_app.comparison.tables import number, percent, signed
from edge_app.core.svg import (
    Axis,
    Point,
    coordinate,
    dots,
    drawing,
    element,
    escape,
    line,
    polyline,
    text,
    ticks,
)
from edge_app.evaluation.metrics import Floats, roc_curve
from edge_app.images.perturb import WORDS
from edge_app.model.labels import Labels

if TYPE_CHECKING:
    from edge_app.comparison.document import Agreement
    from edge_app.evaluation.document import ConfusionCounts, Facts, Metric

Outcome = Literal["tp", "fn", "fp", "tn"]

SIDE: Final = 200
LEFT, RIGHT, TOP, BOTTOM = 26, 194, 6, 178
BINS: Final = 10
NOTHING: Final = '<p class="nothing">not computable</p>'


def multiples(labels: Labels, panel: Callable[[int], tuple[str, str]]) -> str:
    """A grid of panels, one a label: channel → (picture, caption in HTML)."""
    cells = []
    for channel, label in enumerate(labels):
        picture, caption = panel(channel)
        name = element("b", escape(label.name))
        cells.append(element("figure", f"<figcaption>{name} {caption}</figcaption>{picture}"))
    return element("div", "".join(cells), kind="multiples")


def _panel(x: Axis, y: Axis, body: Iterable[str], label: str) -> str:
    """A square plot with its axes."""
    frame = [
        element(
            "rect", x=LEFT, y=TOP, width=RIGHT - LEFT, height=BOTTOM - TOP, kind="plot"
        )
    ]  # fmt: skip
    for value in ticks(x.low, x.high, 5):
        frame.append(text(x(value), BOTTOM + 14, f"{value:g}".replace("-", "−"), "tick middle"))
        frame.append(line((x(value), TOP), (x(value), BOTTOM), "grid"))
    for value in ticks(y.low, y.high, 5):
        frame.append(text(LEFT - 4, y(value) + 3.5, f"{value:g}".replace("-", "−"), "tick end"))
        frame.append(line((LEFT, y(value)), (RIGHT, y(value)), "grid"))
    return drawing(SIDE, SIDE, [*frame, *body], label)


def _axes(low: float, high: float) -> tuple[Axis, Axis]:
    return Axis(low, high, LEFT, RIGHT), Axis(low, high, BOTTOM, TOP)


def _diagonal(x: Axis, y: Axis) -> str:
    return line((x(x.low), y(x.low)), (x(x.high), y(x.high)), "diagonal")


def roc(pairing: Pair, labels: list[Facts]) -> str:
    """ROC curves of both models, overlaid."""
    x, y = _axes(0, 1)

    def panel(channel: int) -> tuple[str, str]:
        areas = [labels[channel]["auroc"][role] for role in ROLES]
        if None in areas:
            return NOTHING, ""
        curves = []
        for role, answers in zip(ROLES, pairing.answers, strict=True):
            false, true = roc_curve(pairing.targets[:, channel], answers.ranking[:, channel])
            places = [
                (float(round(x(a))), float(round(y(b)))) for a, b in zip(false, true, strict=True)
            ]
            curves.append(polyline(places, f"curve {role}"))
        words = " → ".join(number(area) for area in areas)
        label = f"ROC curves of {labels[channel]['label']}, AUROC {words}"
        return _panel(x, y, [_diagonal(x, y), *curves], label), words

    return multiples(pairing.labels, panel)


def scatter(pairing: Pair, labels: list[Facts]) -> str:
    """Reference's logits (across) against the candidate's (up), thresholds as lines."""
    first, second = pairing.answers
    limits = [_logit_thresholds(pairing, side) for side in (0, 1)]

    def panel(channel: int) -> tuple[str, str]:
        one, other = first.logits[:, channel], second.logits[:, channel]
        known = np.isfinite(one) & np.isfinite(other)
        if not known.any():
            return NOTHING, ""
        one, other = one[known], other[known]
        low, high = float(min(one.min(), other.min())), float(max(one.max(), other.max()))
        margin = 0.04 * (high - low) or 1.0
        x, y = _axes(low - margin, high + margin)
        places = [(x(a), y(b)) for a, b in zip(one.tolist(), other.tolist(), strict=True)]
        body = [_diagonal(x, y), dots(places, "cloud")]
        across, up = (float(side[channel]) for side in limits)
        if x.low < across < x.high:
            body.append(line((x(across), TOP), (x(across), BOTTOM), "threshold"))
        if y.low < up < y.high:
            body.append(line((LEFT, y(up)), (RIGHT, y(up)), "threshold"))
        words = f"rms {number(labels[channel]['logits']['rms'])}"
        return _panel(x, y, body, f"logits of {labels[channel]['label']}, {words}"), words

    return multiples(pairing.labels, panel)


def _logit_thresholds(pairing: Pair, side: int) -> Floats:
    """The default operating point's thresholds on the logit's scale; NaN where there is none.

    An exclusive label's score depends on all logits, so none of them has a threshold of its own.
    """
    report = (pairing.reference, pairing.candidate)[side]
    if report.head == "exclusive":
        return np.full(len(pairing.labels), np.nan)
    thresholds = pairing.answers[side].thresholds[pairing.points[0]]
    slope, intercept = (
        np.array(report.content["calibration"][key], np.float64) for key in ("slope", "intercept")
    )
    with np.errstate(invalid="ignore", divide="ignore"):
        places: Floats = (np.log(thresholds / (1 - thresholds)) - intercept) / slope
    return places


def reliability(pairing: Pair, labels: list[Facts]) -> str:
    """Mean score (across) against the share of images that bear the label (up), in ten bins."""

    def panel(channel: int) -> tuple[str, str]:
        errors = [labels[channel]["calibration_error"][role] for role in ROLES]
        if None in errors:
            return NOTHING, ""
        truth = pairing.targets[:, channel]
        curves = [_bins(truth, answers.scores[:, channel]) for answers in pairing.answers]
        high = max(value for curve in curves for place in curve for value in place)
        x, y = _axes(0, 1.04 * high or 1)
        body = [_diagonal(x, y)]
        for role, curve in zip(ROLES, curves, strict=True):
            places = [(x(a), y(b)) for a, b in curve]
            body += [polyline(places, f"curve {role}"), dots(places, f"bin {role}")]
        words = " → ".join(number(error) for error in errors)
        label = f"calibration of {labels[channel]['label']}, error {words}"
        return _panel(x, y, body, label), words

    return multiples(pairing.labels, panel)


def _bins(truth: Any, scores: Floats) -> list[Point]:
    """(mean score, share that bears the label) of bins of equal count."""
    order = np.argsort(scores, kind="stable")
    parts = (part for part in np.array_split(order, BINS) if len(part))
    return [(float(scores[part].mean()), float(truth[part].mean())) for part in parts]


CELL: Final = (47, 40)
"""Width and height of a confusion matrix's cell."""


def confusions(pairing: Pair, point: Agreement) -> str:
    """Both models' 2×2 tables, shaded by the share of the row."""
    rows = {row["label"]: row for row in point["labels"]}

    def panel(channel: int) -> tuple[str, str]:
        name = pairing.labels[channel].name
        row = rows.get(name)
        if row is None:
            return '<p class="nothing">no threshold</p>', ""
        body = [_sideways(10, 36 + 42 * down, truth) for down, truth in enumerate(TRUTHS)]
        for left, role in ((16, ROLES[0]), (122, ROLES[1])):
            body += _matrix(row[role]["confusion"], left, role)
        label = f"confusion matrices of {name}"
        return drawing(220, 100, body, label), f"{percent(row['agreement'])} alike"

    return multiples(pairing.labels, panel)


TRUTHS: Final[dict[str, tuple[Outcome, Outcome]]] = {
    "present": ("tp", "fn"),
    "absent": ("fp", "tn"),
}


def _matrix(cells: ConfusionCounts | None, left: int, role: str) -> list[str]:
    width, height = CELL
    body = [text(left + width + 1, 10, role, "tick middle")]
    for down, keys in enumerate(TRUTHS.values()):
        total = sum(cells[key] for key in keys) if cells else 0
        for across, key in enumerate(keys):
            x, y = left + across * (width + 2), 16 + down * (height + 2)
            share = cells[key] / total if cells and total else 0.0
            kind = "right" if key in ("tp", "tn") else "wrong"
            shade = f"{0.06 + 0.5 * share:.2f}"
            body.append(
                element(
                    "rect", x=x, y=y, width=width, height=height, kind=f"cell {kind}",
                    fill_opacity=shade,
                )
            )  # fmt: skip
            count = str(cells[key]) if cells else "none"
            body.append(text(x + width / 2, y + height / 2 + 4.5, count, "count middle"))
    return body


def _sideways(x: float, y: float, words: str) -> str:
    turn = f"rotate(-90 {coordinate(x)} {coordinate(y)})"
    return element("text", escape(words), x=x, y=y, kind="tick small middle", transform=turn)


def forest_row(difference: Metric, axis: Axis, limit: float, beyond: bool) -> str:
    """One line of a forest plot; coordinates are percentages, so it fills the width of its cell."""
    body = [_upright(axis(0), "zero"), _upright(axis(limit), "limit")]
    value, low, high = difference["value"], difference["low"], difference["high"]
    if low is not None and high is not None:
        ends = {"x1": f"{axis(low):.2f}%", "x2": f"{axis(high):.2f}%"}
        body.append(element("line", y1=13, y2=13, kind="interval", **ends))
    if value is not None:
        body.append(element("circle", cx=f"{axis(value):.2f}%", cy=13, r=4, kind="estimate"))
    words = f"{signed(value)}" + (f", {signed(low)} to {signed(high)}" if low is not None else "")
    kind = "forest beyond" if beyond else "forest"
    return element("svg", "".join(body), kind=kind, role="img", aria_label=words)


def forest_axis(axis: Axis) -> str:
    """The tick labels above a forest plot."""
    body = [
        element(
            "text", escape(signed(value, 3) if value else "0"),
            x=f"{axis(value):.2f}%", y=12, kind="tick middle",
        )
        for value in ticks(axis.low, axis.high, 4)
    ]  # fmt: skip
    return element("svg", "".join(body), kind="forest axis", aria_hidden="true")


def forest_scale(differences: Iterable[Metric], limits: Iterable[float]) -> Axis:
    """From the lowest to the highest end, with the limits and zero inside."""
    values = [0.0, *limits]
    for difference in differences:
        ends = (difference["value"], difference["low"], difference["high"])
        values += [value for value in ends if value is not None]
    low, high = min(values), max(values)
    margin = 0.05 * (high - low) or 0.01
    return Axis(low - margin, high + margin, 0, 100)


def _upright(percentage: float, kind: str) -> str:
    place = f"{percentage:.2f}%"
    return element("line", x1=place, x2=place, y1=0, y2=26, kind=kind)


def changed_bars(points: dict[str, Agreement]) -> str:
    """Share of decisions that change: the candidate's above the reference's own, both from zero."""
    bars: dict[str, list[tuple[str, str, float | None]]] = {}
    for name, point in points.items():
        agreement = point["agreement"]["value"]
        bars[name] = [("candidate", "candidate", agreement)]
        for key, words in WORDS.items():
            again = point["retest"].get(key, {"agreement": None})
            bars[name].append(("reference", words, again["agreement"]))
    longest = max(
        (1 - agreed for rows in bars.values() for *_, agreed in rows if agreed is not None),
        default=0,
    )
    groups = []
    for name, rows in bars.items():
        items = "".join(_bar(kind, words, agreed, longest or 1) for kind, words, agreed in rows)
        groups.append(
            f"<figure><figcaption><b>{escape(name)}</b></figcaption>"
            f'<div class="bars">{items}</div></figure>'
        )
    return element("div", "".join(groups), kind="groups")


def _bar(kind: str, words: str, agreed: float | None, longest: float) -> str:
    name = element("span", escape(words))
    if agreed is None:
        return f'{name}<span></span><span class="quiet">not measured</span>'
    share = 1 - agreed
    width = f"{100 * share / longest:.2f}%"
    bar = element("rect", width=width, height=14, y=3, rx=2, kind=f"bar {kind}")
    picture = element("svg", bar, kind="barline", aria_hidden="true")
    return f"{name}{picture}<span>{percent(share, 2)}</span>"
