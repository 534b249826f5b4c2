"""What `classify` printed over a period, or an archive → the numbers that drift is judged by."""

from __future__ import annotations

import csv
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from edge_app.core import strict_json
from edge_app.core.errors import ReportError
from edge_app.core.plain_text import cell
from edge_app.pipeline import parquet

if TYPE_CHECKING:
    from edge_app.model.model_file import ModelFile
    from edge_app.model.site import Site

Floats = NDArray[np.float64]

MAX_LINE: Final = 1 << 20
MAX_ANSWERS: Final = 5_000_000


class Maker(NamedTuple):
    """Who made an answer, by digests.

    Attributes:
        model: of the network.
        file: over all parts of the model file, its input check among them; None where it is not
            told, as of files of earlier versions.
        site: of the site file that decided, if one did.
    """

    model: str
    file: str | None
    site: str | None

    @classmethod
    def of(cls, model: ModelFile, site: Site | None = None) -> Maker:
        """The maker of a model's answers at a site."""
        return cls(model.sha256, model.digest, site.digest if site else None)

    def differs(self, other: Maker) -> str | None:
        """Why answers of another maker are not of this one, in words; None where they are."""
        if other.model != self.model:
            return "of another network"
        if other.file != self.file:
            return OTHER_FILE if other.file else UNTOLD_FILE
        if other.site != self.site:
            return "made with another site file" if other.site else "made without a site file"
        return None


OTHER_FILE: Final = (
    "of another model file of the same network, whose input check or calibration may be another"
)
UNTOLD_FILE: Final = "without the model file's digest, as earlier versions wrote CSV"


class Answered(NamedTuple):
    """One image's answer.

    Attributes:
        overall: the probability that it is not normal; None where the findings are withheld.
        flagged: None where no image-level point decided.
        findings: probability by label, of labels asked for.
        point: the operating point that decided.
    """

    overall: float | None
    flagged: bool | None
    findings: list[float]
    point: str


class Period(NamedTuple):
    """The answers of a period.

    Attributes:
        model, site: digests of the network and of the site file whose answers they all are.
        overall: N probabilities, of the images whose findings are not withheld.
        flagged: N; empty where no image-level point decided.
        findings: N×F probabilities.
        withheld: images whose findings the input check withheld.
        refused: images that could not be read.
        point: the operating point that decided; None for the default one.
        left_out: why answers do not count, in words, and how many.
    """

    model: str
    site: str | None
    overall: Floats
    flagged: NDArray[np.bool_]
    findings: Floats
    withheld: int
    refused: int
    point: str | None = None
    left_out: tuple[tuple[str, int], ...] = ()


def read(paths: Sequence[Path], labels: Sequence[str], by: Maker) -> Period:
    """The answers in files that `classify --json` or `--csv` printed, as far as they are one's.

    Args:
        paths: the files.
        labels: of the findings whose probabilities are wanted.
        by: whose answers count; others are left out and counted.

    Raises:
        ReportError: a file is none, no answer counts, or those that do are not all of the same
            operating point.
    """
    places = [os.path.realpath(path) for path in paths]
    for path, place in zip(paths, places, strict=True):
        if places.count(place) > 1:
            raise ReportError(f"{path}: is named twice, and its answers would count twice")
    kept: list[Answered] = []
    left_out: Counter[str] = Counter()
    withheld = refused = 0
    for path in paths:
        for answer in _answers(path, labels, by):
            if answer is None:
                refused += 1
                continue
            if isinstance(answer, str):
                left_out[answer] += 1
                continue
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
        raise _none_counts(paths[0], left_out)
    scored = [each for each in kept if each.overall is not None]
    flagged = [each.flagged for each in scored if each.flagged is not None]
    return Period(
        by.model,
        by.site,
        np.array([each.overall for each in scored], np.float64),
        np.array(flagged if len(flagged) == len(scored) else [], bool),
        np.array([each.findings for each in scored], np.float64).reshape(-1, len(labels)),
        withheld,
        refused,
        kept[0].point,
        tuple(left_out.most_common()),
    )


def in_words(left_out: Iterable[tuple[str, int]]) -> str:
    """Why answers do not count, and how many of each: ``3 answers of another network; 1 made …``"""
    parts = [f"{count} {why}" for why, count in left_out]
    if parts:
        count, _, why = parts[0].partition(" ")
        parts[0] = f"{count} answer{'' if count == '1' else 's'} {why}"
    return "; ".join(parts)


def _none_counts(path: Path, left_out: Counter[str]) -> ReportError:
    if not left_out:
        return ReportError(
            f"{path}: holds no answers of edge-cxr archive, or classify --json or --csv"
        )
    why = in_words(left_out.most_common())
    return ReportError(f"{path}: of its answers none counts: {why}: see --model and --site")


Read = Answered | str | None
"""An answer; why it does not count, in words; None for an image that could not be read."""


