"""How well labels rank by a network's own scores, by the fitted ones, and by the model file's.

Independent labels rank the same by their own scores and by the fitted ones. Exclusive ones do not:
they share a softmax, so an intercept of one label moves the scores of all, by more on one image
than on another. What is compared is fitted, on both sides; a network as it came is not.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Any, Final, NamedTuple

from edge_app.evaluation import report
from edge_app.evaluation.report import Report, interval_text
from quantize.importing.decide import undecided

OWN: Final = "auroc_before_fitting"
"""Key of a label's AUROC, and of the macro one, by a network's own scores."""

DIGITS: Final = 3
"""Digits of an AUROC, as `interval_text` shows it."""

CHANCE: Final = 0.5
FAR: Final = 0.05
"""The difference of two AUROCs on either side of chance that is reported whatever the interval."""

TITLE: Final = (
    "AUROC as it came, that is by the network's own softmax, and after fitting temperature and "
    "intercepts; all of the comparison above is after fitting, in both"
)


def with_own(made: Report) -> Report:
    """A report of a network that also says how well its own scores rank.

    Args:
        made: of exclusive labels gets `OWN` with its interval; any other is left as it is.
    """
    if made.head != "exclusive":
        return made
    content, unfitted = made.content, undecided(len(made.labels))
    own = report.build(
        replace(made.evaluated, retest={}),
        labels=made.labels,
        head=made.head,
        model=content["model"],
        dataset=content["dataset"],
        runtime=content["runtime"],
        calibration=unfitted.calibration,
        operating_points=unfitted.operating_points,
        operating_point=content["operating_point"],
    ).content
    pairs = zip(content["labels"], own["labels"], strict=True)
    extended: Any = {
        **content,
        "labels": [{**row, OWN: other["auroc"]} for row, other in pairs],
        "macro": {**content["macro"], OWN: own["macro"]["auroc"]},
    }
    return Report(extended, made.evaluated)


class Ranking(NamedTuple):
    """AUROC of each label with its interval, as people read it.

    Attributes:
        header: titles of the columns.
        rows: a row a label, the macro one last.
        moved: whether fitting moves any, so that there is a column for it.
    """

    header: tuple[str, ...]
    rows: list[tuple[str, ...]]
    moved: bool

    def lines(self) -> list[str]:
        """Lines for a terminal, below the comparison; empty where that says everything."""
        if not self.moved:
            return []
        cells = [self.header, *self.rows]
        widths = [max(map(len, column)) for column in zip(*cells, strict=True)]
        return [
            TITLE,
            *(
                "  ".join(cell.rjust(width) for cell, width in zip(row, widths, strict=True))
                for row in cells
            ),
        ]


def ranking(reference: Report, shipped: Report) -> Ranking:
    """How well labels rank as they came, after fitting where that differs, and in the model file.

    Args:
        reference: of the network as it came; see `with_own`.
        shipped: of the model file, on the same images.
    """
    one, other = reference.content, shipped.content
    rows = [
        (row["label"], str(row["support"]), _own(row), row["auroc"], found["auroc"])
        for row, found in zip(one["labels"], other["labels"], strict=True)
    ]
    macro = one["macro"]
    rows.append(("macro, findings", "", _own(macro), macro["auroc"], other["macro"]["auroc"]))
    moved = any(_rounded(own) != _rounded(fitted) for _, _, own, fitted, _ in rows)
    texts = [
        (*names, interval_text(own), interval_text(fitted), interval_text(found))
        for *names, own, fitted, found in rows
    ]
    header = ("AUROC", "support", "as it came", "after fitting", "model file")
    if moved:
        return Ranking((*header[:4], "model file, after fitting"), texts, True)
    return Ranking((*header[:3], header[4]), [(*each[:3], each[4]) for each in texts], False)


def _own(row: dict[str, Any]) -> dict[str, Any]:
    own: dict[str, Any] = row.get(OWN, row["auroc"])
    return own


def _rounded(metric: dict[str, Any]) -> float | None:
    return None if metric["value"] is None else round(metric["value"], DIGITS)


def _turns(own: dict[str, Any], fitted: float) -> bool:
    """Whether two AUROCs lie clearly on either side of chance."""
    if (own["value"] - CHANCE) * (fitted - CHANCE) >= 0:
        return False
    by_chance = own["low"] is None or own["low"] <= CHANCE <= own["high"]
    return not by_chance or abs(own["value"] - fitted) >= FAR


def turned(reference: Report) -> Iterator[str]:
    """A line for each label whose ranking the fitting turns round, or moves beyond its interval."""
    for row in reference.content["labels"]:
        own, fitted = _own(row), row["auroc"]
        if own["value"] is None or fitted["value"] is None:
            continue
        values = (
            f"AUROC {own['value']:.3f} by the network's own scores, {fitted['value']:.3f} after "
            "fitting, which is what the model file answers by"
        )
        if _turns(own, fitted["value"]):
            yield f"{row['label']}: fitting turns its ranking round: {values}"
        elif own["low"] is not None and not own["low"] <= fitted["value"] <= own["high"]:
            yield f"{row['label']}: fitting moves its ranking beyond its interval: {values}"
