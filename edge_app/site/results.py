"""What `classify` printed over a period, or an archive → the numbers that drift is judged by."""

from __future__ import annotations

import csv
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.core import strict_json
from edge_app.core.errors import ReportError
from edge_app.core.plain_text import cell
from edge_app.pipeline import parquet

Floats = NDArray[np.float64]

MAX_LINE: Final = 1 << 20
MAX_ANSWERS: Final = 5_000_000


class Answered(NamedTuple):
    """One image's answer.

    Attributes:
        model, site: digests of the network, and of the site file that decided, if one did.
        overall: the probability that it is not normal; None where the findings are withheld.
        flagged: None where no image-level point decided.
        findings: probability by label, of labels asked for.
        point: the operating point that decided.
    """

    model: str
    site: str | None
    overall: float | None
    flagged: bool | None
    findings: list[float]
    point: str


class Period(NamedTuple):
    """The answers of a period.

    Attributes:
        model, site: whose answers they all are.
        overall: N probabilities, of the images whose findings are not withheld.
        flagged: N; empty where no image-level point decided.
        findings: N×F probabilities.
        withheld: images whose findings the input check withheld.
        refused: images that could not be read.
        point: the operating point that decided; None for the default one.
    """

    model: str
    site: str | None
    overall: Floats
    flagged: NDArray[np.bool_]
    findings: Floats
    withheld: int
    refused: int
    point: str | None = None


def read(paths: Sequence[Path], labels: Sequence[str]) -> Period:
    """The answers in files that `classify --json` or `--csv` printed.

    Args:
        paths: the files.
        labels: of the findings whose probabilities are wanted.

    Raises:
        ReportError: a file is none, or the answers are not all by the same model, site file and
            operating point.
    """
    places = [os.path.realpath(path) for path in paths]
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise ReportError(f"{path}: is named twice, and its answers would count twice")
    kept: list[Answered] = []
    withheld = refused = 0
    for path in paths:
        for answer in _answers(path, labels):
            if answer is None:
                refused += 1
                continue
            if kept and (answer.model, answer.site) != (kept[0].model, kept[0].site):
                raise ReportError(
                    f"{path}: its answers are of several models or site files: name those of one"
                )
            if kept and answer.point != kept[0].point:
                raise ReportError(
                    f"{path}: its answers are of several operating points, {kept[0].point} and "
                    f"{answer.point}: name those of one"
                )
            withheld += answer.overall is None
            kept.append(answer)
            if len(kept) > MAX_ANSWERS:
                raise ReportError(f"{path}: more than {MAX_ANSWERS} answers")
    if not kept:
        raise ReportError(
            f"{paths[0]}: holds no answers of edge-cxr archive, or classify --json or --csv"
        )
    scored = [each for each in kept if each.overall is not None]
    flagged = [each.flagged for each in scored if each.flagged is not None]
    return Period(
        kept[0].model,
        kept[0].site,
        np.array([each.overall for each in scored], np.float64),
        np.array(flagged if len(flagged) == len(scored) else [], bool),
        np.array([each.findings for each in scored], np.float64).reshape(-1, len(labels)),
        withheld,
        refused,
        kept[0].point,
    )


def _answers(path: Path, labels: Sequence[str]) -> Iterator[Answered | None]:
    """Each answer of a file; None for an image that could not be read."""
    place = str(path)
    parts = parquet.parts_of(path)
    if parts:
        yield from _archived(path, parts, labels)
        return
    try:
        # Without O_NONBLOCK, opening a pipe that nobody writes to never returns.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, encoding="utf-8", newline="") as file:
            first = file.readline(MAX_LINE)
            rows = _json if first.lstrip().startswith("{") else _csv
            for number, answer in rows(first, file, labels):
                place = f"{path}, line {number}"
                yield answer
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        reason = f"{error}" if isinstance(error, _WrongError) else "is no answer of edge-cxr"
        raise ReportError(f"{place}: the next line {reason}") from None


ARCHIVED: Final = ("file", "error", "model", "site", "operating_point", "findings", "overall")


def _archived(
    path: Path, parts: Sequence[Path], labels: Sequence[str]
) -> Iterator[Answered | None]:
    """Each answer of an archive."""
    try:
        for row in parquet.read(parts, ARCHIVED):
            if row["error"] is None:
                del row["error"]
            yield _of_json(row, labels)
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{error}" if isinstance(error, _WrongError) else "is no answer of edge-cxr"
        raise ReportError(f"{path}: an answer {reason}") from None


class _WrongError(ValueError):
    """What is wrong, as the end of a sentence that begins with its line."""


Rows = Iterator[tuple[int, Answered | None]]


def _json(first: str, rest: IO[str], labels: Sequence[str]) -> Rows:
    if first.strip() == "{":  # a single answer is indented
        yield 1, _of_json(strict_json.parse(first + rest.read(MAX_LINE)), labels)
        return
    for number, line in enumerate(_lines(first, rest), 1):
        if line.strip():
            yield number, _of_json(strict_json.parse(line), labels)


def _lines(first: str, rest: IO[str]) -> Iterator[str]:
    yield first
    while line := rest.readline(MAX_LINE):
        yield line


def _of_json(answer: Mapping[str, Any], labels: Sequence[str]) -> Answered | None:
    if "error" in answer:
        return None
    model, site, point = str(answer["model"]["sha256"]), answer["site"], answer["operating_point"]
    if not answer["findings"]:
        return Answered(model, site, None, None, [], point)
    told = {each["label"]: each["probability"] for each in answer["findings"]}
    if any(label not in told for label in labels):
        raise _WrongError("does not tell all findings: classify without --top")
    overall = answer["overall"]
    if overall is None:
        raise _WrongError("tells nothing of the image as a whole")
    findings = [_share(told[label]) for label in labels]
    probability = _share(overall["probability"])
    return Answered(model, site, probability, overall["flagged"], findings, point)


def _csv(first: str, rest: IO[str], labels: Sequence[str]) -> Rows:
    reader = csv.reader(_lines(first, rest), strict=True)
    heading = next(reader, [])
    columns = ("overall", "flagged", "operating_point", "model_sha256", "site", "withheld")
    needed = (*columns, *map(cell, labels))
    if any(heading.count(name) != 1 for name in needed):
        raise _WrongError("is no heading of edge-cxr classify --csv for this model")
    places = {name: heading.index(name) for name in needed}
    for cells in filter(None, reader):
        row = {name: cells[place] for name, place in places.items() if place < len(cells)}
        yield reader.line_num, _of_csv(row, labels)


def _of_csv(row: Mapping[str, str], labels: Iterable[str]) -> Answered | None:
    if not row["withheld"]:
        return None
    model, site, point = row["model_sha256"], row["site"] or None, row["operating_point"]
    if row["withheld"] == "true":
        return Answered(model, site, None, None, [], point)
    flagged = {"true": True, "false": False, "": None}[row["flagged"]]
    findings = [_share(float(row[cell(label)])) for label in labels]
    return Answered(model, site, _share(float(row["overall"])), flagged, findings, point)


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise _WrongError("holds a probability that is none")
    return float(value)
