"""What is known of images that somebody else scored: whose they are, and which labels they bear.

A CSV of ``image``, if known ``patient``, and either ``labels`` (joined by ``|``; ``Finding Labels``
in the NIH release) or one column of 0 and 1 a label; or an `.npz` of ``images``, ``labels``, if
known ``patients``, and N×L ``targets``; or the evaluation report of the same images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import UsageError
from edge_app.evaluation.label_names import NONE, plain_name
from edge_app.evaluation.report import Report
from edge_app.evaluation.score_files import ScoresError, Table, read_table
from edge_app.model.labels import FINDING, NORMAL, Label, Labels

JOINED: Final = ("findinglabels", "labels", "findings")
"""Headings of a column of labels joined by ``|``."""

NORMALS: Final = ("nofinding", "normal")
"""Names of a label that stands for the absence of all findings, unless another is named."""

CELLS: Final = {"0": 0, "1": 1, "0.0": 0, "1.0": 1, "false": 0, "true": 1, "no": 0, "yes": 1}


@dataclass(frozen=True)
class Truth:
    """N labelled images.

    Attributes:
        name: of the data set, for people.
        images: N names.
        patients: N names; None where nobody tells.
        labels: the L labels that are told of.
        targets: N×L, uint8, 0 or 1.
        unlabelled: names of images of which nothing is said.
        digest: of a report's data set; None of a labels file.
        split: of a report's data set.
    """

    name: str
    images: list[str]
    patients: list[str] | None
    labels: Labels
    targets: NDArray[np.uint8]
    unlabelled: list[str]
    digest: str | None = None
    split: str = "all"

    def of(self, names: Sequence[str]) -> Truth:
        """The same of some labels alone, in that order.

        Raises:
            UsageError: one of them is not told of.
        """
        places = {plain_name(label.name): place for place, label in enumerate(self.labels)}
        for name in names:
            if plain_name(name) not in places:
                known = ", ".join(self.labels.names[:20])
                raise UsageError(f"{self.name}: says nothing of {name!r}; its labels are {known}")
        chosen = [places[plain_name(name)] for name in names]
        labels = Labels(self.labels[place] for place in chosen)
        return replace(self, labels=labels, targets=self.targets[:, chosen])


def read(path: Path, normal: str | None = None) -> Truth:
    """Read a file of labels.

    Args:
        path: CSV or `.npz`.
        normal: the label that stands for the absence of all findings; if None, one of `NORMALS`.

    Raises:
        ScoresError: it cannot be read, or a cell says neither yes nor no; names the line.
        UsageError: there is no label `normal`.
    """
    table = read_table(path)
    joined = [name for name in table.columns if plain_name(name) in JOINED]
    if table.stated not in ("", "targets"):
        raise table.fail("holds scores, not labels: its array would be called targets")
    if joined:
        names, targets, unlabelled = _joined(table, table.columns[joined[0]])
    else:
        names, targets, unlabelled = _one_column_each(table)
    if not names:
        raise table.fail("no image bears a label")
    if unlabelled:
        silent = [table.images[row] for row in unlabelled]
        table = table.without(set(unlabelled))
        targets = np.delete(targets, unlabelled, axis=0)
    else:
        silent = []
    labels = _kinds(path, names, normal)
    if not labels.findings:
        raise table.fail("its one label says that there is no finding: none is left to be found")
    if labels.normal is not None:
        both = (targets[:, labels.normal] > 0) & targets[:, labels.findings].any(axis=1)
        if both.any():
            row = int(np.flatnonzero(both)[0])
            said = names[labels.normal]
            raise table.fail(f"{table.images[row]} bears {said!r} and a finding at once", row)
    return Truth(path.name, table.images, table.patients, labels, targets, silent)


def of_report(report: Report) -> Truth:
    """What a report says of its images."""
    dataset, evaluated = report.content["dataset"], report.evaluated
    patients: Any = evaluated.patients.tolist()
    return Truth(
        *(str(dataset["name"]), evaluated.images.tolist(), patients, report.labels),
        *(evaluated.targets, [], str(dataset["digest"]), str(dataset["split"])),
    )


Told = tuple[list[str], NDArray[np.uint8], list[int]]
"""Labels, N×L targets, and the rows that say nothing."""


def _joined(table: Table, cells: Sequence[str]) -> Told:
    if isinstance(cells, np.ndarray):
        raise table.fail("an .npz has its targets as N×L numbers")
    borne: list[list[str]] = []
    known: dict[str, str] = {}
    for cell in cells:
        names = [name.strip() for name in cell.split("|") if name.strip()]
        borne.append(names)
        for name in names:
            if plain_name(name) != NONE:
                known.setdefault(plain_name(name), name)
    places = {name: place for place, name in enumerate(known)}
    targets = np.zeros((len(cells), len(known)), np.uint8)
    for row, names in enumerate(borne):
        for name in names:
            if plain_name(name) in places:
                targets[row, places[plain_name(name)]] = 1
            elif len(names) > 1:
                raise table.fail(f"{table.images[row]} bears {NONE!r} and a label at once", row)
    return list(known.values()), targets, [row for row, names in enumerate(borne) if not names]


def _one_column_each(table: Table) -> Told:
    names, columns = [], []
    silent: set[int] = set()
    for name, cells in table.columns.items():
        if isinstance(cells, np.ndarray):
            if not np.isin(cells, (0, 1)).all():
                raise table.fail(f"its targets of {name} are not all 0 or 1")
            column = cells.astype(np.uint8)
        else:
            words = [cell.strip().lower() for cell in cells]
            if not any(word in CELLS for word in words):
                continue  # age, sex, a remark
            column = np.zeros(len(words), np.uint8)
            for row, word in enumerate(words):
                if not word:
                    silent.add(row)
                elif word not in CELLS:
                    said = str(cells[row])[:40]
                    raise table.fail(f"{name} of {table.images[row]} is {said!r}: 0 or 1", row)
                else:
                    column[row] = CELLS[word]
        names.append(name)
        columns.append(column)
    if not names:
        there = ", ".join(list(table.columns)[:12])
        raise ScoresError(
            f"{table.path}: has neither a column 'labels' nor one of 0 and 1 for each label; "
            f"there are: {there}"
        )
    return names, np.column_stack(columns), sorted(silent)


def _kinds(path: Path, names: Sequence[str], normal: str | None) -> Labels:
    wanted = NORMALS if normal is None else (plain_name(normal),)
    found = [name for name in names if plain_name(name) in wanted]
    if normal is not None and not found:
        raise UsageError(f"--normal {normal!r}: {path} has no such label, but {', '.join(names)}")
    if len(found) > 1:
        raise UsageError(f"{path}: which is the normal label, {' or '.join(found)}: see --normal")
    return Labels(Label(name, NORMAL if name in found else FINDING) for name in names)
