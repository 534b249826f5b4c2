"""The labels of own data: from a list that a person writes, or from the names in the data.

A list is a text file with a name a line, ``NAME, normal`` for that of images without findings, or a
TOML or JSON file:

    labels = ["Tuberculosis", "Normal"]    # or tables with name, kind and code, as a manifest's
    normal = "Normal"                      # the label of an image without findings; "" for none
    exclusive = true                       # just one label applies to each image
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Final

from edge_app.evaluation import label_names
from edge_app.evaluation.label_names import NONE, channel_of, listed, plain_name
from edge_app.model.labels import FINDING, NORMAL, Code, Label, Labels
from train.errors import DatasetError
from train.labels import NIH, LabelSet
from train.written_file import read_written

MAX_LABELS: Final = 64
LONGEST: Final = 64
KEYS: Final = ("labels", "normal", "exclusive")
HOW: Final = "give --labels FILE with a name a line, that of 0 first"
WHICH_NORMAL: Final = 'say normal = "…" in a --labels FILE'


def read_labels(path: Path) -> LabelSet:
    """The labels that a file lists, in its order.

    Raises:
        DatasetError: it cannot be read, or is no list of 1 to 64 labels.
    """
    if path.suffix.lower() not in (".toml", ".json"):
        lines = (line.partition("#")[0].strip() for line in _lines(path))
        return _checked(path, [_of_line(line) for line in lines if line], None, exclusive=False)
    stated = read_written(path)
    if isinstance(stated, list):
        stated = {"labels": stated}
    unknown = sorted(set(stated) - set(KEYS))
    if unknown:
        raise DatasetError(f"{path}: {unknown[0]!r} is unknown: there are {', '.join(KEYS)}")
    normal, exclusive = stated.get("normal"), stated.get("exclusive", False)
    if not isinstance(stated.get("labels"), list) or not stated["labels"]:
        raise DatasetError(f'{path}: no list of labels: write labels = ["…", "…"]')
    if not isinstance(exclusive, bool) or not isinstance(normal, str | None):
        raise DatasetError(f"{path}: normal is a label's name, and exclusive is true or false")
    labels = [_label(path, entry) for entry in stated["labels"]]
    return _checked(path, labels, normal, exclusive=exclusive)


def _lines(path: Path) -> list[str]:
    text = read_written(path)
    assert isinstance(text, str)
    return text.splitlines()


def _of_line(line: str) -> Label:
    name, comma, kind = line.rpartition(",")
    if comma and kind.strip().lower() in (FINDING, NORMAL):
        return Label(name.strip(), NORMAL if kind.strip().lower() == NORMAL else FINDING)
    return Label(line)


def _label(path: Path, entry: Any) -> Label:
    if isinstance(entry, str):
        return Label(entry.strip())
    try:
        code = Code(**entry["code"]) if entry.get("code") else None
        label = Label(entry["name"], entry.get("kind", FINDING), code)
        texts = (label.name, label.kind, *(code or ()))
        if not all(isinstance(each, str) and 0 < len(each) <= LONGEST for each in texts):
            raise TypeError
        return label
    except (TypeError, KeyError, AttributeError):
        raise DatasetError(
            f"{path}: {str(entry)[:80]} is no label: write its name, or a table of name, kind "
            "(finding or normal) and code (scheme, value, meaning)"
        ) from None


def _checked(path: Path, labels: list[Label], normal: str | None, *, exclusive: bool) -> LabelSet:
    """The labels as a set, one of them normal as stated or by its name."""
    require_names(f"{path}", [label.name for label in labels], exclusive=exclusive)
    kinds = [label.kind for label in labels]
    if not set(kinds) <= {FINDING, NORMAL} or kinds.count(NORMAL) > 1:
        raise DatasetError(f"{path}: a label's kind is finding or, of one label, normal")
    if normal:
        channel = channel_of(normal, Labels(labels))
        if channel is None:
            raise DatasetError(f"{path}: normal = {normal!r} is none of its labels")
        labels = [Label(x.name, NORMAL if i == channel else FINDING, x.code)
                  for i, x in enumerate(labels)]  # fmt: skip
    elif normal is None and NORMAL not in kinds:
        labels = label_names.with_normal(labels, f"{path}", WHICH_NORMAL)
    _require_finding(f"{path}", labels)
    return LabelSet(Labels(labels), "exclusive" if exclusive else "independent", numbered=True)


def require_names(where: str, names: Sequence[str], *, exclusive: bool = False) -> None:
    """Refuse names that a model file cannot hold, and names that look alike.

    Raises:
        DatasetError: the message begins with `where`.
    """
    if not 1 <= len(names) <= MAX_LABELS:
        raise DatasetError(
            f"{where}: {len(names)} labels, not 1 to {MAX_LABELS}: list those to train"
        )
    if exclusive and len(names) < 2:
        raise DatasetError(
            f"{where}: exclusive labels are two or more: add one, or exclusive=false"
        )
    for name in names:
        if not isinstance(name, str) or not name or not name.isprintable() or "|" in name:
            raise DatasetError(f"{where}: {name!r} is no label's name: write letters, without '|'")
        if len(name) > LONGEST:
            raise DatasetError(f"{where}: {name[:40]!r}… is longer than {LONGEST} letters: shorten")
    plain, count = Counter(map(plain_name, names)).most_common(1)[0]
    if count > 1:
        twice = " and ".join(repr(name) for name in names if plain_name(name) == plain)
        raise DatasetError(f"{where}: the labels {twice} are the same: take one out")


def _require_finding(where: str, labels: Sequence[Label]) -> None:
    if all(label.kind == NORMAL for label in labels):
        raise DatasetError(
            f"{where}: the only label is {labels[0].name!r}, that of images without findings: "
            "add a finding"
        )


def labels_from_names(names: Iterable[tuple[str, ...]], where: str) -> tuple[LabelSet, list[str]]:
    """The labels of a data set without a list: the names of its images' labels.

    Labels of the shipped networks come first, in their order, then all others by letter; spellings
    that differ only in case, spaces, underscores or hyphens are one label.

    Args:
        names: of each labelled image's labels, as they are written.
        where: begins the message of an error.

    Returns:
        The labels, and a line that lists them.

    Raises:
        DatasetError: they are no names but numbers, say; the message says what to give instead.
    """
    counted: dict[str, Counter[str]] = {}
    for of_image in names:
        for name in of_image:
            if plain_name(name) != NONE:
                counted.setdefault(plain_name(name), Counter())[name] += 1
    written = [spellings.most_common(1)[0][0] for spellings in counted.values()]
    label_names.require_words(written, where, HOW)
    known = {plain_name(label.name): label for label in NIH}
    ordered = [label for plain, label in known.items() if plain in counted]
    others = sorted(name for name in written if plain_name(name) not in known)
    return _named([*(label.name for label in ordered), *others], where)


def labels_from_columns(columns: Sequence[str], where: str) -> tuple[LabelSet, list[str]]:
    """The labels of a table with a column of 0 and 1 each; see `labels_from_names`."""
    label_names.require_words(columns, where, HOW)
    return _named(list(columns), where)


def _named(names: list[str], where: str) -> tuple[LabelSet, list[str]]:
    known = {plain_name(label.name): label for label in NIH}
    spelled = [known.get(plain_name(name), Label(name)) for name in names]
    labels = [Label(label.name, FINDING, label.code) for label in spelled]
    require_names(where, [label.name for label in labels])
    labels = label_names.with_normal(labels, where, WHICH_NORMAL)
    _require_finding(where, labels)
    found = Labels(labels)
    normal = "none is normal" if found.normal is None else f"normal is {found[found.normal].name!r}"
    count = f"{len(found)} label{'s' if len(found) > 1 else ''}"
    note = f"{count}: {listed(found.names)}; {normal} (--labels FILE says otherwise)"
    return LabelSet(found), [note]


IN_THE_LIST: Final = "write exclusive = false in the list of labels"
MARK: Final = "mark the label of images without findings as normal"


def require_exclusive(
    counts: Sequence[int], images: Sequence[str], labels: LabelSet, otherwise: str = IN_THE_LIST
) -> None:
    """Refuse images with none, or several, of exclusive labels.

    Args:
        counts: how many labels each image has.
        images: their names.
        labels: exclusive or not.
        otherwise: what to do if the images' labels are right, for the message.

    Raises:
        DatasetError: counts such images and names the first.
    """
    if labels.head == "exclusive":
        marked = labels.labels.normal is not None
        label_names.require_just_one(counts, images, otherwise, "" if marked else MARK)
