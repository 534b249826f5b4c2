"""Which conversion of a network is written: chosen on images that do not judge it.

A conversion that was chosen on the same images as its proof would be proven partly by luck. So the
gates are first checked on other images, and the test images judge the chosen conversion once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
import pandas as pd
from rich.console import Console

from edge_app.comparison.gates import (
    MACRO_LOW,
    REFERENCE_GATES,
    YARDSTICK,
    GateResult,
    Gates,
    record,
    verdict,
)
from edge_app.comparison.tables import verdict_line
from quantize.convert import calibration_rows
from quantize.importing.convert import Converted
from train.cache import Cached
from train.data_facts import dataset_facts

if TYPE_CHECKING:
    from edge_app.comparison.document import ComparisonDocument
    from edge_app.evaluation.document import Metric

SPLIT: Final = "validation and train"
"""Where the images for the choice are from."""

RESERVE: Final = 2**0.5 / 1.96
"""Share of half a 95 % interval: one standard error between two samples of the same kind."""


class Tried(NamedTuple):
    """One conversion, compared with the original on the images for the choice.

    Attributes:
        made: the conversion.
        results: of the gates.
        reserve: whether it meets them with a reserve; see `with_reserve`.
    """

    made: Converted
    results: list[GateResult]
    reserve: bool

    @property
    def broken(self) -> list[GateResult]:
        return [result for result in self.results if not result.passed]

    @property
    def in_float32(self) -> int:
        """How many operators are not int8."""
        return len(self.made.facts.get("in_float32", {}).get("operators", ()))


class Chosen(NamedTuple):
    """The conversion that is to be judged.

    Attributes:
        made: the conversion.
        facts: for the manifest's `quantization`: how it was chosen.
    """

    made: Converted
    facts: dict[str, Any]


class Choosers(NamedTuple):
    """Images for the choice, and how many of them int8 is calibrated with, which flatters it."""

    images: Cached
    calibrate: int


def choosers(cached: Cached, calibrate: int, seed: int) -> Choosers:
    """As many images as there are test images, none of them a test image.

    Validation images first, then training images that int8 is not calibrated with, then those that
    it is.

    Args:
        cached: all images.
        calibrate, seed: as of `calibration_rows`: how int8 is calibrated.
    """
    validation, training = cached.split("validation"), cached.split("train")
    order = calibration_rows(training, len(training), seed)
    rest = np.concatenate([order[calibrate:], order[:calibrate]])
    rest = rest[: max(len(cached.split("test")) - len(validation), 0)]
    table = pd.concat([validation.table, training.table.iloc[rest]], ignore_index=True)
    count = min(len(table), len(cached.split("test")))
    images = replace(
        cached,
        targets=np.concatenate([validation.targets, training.targets[rest]])[:count],
        table=table[:count],
        rows=np.concatenate([validation.rows, training.rows[rest]])[:count],
    )
    return Choosers(images, max(len(rest) - len(order[calibrate:]), 0))


def chosen(
    attempts: Iterator[Converted],
    judged: Callable[[Converted], Tried],
    images: Choosers,
    console: Console,
) -> Chosen:
    """The conversion that meets all gates on images that do not judge it, with some reserve.

    int8 as a whole is taken where it meets them. Of conversions that are partly float32, the first
    that meets them with a reserve, otherwise the last that meets them. What just meets the gates on
    some images may well miss them on others of the same kind.

    Args:
        attempts: int8 as a whole, then others, each more exact than those before it.
        judged: a conversion compared with the original on `images`.
        images: see `choosers`.
        console: gets a line for each attempt and its outcome.
    """
    _tell(console, f"Choosing the precision on {images.images.counted}, none of them a test image")
    tried: list[Tried] = []
    for one in attempts:
        tried.append(judged(one))
        _tell(console, _attempt_line(len(tried), tried[-1]))
        met = [not each.broken for each in tried]
        broken = tried[-1].broken
        missed = [each for each in broken if not is_unseen(each)]
        hopeless = not all(map(of_rounding, missed)) or (broken and not missed)
        if met[0] or tried[-1].reserve or hopeless:
            break
    best = min(reversed(tried) if any(met) else tried, key=_harm)
    unknown = [each.gate for each in best.broken if not of_rounding(each) or is_unseen(each)]
    if unknown:
        at = tried.index(best)
        stays = f"attempt {at + 1} is written" if at else "it stays int8 as a whole"
        _tell(
            console,
            f"too few images to choose by, or a network that proves nothing on them "
            f"({', '.join(unknown)}): {stays}; add training images",
        )
    elif best.broken:
        _tell(
            console,
            f"none of {len(tried)} attempts meets all gates where it is chosen; attempt "
            f"{tried.index(best) + 1} breaks the fewest",
        )
    facts = {
        "attempt": tried.index(best) + 1,
        "on": {**dataset_facts(images.images, SPLIT), "calibrate": images.calibrate},
        "attempts": [
            {
                "in_float32": each.in_float32,
                "verdict": verdict(each.results),
                "not_met": [result.gate for result in each.broken],
                "reserve": each.reserve,
            }
            for each in tried
        ],
        **record(best.results),
    }
    return Chosen(best.made, facts)


def with_reserve(content: ComparisonDocument) -> Gates:
    """The gates, those of an interval's lower end moved up by `RESERVE` of its half.

    A true value that lies on the limit here lies below it on every other sample of as many images.
    """
    gates = Gates()
    point = content["operating_points"][content["operating_point"]]
    again = point["retest"].get(YARDSTICK)
    return replace(
        gates,
        macro_auroc_low=gates.macro_auroc_low + _reserve(content["macro"]["auroc"]["difference"]),
        agreement_over_noise_low=gates.agreement_over_noise_low
        + (_reserve(again["beyond"]) if again else 0.0),
    )


def _reserve(found: Metric) -> float:
    if found["value"] is None or found["low"] is None:
        return 0.0
    return RESERVE * max(found["value"] - found["low"], 0.0)


def _harm(tried: Tried) -> tuple[int, int]:
    """How many gates are not met, and how many in all are not passed."""
    return sum(result.outcome == "not met" for result in tried.broken), len(tried.broken)


def of_rounding(result: GateResult) -> bool:
    """Whether a network that is rounded less may meet a gate, on whatever images."""
    return result.gate not in REFERENCE_GATES and result.value is not None


def is_unseen(result: GateResult) -> bool:
    """Whether too few ranks change to prove anything: a more exact network changes even fewer."""
    return result.gate == MACRO_LOW and result.outcome == "not proven"


def _attempt_line(nth: int, tried: Tried) -> str:
    kept = tried.made.facts.get("in_float32")
    what = "int8 as a whole"
    if kept is not None:
        count, longer = len(kept["operators"]), kept["times_as_long_as_int8"]
        which = f"{count} of {kept['of']} operators, those that lose most to int8, stay"
        which = which if count < kept["of"] else f"all {count} operators stay"
        what = (
            f"{which} in float32; an image then takes {longer} times as long here on one thread, "
            "and what computes in int8 alone cannot map them; --int8-only leaves this out"
        )
    spare = "" if tried.broken or tried.reserve or nth == 1 else ", without a reserve"
    return f"attempt {nth}: {what}: {verdict_line(tried.results)}{spare}"


def _tell(console: Console, line: str) -> None:
    console.print(line, highlight=False, soft_wrap=True)
