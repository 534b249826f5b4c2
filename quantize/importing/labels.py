"""The file that says what a network's scores stand for: a label a line, in their order."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from edge_app.core.errors import UsageError
from edge_app.core.files import UnreadableError, read_bounded
from edge_app.model.labels import FINDING, NORMAL, Label, Labels

MOST: Final = 64
MAX_BYTES: Final = 1 << 16
LONGEST: Final = 64

HOW: Final = "write one label a line, in the order of the scores; 'NAME, normal' for the normal one"

SOUND_NORMAL: Final = frozenset({"normal", "nofinding", "healthy", "negative"})
"""Names, without blanks and case, of labels that mostly stand for the absence of all findings."""


def read_labels(path: Path) -> Labels:
    """Labels, one a line; ``NAME, normal`` is the one for the absence of all findings.

    Empty lines, and those that begin with ``#``, do not count.

    Raises:
        UsageError: the file cannot be read, or does not hold labels of a model.
    """
    try:
        text = read_bounded(path, MAX_BYTES).decode("utf-8-sig")
    except UnreadableError as error:
        raise UsageError(f"--labels {path}: {error}; {HOW}") from None
    except UnicodeDecodeError:
        raise UsageError(f"--labels {path}: is no UTF-8 text: {HOW}") from None
    lines = [line.strip() for line in text.splitlines()]
    labels = Labels(_label(line) for line in lines if line and not line.startswith("#"))
    _check(path, labels)
    return labels


def _label(line: str) -> Label:
    name, comma, kind = line.rpartition(",")
    if comma and kind.strip().lower() in (NORMAL, FINDING):
        return Label(name.strip(), NORMAL if kind.strip().lower() == NORMAL else FINDING)
    return Label(line)


def _check(path: Path, labels: Labels) -> None:
    names = labels.names
    if not names:
        raise UsageError(f"--labels {path}: holds no label: {HOW}")
    if len(names) > MOST:
        raise UsageError(f"--labels {path}: holds {len(names)} labels; a model has {MOST} at most")
    for name in names:
        if not name or "|" in name or not name.isprintable() or len(name) > LONGEST:
            raise UsageError(
                f"--labels {path}: {name[:LONGEST]!r} is no label's name: take 1 to {LONGEST} "
                "printable letters without |"
            )
        if names.count(name) > 1:
            raise UsageError(f"--labels {path}: {name!r} stands there twice: each label once")
    if sum(label.kind == NORMAL for label in labels) > 1:
        raise UsageError(f"--labels {path}: two labels are normal: declare one at most")
    if not labels.findings:
        raise UsageError(f"--labels {path}: its only label is normal: name a finding")


def notes(labels: Labels) -> list[str]:
    """What a person should know of these labels."""
    plain = {name: "".join(filter(str.isalpha, name.lower())) for name in labels.names}
    if labels.normal is not None:
        return []
    return [
        f"{name!r} counts as a finding: write '{name}, normal' if it means that there is none"
        for name in labels.names
        if plain[name] in SOUND_NORMAL
    ]
