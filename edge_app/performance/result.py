"""A benchmark's result: what was measured, on what, and reasons to distrust it."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from datetime import datetime, timezone
from functools import partial
from pathlib import Path
from typing import Final, cast

from edge_app.backends import registry
from edge_app.core import machine, strict_json
from edge_app.core.about import __version__
from edge_app.core.errors import EdgeCxrError, InvalidError, ReportError
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.model.model_file import locate
from edge_app.performance import benchmark_check_generated as benchmark_check
from edge_app.performance import conditions
from edge_app.performance import rounds as suite
from edge_app.performance.combinations import Matrix
from edge_app.performance.document import BenchmarkDocument, CellDocument, Conditions, SiteSetting
from edge_app.performance.images import ImageSet
from edge_app.performance.rounds import INTERRUPTED, Measured

SCHEMA_VERSION: Final = 1
KIND: Final = "edge-cxr benchmark"
MAX_BYTES: Final = 32 << 20
PACKAGES: Final = ("numpy", "Pillow", "isal", *registry.packages())

RUNTIME: Final = ("name", "version", "delegate", "library", "threads")
"""The keys of a classifier's provenance that identify a combination."""

EMULATED: Final = re.compile("emulated|qemu|dummy-virt", re.IGNORECASE)
"""Words in a device tree's model that mean emulation."""

SLOWED: Final = 1.05
"""Growth of the yardstick's time from the run's first third to its last that gives a warning."""

LARGEST: Final = 1e18
"""The largest number in a result, in bytes or seconds; its inverse is the smallest except 0."""


class NothingMeasuredError(EdgeCxrError):
    """Interrupted before any process had answered."""

    kind = "benchmark"


def measure(
    matrix: Matrix,
    images: ImageSet,
    workers: Sequence[int],
    *,
    seconds: float,
    precision: float,
    command: Sequence[str],
    progress: Callable[[str], None] = lambda line: None,
) -> BenchmarkDocument:
    """Run the benchmark and collect its result.

    Raises:
        NothingMeasuredError: it was interrupted before any process had answered.
        ImageError, ModelError, UsageError: as raised by the processes that measure.
    """
    settings = conditions.settings()
    before = conditions.observe()
    measured, ended = suite.run(
        matrix.cells, images, workers, seconds=seconds, precision=precision, progress=progress
    )
    met = conditions.between(before, conditions.observe())
    largest = max((one.clock_jump for one in measured), key=abs, default=0.0)
    if abs(largest) > abs(met["clock_jump"]):
        met["clock_jump"] = round(largest, 3)
    identity, known = machine.identity(), _answered(measured)
    failed = {one.cell.label: str(one.fault) for one in measured if one.fault}
    return {
        "kind": KIND,
        "schema_version": SCHEMA_VERSION,
        "edge_cxr": __version__,
        "created": datetime.now(timezone.utc).isoformat(timespec="seconds"),
        "command": list(command),
        "ended": ended,
        "partial": ended == INTERRUPTED,
        "warnings": [
            *_emulation(identity["board"]),
            *matrix.notes,
            *_warnings(known, met, settings["governor"], ended),
        ],
        "settings": {
            "seconds": seconds,
            "precision": precision,
            "workers": list(workers),
            **_site(known),
        },
        "machine": {
            **identity,
            **machine.capabilities(),
            **settings,
            "packages": machine.packages(PACKAGES),
        },
        "conditions": met,
        "images": images.facts,
        "cells": [_cell(one) for one in known],
        "not_measured": [
            {"label": label, "reason": reason}
            for label, reason in {**matrix.absent, **failed}.items()
        ],
    }


def _answered(measured: Sequence[Measured]) -> list[Measured]:
    known = [one for one in measured if one.facts and one.fault is None]
    if not known:
        raise NothingMeasuredError("interrupted before anything was measured")
    return known


def _site(measured: Sequence[Measured]) -> SiteSetting:
    """The digest of the site file that all combinations used, if any."""
    digest = measured[0].facts.get("site")
    return {"site": digest} if digest else {}


def _cell(measured: Measured) -> CellDocument:
    path = locate(measured.cell.model)
    return {
        "label": measured.cell.label,
        "model": {**measured.facts["model"], "bytes": os.stat(path).st_size},
        "runtime": {name: measured.facts["runtime"][name] for name in RUNTIME},
        "warm_up": measured.warm_up,
        "quantities": {
            name: quantity.as_dict()
            for name, quantity in measured.quantities.items()
            if quantity.runs
        },
    }


def _emulation(board: str | None) -> list[str]:
    if board is None or not EMULATED.search(board):
        return []
    return [f"this machine is emulated ({board}): its times mean nothing"]


def _warnings(
    measured: Sequence[Measured], met: Conditions, governor: str | None, ended: str
) -> list[str]:
    said = conditions.warnings(met, governor)
    slower = suite.drift(measured)
    if slower > SLOWED:
        said.append(
            f"the machine became slower while it was measured: a fixed computation took "
            f"{slower:.2f} times as long at the end: let it cool, or run for longer"
        )
    if suite.one_core():
        said.append("there is one core: whatever else runs is in the times")
    if ended == INTERRUPTED:
        said.append("interrupted: some quantities have fewer runs than others, or none")
    return said


def not_measured(result: BenchmarkDocument) -> list[str]:
    """A line for each combination that could not be measured."""
    return [f"not measured: {each['label']}: {each['reason']}" for each in result["not_measured"]]


def load(path: Path) -> BenchmarkDocument:
    """Read a result that `edge-cxr benchmark --json` printed.

    Raises:
        ReportError: it cannot be read, or is none.
    """
    try:
        content = strict_json.parse(
            read_bounded(path, MAX_BYTES),
            parse_float=partial(_bounded, float),
            parse_int=partial(_bounded, int),
        )
    except UnreadableError as error:
        raise ReportError(f"{path}: {error}") from None
    except ValueError as error:
        raise ReportError(f"{path}: is not JSON: {str(error)[:100]}") from None
    if not isinstance(content, dict) or content.get("kind") != KIND:
        raise ReportError(f"{path}: is no result of edge-cxr benchmark --json")
    version = content.get("schema_version")
    if isinstance(version, int) and version > SCHEMA_VERSION:
        raise ReportError(f"{path}: has version {version}: update edge-cxr to read it")
    try:
        benchmark_check.validate(content)
    except InvalidError as error:
        raise ReportError(f"{path}: is damaged: {str(error)[:200]}") from None
    return cast("BenchmarkDocument", content)


def _bounded(kind: Callable[[str], float], digits: str) -> float:
    size = abs(float(digits))
    if size and not 1 / LARGEST < size < LARGEST:
        raise ValueError(f"{digits[:20]} is no time and no size")
    return kind(digits)
