"""What is known of images that somebody else scored: whose they are, and which labels they bear.

A table of labels as `label_table` reads it, whose labels are those that it names; or the evaluation
report of the same images.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from edge_app.core.errors import DatasetError, UsageError
from edge_app.evaluation.label_names import (
    NONE,
    NORMAL_NAMES,
    channel_of,
    encode,
    plain_name,
    require_just_one,
    require_words,
    with_normal,
)
from edge_app.evaluation.label_table import Table, read_table
from edge_app.evaluation.report import Report
from edge_app.model.labels import FINDING, NORMAL, Label, Labels

HOW: Final = "write names"
WHICH_NORMAL: Final = "say which with --normal"
NAME_NORMAL: Final = "say with --normal which of the scores is that of images without findings"


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
        chosen = []
        for name in names:
            channel = channel_of(name, self.labels)
            if channel is None:
                known = ", ".join(self.labels.names[:20])
                raise UsageError(f"{self.name}: says nothing of {name!r}; its labels are {known}")
            chosen.append(channel)
        labels = Labels(self.labels[place] for place in chosen)
        return replace(self, labels=labels, targets=self.targets[:, chosen])


def read(path: Path, normal: str | None = None, *, exclusive: bool = False) -> Truth:
    """Read a file of labels.

    Args:
        path: see `label_table`.
        normal: the label that stands for the absence of all findings; if None, one that goes by
            one of `label_names.NORMAL_NAMES`.
        exclusive: just one label applies to an image; see `label_names.encode`. `normal` need not
            be one of the file's labels then: images that bear none of these bear it.

    Raises:
        DatasetError: it cannot be read, or contradicts itself; names the line. Or labels are
            exclusive, and an image does not bear just one; counts them.
        UsageError: there is no label `normal`.
    """
    table = read_table(path)
    if table.mixed:
        raise DatasetError(next(iter(table.mixed.values())))
    labelled_rows = [row for row in table.rows if row.labelled]
    names = _names(table)
    nothing: tuple[str, ...] = ()
    if exclusive and normal is not None and _lacks_normal(normal, names):
        names, nothing = [*names, normal], (NONE,)
    labels = _labels(table, names, normal)
    if not labelled_rows:
        raise DatasetError(f"{path}: no image of it is labelled")
    targets = [
        encode(row.present or nothing, labels, table.where(row), exclusive=exclusive)
        for row in labelled_rows
    ]
    images = [row.name for row in labelled_rows]
    if exclusive:
        first = "" if labels.normal is not None else NAME_NORMAL
        require_just_one([int(row.sum()) for row in targets], images, first=first)
    return Truth(
        path.name,
        images,
        [row.patient for row in labelled_rows] if table.tells("patient") else None,
        labels,
        np.array(targets, np.uint8),
        [row.name for row in table.rows if not row.labelled],
    )


def of_report(report: Report) -> Truth:
    """What a report says of its images."""
    dataset, evaluated = report.content["dataset"], report.evaluated
    patients: Any = evaluated.patients.tolist()
    return Truth(
        *(str(dataset["name"]), evaluated.images.tolist(), patients, report.labels),
        *(evaluated.targets, [], str(dataset["digest"]), str(dataset["split"])),
    )


def _names(table: Table) -> Sequence[str]:
    """The labels that a table names, in their order there."""
    names: Sequence[str] = table.columns
    if not names:
        first: dict[str, str] = {}
        for name in (name for row in table.rows for name in row.present or ()):
            first.setdefault(plain_name(name), name)
        first.pop(NONE, None)
        names = list(first.values())
    require_words(names, str(table.path), HOW)
    return names


def _lacks_normal(normal: str, names: Sequence[str]) -> bool:
    """Whether a table names no normal label: neither this one, nor one that sounds so."""
    known = channel_of(normal, Labels(map(Label, names))) is not None
    return not known and not any(plain_name(name) in NORMAL_NAMES for name in names)


def _labels(table: Table, names: Sequence[str], normal: str | None) -> Labels:
    """A table's labels, one of them normal by what is asked for or by its name."""
    labels = [Label(name) for name in names]
    if normal is None:
        labels = with_normal(labels, str(table.path), WHICH_NORMAL)
    else:
        channel = channel_of(normal, Labels(labels))
        if channel is None:
            raise UsageError(
                f"--normal {normal!r}: {table.path} has no such label, but {', '.join(names)}"
            )
        labels = [Label(x.name, NORMAL if i == channel else FINDING) for i, x in enumerate(labels)]
    found = Labels(labels)
    if not found.findings:
        raise DatasetError(
            f"{table.path}: its one label says that there is no finding: none is left to be found"
        )
    return found