def _answers(path: Path, labels: Sequence[str], by: Maker) -> Iterator[Read]:
    """Each answer of a file."""
    place = str(path)
    parts = parquet.parts_of(path)
    if parts:
        yield from _archived(path, parts, labels, by)
        return
    try:
        # Without O_NONBLOCK, opening a pipe that nobody writes to never returns.
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(descriptor, encoding="utf-8", newline="") as file:
            first = file.readline(MAX_LINE)
            rows = _json if first.lstrip().startswith("{") else _csv
            for number, answer in rows(first, file, labels, by):
                place = f"{path}, line {number}"
                yield answer
    except OSError as error:
        raise ReportError(f"{path}: {error.strerror or error}") from None
    except (ValueError, KeyError, TypeError, AttributeError, csv.Error) as error:
        reason = f"{error}" if isinstance(error, _WrongError) else "is no answer of edge-cxr"
        raise ReportError(f"{place}: the next line {reason}") from None


ARCHIVED: Final = ("file", "error", "model", "site", "operating_point", "findings", "overall")


def _archived(
    path: Path, parts: Sequence[Path], labels: Sequence[str], by: Maker
) -> Iterator[Read]:
    """Each answer of an archive."""
    try:
        for row in parquet.read(parts, ARCHIVED):
            if row["error"] is None:
                del row["error"]
            yield _of_json(row, labels, by)
    except (ValueError, KeyError, TypeError) as error:
        reason = f"{error}" if isinstance(error, _WrongError) else "is no answer of edge-cxr"
        raise ReportError(f"{path}: an answer {reason}") from None


class _WrongError(ValueError):
    """What is wrong, as the end of a sentence that begins with its line."""


Rows = Iterator[tuple[int, Read]]


def _json(first: str, rest: IO[str], labels: Sequence[str], by: Maker) -> Rows:
    if first.strip() == "{":  # a single answer is indented
        yield 1, _of_json(strict_json.parse(first + rest.read(MAX_LINE)), labels, by)
        return
    for number, line in enumerate(_lines(first, rest), 1):
        if line.strip():
            yield number, _of_json(strict_json.parse(line), labels, by)


def _lines(first: str, rest: IO[str]) -> Iterator[str]:
    yield first
    while line := rest.readline(MAX_LINE):
        yield line


def _of_json(answer: Mapping[str, Any], labels: Sequence[str], by: Maker) -> Read:
    model = answer["model"]
    if why := by.differs(Maker(str(model["sha256"]), model.get("digest"), answer["site"])):
        return why
    if "error" in answer:
        return None
    point = answer["operating_point"]
    if not answer["findings"]:
        return Answered(None, None, [], point)
    probabilities = {each["label"]: each["probability"] for each in answer["findings"]}
    if any(label not in probabilities for label in labels):
        raise _WrongError("does not tell all findings: classify without --top")
    overall = answer["overall"]
    if overall is None:
        raise _WrongError("tells nothing of the image as a whole")
    findings = [_share(probabilities[label]) for label in labels]
    probability = _share(overall["probability"])
    return Answered(probability, overall["flagged"], findings, point)


def _csv(first: str, rest: IO[str], labels: Sequence[str], by: Maker) -> Rows:
    reader = csv.reader(_lines(first, rest), strict=True)
    heading = next(reader, [])
    needed = {*COLUMNS, *map(cell, labels)}
    if any(heading.count(name) != 1 for name in COLUMNS):
        raise _WrongError(NO_HEADING)
    places = {name: heading.index(name) for name in (*needed, DIGEST) if heading.count(name) == 1}
    for cells in filter(None, reader):
        row = {name: cells[place] for name, place in places.items() if place < len(cells)}
        maker = Maker(row["model_sha256"], row.get(DIGEST) or None, row["site"] or None)
        why = by.differs(maker)
        if not why and needed - places.keys():  # another network has other labels
            raise _WrongError(NO_HEADING)
        yield reader.line_num, why or _of_csv(row, labels)


DIGEST: Final = "model_digest"
COLUMNS: Final = ("overall", "flagged", "operating_point", "model_sha256", "site", "withheld")
NO_HEADING: Final = "is no heading of edge-cxr classify --csv for this model"


def _of_csv(row: Mapping[str, str], labels: Iterable[str]) -> Answered | None:
    if not row["withheld"]:
        return None
    point = row["operating_point"]
    if row["withheld"] == "true":
        return Answered(None, None, [], point)
    flagged = {"true": True, "false": False, "": None}[row["flagged"]]
    findings = [_share(float(row[cell(label)])) for label in labels]
    return Answered(_share(float(row["overall"])), flagged, findings, point)


def _share(value: float) -> float:
    if not 0 <= value <= 1:
        raise _WrongError("holds a probability that is none")
    return float(value)
