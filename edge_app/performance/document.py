"""What a benchmark's result holds, as types; `benchmark.schema.json` says the same of its JSON."""

from __future__ import annotations

from typing import Any, Literal, TypedDict

Facts = dict[str, Any]
"""Facts about a machine, its sensors or a runtime, whose keys vary."""

Runs = Literal["runs", "runs_p10"]
"""The fields with one number a process."""


class SiteSetting(TypedDict, total=False):
    """The digest of the site file that decides; absent without one."""

    site: str


class Settings(SiteSetting):
    """The options that decide how long is measured, and by what is decided."""

    seconds: float
    precision: float
    workers: list[int]


class Conditions(TypedDict):
    """The state of the machine during the measurement; see `conditions.between`."""

    seconds: float
    others: float | None
    stolen: float | None
    clock_jump: float
    before: Facts
    after: Facts


class _Quantity(TypedDict):
    unit: str
    value: float
    low: float | None
    high: float | None
    runs: list[float]
    count: int
    min: float
    p50: float
    p90: float
    p99: float
    spread: float


class QuantityDocument(_Quantity, total=False):
    """A measured quantity; `runs_p10` is there where each process gave several samples."""

    runs_p10: list[float]


class CellDocument(TypedDict):
    """One combination; `warm_up` is the number of images before the first sample, by process."""

    label: str
    model: Facts
    runtime: Facts
    warm_up: list[int]
    quantities: dict[str, QuantityDocument]


class NotMeasured(TypedDict):
    """A combination that does not work here, and why."""

    label: str
    reason: str


class BenchmarkDocument(TypedDict):
    """The result of a benchmark.

    Attributes:
        command: that made it.
        ended: ``precise``, ``budget`` or ``interrupted``.
        partial: it was interrupted, so some quantities have fewer runs, or are absent.
        images: source, number, size and digest of the pictures.
    """

    kind: str
    schema_version: int
    edge_cxr: str
    created: str
    command: list[str]
    ended: str
    partial: bool
    warnings: list[str]
    settings: Settings
    machine: Facts
    conditions: Conditions
    images: Facts
    cells: list[CellDocument]
    not_measured: list[NotMeasured]
