"""Two or more results side by side: ratios with intervals, and whether anything became slower."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from edge_app.benchmarking.interval import LEVEL, Interval, ratio
from edge_app.benchmarking.result import Result
from edge_app.errors import ReportError
from edge_app.runtimes.delegate import Delegate

MARGIN: Final = 1.03
"""Two measurements of one thing some minutes apart differ by up to so much, whatever their runs
say: rooms warm up, and hypervisors move machines."""

BYTES_MARGIN: Final = 1.01
"""Files of one picture may differ so much in size: another zlib packed them."""

FASTER, SLOWER, SAME, UNCLEAR = "faster", "slower", "same", "unclear"

YARDSTICK: Final = "yardstick"
EXTERNAL: Final = Delegate.name


@dataclass(frozen=True)
class Difference:
    """One quantity of one combination in two results.

    Attributes:
        cell: the combination.
        quantity: see the schema.
        unit: of both values.
        before, after: the values.
        ratio: after / before, with the interval that all quantities hold together at 95 %.
        verdict: None between machines; otherwise `same` means within `MARGIN`, and `unclear` that
            the interval reaches across it.
    """

    cell: str
    quantity: str
    unit: str
    before: float
    after: float
    ratio: Interval
    verdict: str | None


@dataclass(frozen=True)
class Comparison:
    """A result beside the first one.

    Attributes:
        same_machine: only then is a difference the software's.
        notes: what must be known to read the ratios, one line each.
    """

    same_machine: bool
    differences: tuple[Difference, ...]
    notes: tuple[str, ...]

    @property
    def slower(self) -> list[Difference]:
        return [each for each in self.differences if each.verdict == SLOWER]


def compare(before: Result, after: Result) -> Comparison:
    """What `after` does differently.

    Raises:
        ReportError: they were measured on other images, or of other models.
    """
    _require_same_images(before["images"], after["images"])
    pairs = _pairs(before, after)
    same = _same_machine(before["machine"], after["machine"])
    shared = [
        (a, b, name)
        for a, b in pairs
        for name in a["quantities"]
        if name in b["quantities"] and name != YARDSTICK
    ]
    # Bonferroni: of many quantities that did not change, none is to be called different.
    level = 1 - (1 - LEVEL) / max(1, len(shared))
    machines = [_yardstick(a, b, level) for a, b, _ in shared]
    differences = tuple(
        _difference(a, b, name, level, machine if same else None)
        for (a, b, name), machine in zip(shared, machines, strict=True)
    )
    notes = _notes(before, after, same, [m for m in machines if m])
    return Comparison(same, differences, tuple(notes))


def _difference(
    a: dict[str, Any], b: dict[str, Any], name: str, level: float, machine: Interval | None
) -> Difference:
    one, other = a["quantities"][name], b["quantities"][name]
    between = ratio(other["runs"], one["runs"], level)
    verdict = _verdict(between, one["unit"], machine) if machine else None
    return Difference(a["label"], name, one["unit"], one["value"], other["value"], between, verdict)


def _verdict(between: Interval, unit: str, machine: Interval) -> str:
    if between.low is None or between.high is None:
        return UNCLEAR
    low, high = between.low, between.high
    if unit == "images/s":
        low, high = 1 / high, 1 / low
    # What the whole machine was slower by is no fault of the software.
    pace = 1.0 if unit == "B" else machine.value
    least, most = min(1.0, pace) / MARGIN, max(1.0, pace) * MARGIN
    if low > most:
        return SLOWER
    if high < least:
        return FASTER
    return SAME if least <= low and high <= most else UNCLEAR


def _yardstick(a: dict[str, Any], b: dict[str, Any], level: float) -> Interval | None:
    one, other = (cell["quantities"].get(YARDSTICK) for cell in (a, b))
    return ratio(other["runs"], one["runs"], level) if one and other else None


def _require_same_images(one: dict[str, Any], other: dict[str, Any]) -> None:
    larger, smaller = max(one["bytes"], other["bytes"]), min(one["bytes"], other["bytes"])
    if (one["pixels_sha256"], one["kinds"]) != (other["pixels_sha256"], other["kinds"]):
        raise ReportError(
            "these results are of other images: measure both on the same files, in the same order"
        )
    if larger > BYTES_MARGIN * smaller:
        raise ReportError(
            f"these results are of the same pictures in files of other sizes ({one['bytes']} and "
            f"{other['bytes']} bytes), which take other times to decode: copy the files"
        )


def _pairs(before: Result, after: Result) -> list[tuple[dict[str, Any], dict[str, Any]]]:
    """Combinations that both have."""
    others = {_key(cell): cell for cell in after["cells"]}
    pairs = [(cell, others[_key(cell)]) for cell in before["cells"] if _key(cell) in others]
    if pairs:
        return pairs
    models = [{cell["model"]["sha256"] for cell in result["cells"]} for result in (before, after)]
    if not models[0] & models[1]:
        raise ReportError("these results are of other models: only the same network compares")
    raise ReportError(
        "these results have no combination of model, runtime, delegate and threads in common"
    )


def _key(cell: dict[str, Any]) -> tuple[str, ...]:
    runtime = cell["runtime"]
    # A delegate without a name of its own is known by its file.
    names = ("name", "library" if runtime["delegate"] == EXTERNAL else "delegate", "threads")
    return (cell["model"]["sha256"], *(str(runtime[name]) for name in names))


def _same_machine(one: dict[str, Any], other: dict[str, Any]) -> bool:
    names = ("machine", "cpu", "board", "cores", "features", "memory_mib")
    return all(one[name] == other[name] for name in names)


def _notes(before: Result, after: Result, same: bool, machines: Sequence[Interval]) -> list[str]:
    notes = []
    if not same:
        notes.append("these are different machines: ratios only, nothing is called slower")
    elif machines:
        furthest = max(machines, key=lambda m: abs(m.value - 1)).value
        if not 1 / MARGIN <= furthest <= MARGIN:
            notes.append(
                f"the machine itself took {furthest:.2f} times as long for a fixed computation: "
                "only what changed by more than that is called different"
            )
    absent = len(before["cells"]) + len(after["cells"]) - 2 * len(_pairs(before, after))
    if absent:
        notes.append(f"{absent} combinations are in one result only")
    for name, result in (("first", before), ("second", after)):
        if result["partial"]:
            notes.append(f"the {name} result is partial: it was interrupted")
        notes += [f"the {name} result: {warning}" for warning in result["warnings"]]
    return notes
