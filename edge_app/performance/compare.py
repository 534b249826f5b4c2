"""Comparing results: ratios with intervals, and whether anything became slower."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from edge_app.backends.protocol import UNNAMED
from edge_app.core.errors import ReportError
from edge_app.performance.document import BenchmarkDocument, CellDocument, Facts, Runs
from edge_app.performance.interval import LEVEL, Interval, adjusted_ratio, of_runs, ratio
from edge_app.performance.stages import YARDSTICKS

MARGIN: Final = 1.03
"""Ratio up to which two results count as the same: measurements of one version differ as much after
some minutes, because rooms warm up and hypervisors move machines."""

BYTES_MARGIN: Final = 1.01
"""Ratio up to which files of the same pictures may differ in size, such as by another zlib."""

STATISTICS: Final[dict[str, Runs]] = {"median": "runs", "p10": "runs_p10"}
"""The compared statistics of each process, and their fields. The 10th percentile varies less; only
the median shows what became slower for some images or moments."""

FASTER, SLOWER, SAME, UNCLEAR = "faster", "slower", "same", "unclear"
TELLING: Final = (SLOWER, FASTER, UNCLEAR, SAME, None)
"""The order of verdicts: of two statistics the one with the first is shown, so that `same` means
both."""

YARDSTICK: Final = "yardstick"
"""The beginning of the names of yardsticks."""

RATE: Final = "images/s"


@dataclass(frozen=True)
class Difference:
    """One quantity of one combination in two results.

    Attributes:
        cell: the combination.
        quantity: see the schema.
        statistic: of `STATISTICS`: the one that shows a difference, or the one with the narrower
            interval.
        unit: of both values.
        before, after: the values.
        ratio: after / before; the intervals of all quantities hold together with 95 % probability.
        verdict: None between different machines; `same`: the interval is within `MARGIN`;
            `unclear`: it reaches across.
    """

    cell: str
    quantity: str
    statistic: str
    unit: str
    before: float
    after: float
    ratio: Interval
    verdict: str | None


@dataclass(frozen=True)
class Comparison:
    """A result compared with the first one.

    Attributes:
        same_machine: whether differences can be attributed to the software.
        notes: on how to read the ratios, one line each.
    """

    same_machine: bool
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def slower(self) -> list[Difference]:
        return [each for each in self.differences if each.verdict == SLOWER]


def compare(before: BenchmarkDocument, after: BenchmarkDocument) -> Comparison:
    """Compare two results.

    Raises:
        ReportError: they are of different images or models.
    """
    _require_same_images(before["images"], after["images"])
    pairs = _pairs(before, after)
    same = _same_machine(before["machine"], after["machine"])
    left_out = ("finish",) if _check_moved(pairs) else ()
    shared = [
        (a, b, name)
        for a, b in pairs
        for name in a["quantities"]
        if name in b["quantities"] and not name.startswith(YARDSTICK) and name not in left_out
    ]
    _require_same_units(shared)
    # Bonferroni: of many unchanged quantities, hardly ever is one called different.
    level = 1 - (1 - LEVEL) / max(1, len(STATISTICS) * len(shared))
    differences = tuple(_difference(a, b, name, level, same) for a, b, name in shared)
    machines = [_paces(a, b, "runs") for a, b in pairs]
    notes = _notes(before, after, same, machines)
    if left_out:
        notes.append(
            "one result counts the input check as part of the stage 'finish', the other as "
            "'check': these two stages are not compared"
        )
    return Comparison(same, differences, tuple(notes))


def _check_moved(pairs: Sequence[tuple[CellDocument, CellDocument]]) -> bool:
    """Whether one result is of a version that checked pictures after the network."""
    return any(
        ("check" in a["quantities"]) != ("check" in b["quantities"])
        for a, b in pairs
        if "finish" in a["quantities"] and "finish" in b["quantities"]
    )


def _difference(
    a: CellDocument, b: CellDocument, name: str, level: float, same: bool
) -> Difference:
    one, other = a["quantities"][name], b["quantities"][name]
    found = []
    for statistic, runs in STATISTICS.items():
        if runs not in one or runs not in other:
            continue
        between, verdict = ratio(other[runs], one[runs], level), None
        if same and (one["unit"] == "B" or _paces(a, b, runs)):
            between, left = _adjusted(a, b, name, runs, level)
            verdict = _verdict(between, one["unit"], left)
        first, second = (of_runs(each[runs]).value for each in (one, other))
        found.append(
            Difference(a["label"], name, statistic, one["unit"], first, second, between, verdict)
        )
    telling = min(TELLING.index(each.verdict) for each in found)
    shown = [each for each in found if TELLING.index(each.verdict) == telling]
    return min(shown, key=lambda each: each.ratio.half_width)


def _adjusted(
    a: CellDocument, b: CellDocument, name: str, runs: Runs, level: float
) -> tuple[Interval, float]:
    """The ratio adjusted to equal speed of the machine, and the change of speed left in it."""
    one, other = a["quantities"][name], b["quantities"][name]
    if one["unit"] == "B":
        return ratio(other[runs], one[runs], level), 1.0
    paces = _paces(a, b, runs)
    # A process without yardsticks of its own uses those of its round.
    earlier, first = _rounds(one[runs], [before for before, _ in paces])
    later, second = _rounds(other[runs], [after for _, after in paces])
    between, machine = adjusted_ratio(later, earlier, (second, first), level)
    accounted = 1 / machine if one["unit"] == RATE else machine
    pace = _pace(list(zip(first, second, strict=True)))
    left = min(max(pace / accounted, min(1.0, pace)), max(1.0, pace))
    return between, left


def _rounds(
    values: Sequence[float], paces: list[list[float]]
) -> tuple[Sequence[float], list[list[float]]]:
    """Values and yardsticks of the complete rounds: an interrupted round has only some of them."""
    whole = min(len(values), *map(len, paces))
    return values[:whole], [pace[:whole] for pace in paces]


Paces = list[tuple[list[float], list[float]]]
"""For each yardstick: one number a run before, and one number a run after."""


def _paces(a: CellDocument, b: CellDocument, runs: Runs) -> Paces:
    """The yardsticks that both results have."""
    one, other = a["quantities"], b["quantities"]
    return [
        (one[name][runs], other[name][runs])
        for name in YARDSTICKS
        if runs in one.get(name, ()) and runs in other.get(name, ())
    ]


def _pace(paces: Paces) -> float:
    """The ratio of the yardstick that changed most: how much slower the machine was."""
    changes = [ratio(after, before).value for before, after in paces]
    return max(changes, key=lambda change: abs(math.log(change)))


def _verdict(between: Interval, unit: str, left: float) -> str:
    if between.low is None or between.high is None:
        return UNCLEAR
    low, high = between.low, between.high
    if unit == RATE:
        low, high = 1 / high, 1 / low
    # If the whole machine became slower, the software is not to blame.
    if low > max(1.0, left) * MARGIN:
        return SLOWER
    if high < min(1.0, left) / MARGIN:
        return FASTER
    return SAME if low >= 1 / MARGIN and high <= MARGIN else UNCLEAR


def _require_same_units(shared: Sequence[tuple[CellDocument, CellDocument, str]]) -> None:
    for a, b, name in shared:
        units = [cell["quantities"][name]["unit"] for cell in (a, b)]
        if units[0] != units[1]:
            raise ReportError(f"they state {name} in {units[0]} and in {units[1]}: one is damaged")


def _require_same_images(one: Facts, other: Facts) -> None:
    larger, smaller = max(one["bytes"], other["bytes"]), min(one["bytes"], other["bytes"])
    if (one["pixels_sha256"], one["kinds"]) != (other["pixels_sha256"], other["kinds"]):
        raise ReportError(
            "these results are of different images: measure both on the same files in the same "
            "order"
        )
    if larger > BYTES_MARGIN * smaller:
        raise ReportError(
            "these results are of the same pictures in files of different sizes "
            f"({one['bytes']} and {other['bytes']} bytes), which take different times to decode: "
            "copy the files"
        )


def _pairs(
    before: BenchmarkDocument, after: BenchmarkDocument
) -> list[tuple[CellDocument, CellDocument]]:
    """Combinations that both have."""
    for result in (before, after):
        keys = [_key(cell) for cell in result["cells"]]
        if len(set(keys)) < len(keys):
            raise ReportError("one of these results has a combination twice: it is damaged")
    others = {_key(cell): cell for cell in after["cells"]}
    pairs = [(cell, others[_key(cell)]) for cell in before["cells"] if _key(cell) in others]
    if pairs:
        return pairs
    models = [{cell["model"]["sha256"] for cell in result["cells"]} for result in (before, after)]
    if not models[0] & models[1]:
        raise ReportError("these results are of different models: measure the same network twice")
    raise ReportError(
        "these results have no combination of model, runtime, delegate and threads in common"
    )


def _key(cell: CellDocument) -> tuple[str, ...]:
    runtime = cell["runtime"]
    # A library without a name of its own is known by its file.
    names = ("name", "library" if runtime["delegate"] == UNNAMED else "delegate", "threads")
    return (cell["model"]["sha256"], *(str(runtime[name]) for name in names))


def _same_machine(one: Facts, other: Facts) -> bool:
    names = ("machine", "cpu", "board", "cores", "features", "memory_mib")
    return all(one[name] == other[name] for name in names)


def _notes(
    before: BenchmarkDocument, after: BenchmarkDocument, same: bool, machines: Sequence[Paces]
) -> list[str]:
    notes = []
    if not same:
        notes.append("these are different machines: ratios only, nothing is called slower")
    elif not all(machines):
        notes.append(
            "a result without yardsticks does not tell how fast the machine was: ratios only, "
            "no time is called slower"
        )
    else:
        furthest = max(map(_pace, machines), key=lambda pace: abs(math.log(pace)))
        if not 1 / MARGIN <= furthest <= MARGIN:
            notes.append(
                f"the machine itself took {furthest:.2f} times as long for a fixed computation: "
                "the ratios are adjusted for that, the times are not"
            )
    absent = len(before["cells"]) + len(after["cells"]) - 2 * len(_pairs(before, after))
    if absent:
        notes.append(f"{absent} combinations are in one result only")
    for name, result in (("first", before), ("second", after)):
        if result["partial"]:
            notes.append(f"the {name} result is partial: it was interrupted")
        notes += [f"the {name} result: {warning}" for warning in result["warnings"]]
    return notes
